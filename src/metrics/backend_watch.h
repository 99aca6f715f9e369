// BackendWatch: counts how often the backend went away and came back.
//
// The evidence is a connection: one that was refused or reset after another had been accepted, and then one
// that is accepted again. Both the proxy and the websocket check with `traffic` bring it, so that a restart
// between two polls is seen by the traffic it met, and one without traffic by the check. A backend that is
// slow, overloaded or answers errors has not restarted; neither has one that was never reached before. A
// restart in which nobody tried to connect leaves no evidence and is not counted.
// Thread: any. One load per connection, nothing per message.
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
  void forget() noexcept { state_.store(State::unknown, std::memory_order_relaxed); }  // it is another one

  std::uint64_t restarts() const noexcept { return restarts_.load(std::memory_order_relaxed); }

 private:
  enum class State : std::uint8_t { unknown, up, down };
  std::atomic<State> state_{State::unknown};
  std::atomic<std::uint64_t> restarts_{0};
};

}  // namespace probegate::metrics
