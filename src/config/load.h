// Loads the configuration from a YAML file, or from the environment alone, into a Config or a list
// of all errors.
//
// Thread: called at startup and on reload only; reads files and may take milliseconds.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/compare.h"
#include "config/config.h"
#include "config/environment.h"
#include "config/problems.h"

namespace probegate::config {

// The check types and how to read their own keys, supplied by checks/registry, so that one run reports all
// errors. `read` reads and validates the keys of one check type and reports errors to spec.fields.problems().
struct CheckTypes {
  std::vector<std::string> names;
  std::function<void(CheckSpec& spec, const Config& config)> read;
  // Validates the files of a `tls` section; returns pairs of key and error. May be empty.
  std::function<std::vector<std::pair<std::string, std::string>>(const TlsOptions& tls)> tls_problems = {};
};

struct Loaded {
  Config config;                         // complete only when `problems` is empty
  std::vector<std::string> problems;     // each "FILE:LINE:COLUMN: key: what is wrong, what is allowed"
  std::string effective;                 // the effective configuration as YAML, secrets hidden
  std::string source;                    // the file, or "environment"
  std::optional<std::string> file;       // the file that was read; empty: the environment alone
  bool blank = false;                    // the file is empty
  Values values;                         // for comparison with another configuration; contains secrets
  std::vector<Variable> variables;       // referenced in the file
  std::vector<Origin> origins;           // of the checks defined by the environment alone
  std::vector<std::string> warnings;     // valid but probably not intended; contain no values
  std::vector<std::string> check_texts;  // unexpanded and other values of checks; secret, never shown
  std::vector<std::string> files;        // secret and certificate files named in the configuration
};

// `file` empty: /etc/probegate/probegate.yaml if present, otherwise the environment alone.
Loaded load(const std::optional<std::string>& file, const Environment& environment, const CheckTypes& types,
            Purpose purpose = Purpose::run);
Loaded load_text(const std::string& yaml, const std::string& source, const Environment& environment,
                 const CheckTypes& types, Purpose purpose = Purpose::run);

}  // namespace probegate::config
