#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/text.h"
#include "fake_clock.h"

using namespace probegate;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const WallTime kNoon{1'795'435'200s};

std::string as_text(LogLevel level, std::string_view message, Log::Fields fields = {}) {
  return format_log_line(LogFormat::text, level, message, {fields.begin(), fields.size()}, kNoon);
}

std::string raw_json(LogLevel level, std::string_view message, Log::Fields fields = {}) {
  return format_log_line(LogFormat::json, level, message, {fields.begin(), fields.size()}, kNoon);
}

json as_json(LogLevel level, std::string_view message, Log::Fields fields = {}) {
  return json::parse(raw_json(level, message, fields));
}

class Pipe {
 public:
  Pipe() { REQUIRE(::pipe2(ends_, O_CLOEXEC) == 0); }
  ~Pipe() {
    close_reader();
    ::close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int writer() const { return ends_[1]; }
  void close_reader() { ::close(std::exchange(ends_[0], -1)); }

  bool full() const {
    pollfd ready{ends_[1], POLLOUT, 0};
    return ::poll(&ready, 1, 0) == 0;
  }

  // The next line, or nothing when none comes in time.
  std::optional<std::string> read_line(std::chrono::milliseconds patience = 10s) {
    for (;;) {
      if (const auto end = unread_.find('\n'); end != std::string::npos) {
        std::string line = unread_.substr(0, end);
        unread_.erase(0, end + 1);
        return line;
      }
      pollfd ready{ends_[0], POLLIN, 0};
      if (::poll(&ready, 1, static_cast<int>(patience.count())) <= 0) return std::nullopt;
      char chunk[65536];
      const auto size = ::read(ends_[0], chunk, sizeof chunk);
      if (size <= 0) return std::nullopt;
      unread_.append(chunk, static_cast<std::size_t>(size));
    }
  }

 private:
  int ends_[2];
  std::string unread_;
};

double seconds_taken_by(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return to_seconds(std::chrono::steady_clock::now() - start);
}

// Logs until the log's writer is stuck in a full pipe, and then `extra` lines more.
void overfill(Log& log, const Pipe& pipe, int extra) {
  const std::string padding(1000, 'x');
  while (!pipe.full()) log.info("fill", {{"padding", padding}});
  for (int i = 0; i < 8; ++i)
    log.info("fill", {{"padding", padding}});  // "full" may leave the rest of a page
  for (int i = 0; i < extra; ++i) log.info("extra", {{"n", i}});
}

}  // namespace

TEST_CASE("A JSON line has the fields Cloud Logging knows, and typed values") {
  const auto line =
      as_json(LogLevel::warn, "check failed", {{"check", "redis"}, {"runs", 3}, {"ms", 1.5}, {"up", false}});
  CHECK(line == json{{"severity", "WARNING"},
                     {"message", "check failed"},
                     {"timestamp", "2026-11-23T12:00:00.000Z"},
                     {"check", "redis"},
                     {"runs", 3},
                     {"ms", 1.5},
                     {"up", false}});
  CHECK(as_json(LogLevel::debug, "")["severity"] == "DEBUG");
  CHECK(as_json(LogLevel::info, "")["severity"] == "INFO");
  CHECK(as_json(LogLevel::error, "")["severity"] == "ERROR");
}

TEST_CASE("A JSON line begins with its severity, message and timestamp, for people who read it raw") {
  CHECK(raw_json(LogLevel::info, "up", {{"a", 1}}) ==
        R"({"severity":"INFO","message":"up","timestamp":"2026-11-23T12:00:00.000Z","a":1})");
}

TEST_CASE("httpRequest fields nest in JSON; trace fields keep the dots in their names") {
  const auto line = as_json(LogLevel::info, "request",
                            {{"httpRequest.requestMethod", "GET"},
                             {"httpRequest.status", 200},
                             {"logging.googleapis.com/trace", "projects/p/traces/t"}});
  CHECK(line["httpRequest"] == json{{"requestMethod", "GET"}, {"status", 200}});
  CHECK(line["logging.googleapis.com/trace"] == "projects/p/traces/t");
  CHECK(as_json(LogLevel::info, "request", {{"a", 1}, {"httpRequest.status", 200}})["httpRequest"] ==
        json{{"status", 200}});
}

TEST_CASE("A text line of a request says method, path and status once, and the rest under short names") {
  CHECK(as_text(LogLevel::info, "GET /chat 200",
                {{"httpRequest.requestMethod", "GET"},
                 {"httpRequest.requestUrl", "/chat"},
                 {"httpRequest.status", 200},
                 {"httpRequest.latency", "0.012s"},
                 {"logging.googleapis.com/spanId", "00f067aa0ba902b7"}}) ==
        "2026-11-23T12:00:00.000Z info    GET /chat 200 latency=0.012s spanId=00f067aa0ba902b7");
}

TEST_CASE("Fractions are written to a thousandth") {
  CHECK(raw_json(LogLevel::info, "m", {{"ms", 15.409721}, {"s", 0.0004}}).find(R"("ms":15.41,"s":0.0})") !=
        std::string::npos);
  CHECK(as_text(LogLevel::info, "m", {{"ms", 15.409721}}).ends_with("ms=15.41"));
}

TEST_CASE("A JSON line stays one valid line whatever bytes a value has") {
  const std::string evil("a\nb\"\\\x01\xff\xfe", 8);
  const auto text = raw_json(LogLevel::info, evil, {{"v", evil}});
  CHECK(text.find('\n') == std::string::npos);
  CHECK(json::parse(text)["v"] == "a\nb\"\\\x01\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_CASE("A text line is time, level, message and key=value") {
  CHECK(
      as_text(LogLevel::info, "gate open", {{"took_ms", 12}, {"check", "redis"}, {"ok", true}, {"s", 0.5}}) ==
      "2026-11-23T12:00:00.000Z info    gate open took_ms=12 check=redis ok=true s=0.5");
  CHECK(as_text(LogLevel::warn, "m") == "2026-11-23T12:00:00.000Z warning m");
}

TEST_CASE("A text value is quoted when it is not plain ASCII without blanks") {
  const auto shown = [](std::string_view value) {
    const auto line = as_text(LogLevel::info, "m", {{"v", value}});
    return line.substr(line.find("v=") + 2);
  };
  CHECK(shown("plain/value-1.0:80") == "plain/value-1.0:80");
  CHECK(shown("") == R"("")");
  CHECK(shown("two words") == R"("two words")");
  CHECK(shown("a=b") == R"("a=b")");
  CHECK(shown("say \"hi\"") == R"("say \"hi\"")");
  CHECK(shown("line\nbreak") == R"("line\nbreak")");
  CHECK(shown("\x1b[2J") == R"("\u001b[2J")");
  CHECK(shown("\xff") == "\"\xef\xbf\xbd\"");
  CHECK(shown("\xc2\x9b"
              "2J") == R"("\u009b2J")");
  CHECK(shown("caf\xc3\xa9 \xc2\xa0") == "\"caf\xc3\xa9 \xc2\xa0\"");
}

TEST_CASE("A text message cannot break its line or move the terminal") {
  CHECK(as_text(LogLevel::info, "a\nb\r\x1b[2Jc") == "2026-11-23T12:00:00.000Z info    a b  [2Jc");
}

TEST_CASE("Log writes lines in order, stamped with its clock, and drops those below its level") {
  Pipe pipe;
  FakeClock clock;
  const auto time = iso8601(clock.wall_now());
  {
    Log log(pipe.writer(), LogLevel::info, LogFormat::text, clock);
    CHECK_FALSE(log.enabled(LogLevel::debug));
    log.debug("hidden");
    log.info("first");
    log.error("second");
  }
  CHECK(pipe.read_line() == time + " info    first");
  CHECK(pipe.read_line() == time + " error   second");
}

TEST_CASE("Log takes lines from several threads and keeps each whole") {
  constexpr int kThreads = 4;
  constexpr int kLines = 200;
  Pipe pipe;
  FakeClock clock;
  Log log(pipe.writer(), LogLevel::info, LogFormat::json, clock);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&log, t] {
      for (int n = 0; n < kLines; ++n) log.info("line", {{"thread", t}, {"n", n}});
    });
  }
  std::vector<int> next(kThreads, 0);
  bool in_order = true;
  for (int i = 0; i < kThreads * kLines; ++i) {
    const auto line = pipe.read_line();
    REQUIRE(line);
    const auto parsed = json::parse(*line);
    in_order = in_order && parsed["n"] == next.at(parsed["thread"])++;
  }
  for (auto& thread : threads) thread.join();
  CHECK(in_order);
}

