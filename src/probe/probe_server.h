// ProbeServer: the probe port. Answers from memory and never asks a dependency; see ProbeAnswers for what it
// says.
//
// Owns: its listeners and their connections. Invariant: a probe costs one read and one write, and nobody can
// lock the orchestrator out: heads, answers and idleness have deadlines, and when too many connections are
// open the one that was useful longest ago goes. Called from: the control loop only.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "base/result.h"
#include "loop/deadline.h"
#include "loop/listen_socket.h"
#include "loop/listener.h"
#include "loop/loop.h"
#include "probe/probe_answers.h"

namespace probegate::probe {

struct ProbeLimits {
  std::size_t connections = 256;       // beyond, the oldest make room
  std::size_t hard_connections = 512;  // beyond, new ones are dropped: none of those open is old enough
  Duration grace =
      std::chrono::milliseconds(100);  // no connection is cut this soon after it came or was answered
  Duration head_timeout = std::chrono::seconds(10);
  Duration answer_timeout = std::chrono::seconds(10);  // for a client to take an answer
  Duration idle_timeout = std::chrono::seconds(90);    // longer than a usual scrape interval
  Duration linger = std::chrono::seconds(1);
  std::size_t head_bytes = 16 * 1024;
  std::size_t answer_bytes = 64 * 1024;  // of pipelined answers to one read; the connection closes after that
};

class ProbeServer {
 public:
  // `loop` outlives this. `first` is what probes see until publish().
  ProbeServer(loop::Loop& loop, ProbeOptions options, std::shared_ptr<const health::Snapshot> first,
              WriteMetrics write_metrics, ProbeLimits limits = {});
  ~ProbeServer();

  Result<void> listen(const loop::ListenSocket& socket);
  void publish(std::shared_ptr<const health::Snapshot> snapshot) { answers_.publish(std::move(snapshot)); }
  void set_details(health::Details details) { answers_.set_details(details); }
  std::size_t connections() const { return sessions_.size(); }

 private:
  class Session;
  using Sessions = std::list<Session>;

  void accepted(loop::Stream stream);
  void make_room();
  void touched(Session& session);   // useful just now: goes to the back
  void finished(Session& session);  // destroys it

  loop::Loop& loop_;
  const ProbeLimits limits_;
  ProbeAnswers answers_;
  std::string scratch_;  // the answers to one read; kept for its memory
  loop::DeadlineWheel deadlines_;
  Sessions sessions_;  // the one useful longest ago first
  std::vector<loop::Listener> listeners_;
};

}  // namespace probegate::probe
