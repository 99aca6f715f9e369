#include "checks/websocket_settings.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "base/url.h"
#include "checks/transport.h"
#include "proto/head_scan.h"

namespace probegate::checks {
namespace {

constexpr std::string_view kOurHeaders[] = {"connection",
                                            "upgrade",
                                            "content-length",
                                            "transfer-encoding",
                                            "sec-websocket-key",
                                            "sec-websocket-version",
                                            "sec-websocket-accept",
                                            "sec-websocket-protocol",
                                            "sec-websocket-extensions"};

using Headers = std::vector<std::pair<std::string, std::string>>;

// The error if the header is not allowed; empty if it is.
std::string header_problem(std::string_view name) {
  for (const auto ours : kOurHeaders) {
    if (!iequals(name, ours)) continue;
    return std::string(name) + " is part of the handshake and cannot be set" +
           (ours == "sec-websocket-protocol" ? "; use subprotocols" : "");
  }
  return "";
}

Headers read_headers(const config::Fields& fields) {
  auto headers = fields.headers("headers");
  for (const auto& [name, value] : headers) {
    if (const auto problem = header_problem(name); !problem.empty()) fields.problem("headers", problem);
  }
  return headers;
}

std::vector<std::string> read_subprotocols(const config::Fields& fields) {
  auto names = fields.text_list("subprotocols", {});
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!proto::is_token(names[i]))
      fields.item_problem("subprotocols", i, "is not a valid subprotocol name, such as graphql-ws");
  }
  return names;
}

bool has_header(const Headers& headers, std::string_view name) {
  for (const auto& header : headers) {
    if (iequals(header.first, name)) return true;
  }
  return false;
}

std::string request_head(const std::string& target, const std::string& authority, const Headers& headers,
                         const std::vector<std::string>& subprotocols) {
  std::string head = "GET " + target + " HTTP/1.1\r\n";
  if (!has_header(headers, "host")) head += "Host: " + authority + "\r\n";
  if (!has_header(headers, "user-agent")) head += "User-Agent: probegate\r\n";
  head += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  for (std::size_t i = 0; i < subprotocols.size(); ++i) {
    head += (i == 0 ? "Sec-WebSocket-Protocol: " : ", ") + subprotocols[i];
    if (i + 1 == subprotocols.size()) head += "\r\n";
  }
  for (const auto& [name, value] : headers) head += name + ": " + value + "\r\n";
  return head;
}

struct Address {
  Endpoint endpoint;
  bool tls = false;
  std::string authority;
  std::string target;
};

Address read_address(const config::Fields& fields, const config::Config& config, Secrets& secrets) {
  const auto text = fields.secret_url("url");
  const auto& backend = config.proxy.backend;
  if (!text) {
    if (!fields.has("url_file")) {
      fields.problem("url", "is missing, expected ws://host/path, wss://host/path, or a path on the backend");
    }
    return {};
  }
  if (text->starts_with('/')) {
    const bool clean = text->find_first_of(" \t\r\n#") == std::string::npos;
    if (!clean) fields.problem("url", "the path must not contain whitespace or a fragment");
    if (const auto url = parse_url("ws://" + backend.authority + *text)) add_secrets(*url, secrets);
    return {backend.endpoint, false, backend.authority, *text};
  }
  const auto url = parse_url(*text);
  if (!url) {
    fields.problem(
        "url", "is not ws://host/path, wss://host/path, or a path on the backend: " + url.error().message);
    return {};
  }
  if (url->scheme != "ws" && url->scheme != "wss")
    fields.problem("url", "must start with ws://, wss:// or /");
  if (url->user) fields.problem("url", "a WebSocket URL cannot have a user or password; use headers");
  add_secrets(*url, secrets);
  const bool tls = url->scheme == "wss";
  return {url->endpoint(tls ? 443 : 80), tls, url->authority, url->target};
}

std::string without_query(std::string_view target) { return std::string(target.substr(0, target.find('?'))); }

RefusedQuestion question_of(const Address& address, std::string expected, std::string remedies) {
  const std::string scheme = address.tls ? "wss://" : "ws://";
  return {scheme + address.authority + without_query(address.target),
          "to the upgrade",
          std::move(expected),
          {},
          std::move(remedies)};
}

