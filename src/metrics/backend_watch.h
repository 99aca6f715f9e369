// BackendWatch: counts the restarts of the backend.
//
// A restart is: a connection is accepted, a later one is refused or reset, and then one is accepted again.
// The proxy and the websocket check with `traffic` report connections, so the proxy sees a restart between
// two polls, and the check sees one without traffic. A slow or overloaded backend, or one that answers
// errors, has not restarted; neither has one that was never reached before. A restart during which nobody
// tried to connect is not counted. Thread: any. One load per connection, nothing per message.
#pragma once

#include <atomic>
#include <cstdint>

namespace probegate::metrics {

class BackendWatch {
 public:
  void reached() noexcept {
    if (state_.load(std::memory_order_relaxed) == State::up) return;
    if (state_.exchange(State::up, std::memory_order_relaxed) == State::down) {
      restarts_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  void refused() noexcept {
    State up = State::up;
    state_.compare_exchange_strong(up, State::down, std::memory_order_relaxed);
  }
  // The configuration names another backend.
  void forget() noexcept { state_.store(State::unknown, std::memory_order_relaxed); }

  std::uint64_t restarts() const noexcept { return restarts_.load(std::memory_order_relaxed); }

 private:
  enum class State : std::uint8_t { unknown, up, down };
  std::atomic<State> state_{State::unknown};
  std::atomic<std::uint64_t> restarts_{0};
};

}  // namespace probegate::metrics
