// What most tests of the proxy begin with: a request, an answer, and taking it apart.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "answer.h"
#include "frames.h"
#include "proxy_fixture.h"
#include "wire.h"

namespace probegate::test {

inline const std::string kGet = "GET / HTTP/1.1\r\nHost: example\r\n\r\n";
inline const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// A backend that answers every request without a body, at once.
inline void serve(Wire& wire) {
  wire.on_bytes = [&wire] {
    while (wire.received().find("\r\n\r\n") != std::string::npos) {
      std::string bytes = wire.take();
      wire.put_back(bytes.substr(bytes.find("\r\n\r\n") + 4));
      wire.send(kOk);
    }
  };
}

// A backend that accepts every upgrade.
inline void accept_upgrade(Wire& wire) {
  wire.on_bytes = [&wire] {
    if (wire.received().ends_with("\r\n\r\n")) wire.send(kSwitching);
  };
}

inline std::string numbered_get(int number) {
  return "GET /" + std::to_string(number) + " HTTP/1.1\r\nHost: example\r\n\r\n";
}
inline std::string path_of(const std::string& head) { return head.substr(4, head.find(' ', 4) - 4); }

// A backend that answers every numbered_get(), and keeps the paths in their order.
inline auto serve_and_note(std::vector<std::string>& paths) {
  return [&paths](Wire& wire) {
    wire.on_bytes = [&wire, &paths] {
      paths.push_back(path_of(wire.take()));
      wire.send(kOk);
    };
  };
}

// A request that has reached its backend, and has no answer yet.
struct Asked {
  explicit Asked(const std::string& request = kGet)
      : backend(loop),
        proxy(loop, backend.endpoint()),
        client(loop, proxy.endpoint(), request),
        server(backend.await_request()) {}

  TestLoop loop;
  LiveBackend backend;
  ProxyFixture proxy;
  FakeClient client;
  Wire& server;
};

// The next answer that the client gets, informational ones included; what follows it stays.
inline Answer next_answer(TestLoop& loop, Wire& client, bool to_head = false, Duration limit = 10s) {
  std::string bytes = client.take();
  std::optional<Answer> answer;
  const bool seen = loop.until(
      [&] {
        if (answer) return true;  // the loop asks once more than needed
        bytes += client.take();
        const bool closed = client.gone();
        answer = take_answer(bytes, closed, to_head);
        return answer.has_value() || closed;
      },
      limit);
  INFO("received: " << bytes.substr(0, 2000) << (seen ? " (and the end)" : " (in vain)"));
  REQUIRE(answer.has_value());
  client.put_back(bytes);
  return *answer;
}

}  // namespace probegate::test
