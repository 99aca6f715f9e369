// One HttpClient and the last outcome of its calls.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "loop/http_client.h"
#include "loop/resolver.h"
#include "support/fake_peer.h"
#include "support/test_loop.h"

namespace probegate::test {

using loop::HttpClient;
using loop::HttpRequest;

inline std::string ok(const std::string& body, const std::string& headers = "") {
  return "HTTP/1.1 200 OK\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

struct Http {
  explicit Http(TestLoop& l) : loop(l), resolver(l), client(l, resolver) {}

  void start(HttpRequest request) {
    outcome.reset();
    call = client.start(std::move(request), [this](HttpClient::Outcome o) {
      ++outcomes;
      outcome = std::move(o);
    });
  }
  HttpClient::Outcome ask(HttpRequest request) {
    start(std::move(request));
    if (!loop.until([&] { return outcome.has_value(); })) throw std::runtime_error("no outcome at all");
    return *outcome;
  }
  HttpClient::Outcome get(const std::string& url) { return ask({.url = url}); }

  TestLoop& loop;
  loop::Resolver resolver;
  HttpClient client;
  std::unique_ptr<HttpClient::Call> call;
  std::optional<HttpClient::Outcome> outcome;
  int outcomes = 0;
};

}  // namespace probegate::test
