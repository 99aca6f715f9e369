// AuthRig: a proxy with `auth`, and both the auth service and the backend in the test's hands.
#pragma once

#include <string>

#include "exchange.h"
#include "frames.h"
#include "open_tunnel.h"

namespace probegate::test {

// A request with further fields in its head.
inline std::string with_fields(std::string head, const std::string& lines) {
  return head.insert(head.find("\r\n\r\n") + 2, lines);
}

struct AuthRig {
  using Tune = std::function<void(config::Config&)>;

  explicit AuthRig(const Tune& tune = {}, const proxy::GateView& gate = open_gate(),
                   const Endpoint& service_address = Endpoint::tcp("127.0.0.1", 0))
      : service(loop, service_address),
        backend(loop),
        proxy(
            loop, backend.endpoint(),
            [&](config::Config& config) {
              config.log.level = LogLevel::debug;
              auto& auth = config.auth.emplace();
              auth.url = "http://" + service.endpoint().to_string() + "/validate";
              auth.timeout = 5s;
              auth.send_headers = {"authorization", "cookie", "sec-websocket-protocol", "x-request-id"};
              auth.set_headers = {"x-user-id"};
              auth.stripped = {"x-user-id", "x-pass"};
              if (tune) tune(config);
            },
            gate) {}

  // The head of the question on the service's connection of that number, once it is there.
  std::string question(std::size_t index = 0) { return head_on(service.await(index)); }
  std::string forwarded(std::size_t index = 0) { return head_on(backend.await(index)); }
  void answer(const std::string& bytes, std::size_t index = 0) { service.wire(index).send(bytes); }
  std::string reason(Wire& client) { return next_answer(loop, client).get("probegate-reason"); }
  std::uint64_t results(metrics::AuthResult result) const {
    return proxy.metrics().auth_requests[result].value();
  }

  TestLoop loop;
  LiveBackend service;
  LiveBackend backend;
  ProxyFixture proxy;

 private:
  std::string head_on(Wire& wire) {
    std::string bytes;
    const bool whole = loop.until([&] {
      bytes += wire.take();
      return bytes.find("\r\n\r\n") != std::string::npos;
    });
    if (!whole) throw std::runtime_error("no head arrives: " + bytes);
    const auto end = bytes.find("\r\n\r\n") + 4;
    wire.put_back(bytes.substr(end));
    return bytes.substr(0, end);
  }
};

inline bool has_line(const std::string& head, const std::string& line) {
  return head.find("\r\n" + line + "\r\n") != std::string::npos;
}

// The service's answers.
inline const std::string kAllowed = "HTTP/1.1 204 No Content\r\nX-User-Id: ada\r\n\r\n";
inline const std::string kDenied =
    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"chat\"\r\nContent-Type: text/plain\r\n"
    "X-Internal: 7\r\nContent-Length: 9\r\n\r\nlog in...";
inline const std::string kBroken = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";

}  // namespace probegate::test
