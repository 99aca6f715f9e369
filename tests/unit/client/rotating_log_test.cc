#include "client/rotating_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <barrier>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

using namespace probegate;
using client::append_rotating;

namespace {

// As the interface has it: the writer who holds the log gets that much time.
const auto kWait = [](Duration time) {
  return ::poll(nullptr, 0, static_cast<int>(std::chrono::duration_cast<Millis>(time).count())) == 0;
};

struct Directory {
  Directory() { REQUIRE(::mkdtemp(path) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string file() const { return std::string(path) + "/health.log"; }
  std::string content(const std::string& suffix = "") const {
    std::ifstream stream(file() + suffix);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  char path[32] = "/tmp/rotating-log-XXXXXX";
};

}  // namespace

TEST_CASE("A log that is full goes to FILE.1, and what was there goes") {
  const Directory directory;
  for (const char* line : {"one\n", "two\n", "three\n", "four\n", "five\n"}) {
    REQUIRE(append_rotating(directory.file(), line, 10, kWait));
  }
  CHECK(directory.content() == "four\nfive\n");
  CHECK(directory.content(".1") == "three\n");
}

TEST_CASE("A line that is longer than the bound is written all the same") {
  const Directory directory;
  REQUIRE(append_rotating(directory.file(), "much too long\n", 4, kWait));
  CHECK(directory.content() == "much too long\n");
}

TEST_CASE("Whoever writes to a log while it rotates loses no line, and tears none") {
  constexpr int kWriters = 8;
  constexpr std::uint64_t kMost = 1000;
  for (int round = 0; round < 100; ++round) {
    const Directory directory;
    // Full but for one line: the first writer fits, the others find it full together.
    REQUIRE(append_rotating(directory.file(), std::string(kMost - 20, 'x') + "\n", kMost, kWait));
    std::barrier together(kWriters);
    std::vector<std::thread> writers;
    for (int number = 0; number < kWriters; ++number) {
      writers.emplace_back([&, number] {
        const std::string line = "line of writer " + std::to_string(number) + "\n";
        together.arrive_and_wait();
        (void)append_rotating(directory.file(), line, kMost, kWait);
      });
    }
    for (auto& writer : writers) writer.join();
    const std::string all = directory.content(".1") + directory.content();
    for (int number = 0; number < kWriters; ++number) {
      CAPTURE(round, number);
      REQUIRE(all.find("\nline of writer " + std::to_string(number) + "\n") != std::string::npos);
    }
    REQUIRE(directory.content(".1").size() <= kMost);
  }
}

TEST_CASE("A log that cannot be written says why") {
  const auto written = append_rotating("/nonexistent/health.log", "line\n", 100, kWait);
  REQUIRE_FALSE(written);
  CHECK(written.error().message == "No such file or directory");
}

TEST_CASE("A log of another user is refused, and stays as it was") {
  if (::geteuid() != 0) return;  // nobody else can make one
  const Directory directory;
  std::ofstream(directory.file()) << "theirs\n";
  REQUIRE(::chown(directory.file().c_str(), 65532, 65532) == 0);
  CHECK(append_rotating(directory.file(), "line\n", 100, kWait).error().message ==
        "it belongs to another user");
  CHECK(directory.content() == "theirs\n");
}

TEST_CASE(
    "A log that is a pipe, a link or a device is refused at once, and what a link leads to stays as it was") {
  const Directory directory;
  const auto refused = [&] { return append_rotating(directory.file(), "line\n", 100, kWait); };
  REQUIRE(::mkfifo(directory.file().c_str(), 0600) == 0);
  CHECK_FALSE(refused());  // there is no reader, so opening it would wait
  const int reader = ::open(directory.file().c_str(), O_RDONLY | O_NONBLOCK);
  CHECK(refused().error().message == "it is not a regular file");
  ::close(reader);
  std::filesystem::remove(directory.file());

  std::filesystem::create_symlink(directory.file() + ".theirs", directory.file());
  std::ofstream(directory.file() + ".theirs") << "theirs";
  CHECK(refused().error().message == "it is a symbolic link; give the path of the file itself");
  CHECK(directory.content(".theirs") == "theirs");

  CHECK(append_rotating("/dev/null", "line\n", 100, kWait).error().message == "it is not a regular file");
}
