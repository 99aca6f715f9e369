#include "cli/action_request.h"

#include <unistd.h>

#include <iostream>

#include "base/exit_code.h"
#include "base/url.h"

namespace probegate::cli {
namespace {

// Longer than the probe port's own limit for an action, so that its error message is shown.
constexpr Duration kTimeout = std::chrono::seconds(35);

}  // namespace

std::string ActionAnswer::text(const char* key) const {
  const auto found = document.find(key);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int with_running(const std::optional<std::string>& url, const std::optional<std::string>& config,
                 const std::function<int(client::ProbeClient&)>& use) {
  auto address = client::find_probe_address(url, config);
  if (!address) {
    std::cerr << "probegate: " << address.error().message << "\n";
    const bool wrong_file = !url && config && ::access(config->c_str(), R_OK) == 0;
    return wrong_file ? exit_code::kFailed : exit_code::kUsage;  // an invalid file is not wrong usage
  }
  client::ProbeClient client(std::move(*address));
  return use(client);
}

std::optional<ActionAnswer> ask_for(client::ProbeClient& client, const std::string& action,
                                    const char* expected,
                                    const std::vector<std::pair<std::string_view, std::string>>& parameters) {
  std::string query;
  for (const auto& [name, value] : parameters) {
    query.append(query.empty() ? "?" : "&").append(name).append("=").append(percent_encoded(value));
  }
  const auto answer = client.act(action, query, kTimeout);
  if (!answer) {
    std::cerr << "probegate: the running probegate cannot be reached at " << answer.error().message << "\n";
    return std::nullopt;
  }
  ActionAnswer result{answer->status, nlohmann::ordered_json::parse(answer->body, nullptr, false)};
  if (result.document.is_object() && result.document.contains(expected)) return result;
  const auto why = result.document.is_object() ? result.text("detail") : std::string();
  std::cerr << "probegate: " << client.address().to_string() << ": " << result.status << " "
            << (why.empty() ? "this is not the probe port of probegate" : why) << "\n";
  return std::nullopt;
}

}  // namespace probegate::cli
