// Reads the configuration: a YAML file, or the environment alone, into Config or into the list of all
// mistakes.
//
// Thread: start-up and SIGHUP only; reads files and may take milliseconds.
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

// What the check types know about their own keys; supplied by checks/registry, so that all mistakes,
// also those inside a check's own keys, come out in one run. `read` reads and validates the own keys
// of one check, and reports into spec.fields.problems().
struct CheckTypes {
  std::vector<std::string> names;
  std::function<void(CheckSpec& spec, const Config& config)> read;
  // What is wrong with the files of a `tls` section: keys and sentences. May be empty.
  std::function<std::vector<std::pair<std::string, std::string>>(const TlsOptions& tls)> tls_problems = {};
};

struct Loaded {
  Config config;                         // complete only when `problems` is empty
  std::vector<std::string> problems;     // each "FILE:LINE:COLUMN: key: what is wrong, what is allowed"
  std::string effective;                 // the effective configuration as YAML, secrets hidden
  std::string source;                    // the file, or "environment"
  std::optional<std::string> file;       // that was read; empty: the environment alone
  bool blank = false;                    // the file has nothing in it
  Values values;                         // to compare with another one's; holds secrets
  std::vector<Variable> variables;       // that the file's values name
  std::vector<Origin> origins;           // of the checks that the environment alone made
  std::vector<std::string> warnings;     // what is no mistake and yet hardly meant; without values
  std::vector<std::string> check_texts;  // values of the checks, some unexpanded; hold secrets, never shown
  std::vector<std::string> files;        // that its keys name to be read: of secrets, of certificates
};

// `file` empty: /etc/probegate/probegate.yaml if present, otherwise the environment alone.
Loaded load(const std::optional<std::string>& file, const Environment& environment, const CheckTypes& types,
            Purpose purpose = Purpose::run);
Loaded load_text(const std::string& yaml, const std::string& source, const Environment& environment,
                 const CheckTypes& types, Purpose purpose = Purpose::run);

}  // namespace probegate::config
