// Asks the running probegate for an action: the part that the commands reload, drain, resume and pause share.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/probe_client.h"

namespace probegate::cli {

struct ActionAnswer {
  long status = 0;
  nlohmann::ordered_json document;

  std::string text(const char* key) const;  // empty if it is missing or no text
};

// Finds the probe port and runs `use` with a client of it; or prints why not and returns the exit code.
int with_running(const std::optional<std::string>& url, const std::optional<std::string>& config,
                 const std::function<int(client::ProbeClient&)>& use);

// Empty, with the reason printed, unless it answered with a document that has the key `expected`.
std::optional<ActionAnswer> ask_for(
    client::ProbeClient& client, const std::string& action, const char* expected,
    const std::vector<std::pair<std::string_view, std::string>>& parameters = {});

}  // namespace probegate::cli
