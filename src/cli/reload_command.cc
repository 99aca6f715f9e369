#include <iostream>
#include <nlohmann/json.hpp>

#include "base/exit_code.h"
#include "cli/action_request.h"
#include "cli/commands.h"

namespace probegate::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string words(const Json& document, const char* key) {
  std::string text;
  const auto list = document.find(key);
  if (list == document.end() || !list->is_array()) return text;
  for (const auto& word : *list) {
    if (word.is_string()) text += (text.empty() ? "" : " ") + word.get<std::string>();
  }
  return text;
}

void print_changes(const ActionAnswer& answer) {
  std::cout << "reloaded " << answer.text("config") << "\n";
  constexpr std::pair<const char*, const char*> kRows[] = {{"changed", "changed"},
                                                           {"checks_added", "checks added"},
                                                           {"checks_removed", "checks removed"},
                                                           {"checks_restarted", "checks restarted"}};
  bool any = false;
  for (const auto& [key, title] : kRows) {
    const auto text = words(answer.document, key);
    if (text.empty()) continue;
    any = true;
    std::cout << title << ": " << text << "\n";
  }
  if (!any) std::cout << "nothing changed\n";
}

void print_refusal(const ActionAnswer& answer) {
  const auto problems = answer.document.find("problems");
  std::size_t count = 0;
  if (problems != answer.document.end() && problems->is_array()) {
    for (const auto& line : *problems) {
      if (line.is_string()) std::cerr << line.get<std::string>() << "\n";
      ++count;
    }
  }
  if (answer.text("result") != "refused") return;
  std::cerr << answer.text("config") << ": " << count << (count == 1 ? " mistake" : " mistakes")
            << "; keeping the running configuration\n";
}

}  // namespace

int reload(const ReloadCommandOptions& options) {
  return with_running(options.url, options.config, [&](client::ProbeClient& client) {
    const auto answer = ask_for(client, "reload", "result");
    if (!answer) return exit_code::kFailed;
    const bool applied = answer->status == 200;
    if (options.json) {
      std::cout << answer->document.dump(2) << "\n";
    } else if (applied) {
      print_changes(*answer);
    } else {
      print_refusal(*answer);
    }
    return applied ? exit_code::kOk : exit_code::kFailed;
  });
}

}  // namespace probegate::cli