TEST_CASE(
    "Log never blocks its caller while the reader is stuck, and counts what it dropped when it reads again") {
  constexpr int kExtra = 20'000;
  Pipe pipe;
  FakeClock clock;
  Log log(pipe.writer(), LogLevel::info, LogFormat::json, clock);
  // Formatting 20000 lines takes 0.2 s, 2 s under a sanitizer; a blocked write would take for ever.
  CHECK(seconds_taken_by([&] { overfill(log, pipe, kExtra); }) < 20);

  int extra_seen = 0;
  std::int64_t dropped = -1;
  while (dropped < 0) {
    const auto line = pipe.read_line();
    REQUIRE(line);
    const auto parsed = json::parse(*line);
    if (parsed["message"] == "extra") {
      CHECK(parsed["n"] == extra_seen);  // no gap before the announcement
      ++extra_seen;
    } else if (parsed["message"] != "fill") {
      CHECK(parsed["severity"] == "WARNING");
      dropped = parsed["lines"];
    }
  }
  CHECK(dropped > 0);
  CHECK(extra_seen + dropped == kExtra);

  log.info("after");
  CHECK(json::parse(pipe.read_line().value())["message"] == "after");
}

TEST_CASE("Log bounds its queue in bytes too") {
  Pipe pipe;
  FakeClock clock;
  Log log(pipe.writer(), LogLevel::info, LogFormat::json, clock);
  overfill(log, pipe, 0);
  const std::string big(64 * 1024, 'x');
  for (int i = 0; i < 200; ++i)
    log.info("big", {{"path", big}});  // 12.5 MiB, fewer lines than the queue takes
  int big_seen = 0;
  for (;;) {
    const auto line = pipe.read_line();
    REQUIRE(line);
    const auto parsed = json::parse(*line);
    if (parsed["message"] == "big") ++big_seen;
    if (parsed.contains("lines")) {
      CHECK(big_seen + parsed["lines"].get<int>() == 200);
      break;
    }
  }
  CHECK(big_seen <= 65);
}

