#include "config/environment.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/node.h"

namespace probegate::config {
namespace {

// Writes one environment variable as nodes into the tree, so that the readers of the file read it too and
// their errors name the variable.
class EnvironmentTree {
 public:
  EnvironmentTree(Node& root, const Environment& environment, Problems& problems)
      : root_(root), environment_(environment), problems_(problems) {}

  // Present and usable. Empty is an error: a check that silently vanishes would open the gate too early.
  const std::string* value(std::string_view variable) {
    const auto found = environment_.find(variable);
    if (found == environment_.end()) return nullptr;
    if (!found->second.empty()) return &found->second;
    problems_.add_variable(variable, "set but empty; unset it or give it a value");
    return nullptr;
  }

  const std::string* port(std::string_view variable) {
    const auto* text = value(variable);
    if (!text || parse_decimal<std::uint16_t>(*text)) return text;
    problems_.add_variable(variable, "must be a port number from 0 to 65535, not \"" + *text + "\"");
    return nullptr;
  }

  void set(std::string_view path, std::string text, std::string_view variable) {
    auto node = make(path);
    node->kind = Node::Kind::scalar;
    node->text = std::move(text);
    node->variable = variable;
  }

  void set_list(std::string_view path, const std::vector<std::string>& texts, std::string_view variable) {
    auto node = make(path);
    node->kind = Node::Kind::list;
    node->variable = variable;
    for (const auto& text : texts) {
      auto item = std::make_shared<Node>();
      item->kind = Node::Kind::scalar;
      item->text = text;
      item->variable = variable;
      node->items.push_back(std::move(item));
    }
  }

  // A check named `name`; database, redis and websocket each need the one before.
  void check(std::string_view name, std::string_view type, std::string_view url, std::string_view variable) {
    const std::string path = "checks." + std::string(name);
    set(path + ".type", std::string(type), variable);
    set(path + ".url", std::string(url), variable);
    if (name == "auth") {
      set_list(path + ".affects", {}, variable);
      return;
    }
    if (!last_.empty()) set_list(path + ".needs", {last_}, variable);
    last_ = name;
  }

 private:
  Node* make(std::string_view path) {
    Node* node = &root_;
    for (const auto key : split(path, '.')) {
      auto* child = node->find(key);
      if (!child) {
        node->entries.push_back({std::string(key), std::make_shared<Node>()});
        child = node->entries.back().value.get();
      }
      if (child->kind == Node::Kind::null) child->kind = Node::Kind::map;
      node = child;
    }
    return node;
  }

  Node& root_;
  const Environment& environment_;
  Problems& problems_;
  std::string last_;  // the check the next one needs
};

std::vector<std::string> comma_separated(std::string_view text) {
  std::vector<std::string> parts;
  for (const auto part : split(text, ',')) {
    if (const auto trimmed = trim(part); !trimmed.empty()) parts.emplace_back(trimmed);
  }
  return parts;
}

}  // namespace

const Environment& process_environment() {
  static const Environment taken = [] {
    Environment environment;
    for (char** entry = environ; entry && *entry; ++entry) {
      const std::string_view pair = *entry;
      const auto equals = pair.find('=');
      if (equals != std::string_view::npos)
        environment.emplace(pair.substr(0, equals), pair.substr(equals + 1));
    }
    return environment;
  }();
  return taken;
}

void hide_from_libraries(std::string_view prefix) {
  for (const auto& [name, value] : process_environment()) {
    if (std::string_view(name).starts_with(prefix)) unsetenv(name.c_str());
  }
}

std::shared_ptr<Node> environment_tree(const Environment& environment, Problems& problems) {
  auto root = std::make_shared<Node>();
  EnvironmentTree tree(*root, environment, problems);
  if (const auto* port = tree.port("PROBE_PORT")) tree.set("probes.listen", "0.0.0.0:" + *port, "PROBE_PORT");
  if (const auto* url = tree.value("BACKEND_URL")) tree.set("proxy.backend", *url, "BACKEND_URL");
  const auto* database = tree.value("DATABASE_URL");
  if (database) tree.check("database", "postgres", *database, "DATABASE_URL");
  if (const auto* tables = tree.value("DATABASE_TABLES")) {
    if (database) {
      tree.set_list("checks.database.tables", comma_separated(*tables), "DATABASE_TABLES");
    } else {
      problems.add_variable("DATABASE_TABLES", "means nothing without DATABASE_URL");
    }
  }
  if (const auto* url = tree.value("REDIS_URL")) tree.check("redis", "redis", *url, "REDIS_URL");
  if (const auto* path = tree.value("WEBSOCKET_PATH"))
    tree.check("websocket", "websocket", *path, "WEBSOCKET_PATH");
  if (const auto* url = tree.value("AUTH_HEALTH_URL")) tree.check("auth", "http", *url, "AUTH_HEALTH_URL");
  if (const auto* level = tree.value("LOG_LEVEL")) tree.set("log.level", *level, "LOG_LEVEL");
  return root;
}

void apply_port(Node& root, const Environment& environment, Problems& problems) {
  const auto* proxy = root.find("proxy");
  if (proxy) {
    const bool readable = proxy->kind == Node::Kind::map || proxy->kind == Node::Kind::null;
    const auto* listen = proxy->find("listen");
    if (!readable || (listen && listen->kind != Node::Kind::null)) return;
  }
  EnvironmentTree tree(root, environment, problems);
  if (const auto* port = tree.port("PORT")) tree.set("proxy.listen", "0.0.0.0:" + *port, "PORT");
}

}  // namespace probegate::config
