#include "checks/redis_cluster.h"

#include <catch2/catch.hpp>

namespace probegate::checks {
namespace {

const Endpoint kAsked = Endpoint::tcp("10.0.0.1", 6379);

std::string text(const std::optional<Redirection>& redirection) {
  return redirection ? (redirection->ask ? "ask " : "moved ") + redirection->to.to_string() : "nothing";
}

}  // namespace

TEST_CASE("A slot is that of the cluster specification, of what stands in braces where there are any") {
  CHECK(redis_slot("123456789") == 0x31C3 % 16384);
  CHECK(redis_slot("foo") == 12182);
  CHECK(redis_slot("bar") == 5061);
  CHECK(redis_slot("user:{foo}:x") == 12182);
  CHECK(redis_slot("{}foo") != 12182);
  CHECK(redis_slot("a{foo") == redis_slot("a{foo"));
}

TEST_CASE("The slots of the node that answers are read, and neither others' nor those on their way") {
  const std::string nodes =
      "07c3 127.0.0.1:30004@31004 slave e7d1 0 1426238317239 4 connected\n"
      "67ed 127.0.0.1:30002@31002,cache-2 master - 0 1426238316232 2 connected 5461-10922\n"
      "e7d1 127.0.0.1:30001@31001,cache-1 myself,master - 0 0 1 connected 0-5460 16000 [93->-292f] "
      "[77-<-e7d1]\n";
  CHECK(own_slots(nodes) == std::vector<SlotRange>{{0, 5460}, {16000, 16000}});
  CHECK(own_slots("e7d1 127.0.0.1:1@2 myself,slave 67ed 0 0 1 connected\n").empty());
  CHECK(own_slots("nonsense\n\n0-5 myself").empty());
  CHECK(own_slots("e7d1 h:1@2 myself,master - 0 0 1 connected 5-3 1-99999 -4\n").empty());
}

TEST_CASE("A key is found for the only slot of a node, under its prefix") {
  const std::vector<SlotRange> only = {{16383, 16383}};
  const auto key = key_in_slots("probegate:ab", only, 77);
  CHECK(key.starts_with("probegate:ab{"));
  CHECK(redis_slot(key) == 16383);
}

TEST_CASE("MOVED and ASK name a node, whose host may be left out or be an IPv6 address") {
  CHECK(text(read_redirection("MOVED 866 10.0.0.2:6380", kAsked)) == "moved 10.0.0.2:6380");
  CHECK(text(read_redirection("ASK 866 cache-2.local:6380", kAsked)) == "ask cache-2.local:6380");
  CHECK(text(read_redirection("MOVED 866 :6380", kAsked)) == "moved 10.0.0.1:6380");
  CHECK(text(read_redirection("MOVED 866 2001:db8::1:6380", kAsked)) == "moved [2001:db8::1]:6380");
  CHECK(text(read_redirection("MOVED 866 :6380", Endpoint::unix_socket("/run/redis.sock"))) == "nothing");
  for (const char* other :
       {"MOVED 866", "MOVED 866 host", "MOVED 866 host:0", "MOVED 866 host:99999", "ERR x y:1", ""})
    CHECK(text(read_redirection(other, kAsked)) == "nothing");
}

TEST_CASE("A cluster whose state is not ok is down") {
  CHECK_FALSE(judge_cluster_state("cluster_enabled:1\r\ncluster_state:ok\r\n"));
  const auto down = judge_cluster_state("cluster_state:fail\r\ncluster_slots_ok:5461\r\n");
  REQUIRE(down);
  CHECK(down->error->kind == health::FailKind::answer);
  CHECK(down->error->message ==
        "the cluster is down: cluster_state is \"fail\", 5461 of 16384 slots are served");
  CHECK(judge_cluster_state("").value().error->kind == health::FailKind::protocol);
}

}  // namespace probegate::checks
