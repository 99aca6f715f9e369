#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/exit_code.h"
#include "cli/commands.h"
#include "client/probe_client.h"

namespace probegate::cli {
namespace {

// Longer than the probe port's own limit for an action, so that its error message is shown.
constexpr Duration kTimeout = std::chrono::seconds(35);

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

std::string word(const Json& document, const char* key) {
  const auto found = document.find(key);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void print_changes(const Json& document) {
  std::cout << "reloaded " << word(document, "config") << "\n";
  constexpr std::pair<const char*, const char*> kRows[] = {{"changed", "changed"},
                                                           {"checks_added", "checks added"},
                                                           {"checks_removed", "checks removed"},
                                                           {"checks_restarted", "checks restarted"}};
  bool any = false;
  for (const auto& [key, title] : kRows) {
    const auto text = words(document, key);
    if (text.empty()) continue;
    any = true;
    std::cout << title << ": " << text << "\n";
  }
  if (!any) std::cout << "nothing changed\n";
}

void print_refusal(const Json& document) {
  const auto problems = document.find("problems");
  std::size_t count = 0;
  if (problems != document.end() && problems->is_array()) {
    for (const auto& line : *problems) {
      if (line.is_string()) std::cerr << line.get<std::string>() << "\n";
      ++count;
    }
  }
  if (word(document, "result") != "refused") return;
  std::cerr << word(document, "config") << ": " << count << (count == 1 ? " mistake" : " mistakes")
            << "; keeping the running configuration\n";
}

}  // namespace

int reload(const ReloadCommandOptions& options) {
  auto address = client::find_probe_address(options.url, options.config);
  if (!address) {
    std::cerr << "probegate: " << address.error().message << "\n";
    const bool wrong_file = !options.url && options.config && ::access(options.config->c_str(), R_OK) == 0;
    return wrong_file ? exit_code::kFailed : exit_code::kUsage;  // an invalid file is not wrong usage
  }
  client::ProbeClient client(std::move(*address));
  const auto answer = client.act("reload", kTimeout);
  if (!answer) {
    std::cerr << "probegate: the running probegate cannot be reached at " << answer.error().message << "\n";
    return exit_code::kFailed;
  }
  const auto document = Json::parse(answer->body, nullptr, false);
  if (!document.is_object() || !document.contains("result")) {
    std::cerr << "probegate: " << client.address().to_string() << ": " << answer->status << " "
              << (document.is_object() ? word(document, "detail") : "this is not the probe port of probegate")
              << "\n";
    return exit_code::kFailed;
  }
  const bool applied = answer->status == 200;
  if (options.json) {
    std::cout << document.dump(2) << "\n";
  } else if (applied) {
    print_changes(document);
  } else {
    print_refusal(document);
  }
  return applied ? exit_code::kOk : exit_code::kFailed;
}

}  // namespace probegate::cli
