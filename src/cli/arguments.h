// A private copy of the command line. A URL among the arguments may hold a password, and process lists show
// the original.
#pragma once

#include <string>
#include <vector>

namespace probegate::cli {

class Arguments {
 public:
  // Copies the arguments, then overwrites possible secrets in `argv`: ps and /proc show that memory.
  Arguments(int argc, char** argv);
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  int count() const { return static_cast<int>(texts_.size()); }
  char** values() { return pointers_.data(); }  // null-terminated; valid as long as this object

 private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

// The argument as it may be shown; `before` is the argument that precedes it. A URL loses its user-info and
// possibly secret query values, "--header NAME:VALUE" its value.
std::string shown_argument(const std::string& before, const std::string& argument);

// An error text about these arguments, with each argument replaced by its shown form.
std::string without_secrets(std::string text, const std::vector<std::string>& arguments);

}  // namespace probegate::cli