void hide_in_refusals(CheckPlan& plan, WebSocketSettings& settings) {
  plan.secrets.allow(settings.question.url);
  settings.question.secrets = plan.secrets;
}

StatusSet read_status(const config::Fields& fields, const WebSocketSettings& settings) {
  auto status = StatusSet::read(fields, "expect_status", {"101"});
  const bool talks = settings.send || settings.expect;
  if (talks && !status.contains(101)) fields.problem("expect_status", "send and expect need status 101");
  return status;
}

Result<Headers> visit_headers(const std::vector<std::string>& lines) {
  Headers headers;
  for (const auto& line : lines) {
    const auto colon = line.find(':');
    const auto name = std::string_view(line).substr(0, colon);
    if (colon == std::string::npos || !proto::is_token(name)) return failure("--header: expected NAME:VALUE");
    if (iequals(name, "sec-websocket-protocol")) return failure("--header: use --subprotocol");
    if (const auto problem = header_problem(name); !problem.empty()) return failure("--header: " + problem);
    const auto value = trim(std::string_view(line).substr(colon + 1));
    const bool one_line = std::none_of(
        value.begin(), value.end(), [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; });
    if (!one_line) return failure("--header: the value of " + std::string(name) + " is not one line of text");
    headers.emplace_back(name, value);
  }
  return headers;
}

}  // namespace

WebSocketSettings read_websocket_settings(const config::CheckSpec& spec, const config::Config& config,
                                          CheckPlan& plan) {
  const auto& fields = spec.fields;
  const Address address = read_address(fields, config, plan.secrets);
  const auto headers = read_headers(fields);
  WebSocketSettings settings;
  settings.endpoint = address.endpoint;
  if (!address.authority.empty()) settings.tls = tls_of_url(spec, address.tls, "wss://");
  settings.min_days_left = spec.tls.min_days_left;
  settings.subprotocols = read_subprotocols(fields);
  settings.ping = fields.boolean("ping", true);
  settings.send = fields.private_text("send");
  settings.expect = fields.optional_text("expect");
  settings.status = read_status(fields, settings);
  settings.question =
      question_of(address, settings.status.to_string(), "headers, subprotocols and expect_status");
  settings.head = request_head(address.target, address.authority, headers, settings.subprotocols);
  add_secrets(headers, plan.secrets);
  if (settings.send) plan.secrets.push_back(*settings.send);
  hide_in_refusals(plan, settings);
  plan.target = address.endpoint.to_string() + without_query(address.target);
  return settings;
}

Result<WebSocketSettings> websocket_visit_settings(const WebSocketVisit& visit, CheckPlan& plan) {
  const auto url = parse_url(visit.url);
  if (!url) return failure("not ws://host:port/path: " + url.error().message);
  const bool tls = url->scheme == "wss" || url->scheme == "https";
  if (!tls && url->scheme != "ws" && url->scheme != "http")
    return failure("the URL must start with ws:// or wss://");
  if (url->user) return failure("a WebSocket URL cannot have a user or password");
  const auto headers = visit_headers(visit.headers);
  if (!headers) return failure(headers.error().message);
  for (const auto& name : visit.subprotocols) {
    if (!proto::is_token(name))
      return failure("--subprotocol: expected a subprotocol name such as graphql-ws");
  }
  const Address address{url->endpoint(tls ? 443 : 80), tls, url->authority, url->target};
  WebSocketSettings settings;
  settings.endpoint = address.endpoint;
  if (tls) settings.tls = tls_settings({});
  settings.subprotocols = visit.subprotocols;
  settings.status.add({101, 101});
  settings.question = question_of(address, "101", "--header and --subprotocol");
  settings.head = request_head(address.target, address.authority, *headers, visit.subprotocols);
  add_secrets(*headers, plan.secrets);
  add_secrets(*url, plan.secrets);
  hide_in_refusals(plan, settings);
  plan.target = address.endpoint.to_string();
  return settings;
}

}  // namespace probegate::checks
