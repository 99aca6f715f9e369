// Counts, and on demand fails, the allocations of one thread: of operator new and of libuv. For programs of
// their own: including this replaces the global operator new. Include it in one file.
#pragma once

#include <uv.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>

#include "proxy_fixture.h"

namespace probegate::test {

inline thread_local bool watched_thread = false;
inline std::atomic<std::uint64_t> allocations{0};
inline std::atomic<std::int64_t> fail_after{-1};  // that many more succeed; -1 = all do

inline void count_allocation() {
  if (watched_thread) allocations.fetch_add(1, std::memory_order_relaxed);
}
inline std::atomic<bool> fail_all{false};
inline void fail_if_due() {
  if (watched_thread && fail_all.load(std::memory_order_relaxed)) throw std::bad_alloc();
  if (!watched_thread || fail_after.load(std::memory_order_relaxed) < 0) return;
  if (fail_after.fetch_sub(1, std::memory_order_relaxed) == 0) throw std::bad_alloc();
}

inline void watch_libuv() {
  uv_replace_allocator(
      [](std::size_t size) {
        count_allocation();
        return std::malloc(size);
      },
      [](void* block, std::size_t size) {
        count_allocation();
        return std::realloc(block, size);
      },
      [](std::size_t count, std::size_t size) {
        count_allocation();
        return std::calloc(count, size);
      },
      [](void* block) { std::free(block); });
}

// Marks the proxy's data loop as the thread that is watched: it is the one that drops a view it has replaced.
inline void watch_data_loop(TestLoop& loop, ProxyFixture& proxy) {
  auto marked = std::make_shared<std::atomic<bool>>(false);
  auto* const view = new proxy::GateView(open_gate());
  const auto test_thread = std::this_thread::get_id();
  proxy.loop().publish(
      std::shared_ptr<const proxy::GateView>(view, [marked, test_thread](const proxy::GateView* v) {
        delete v;
        if (std::this_thread::get_id() == test_thread) return;
        watched_thread = true;
        *marked = true;
      }));
  proxy.loop().beat(1, loop->now());
  loop.until([&] { return proxy.loop().answered() == 1; });  // it has the view now
  proxy.publish(open_gate());
  if (!loop.until([&] { return marked->load(); })) throw std::runtime_error("the data loop takes no mail");
}

}  // namespace probegate::test

void* operator new(std::size_t size) {
  probegate::test::count_allocation();
  probegate::test::fail_if_due();
  if (void* block = std::malloc(size == 0 ? 1 : size)) return block;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  probegate::test::count_allocation();
  return std::malloc(size == 0 ? 1 : size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  probegate::test::count_allocation();
  const auto align = static_cast<std::size_t>(alignment);
  if (void* block = std::aligned_alloc(align, (size + align - 1) / align * align)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
