// OpenTunnel: a tunnel through a real proxy, with both of its ends in the test's hands and both heads taken.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "frames.h"
#include "proxy_fixture.h"
#include "wire.h"

namespace probegate::test {

struct OpenTunnel {
  explicit OpenTunnel(const ProxyFixture::Tune& tune = {}, const std::string& switching = kSwitching,
                      const std::string& upgrade = kUpgrade)
      : backend(loop), proxy(loop, backend.endpoint(), tune), client(loop, proxy.endpoint(), upgrade) {
    Wire& accepted = backend.await_request();
    accepted.take();
    accepted.send(switching);
    await([&] { return client.received().ends_with("\r\n\r\n"); }, "no 101");
    client.take();
  }

  Wire& server() { return backend.wire(0); }
  Wire& end(From side) { return side == From::client ? client : server(); }
  static From other(From side) { return side == From::client ? From::backend : From::client; }

  bool sees(From side, const std::vector<std::string>& frames) {
    return loop.until([&] { return frames_in(end(side).received()) == frames; });
  }
  // The tunnel's one log line.
  nlohmann::json report() {
    await([&] { return !proxy.log_lines("tunnel ended").empty(); }, "the tunnel does not end");
    const auto lines = proxy.log_lines("tunnel ended");
    if (lines.size() != 1) throw std::runtime_error("a tunnel ends more than once");
    return nlohmann::json::parse(lines.front());
  }
  Duration until_report() {
    const TimePoint before = loop->now();
    report();
    return loop->now() - before;
  }
  void await(const std::function<bool()>& condition, const char* otherwise) {
    if (!loop.until(condition)) throw std::runtime_error(otherwise);
  }

  TestLoop loop;
  LiveBackend backend;
  ProxyFixture proxy;
  FakeClient client;
};

}  // namespace probegate::test
