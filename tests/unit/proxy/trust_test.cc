#include "proxy/trust.h"

#include <catch2/catch.hpp>
#include <string>

#include "config/scalars.h"

namespace probegate::proxy {
namespace {

loop::Address address(const std::string& text) { return *loop::Address::literal(*Endpoint::parse(text)); }

config::Trust trusting(const std::vector<std::string>& networks, bool every_peer = false) {
  config::Trust trust;
  trust.every_peer = every_peer;
  for (const auto& text : networks) trust.networks.push_back(*config::parse_cidr(text));
  return trust;
}

const config::Trust kAuto = trusting({"127.0.0.0/8", "::1/128"});
const config::Trust kCloudRun = trusting({"127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10"}, true);

std::string behind(const std::vector<std::string>& fields, const config::Trust& trust,
                   const std::string& peer = "peer") {
  proto::HeaderFields parsed;
  parsed.add("Host", "a");
  for (const auto& value : fields) parsed.add("X-Forwarded-For", value);
  return std::string(client_behind(peer, parsed, trust));
}

}  // namespace

TEST_CASE("By default loopback and unix sockets are trusted, on Cloud Run everybody") {
  struct Row {
    std::string peer;
    bool by_default, internal;
  };
  const std::vector<Row> rows = {
      {"127.0.0.1:80", true, true},
      {"127.9.9.9:80", true, true},
      {"[::1]:80", true, true},
      {"[::ffff:127.0.0.1]:80", true, true},
      {"unix:/run/a", true, true},
      {"169.254.169.126:80", false, true},
      {"[fe80::1]:80", false, true},
      {"[febf::1]:80", false, true},
      {"[fec0::1]:80", false, false},
      {"10.8.0.2:80", false, false},
      {"203.0.113.7:80", false, false},
      {"[2001:db8::1]:80", false, false},
      {"[::ffff:10.0.0.1]:80", false, false},
      {"128.0.0.1:80", false, false},
      {"[::2]:80", false, false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.peer);
    CHECK(is_trusted(address(row.peer), kAuto) == row.by_default);
    CHECK(is_trusted(address(row.peer), kCloudRun));
    CHECK(is_internal(address(row.peer)) == row.internal);
    CHECK(is_trusted(address(row.peer), {}) == (row.peer == "unix:/run/a"));
  }
  CHECK(is_trusted(address("[::ffff:10.0.0.1]:80"), trusting({"10.0.0.0/8"})));
  CHECK_FALSE(is_trusted(address("127.0.0.1:80"), trusting({"10.0.0.0/8"})));
}

TEST_CASE("The client is the last entry that is not itself trusted") {
  const auto ingress = trusting({"10.0.0.0/8", "2001:db8:1::/48"});
  struct Row {
    std::vector<std::string> fields;
    config::Trust trust;
    std::string client;
  };
  const std::vector<Row> rows = {
      {{}, kAuto, "peer"},
      {{""}, kAuto, "peer"},
      {{" , "}, kAuto, "peer"},
      {{"203.0.113.7"}, kAuto, "203.0.113.7"},
      {{"6.6.6.6, 203.0.113.7"}, kAuto, "203.0.113.7"},
      {{"6.6.6.6", "203.0.113.7"}, kAuto, "203.0.113.7"},
      {{"203.0.113.7, 127.0.0.1"}, kAuto, "203.0.113.7"},
      {{"203.0.113.7", "127.0.0.1, ::1"}, kAuto, "203.0.113.7"},
      {{"203.0.113.7, 10.8.0.2"}, kAuto, "10.8.0.2"},
      {{"203.0.113.7, 10.8.0.2"}, ingress, "203.0.113.7"},
      {{"203.0.113.7, 10.8.0.2, 2001:db8:1::7"}, ingress, "203.0.113.7"},
      {{"203.0.113.7, 127.0.0.1"}, ingress, "127.0.0.1"},
      // Everybody is a hop: the one that is furthest away.
      {{"10.1.1.1, 10.8.0.2"}, ingress, "10.1.1.1"},
      {{"203.0.113.7, 169.254.1.1"}, kCloudRun, "203.0.113.7"},
      {{"203.0.113.7, 169.254.1.1, fe80::1"}, kCloudRun, "203.0.113.7"},
      {{"203.0.113.7, 10.0.0.1"}, kCloudRun, "10.0.0.1"},
      {{"6.6.6.6, 203.0.113.7:4711"}, kAuto, "203.0.113.7"},
      {{"6.6.6.6, [2001:db8::7]:4711"}, kAuto, "2001:db8::7"},
      {{"6.6.6.6, [2001:db8::7]"}, kAuto, "2001:db8::7"},
      {{"6.6.6.6, 2001:db8::7"}, kAuto, "2001:db8::7"},
      {{"203.0.113.7, 127.0.0.1:80, [::1]:80, ::ffff:127.0.0.1"}, kAuto, "203.0.113.7"},
      {{"6.6.6.6, unknown"}, kAuto, "unknown"},
      {{"6.6.6.6, ["}, kAuto, ""},
      {{"6.6.6.6, :80"}, kAuto, ":80"},
      {{"6.6.6.6, fe80::1%eth0"}, kCloudRun, "6.6.6.6"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.fields);
    CHECK(behind(row.fields, row.trust) == row.client);
  }
  CHECK(behind({}, kAuto, "") == "");
}

}  // namespace probegate::proxy
