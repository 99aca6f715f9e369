// A real server for a test: its own temporary directory, a free port of loopback, an unprivileged user, and
// gone with the object.
#pragma once

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/fake_peer.h"

namespace probegate::test {

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "probegate-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary directory");
    path_ = pattern;
    // Servers refuse to run as root and the tests may.
    if (const passwd* user = unprivileged();
        user != nullptr && ::chown(pattern.c_str(), user->pw_uid, user->pw_gid) != 0) {
      throw std::runtime_error("cannot give the temporary directory away");
    }
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

  static const passwd* unprivileged() { return geteuid() == 0 ? getpwnam("nobody") : nullptr; }

 private:
  std::filesystem::path path_;
};

// A child process; killed and waited for by the destructor. Its output goes to the directory's "log".
class Process {
 public:
  Process(const TempDir& directory, std::vector<std::string> command) {
    std::vector<char*> arguments;
    for (auto& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const std::string log = directory / "log";
    const passwd* user = TempDir::unprivileged();
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("cannot fork");
    if (pid_ > 0) return;
    const bool dropped = user == nullptr || (setgid(user->pw_gid) == 0 && setuid(user->pw_uid) == 0);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    const int in = open("/dev/null", O_RDONLY);
    if (dropped && out >= 0 && in >= 0 && dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(out, 2) == 2) {
      execvp(arguments[0], arguments.data());
    }
    _exit(127);
  }
  ~Process() { stop(SIGKILL); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void stop(int signal) {
    if (pid_ <= 0) return;
    kill(pid_, signal);
    wait();
  }
  int wait() {
    int status = -1;
    if (pid_ > 0) waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
};

class PrivateRedis {
 public:
  explicit PrivateRedis(std::vector<std::string> options = {}) : port_(closed_port()) {
    command_ = {"redis-server", "--port",          std::to_string(port_), "--bind", "127.0.0.1", "--save", "",
                "--dir",        directory_.path(), "--unixsocket",        socket()};
    command_.insert(command_.end(), options.begin(), options.end());
    start();
  }
  void start() { process_ = std::make_unique<Process>(directory_, command_); }
  void stop() { process_.reset(); }

  std::uint16_t port() const { return port_; }
  std::string socket() const { return directory_ / "redis.sock"; }

 private:
  TempDir directory_;
  std::uint16_t port_;
  std::vector<std::string> command_;
  std::unique_ptr<Process> process_;
};

// User "app" with the password "t0p-secret", database "postgres".
class PrivatePostgres {
 public:
  PrivatePostgres() : port_(closed_port()) {
    std::ofstream(directory_ / "password") << "t0p-secret\n";
    std::filesystem::permissions(directory_ / "password", std::filesystem::perms(0644));
    run({binary("initdb"), "-D", directory_ / "data", "-U", "app", "--no-sync", "--auth=scram-sha-256",
         "--pwfile=" + (directory_ / "password")});
    server_ = std::make_unique<Process>(
        directory_, std::vector<std::string>{binary("postgres"), "-D", directory_ / "data", "-p",
                                             std::to_string(port_), "-k", directory_.path(), "-c",
                                             "listen_addresses=127.0.0.1", "-c", "fsync=off"});
  }

  void execute(const std::string& sql) const {
    run({binary("psql"), "-q", "-v", "ON_ERROR_STOP=1", "-d", url(), "-c", sql});
  }

  std::uint16_t port() const { return port_; }
  std::string directory() const { return directory_.path(); }
  std::string url(const std::string& rest = "/postgres") const {
    return "postgresql://app:t0p-secret@127.0.0.1:" + std::to_string(port_) + rest;
  }

 private:
  static std::string binary(const std::string& name) {
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql")) {
      const auto path = version.path() / "bin" / name;
      if (std::filesystem::exists(path)) return path.string();
    }
    throw std::runtime_error(name + " not found; apt install postgresql");
  }

  void run(std::vector<std::string> command) const {
    const std::string name = command[0];
    if (Process(directory_, std::move(command)).wait() == 0) return;
    std::ifstream log(directory_ / "log");
    throw std::runtime_error(name + " failed: " + std::string(std::istreambuf_iterator<char>(log), {}));
  }

  TempDir directory_;
  std::uint16_t port_;
  std::unique_ptr<Process> server_;
};

}  // namespace probegate::test
