// The result of one attempt of a check. A value; made by checks, evaluated by HealthModel.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "metrics/labels.h"

namespace probegate::health {

using metrics::FailKind;   // what failed, as counted in metrics
using metrics::to_string;  // the word used in JSON and metrics

struct CheckError {
  FailKind kind = FailKind::internal;
  std::string message;        // one sentence for people; the runner removes secrets before it is stored
  std::string sqlstate = {};  // PostgreSQL only, five characters
  std::vector<std::string> missing = {};  // missing_tables only, as written in the config
  bool operator==(const CheckError&) const = default;
};

// `inconclusive` is our own fault (no descriptors, suspended process) and is not counted.
enum class Verdict { pass, warn, fail, inconclusive };

struct CheckResult {
  Verdict verdict = Verdict::inconclusive;
  std::optional<CheckError> error = {};  // set on warn and fail

  static CheckResult pass() { return {Verdict::pass, std::nullopt}; }
  static CheckResult warn(FailKind kind, std::string message) {
    return {Verdict::warn, CheckError{kind, std::move(message)}};
  }
  static CheckResult fail(CheckError error) { return {Verdict::fail, std::move(error)}; }
  static CheckResult fail(FailKind kind, std::string message) {
    return {Verdict::fail, CheckError{kind, std::move(message)}};
  }
  static CheckResult inconclusive(std::string message) {
    return {Verdict::inconclusive, CheckError{FailKind::internal, std::move(message)}};
  }
};

}  // namespace probegate::health
