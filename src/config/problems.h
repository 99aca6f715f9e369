// Problems: all errors of one configuration, each with its position.
//
// Invariant: nothing is thrown or printed; one run collects all errors, sorted by position.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace probegate::config {

struct Mark {
  int line = 0;    // from 1; 0 = no position in a file (environment, defaults)
  int column = 0;  // from 1, in characters
};

// Whether the configuration is for running here or for rendering manifests for another machine.
enum class Purpose { run, render };

class Problems {
 public:
  explicit Problems(std::string source, Purpose purpose = Purpose::run)
      : source_(std::move(source)), purpose_(purpose) {}

  // "FILE:LINE:COLUMN: key: what is wrong, what is allowed"; without a mark "FILE: key: ...".
  void add(Mark mark, std::string_view key, std::string_view message);
  // The same for a missing variable or secret file. Ignored for Purpose::render, where another
  // machine has them.
  void add_absent(Mark mark, std::string_view key, std::string_view message);
  bool rendering() const { return purpose_ == Purpose::render; }
  // "environment: VARIABLE: ...", for a value that did not come from a file.
  void add_variable(std::string_view variable, std::string_view message);

  bool empty() const { return lines_.empty(); }
  std::vector<std::string> sorted() const;  // by line and column

 private:
  struct Line {
    Mark mark;
    std::string text;
  };
  std::string source_;
  Purpose purpose_;
  std::vector<Line> lines_;
};

}  // namespace probegate::config
