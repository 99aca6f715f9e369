// The record of starts: what it counts, what it keeps, and which texts it refuses.
#include "health/start_record.h"

#include <catch2/catch.hpp>

#include "fake_clock.h"

namespace probegate::health {
namespace {

using namespace std::chrono_literals;

const WallTime kNow = FakeClock().wall_now();

TEST_CASE("A start that ended in order is no unclean one") {
  StartRecord record;
  CHECK_FALSE(record.begin(kNow));
  CHECK(record.last_end().empty());
  record.set_end(record.starts, end_cause::kDrained, kNow + 1min);
  CHECK_FALSE(record.begin(kNow + 2min));
  CHECK(record.starts == 2);
  CHECK(record.unclean_ends == 0);
  CHECK(record.last_end() == "drained");
}

TEST_CASE("A start that finds the one before alive knows that it was killed, and in which phase") {
  StartRecord record;
  record.begin(kNow);
  CHECK(record.begin(kNow + 1min));
  CHECK(record.last_end() == "unclean");
  CHECK_FALSE(record.recent.front().ended);
  record.set_end(record.starts, end_cause::kDraining, std::nullopt);
  CHECK(record.begin(kNow + 2min));
  CHECK(record.last_end() == "killed_in_drain");
  CHECK(record.unclean_ends == 2);
}

TEST_CASE("A start that could not listen counts, and calls nobody dead") {
  StartRecord record;
  record.begin(kNow);
  record.begin_failed_start(kNow + 1s);
  CHECK(record.starts == 2);
  CHECK(record.recent.front().end == "running");
  CHECK(record.recent.back().end == "cannot_listen");
  CHECK_FALSE(record.begin(kNow + 2s));
  CHECK(record.recent.front().end == "unclean");
}

// As it is done on a disk without space: bytes over bytes.
std::string marked(std::string text) {
  const auto mark = unwritten_mark(text);
  REQUIRE(mark);
  const auto size = text.size();
  text.replace(mark->at, mark->bytes.size(), mark->bytes);
  CHECK(text.size() == size);
  return text;
}

TEST_CASE("A record that could not be written accuses nobody, and the mark of it needs no space") {
  for (const auto state :
       {end_cause::kRunning, end_cause::kDraining, end_cause::kDrained, end_cause::kSecondSignal}) {
    CAPTURE(state);
    StartRecord record;
    record.begin(kNow);
    record.set_end(record.starts, state, std::nullopt);
    auto next = parse_start_record(marked(to_json(record)));
    REQUIRE(next);
    CHECK_FALSE(next->begin(kNow + 1min));
    CHECK(next->unclean_ends == 0);
    CHECK(next->starts == 2);
    CHECK(end_text(next->last_end()) == "unknown (the record could not be written)");
    // And the one after that knows again.
    next->set_end(next->starts, end_cause::kDrained, kNow + 2min);
    auto after = parse_start_record(to_json(*next));
    REQUIRE(after);
    after->begin(kNow + 3min);
    CHECK(end_text(after->last_end()) == "drained");
  }
}

TEST_CASE("What is no record gets no mark") {
  for (const char* text : {"", "{}", "\"state\": \"", "\"state\": \"short\","}) {
    CAPTURE(text);
    CHECK_FALSE(unwritten_mark(text));
  }
}

TEST_CASE("Only the newest twenty starts are kept, and all are counted") {
  StartRecord record;
  for (int i = 0; i < 50; ++i) record.begin(kNow + i * 1s);
  CHECK(record.starts == 50);
  CHECK(record.unclean_ends == 49);
  REQUIRE(record.recent.size() == StartRecord::kMostRecent);
  CHECK(record.recent.back().started == kNow + 49s);
}

TEST_CASE("A window holds what started in it, and nothing from a clock that was set back") {
  StartRecord record;
  record.begin(kNow - 11min);
  record.begin(kNow - 10min);
  record.begin(kNow);
  record.begin(kNow + 1h);
  CHECK(record.within(10min, kNow).size() == 2);
}

TEST_CASE("What is written is read again") {
  StartRecord record;
  record.begin(kNow);
  record.set_end(record.starts, end_cause::kSecondSignal, kNow + 1234ms);
  record.begin(kNow + 5s);
  const auto read = parse_start_record(to_json(record));
  REQUIRE(read);
  CHECK(to_json(*read) == to_json(record));
  CHECK(read->recent.front().ended == kNow + 1234ms);
  CHECK(read->last_end() == "second_signal");
  CHECK(to_json(*read).find("\"state\": \"running\"") != std::string::npos);
}

TEST_CASE("A record from before a crash in the middle of it, or of another kind, is refused") {
  StartRecord record;
  record.begin(kNow);
  const auto whole = to_json(record);
  for (std::size_t length = 0; length + 2 < whole.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(parse_start_record(std::string_view(whole).substr(0, length)));
  }
  for (const char* text :
       {"[]", "7", "null", "{}", R"({"version":1,"starts":-1,"unclean_ends":0,"recent":[]})",
        R"({"version":1,"starts":1e9,"unclean_ends":0,"recent":[]})",
        R"({"version":1,"starts":1,"unclean_ends":0,"recent":[{"started":"now","ended":null,"end":"x"}]})",
        R"({"version":1,"starts":1,"unclean_ends":0,"recent":[
                              {"started":"2026-11-23T12:00:00.000Z","ended":null,"end":"Not\na word"}]})"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_start_record(text));
  }
}

TEST_CASE("A record of a later version is refused by its number") {
  const auto read = parse_start_record(R"({"version":2,"starts":1})");
  REQUIRE_FALSE(read);
  CHECK(read.error().message == "it has version 2, not 1");
}

TEST_CASE("A start whose process still lives is no unclean end, and ends as it says itself") {
  StartRecord record;
  record.begin(kNow);
  record.begin(kNow + 1s, [](std::uint64_t number) { return number == 1; });
  CHECK(record.recent.front().end == end_cause::kRunning);
  CHECK(record.unclean_ends == 0);
  record.set_end(1, end_cause::kDrained, kNow + 2s);
  record.set_end(2, end_cause::kSecondSignal, kNow + 3s);
  CHECK(record.recent.front().end == end_cause::kDrained);
  CHECK(record.recent.back().end == end_cause::kSecondSignal);
}

TEST_CASE("The end of a start that is forgotten changes no other") {
  StartRecord record;
  for (int i = 0; i < 30; ++i) record.begin(kNow + i * 1s, [](std::uint64_t) { return true; });
  record.set_end(10, end_cause::kDrained, kNow + 1min);
  record.set_end(31, end_cause::kDrained, kNow + 1min);
  for (const auto& start : record.recent) CHECK(start.end == end_cause::kRunning);
}

}  // namespace
}  // namespace probegate::health
