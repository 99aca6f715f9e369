// The process environment as a value, and the configuration it makes when there is no file.
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
  bool required = false;  // without a default somewhere
};

class Node;
class Problems;

using Environment = std::map<std::string, std::string, std::less<>>;

// As it was when it was first asked for.
const Environment& process_environment();

// Takes the variables that begin so out of the process, not out of process_environment(): libpq, say, would
// let PGHOSTADDR or PGOPTIONS overrule the configuration. Before the first thread is made.
void hide_from_libraries(std::string_view prefix);

// Which variables made a check.
struct Origin {
  std::string check;
  std::vector<std::string> variables;
};

struct FromEnvironment {
  std::shared_ptr<Node> root;  // the tree a file would give
  std::vector<Origin> origins;
  std::vector<std::string> warnings;  // about what is set and not used; names only, no values
};

// PORT, PROBE_PORT, BACKEND_URL, WEBSOCKET_PATH, AUTH_HEALTH_URL, LOG_LEVEL, and the addresses of a database
// and of Redis in every way people set them (docs/addresses.md). Blanks and line ends around a value are
// not part of it; nothing in it is expanded.
FromEnvironment environment_tree(const Environment& environment, Problems& problems);

// PORT is the default of proxy.listen with a file, too: platforms that set it expect to be answered there.
void apply_port(Node& root, const Environment& environment, Problems& problems);

// Of a configuration without checks: the variables that look as if they were meant to make one.
std::vector<std::string> variables_meant(const Environment& environment);

}  // namespace probegate::config
