// The process environment as a value, and the configuration made from it when there is no file.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace probegate::config {

// One ${VAR} of a configuration.
struct Variable {
  std::string name;
  bool required = false;  // at least one reference has no default
};

class Node;
class Problems;

using Environment = std::map<std::string, std::string, std::less<>>;

// The environment at the time of the first call.
const Environment& process_environment();

// Unsets the variables with this prefix in the process, but not in process_environment(). Otherwise
// libpq, for example, would let PGHOSTADDR or PGOPTIONS override the configuration. Call it before the
// first thread starts.
void hide_from_libraries(std::string_view prefix);

// The variables that define a check.
struct Origin {
  std::string check;
  std::vector<std::string> variables;
};

struct FromEnvironment {
  std::shared_ptr<Node> root;  // the same tree as from a file
  std::vector<Origin> origins;
  std::vector<std::string> warnings;  // variables that are set but unused; names only, no values
};

// PORT, PROBE_PORT, BACKEND_URL, WEBSOCKET_PATH, AUTH_HEALTH_URL, LOG_LEVEL, and the addresses of a database
// and of Redis in all supported forms (docs/addresses.md). Whitespace and line ends around a value are
// removed; ${...} is not expanded.
FromEnvironment environment_tree(const Environment& environment, Problems& problems);

// PORT is the default of proxy.listen with a file too: platforms that set PORT send traffic to it.
void apply_port(Node& root, const Environment& environment, Problems& problems);

// For a configuration without checks: the variables that were probably meant to define one.
std::vector<std::string> variables_meant(const Environment& environment);

}  // namespace probegate::config
