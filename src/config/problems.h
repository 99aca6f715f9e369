// Problems: every mistake of one configuration, each with its place.
//
// Invariant: nothing is thrown or printed; all mistakes come out of one run, in the order of their places.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace probegate::config {

struct Mark {
  int line = 0;    // from 1; 0 = no place in a file (environment, defaults)
  int column = 0;  // from 1, in characters
};

// Whether the program is to run here, or the file is only read to render manifests for another machine.
enum class Purpose { run, render };

class Problems {
 public:
  explicit Problems(std::string source, Purpose purpose = Purpose::run)
      : source_(std::move(source)), purpose_(purpose) {}

  // "FILE:LINE:COLUMN: key: what is wrong, what is allowed"; without a mark "FILE: key: ...".
  void add(Mark mark, std::string_view key, std::string_view message);
  // The same for a variable or a file of a secret that is not there; no mistake of a file that runs
  // elsewhere.
  void add_absent(Mark mark, std::string_view key, std::string_view message);
  bool rendering() const { return purpose_ == Purpose::render; }
  // "environment: VARIABLE: ...", for a value that came from no file.
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
