// Inbox<T>: many threads put, one takes everything, in the order it came. Without locks.
//
// Not bounded by itself: whoever uses it bounds what may be under way. Pair it with a loop::Wakeup so that
// the taker looks.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

namespace probegate {

template <typename T>
class Inbox {
 public:
  Inbox() = default;
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  ~Inbox() { const Chain rest{newest_.load(std::memory_order_acquire)}; }

  void put(T value) {
    auto node = std::make_unique<Node>(Node{std::move(value), newest_.load(std::memory_order_relaxed)});
    while (!newest_.compare_exchange_weak(node->before, node.get(), std::memory_order_release,
                                          std::memory_order_relaxed)) {
    }
    node.release();  // NOLINT(bugprone-unused-return-value): the list owns it
  }

  // Oldest first. Only the one taking thread may call it, so no node it walks can come back (no ABA).
  std::vector<T> take_all() {
    std::vector<T> values;
    Chain chain{newest_.exchange(nullptr, std::memory_order_acquire)};
    for (; chain.node != nullptr; chain.drop_one()) values.push_back(std::move(chain.node->value));
    std::reverse(values.begin(), values.end());
    return values;
  }

 private:
  struct Node {
    T value;
    Node* before;
  };
  struct Chain {
    Node* node;
    void drop_one() { delete std::exchange(node, node->before); }
    ~Chain() {
      while (node != nullptr) drop_one();
    }
  };

  std::atomic<Node*> newest_{nullptr};
};

}  // namespace probegate
