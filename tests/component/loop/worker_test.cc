// Worker and BackgroundJob: work for another thread, and what comes of it.
#include "loop/worker.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "loop/background_job.h"
#include "support/test_loop.h"

namespace probegate::test {
namespace {

struct WorkerBench {
  ~WorkerBench() { ::close(fd); }
  std::string logged() {
    log.flush(10s);
    char text[4096];
    const auto size = ::pread(fd, text, sizeof text, 0);
    return {text, static_cast<std::size_t>(size)};
  }

  TestLoop loop;
  int fd = ::memfd_create("log", MFD_CLOEXEC);
  Log log{fd, LogLevel::info, LogFormat::json, *loop};
  std::atomic<bool> ended{false};
  loop::Worker worker{log, "internal error on the test's loop"};
};

TEST_CASE(
    "Worker runs what is posted in its order, also from before the start, and then what it was to call at "
    "the end") {
  WorkerBench bench;
  std::vector<int> seen;
  for (int i = 0; i < 3; ++i)
    bench.worker.post([&seen, number = std::make_unique<int>(i)] { seen.push_back(*number); });
  bench.worker.start("worker", [&] { bench.ended = true; });
  bench.worker.post([&] { seen.push_back(3); });
  bench.worker.stop();
  bench.worker.stop();
  bench.worker.join();
  CHECK(seen == std::vector{0, 1, 2, 3});
  CHECK(bench.ended);
}

TEST_CASE("Worker logs what its work throws, and goes on with the next") {
  WorkerBench bench;
  std::atomic<bool> done{false};
  bench.worker.start("worker", [] {});
  bench.worker.post([] { throw std::runtime_error("no more of this"); });
  bench.worker.post([&] { done = true; });
  bench.worker.stop();
  REQUIRE(bench.worker.join(10s));
  CHECK(done);
  const std::string logged = bench.logged();
  CHECK(logged.find(R"("message":"internal error on the test's loop")") != std::string::npos);
  CHECK(logged.find(R"("what":"no more of this")") != std::string::npos);
}

TEST_CASE("Worker is waited for no longer than asked, and hears no signal") {
  WorkerBench bench;
  std::atomic<bool> release{false};
  std::atomic<bool> deaf{false};
  bench.worker.start("worker", [] {});
  bench.worker.post([&] {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    deaf = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGHUP) == 1;
    while (!release) std::this_thread::yield();
  });
  bench.worker.stop();
  CHECK_FALSE(bench.worker.join(20ms));
  release = true;
  CHECK(bench.worker.join(10s));
  CHECK(deaf);
}

TEST_CASE("Worker that was never started ends with what has been posted to it") {
  const auto token = std::make_shared<int>(1);
  {
    WorkerBench bench;
    bench.worker.post([token] {});
    bench.worker.join();
  }
  CHECK(token.use_count() == 1);
}

TEST_CASE("BackgroundJob brings its result to the loop, where it may destroy the job") {
  TestLoop loop;
  std::string told;
  std::thread::id ran_on;
  std::unique_ptr<loop::BackgroundJob<std::string>> job;
  job = std::make_unique<loop::BackgroundJob<std::string>>(
      loop, "job",
      [&ran_on] {
        ran_on = std::this_thread::get_id();
        return std::string("result");
      },
      [&](std::string result) {
        told = std::move(result);
        job.reset();
      });
  CHECK(loop.until([&] { return told == "result"; }));
  CHECK_FALSE(job);
  CHECK(ran_on != std::this_thread::get_id());
}

TEST_CASE("BackgroundJob throws on the loop what its call has thrown") {
  TestLoop loop;
  const loop::BackgroundJob<int> job(
      loop, "job", []() -> int { throw std::runtime_error("out of luck"); }, [](int) { FAIL("a result"); });
  CHECK(loop.until([&] { return loop.sink.errors == std::vector<std::string>{"out of luck"}; }));
}

TEST_CASE("BackgroundJob is left behind by whoever does not wait, and keeps what its call owns until then") {
  struct Held {
    std::atomic<bool> release{false};
  };
  const auto held = std::make_shared<Held>();
  TestLoop loop;
  {
    loop::BackgroundJob<int> job(
        loop, "job",
        [held] {
          while (!held->release) std::this_thread::yield();
          return 1;
        },
        [](int) { FAIL("told"); });
    CHECK_FALSE(job.wait(20ms));
  }
  held->release = true;
  CHECK(loop.until([&] { return held.use_count() == 1; }));
}

TEST_CASE("BackgroundJob that was waited for tells its result once") {
  TestLoop loop;
  loop::BackgroundJob<int> job(
      loop, "job", [] { return 7; }, [](int) { FAIL("told twice"); });
  CHECK(job.wait(10s) == 7);
  job.join();
  CHECK(job.joined());
  loop.settle();

  loop::BackgroundJob<int> alone("alone", [] { return 8; });
  CHECK(alone.wait(10s) == 8);
  alone.join();
}

}  // namespace
}  // namespace probegate::test