TEST_CASE("Log ends within its bound although the reader is stuck for good") {
  Pipe pipe;
  FakeClock clock;
  auto log = std::make_unique<Log>(pipe.writer(), LogLevel::info, LogFormat::json, clock);
  overfill(*log, pipe, 10);
  const double seconds = seconds_taken_by([&] { log.reset(); });
  CHECK(seconds > 0.5);  // it did give the reader its chance
  CHECK(seconds < 5);
}

TEST_CASE("Log flush returns once all is written, and at its limit when the reader is stuck") {
  Pipe pipe;
  FakeClock clock;
  Log log(pipe.writer(), LogLevel::info, LogFormat::text, clock);
  log.info("the end");
  CHECK(seconds_taken_by([&] { log.flush(10s); }) < 5);
  CHECK(pipe.read_line(0ms).value_or("(not written yet)").ends_with("the end"));

  overfill(log, pipe, 0);
  const double seconds = seconds_taken_by([&] { log.flush(100ms); });
  CHECK(seconds > 0.09);
  CHECK(seconds < 5);
}

TEST_CASE("Log announces at its end what it dropped") {
  Pipe pipe;
  FakeClock clock;
  auto log = std::make_unique<Log>(pipe.writer(), LogLevel::info, LogFormat::json, clock);
  overfill(*log, pipe, 10'000);
  std::string last;
  std::thread reader([&] {
    while (const auto line = pipe.read_line(2s)) last = *line;
  });
  log.reset();
  reader.join();
  CHECK(json::parse(last).contains("lines"));
}

TEST_CASE("Log tells how many lines it lost when writing works again, whatever made it fail") {
  const FakeClock clock;
  Pipe broken;
  const int fd = ::fcntl(broken.writer(), F_DUPFD_CLOEXEC, 200);  // whose file is exchanged below
  REQUIRE(fd >= 0);
  broken.close_reader();
  Pipe working;
  {
    // The log writes to a duplicate of its own, so the exchange needs its number: the lowest free one from 3.
    const int own = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
    ::close(own);
    Log log(fd, LogLevel::info, LogFormat::json, clock);
    log.info("first");
    log.info("second");
    log.flush(10s);
    REQUIRE(::dup3(working.writer(), own, O_CLOEXEC) == own);
    log.info("third");
    log.flush(10s);
    const auto lost = json::parse(working.read_line().value());
    CHECK(lost.at("message") == "log lines lost: they could not be written");
    CHECK(lost.at("lines") == 2);
    CHECK(lost.at("why") == "Broken pipe");
    CHECK(json::parse(working.read_line().value()).at("message") == "third");
  }
  ::close(fd);
}

TEST_CASE("Log survives a reader that is gone, without holding up its end") {
  Pipe pipe;
  FakeClock clock;
  auto log = std::make_unique<Log>(pipe.writer(), LogLevel::info, LogFormat::json, clock);
  pipe.close_reader();
  for (int i = 0; i < 100; ++i) log->info("into the void");
  CHECK(seconds_taken_by([&] { log.reset(); }) < 0.9);
}

TEST_CASE("Log keeps its own descriptor, so its owner may close the one it was given") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  FakeClock clock;
  {
    Log log(ends[1], LogLevel::info, LogFormat::text, clock);
    ::close(ends[1]);
    log.info("still written");
  }
  char text[200];
  const auto size = ::read(ends[0], text, sizeof text);
  ::close(ends[0]);
  REQUIRE(size > 0);
  CHECK(std::string_view(text, static_cast<std::size_t>(size)).ends_with("still written\n"));
}
