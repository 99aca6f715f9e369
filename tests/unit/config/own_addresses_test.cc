#include "config/own_addresses.h"

#include <unistd.h>

#include <catch2/catch.hpp>

#include "load_fixture.h"

namespace probegate::config {
namespace {

bool leads(const std::string& target, const std::string& listen, Purpose purpose = Purpose::run) {
  return leads_to(*Endpoint::parse(target), *Endpoint::parse(listen), purpose);
}

TEST_CASE("A backend is the gate itself under every name of loopback") {
  for (const auto* host : {"127.0.0.1", "localhost", "LocalHost.", "0.0.0.0", "127.1", "0x7f000001", "0",
                           "app.localhost", "[::ffff:127.0.0.1]"}) {
    CAPTURE(host);
    for (const auto* listen : {"0.0.0.0:80", "127.0.0.1:80", "localhost:80", "[::]:80"}) {
      CAPTURE(listen);
      CHECK(leads(std::string(host) + ":80", listen));
      CHECK_FALSE(leads(std::string(host) + ":81", listen));
    }
  }
  for (const auto* host : {"[::1]", "localhost", "[::]"}) {
    CAPTURE(host);
    CHECK(leads(std::string(host) + ":80", "[::]:80"));
    CHECK(leads(std::string(host) + ":80", "[::1]:80"));
  }
}

TEST_CASE("A backend is the gate itself under the names of this machine") {
  char own[256] = "";
  REQUIRE(gethostname(own, sizeof own - 1) == 0);
  CHECK(leads(std::string(own) + ":80", "0.0.0.0:80"));
  CHECK_FALSE(leads(std::string(own) + ":80", "0.0.0.0:80", Purpose::render));
}

TEST_CASE("Another address, another port and another family are another backend") {
  CHECK_FALSE(leads("127.0.0.2:80", "127.0.0.1:80"));
  CHECK_FALSE(leads("[::1]:80", "0.0.0.0:80"));
  CHECK_FALSE(leads("[::1]:80", "127.0.0.1:80"));
  CHECK_FALSE(leads("192.0.2.1:80", "0.0.0.0:80"));
  CHECK_FALSE(leads("backend.example:80", "0.0.0.0:80"));
  CHECK_FALSE(leads("127.0.0.1:0", "127.0.0.1:0"));
  CHECK(leads("127.0.0.5:80", "0.0.0.0:80"));
}

TEST_CASE("A backend on the gate's own unix socket is the gate itself") {
  CHECK(leads("unix:/run/a", "unix:/run/a"));
  CHECK_FALSE(leads("unix:/run/a", "unix:/run/b"));
  CHECK_FALSE(leads("unix:/run/a", "127.0.0.1:80"));
}

TEST_CASE("The gate as its own backend is a mistake that names both and the remedy") {
  CHECK(problems_of("proxy: {listen: [unix:/run/x, '0.0.0.0:8000'], backend: 'http://localhost:8000'}") ==
        Lines{"f.yaml:1:57: proxy.backend: localhost:8000 is proxy.listen itself (0.0.0.0:8000); give the "
              "backend another port"});
  CHECK(load(std::nullopt, {{"PORT", "8000"}}, stub_types()).problems ==
        Lines{"environment: proxy.backend: 127.0.0.1:8000 is proxy.listen itself (0.0.0.0:8000); give the "
              "backend another port: PORT is the port of the gate, BACKEND_URL the address of the backend"});
  CHECK(problems_of("proxy: {listen: unix:/run/x, backend: unix:/run/x}").size() == 1);
}

}  // namespace
}  // namespace probegate::config
