#include "loop/deadline.h"

#include <utility>

namespace probegate::loop {

Deadline::Deadline(DeadlineWheel& wheel, Observer& observer)
    : wheel_(wheel), observer_(observer), sink_(wheel.loop().sink()) {}

void Deadline::arm(Duration delay) {
  disarm();
  if (delay <= Duration::zero()) return;
  uv_update_time(wheel_.loop_.uv());  // otherwise it fires early after a long loop iteration
  wheel_.extend_after_suspend();      // a deadline armed now was not affected by a suspension
  const auto millis = static_cast<std::uint64_t>(std::chrono::ceil<Millis>(delay).count());
  due_ = ((wheel_.loop_.turn_ms() + millis) / DeadlineWheel::kTickMillis + 1) & kMostTicks;
  excused_ = 0;
  wheel_.insert(*this);
}

void Deadline::disarm() {
  if (previous_ == nullptr) return;
  *previous_ = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
  next_ = nullptr;
  previous_ = nullptr;
  --wheel_.armed_;
}

DeadlineWheel::DeadlineWheel(Loop& loop)
    : loop_(loop), timer_(loop, [this] { advance(); }), current_(tick_now()), seen_(current_) {}

void DeadlineWheel::insert(Deadline& deadline) {
  if (armed_ == 0) current_ = tick_now();  // nothing to catch up with
  Deadline*& head = slots_[deadline.due_ % kSlots];
  deadline.next_ = head;
  if (head != nullptr) head->previous_ = &deadline.next_;
  deadline.previous_ = &head;
  head = &deadline;
  ++armed_;
  if (scheduled_ == 0 || deadline.due_ < scheduled_) schedule();
}

void DeadlineWheel::extend_after_suspend() {
  const std::uint64_t now = tick_now();
  const std::uint64_t gap = now - std::exchange(seen_, now);
  if (scheduled_ == 0 || now <= scheduled_ + kSuspendThreshold) return;
  Deadline* excused = nullptr;
  for (Deadline* node : slots_) {
    while (node != nullptr) {
      Deadline* const next = node->next_;
      if (node->excused_ == 0) {
        node->disarm();
        node->next_ = std::exchange(excused, node);
      }
      node = next;
    }
  }
  while (excused != nullptr) {
    Deadline* const node = std::exchange(excused, excused->next_);
    node->due_ = (node->due_ + gap) & Deadline::kMostTicks;
    node->excused_ = 1;
    insert(*node);
  }
  schedule();
}

void DeadlineWheel::advance() {
  extend_after_suspend();
  scheduled_ = 0;
  const std::uint64_t end = tick_now();
  // After a long suspension, one full rotation of the wheel visits every slot.
  if (end - current_ >= kSlots) current_ = end - kSlots + 1;
  while (current_ <= end && armed_ > 0) {
    Deadline* due = nullptr;  // collected first: a callback may arm, disarm or destroy any deadline
    Deadline** tail = &due;
    for (Deadline* node = slots_[current_ % kSlots]; node != nullptr;) {
      Deadline* next = node->next_;
      if (node->due_ <= end) {
        node->disarm();
        ++armed_;  // counted until it fires
        node->previous_ = tail;
        *tail = node;
        tail = &node->next_;
      }
      node = next;
    }
    ++current_;
    while (due != nullptr) {
      Deadline* node = due;
      node->disarm();
      // Each is called separately, so that an exception of one observer does not prevent the others.
      loop_.enter(node->sink_, [node] { node->observer_.on_deadline(*node); });
    }
  }
  schedule();
}

void DeadlineWheel::schedule() {
  if (armed_ == 0) {
    timer_.stop();
    scheduled_ = 0;
    return;
  }
  std::uint64_t tick = current_;
  while (slots_[tick % kSlots] == nullptr && tick < current_ + kSlots) ++tick;
  scheduled_ = tick;
  const std::uint64_t due_ms = tick * kTickMillis;
  const std::uint64_t now_ms = loop_.turn_ms();
  timer_.start(Millis(due_ms > now_ms ? due_ms - now_ms : 1));
}

}  // namespace probegate::loop
