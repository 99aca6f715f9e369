// The process environment as a value, and the configuration it makes when there is no file.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace probegate::config {

class Node;
class Problems;

using Environment = std::map<std::string, std::string, std::less<>>;

// As it was when it was first asked for.
const Environment& process_environment();

// Takes the variables that begin so out of the process, not out of process_environment(): libpq, say, would
// let PGHOSTADDR or PGOPTIONS overrule the configuration. Before the first thread is made.
void hide_from_libraries(std::string_view prefix);

// The tree a file would give: PORT, PROBE_PORT, BACKEND_URL, DATABASE_URL, DATABASE_TABLES, REDIS_URL,
// WEBSOCKET_PATH, AUTH_HEALTH_URL, LOG_LEVEL. Values are taken as they are, nothing in them is expanded.
std::shared_ptr<Node> environment_tree(const Environment& environment, Problems& problems);

// PORT is the default of proxy.listen with a file, too: platforms that set it expect to be answered there.
void apply_port(Node& root, const Environment& environment, Problems& problems);

}  // namespace probegate::config
