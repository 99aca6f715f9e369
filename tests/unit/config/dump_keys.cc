// Prints every key the readers asked for while loading a file, as JSON lines for schema_test.py:
// {"path": "proxy.timeouts.header", "kind": "duration", "value": "10s", "allowed": []}. Names of checks read
// as "checks.TYPE", items of lists as "alerts[]". With --judge and any number of files it prints for each,
// in order, "valid" or its first problem.
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "checks/registry.h"
#include "config/document.h"
#include "config/expand.h"
#include "config/misplaced.h"
#include "config/node.h"
#include "config/read_config.h"
#include "config/unknown_keys.h"

namespace probegate::config {
namespace {

std::string type_of(const Node& check) {
  const auto* type = check.find("type");
  return type ? type->text : "";
}

void dump(const Node& node, const std::string& path) {
  for (const auto& shown : node.shown) {
    const auto here = join_path(path, shown.key);
    nlohmann::json line = {{"path", here}, {"kind", shown.kind}, {"allowed", shown.allowed}};
    line["value"] = shown.value ? nlohmann::json(*shown.value) : nlohmann::json();
    std::cout << line.dump() << "\n";
    for (const auto& [name, child] : shown.children) {
      if (shown.kind == "sections") dump(*child, join_path(here, type_of(*child)));
      if (shown.kind == "section_list") dump(*child, here + "[]");
      if (shown.kind == "section") dump(*child, here);
    }
  }
}

std::shared_ptr<Node> read(const char* file, const std::shared_ptr<Problems>& problems) {
  std::ifstream stream(file);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  auto root = parse_document(text, *problems);
  if (root) {
    expand_tree(*root, {}, *problems);
    const Vocabulary vocabulary(checks::config_check_types());
    put_in_place(*root, vocabulary, *problems);
    read_config(Fields(root, problems), {}, checks::config_check_types(), &vocabulary);
    report_unknown_keys(*root, vocabulary, *problems);
  }
  return root;
}

void judge(const char* file) {
  const auto problems = std::make_shared<Problems>("");
  read(file, problems);
  std::cout << (problems->empty() ? "valid" : problems->sorted().front()) << "\n";
}

int run(const char* file) {
  const auto problems = std::make_shared<Problems>(file);
  const auto root = read(file, problems);
  for (const auto& problem : problems->sorted()) std::cerr << problem << "\n";
  if (!root || !problems->empty()) return 1;
  dump(*root, "");
  return 0;
}

}  // namespace
}  // namespace probegate::config

int main(int argc, char** argv) {
  if (argc > 2 && std::string_view(argv[1]) == "--judge") {
    for (int i = 2; i < argc; ++i) probegate::config::judge(argv[i]);
    return 0;
  }
  if (argc != 2) return 2;
  return probegate::config::run(argv[1]);
}
