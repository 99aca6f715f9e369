// Inbox<T>: a lock-free queue with many producers and one consumer, which takes all items in
// order of arrival.
//
// Unbounded: its user limits the number of items. Use it with a loop::Wakeup to notify the consumer.
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

  // Oldest first. Only the consumer thread may call it, so no visited node can be reused (no ABA problem).
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
