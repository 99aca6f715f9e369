// The command line, kept where no list of processes shows it: a URL among the arguments may hold a password.
#pragma once

#include <string>
#include <vector>

namespace probegate::cli {

class Arguments {
 public:
  // Copies the arguments, and overwrites in `argv` what may be a secret: ps and /proc show that memory.
  Arguments(int argc, char** argv);
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  int count() const { return static_cast<int>(texts_.size()); }
  char** values() { return pointers_.data(); }  // ended by a null pointer; as long as we live

 private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

// One argument as it may be shown, behind the one before it: of a URL no user-info and no value that may be
// secret, of "--header NAME:VALUE" the name.
std::string shown_argument(const std::string& before, const std::string& argument);

// An error about these arguments, with each as it may be shown.
std::string without_secrets(std::string text, const std::vector<std::string>& arguments);

}  // namespace probegate::cli
