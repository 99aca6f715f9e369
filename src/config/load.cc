#include "config/load.h"

#include <unistd.h>

#include "config/describe.h"
#include "config/document.h"
#include "config/effective.h"
#include "config/expand.h"
#include "config/misplaced.h"
#include "config/node.h"
#include "config/read_config.h"
#include "config/secrets.h"
#include "config/unknown_keys.h"

namespace probegate::config {
namespace {

constexpr const char* kDefaultFile = "/etc/probegate/probegate.yaml";

void collect_texts(const Node& node, std::vector<std::string>& texts) {
  if (node.kind == Node::Kind::scalar) texts.push_back(node.text);
  for (const auto& item : node.items) collect_texts(*item, texts);
  for (const auto& entry : node.entries) collect_texts(*entry.value, texts);
}

// The values of all KEY_file keys except state_file, which probegate writes itself.
void collect_files(const Node& node, std::vector<std::string>& files) {
  for (const auto& entry : node.entries) {
    const bool names_file = entry.key.ends_with("_file") && entry.key != "state_file";
    if (names_file && entry.value->kind == Node::Kind::scalar)  // also a file that does not exist yet
      files.push_back(entry.value->text);
    collect_files(*entry.value, files);
  }
  for (const auto& item : node.items) collect_files(*item, files);
}

Loaded read_tree(const std::shared_ptr<Node>& root, std::string source, const Environment& environment,
                 const CheckTypes& types, const std::shared_ptr<Problems>& problems) {
  Loaded loaded;
  loaded.source = std::move(source);
  if (root) {
    const Vocabulary vocabulary(types);
    put_in_place(*root, vocabulary, *problems);
    apply_port(*root, environment, *problems);
    loaded.config = read_config(Fields(root, problems), environment, types, &vocabulary);
    report_unknown_keys(*root, vocabulary, *problems);
    loaded.effective = effective_yaml(*root);
    loaded.values = effective_values(*root);
    collect_files(*root, loaded.files);
    if (const auto* checks = root->find("checks")) collect_texts(*checks, loaded.check_texts);
  }
  loaded.problems = problems->sorted();
  return loaded;
}

Loaded load_environment(const Environment& environment, const CheckTypes& types) {
  auto problems = std::make_shared<Problems>("environment");
  auto made = environment_tree(environment, *problems);
  Loaded loaded = read_tree(made.root, "environment", environment, types, problems);
  loaded.origins = std::move(made.origins);
  loaded.warnings = std::move(made.warnings);
  return loaded;
}

void warn_of_no_checks(const Environment& environment, Loaded& loaded) {
  if (!loaded.problems.empty() || !loaded.config.checks.empty()) return;
  std::string text = "no checks: the gate opens at once";
  const auto names = variables_meant(environment);
  const bool one = names.size() == 1;
  if (!names.empty() && loaded.file) {
    text += "; a configuration file is used, so " + joined(names) + (one ? " defines none" : " define none") +
            " (use " + (one ? "it" : "them") + " in a check, such as url: ${DATABASE_URL})";
  } else if (!names.empty()) {
    text += "; " + joined(names) + (one ? " is" : " are") + " set, but no check uses " +
            (one ? "it" : "them") +
            " (DATABASE_URL, REDIS_URL, WEBSOCKET_PATH and AUTH_HEALTH_URL define checks)";
  }
  loaded.warnings.push_back(std::move(text));
}

}  // namespace

Loaded load(const std::optional<std::string>& file, const Environment& environment, const CheckTypes& types,
            Purpose purpose) {
  const bool named = file && !file->empty();
  if (!named && access(kDefaultFile, F_OK) != 0) {
    Loaded loaded = load_environment(environment, types);
    warn_of_no_checks(environment, loaded);
    return loaded;
  }
  const std::string path = named ? *file : kDefaultFile;
  const auto content = read_file(path, kMaxDocumentBytes);
  Loaded loaded;
  if (content) {
    loaded = load_text(*content, path, environment, types, purpose);
    loaded.blank = content->find_first_not_of(" \t\r\n") == std::string::npos;
  } else {
    loaded.source = path;
    loaded.problems = {path + ": " + content.error().message};
  }
  loaded.file = path;
  if (content) warn_of_no_checks(environment, loaded);
  return loaded;
}

Loaded load_text(const std::string& yaml, const std::string& source, const Environment& environment,
                 const CheckTypes& types, Purpose purpose) {
  auto problems = std::make_shared<Problems>(source, purpose);
  const auto root = parse_document(yaml, *problems);
  auto variables = root ? variables_of(*root) : std::vector<Variable>();
  if (root) expand_tree(*root, environment, *problems);
  Loaded loaded = read_tree(root, source, environment, types, problems);
  loaded.variables = std::move(variables);
  return loaded;
}

}  // namespace probegate::config
