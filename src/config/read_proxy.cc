#include <algorithm>
#include <thread>

#include "config/describe.h"
#include "config/read_config.h"
#include "config/scalars.h"

namespace probegate::config {
namespace {

constexpr int kMaxWorkers = 256;
constexpr std::int64_t kMaxCount = 10'000'000;

Backend read_backend(const Fields& proxy) {
  const auto text = proxy.text("backend", "http://127.0.0.1:8000");
  auto backend = parse_backend(text);
  if (backend) return std::move(*backend);
  proxy.problem("backend", quote(text) + ": " + backend.error().message);
  return {};
}

int read_workers(const Fields& proxy) {
  const auto cpus = static_cast<int>(std::thread::hardware_concurrency());  // 0 if unknown
  return proxy.integer_or_auto("workers", 1, std::clamp(cpus, 1, kMaxWorkers), 1, kMaxWorkers);
}

ProxyTimeouts read_timeouts(const Fields& timeouts) {
  ProxyTimeouts value;
  value.header = timeouts.duration("header", value.header);
  value.connect = timeouts.duration("connect", value.connect);
  value.upgrade = timeouts.duration("upgrade", value.upgrade);
  value.response = timeouts.duration("response", value.response);
  value.idle = timeouts.duration("idle", value.idle);
  return value;
}

ProxyLimits read_limits(const Fields& limits) {
  ProxyLimits value;
  value.connections = static_cast<std::uint64_t>(
      limits.integer("connections", static_cast<std::int64_t>(value.connections), 0, kMaxCount));
  value.header_bytes = limits.size("header_bytes", value.header_bytes);
  value.body_bytes = limits.size("body_bytes", value.body_bytes);
  return value;
}

// On Cloud Run, loopback and link-local addresses are the front end or the instance itself, never a client.
constexpr std::string_view kLoopback[] = {"127.0.0.0/8", "::1/128"};
constexpr std::string_view kLinkLocal[] = {"169.254.0.0/16", "fe80::/10"};

Trust read_trust(const Fields& forwarded, Platform platform) {
  Trust value;
  const auto add = [&](const auto& known) {
    for (const std::string_view text : known) value.networks.push_back(*parse_cidr(text));
  };
  const auto texts = forwarded.text_list_or_auto("trust");
  const bool nobody = texts && texts->empty();
  value.every_peer = platform == Platform::cloud_run && !nobody;
  if (!texts || value.every_peer) add(kLoopback);
  if (value.every_peer) add(kLinkLocal);
  for (std::size_t i = 0; texts && i < texts->size(); ++i) {
    if (auto cidr = parse_cidr((*texts)[i])) {
      value.networks.push_back(std::move(*cidr));
    } else {
      forwarded.item_problem("trust", i, quote((*texts)[i]) + " " + cidr.error().message);
    }
  }
  return value;
}

Hold read_hold(const Fields& hold) {
  Hold value;
  value.max = static_cast<std::uint64_t>(hold.integer("max", 0, 0, kMaxCount));
  value.timeout = hold.duration("timeout", value.timeout, 1ms);
  value.per_second = static_cast<int>(hold.integer("per_second", value.per_second, 1, 1'000'000));
  return value;
}

// RFC 6454 section 6.2: scheme://host[:port], or the word null.
bool is_origin(std::string_view text) {
  const auto scheme = text.find("://");
  return text == "null" || (scheme != std::string_view::npos && scheme > 0 && scheme + 3 < text.size() &&
                            text.find_first_of("/?#@* ", scheme + 3) == std::string_view::npos);
}

WebSocketPolicy read_websocket(const Fields& websocket) {
  WebSocketPolicy value;
  value.origins = websocket.text_list("origins", {});
  for (std::size_t i = 0; i < value.origins.size(); ++i) {
    if (is_origin(value.origins[i])) continue;
    websocket.item_problem(
        "origins", i,
        quote(value.origins[i]) +
            " is not a valid origin; write scheme://host[:port] as browsers send it, such as "
            "https://app.example.com, or leave the list empty to allow any");
  }
  value.max_message = websocket.size("max_message", 0);
  value.idle_timeout = websocket.duration("idle_timeout", 0s);
  value.ping_interval = websocket.duration("ping_interval", 0s);
  value.max_lifetime = websocket.duration("max_lifetime", 0s);
  value.close_spread = websocket.duration("close_spread", 0s);
  value.refuse_by_close = websocket.choice("refuse", false, {{"http", false}, {"close", true}});
  return value;
}

}  // namespace

Proxy read_proxy(const Fields& proxy, Platform platform) {
  Proxy value;
  value.listen = proxy.endpoints("listen", "0.0.0.0:8080", Fields::Least::none);
  value.backend = read_backend(proxy);
  value.workers = read_workers(proxy);
  value.websocket_only = proxy.choice("forward", false, {{"all", false}, {"websocket", true}});
  value.serve_half_closed = proxy.choice("half_close", false, {{"abort", false}, {"serve", true}});
  value.timeouts = read_timeouts(proxy.section("timeouts"));
  value.limits = read_limits(proxy.section("limits"));
  value.trust = read_trust(proxy.section("forwarded"), platform);
  value.via =
      proxy.choice("via", value.via, {{"both", Via::both}, {"response", Via::response}, {"none", Via::none}});
  value.hold = read_hold(proxy.section("hold"));
  value.websocket = read_websocket(proxy.section("websocket"));
  return value;
}

}  // namespace probegate::config
