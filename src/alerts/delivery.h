// Delivery: sends notifications to receivers over HTTP and SMTP, on a thread of its own.
//
// A thread of its own, because TLS and curl would delay probes on the control loop. Owns: its loop and one
// queue per receiver, so that a receiver that hangs delays no other. Invariants: a queue holds at most
// kMostQueued notifications, and the oldest is dropped; a notification is tried at most kAttempts times, with
// growing pauses, within kLifetime; a failed notification is logged once, without the receiver's secrets.
// Thread: built, started, posted to, finished and joined by the control loop's.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "base/log.h"
#include "loop/http_client.h"
#include "loop/mail_client.h"
#include "metrics/control_metrics.h"

namespace probegate::alerts {

struct Notification {
  std::string receiver;  // identifies the receiver; may hold secrets
  std::string shown;     // the same without secrets, for logs
  std::string what;      // "check_down redis", for logs
  std::variant<loop::HttpRequest, loop::Mail> content;
};

class Delivery {
 public:
  static constexpr std::size_t kMostPosted = 256;  // posted, and not yet in a queue
  static constexpr std::size_t kMostQueued = 32;   // per receiver
  static constexpr int kAttempts = 4;
  static constexpr Duration kFirstPause = std::chrono::seconds(1);  // each further pause is four times longer
  static constexpr Duration kLifetime = std::chrono::minutes(2);

  // `ended` is called last, on its thread.
  Delivery(Log& log, metrics::ControlMetrics& metrics, std::function<void()> ended);
  ~Delivery();

  void start();  // does nothing if it already runs
  bool running() const { return running_ != nullptr; }

  void post(Notification notification);
  void finish(Duration limit);  // ends it once everything is delivered, at the latest after `limit`
  void join();

 private:
  struct ReceiverQueue;
  struct Running;

  void take(Notification notification);
  void begin(ReceiverQueue& queue);
  void attempt(ReceiverQueue& queue, const Notification& notification);
  void conclude(ReceiverQueue& queue, bool delivered, bool permanent, const std::string& why);
  void drop_oldest(ReceiverQueue& queue);
  void finish_within(Duration limit);
  void end_if_done();

  Log& log_;
  metrics::ControlMetrics& metrics_;
  const std::function<void()> ended_;
  std::atomic<std::size_t> posted_{0};
  std::unique_ptr<Running> running_;
};

}  // namespace probegate::alerts
