#include "cli/execute.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include "config/environment.h"

namespace probegate::cli {
namespace {

// As shells do.
constexpr int kCannotExecute = 126;
constexpr int kNotFound = 127;

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (auto& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

}  // namespace

int execute(const std::vector<std::string>& command) {
  auto arguments = command;
  std::vector<std::string> variables;
  for (const auto& [name, value] : config::process_environment()) variables.push_back(name + "=" + value);
  std::cout.flush();
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execvpe(arguments.front().c_str(), pointers(arguments).data(), pointers(variables).data());
  const int error = errno;
  std::cerr << "probegate: cannot execute " << command.front() << ": " << std::strerror(error) << "\n";
  return error == ENOENT ? kNotFound : kCannotExecute;
}

}  // namespace probegate::cli
