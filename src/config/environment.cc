#include "config/environment.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "config/describe.h"
#include "config/environment_sources.h"
#include "config/node.h"

namespace probegate::config {
namespace {

// Adds environment variables to the tree as nodes, so that the same code reads file and environment, and
// errors name the variable.
class EnvironmentTree {
 public:
  EnvironmentTree(Node& root, const Environment& environment, Problems& problems)
      : root_(root), environment_(environment), problems_(problems) {}

  // The value of a variable that is set. An empty one is an error: silently dropping its check would open the
  // gate too early.
  std::optional<std::string> value(std::string_view variable) {
    auto text = variable_value(environment_, variable);
    if (text && text->empty()) {
      problems_.add_variable(variable, "set but empty; unset it or give it a value");
      text.reset();
    }
    return text;
  }

  std::optional<std::string> port(std::string_view variable) {
    auto text = value(variable);
    if (!text || parse_decimal<std::uint16_t>(*text)) return text;
    problems_.add_variable(variable, "must be a port number from 0 to 65535, not " + quote(*text));
    return std::nullopt;
  }

  void set(std::string_view path, std::string text, std::string_view variable) {
    auto node = make(path);
    node->kind = Node::Kind::scalar;
    const auto found = environment_.find(variable);
    if (found != environment_.end() && found->second == text) node->raw = "${" + std::string(variable) + "}";
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

  // Adds a check; database, redis and websocket each need the previous one.
  void check(std::string_view name, const Source& source) {
    const std::string path = "checks." + std::string(name);
    const auto& first = source.keys.front().variable;
    set(path + ".type", source.type, first);
    Origin origin{std::string(name), {}};
    for (const auto& [key, text, variable] : source.keys) {
      if (!key.empty()) set(path + "." + key, text, variable);
      origin.variables.push_back(variable);
    }
    origins.push_back(std::move(origin));
    if (name == "auth") return set_list(path + ".affects", {}, first);
    if (!last_.empty()) set_list(path + ".needs", {last_}, first);
    last_ = name;
  }

  void check(std::string_view name, std::string_view type, std::string_view variable) {
    if (auto text = value(variable))
      check(name, Source{std::string(type), {{"url", *std::move(text), std::string(variable)}}});
  }

  // Adds the check unless its first variable is empty.
  bool check(std::string_view name, const std::optional<Chosen>& chosen) {
    if (!chosen || !value(chosen->source.keys.front().variable)) return false;
    check(name, chosen->source);
    if (!chosen->ignored.empty()) {
      warnings.push_back(chosen->source.keys.front().variable + " defines the check " + std::string(name) +
                         "; " + joined(chosen->ignored) + (chosen->ignored.size() == 1 ? " is" : " are") +
                         " ignored");
    }
    return true;
  }

  std::vector<Origin> origins;
  std::vector<std::string> warnings;

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
  std::string last_;  // the check that the next one needs
};

std::vector<std::string> comma_separated(std::string_view text) {
  std::vector<std::string> parts;
  for (const auto part : split(text, ',')) {
    if (const auto trimmed = trim(part); !trimmed.empty()) parts.emplace_back(trimmed);
  }
  return parts;
}

// Accepts any letter case and the level names of other loggers, because the backend may read
// the same variable.
std::string log_level(std::string_view text) {
  const auto word = to_lower(text);
  struct Synonyms {
    std::string_view ours;
    std::initializer_list<std::string_view> theirs;
  };
  static constexpr std::string_view kDebug[] = {"trace", "verbose", "all", "silly", "fine", "notset"};
  static constexpr std::string_view kInfo[] = {"information", "notice", "log", "default", "http"};
  static constexpr std::string_view kWarn[] = {"warning"};
  static constexpr std::string_view kError[] = {"err",   "critical",  "crit",  "fatal", "alert",
                                                "emerg", "emergency", "panic", "severe"};
  const auto is_in = [&](const auto& words) {
    return std::find(std::begin(words), std::end(words), word) != std::end(words);
  };
  if (is_in(kDebug)) return "debug";
  if (is_in(kInfo)) return "info";
  if (is_in(kWarn)) return "warn";
  if (is_in(kError)) return "error";
  return word;
}

// Levenshtein distance of two short names, to find typing mistakes such as DATABSE_URL.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

// True for names such as DATABASE_URI, REDIS_TLS_URL or WS_PATH: a kind of dependency and a word
// for an address.
bool looks_like_an_address(std::string_view name) {
  constexpr std::string_view kWhat[] = {"DATABASE", "DB",         "POSTGRES", "POSTGRESQL", "PG",
                                        "MYSQL",    "MARIADB",    "REDIS",    "VALKEY",     "WEBSOCKET",
                                        "WS",       "DATASOURCE", "CACHE"};
  constexpr std::string_view kWhere[] = {"URL",      "URI",    "DSN",     "HOST",       "HOSTNAME",
                                         "PATH",     "ADDR",   "ADDRESS", "CONNECTION", "SERVER",
                                         "ENDPOINT", "STRING", "FILE"};
  const auto has = [&](std::string_view word, const auto& words) {
    return std::find(std::begin(words), std::end(words), word) != std::end(words);
  };
  bool what = false;
  bool where = false;
  for (const auto word : split(name, '_')) {
    what = what || has(word, kWhat);
    where = where || has(word, kWhere);
  }
  return what && where && name.find("_SERVICE_") == name.npos;  // set by Kubernetes
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

FromEnvironment environment_tree(const Environment& environment, Problems& problems) {
  FromEnvironment made;
  made.root = std::make_shared<Node>();
  EnvironmentTree tree(*made.root, environment, problems);
  if (const auto port = tree.port("PROBE_PORT")) tree.set("probes.listen", "0.0.0.0:" + *port, "PROBE_PORT");
  if (const auto url = tree.value("BACKEND_URL")) tree.set("proxy.backend", *url, "BACKEND_URL");
  const bool database = tree.check("database", database_source(environment));
  if (const auto tables = tree.value("DATABASE_TABLES")) {
    if (database) {
      tree.set_list("checks.database.tables", comma_separated(*tables), "DATABASE_TABLES");
      tree.origins.back().variables.emplace_back("DATABASE_TABLES");
    } else {
      problems.add_variable("DATABASE_TABLES",
                            "has no effect without DATABASE_URL; set DATABASE_URL or unset this variable");
    }
  }
  tree.check("redis", redis_source(environment));
  tree.check("websocket", "websocket", "WEBSOCKET_PATH");
  tree.check("auth", "http", "AUTH_HEALTH_URL");
  if (const auto level = tree.value("LOG_LEVEL")) tree.set("log.level", log_level(*level), "LOG_LEVEL");
  made.origins = std::move(tree.origins);
  made.warnings = std::move(tree.warnings);
  return made;
}

void apply_port(Node& root, const Environment& environment, Problems& problems) {
  const auto* proxy = root.find("proxy");
  if (proxy) {
    const bool readable = proxy->kind == Node::Kind::map || proxy->kind == Node::Kind::null;
    const auto* listen = proxy->find("listen");
    if (!readable || (listen && listen->kind != Node::Kind::null)) return;
  }
  EnvironmentTree tree(root, environment, problems);
  if (const auto port = tree.port("PORT")) tree.set("proxy.listen", "0.0.0.0:" + *port, "PORT");
}

std::vector<std::string> variables_meant(const Environment& environment) {
  constexpr std::string_view kCommon[] = {"PORT", "LOG_LEVEL", "PROBE_PORT", "BACKEND_URL"};
  constexpr std::size_t kShortest = 7;  // shortest name for which typing mistakes are searched
  const auto& known = known_variables();
  std::vector<std::string> names;
  for (const auto& [name, value] : environment) {
    if (std::find(std::begin(kCommon), std::end(kCommon), name) != std::end(kCommon)) continue;
    const bool ours = std::find(known.begin(), known.end(), name) != known.end();
    const bool misspelt =
        !ours && std::any_of(known.begin(), known.end(), [&, &name = name](std::string_view one) {
          return one.size() >= kShortest && name.size() >= kShortest && distance(name, one) <= 2;
        });
    if (ours || misspelt || looks_like_an_address(name)) names.push_back(name);
  }
  return names;
}

}  // namespace probegate::config
