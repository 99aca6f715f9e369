#include "client/probe_address.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/url.h"
#include "checks/settings.h"

namespace probegate::client {
namespace {

// Enough for many checks with long messages; a longer answer is not from probegate.
constexpr std::size_t kMostBytes = 4 * 1024 * 1024;

}  // namespace

Result<ProbeAddress> find_probe_address(const std::optional<std::string>& url,
                                        const std::optional<std::string>& config) {
  if (url) {
    constexpr const char* kForm = "--url must be http://host:port or unix:/path";
    auto parsed = parse_url(*url);
    if (!parsed && url->find("://") == std::string::npos && !url->starts_with("unix:")) return failure(kForm);
    if (!parsed) return failure(std::string(kForm) + ": " + parsed.error().message);
    if (parsed->scheme == "unix") return ProbeAddress{"http://localhost", parsed->path};
    if (parsed->scheme != "http") return failure(kForm);
    parsed->target = parsed->path;
    while (parsed->target.ends_with('/')) parsed->target.pop_back();
    return ProbeAddress{parsed->encoded(), std::nullopt};
  }
  const checks::Settings settings = checks::load_settings(config);
  // The address is usable even if other parts of the file are invalid.
  const auto about_it = [](const std::string& line) { return line.find("probes") != std::string::npos; };
  const auto& problems = settings.problems;
  if (const auto wrong = std::find_if(problems.begin(), problems.end(), about_it); wrong != problems.end())
    return failure("cannot find the address of the probe port: " + *wrong);
  if (settings.config.probes.listen.empty())
    return failure("cannot find the address of the probe port: " + problems.front());
  Endpoint endpoint = settings.config.probes.listen.front();
  if (endpoint.is_unix()) return ProbeAddress{"http://localhost", endpoint.path};
  if (endpoint.host == "0.0.0.0" || endpoint.host == "*") endpoint.host = "127.0.0.1";
  if (endpoint.host == "::") endpoint.host = "::1";
  return ProbeAddress{"http://" + endpoint.to_string(), std::nullopt};
}

std::string ProbeAddress::to_string() const { return unix_path ? "unix:" + *unix_path : redact_url(url); }

loop::HttpRequest probe_request(const ProbeAddress& address, const std::string& path, Duration timeout) {
  loop::HttpRequest request;
  request.url = address.url + path;
  request.unix_path = address.unix_path;
  // The probe port checks Host only against web pages of others (DNS rebinding); this address was typed.
  request.headers = {{"host", "localhost"}};
  request.timeout = timeout;
  request.max_body = kMostBytes;
  return request;
}

std::string describe_probe_answer(const loop::HttpResponse& response) {
  std::string text = std::to_string(response.status);
  const auto document = nlohmann::json::parse(response.body, nullptr, false);
  if (!document.is_object()) return text;
  if (const auto status = document.find("status"); status != document.end() && status->is_string()) {
    text += " " + status->get<std::string>();
  }
  const auto gate = document.value("gate", nlohmann::json());
  if (gate == "paused") text += ", gate paused";  // by people, so that no check need be waited for
  const auto waiting = document.find("waiting_for");
  if (waiting == document.end() || !waiting->is_array() || waiting->empty()) return text;
  const bool open = gate == "open";
  text += open ? " because of " : ", waiting for ";
  for (std::size_t i = 0; i < waiting->size(); ++i) {
    if ((*waiting)[i].is_string()) text += (i > 0 ? ", " : "") + (*waiting)[i].get<std::string>();
  }
  return open ? text + "; new clients are still let in" : text;
}

}  // namespace probegate::client
