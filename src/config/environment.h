// The process environment as a value, and the configuration it makes when there is no file.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace probegate::config {

class Node;
class Problems;

using Environment = std::map<std::string, std::string, std::less<>>;

Environment process_environment();

// The tree a file would give: PORT, PROBE_PORT, BACKEND_URL, DATABASE_URL, DATABASE_TABLES, REDIS_URL,
// WEBSOCKET_PATH, AUTH_HEALTH_URL, LOG_LEVEL. Values are taken as they are, nothing in them is expanded.
std::shared_ptr<Node> environment_tree(const Environment& environment, Problems& problems);

// PORT is the default of proxy.listen with a file, too: platforms that set it expect to be answered there.
void apply_port(Node& root, const Environment& environment, Problems& problems);

}  // namespace probegate::config
