// ProbeServer: the probe port. Answers from memory and never contacts a dependency; ProbeAnswers
// composes the answers.
//
// Owns: its listeners and their connections. Invariant: a probe costs one read and one write, and no client
// can lock out the orchestrator: heads, answers and idle connections have deadlines, and at the connection
// limit the oldest connection that never sent a byte is closed, or else the least recently used one. The
// number of /events viewers is limited; a viewer gets no event until it has read the previous one. Called
// from: the control loop only.
#pragma once

#include <cstdint>
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
  std::size_t connections = 256;       // above, silent connections and then the oldest are closed
  std::size_t hard_connections = 512;  // above, new connections are dropped
  Duration grace = std::chrono::milliseconds(100);  // minimum age before a connection is closed to make room
  Duration head_timeout = std::chrono::seconds(10);
  Duration answer_timeout = std::chrono::seconds(10);  // for a client to read an answer
  Duration idle_timeout = std::chrono::seconds(90);    // longer than a usual scrape interval
  Duration linger = std::chrono::seconds(1);
  Duration action_timeout = std::chrono::seconds(30);  // for an action to finish
  std::size_t head_bytes = 16 * 1024;
  std::size_t viewers = 8;  // of /events
  Duration view_period = std::chrono::seconds(1);
  Duration view_change = std::chrono::milliseconds(200);  // after something was published
  std::size_t answer_bytes = 64 * 1024;  // of pipelined answers to one read; the connection closes after that
};

class ProbeServer {
 public:
  // `loop` and `source` outlive this. `first` is what probes see until publish().
  ProbeServer(loop::Loop& loop, ProbeOptions options, std::shared_ptr<const health::Snapshot> first,
              const Source& source, ProbeLimits limits = {});
  ~ProbeServer();

  Result<void> listen(const loop::ListenSocket& socket);
  void publish(std::shared_ptr<const health::Snapshot> snapshot);
  void set_details(health::Details details) { answers_.set_details(details); }
  // `actions` outlives this. Before this call every action is refused with 503.
  void set_actions(Actions& actions) { actions_ = &actions; }
  void set_hosts(std::vector<std::string> hosts) { answers_.set_hosts(std::move(hosts)); }
  std::size_t connections() const { return silent_.size() + sessions_.size(); }
  std::size_t viewers() const { return viewers_; }

 private:
  class Session;
  using Sessions = std::list<Session>;

  void accepted(loop::Stream stream);
  void make_room();
  void heard(Session& session);     // has sent its first byte
  void touched(Session& session);   // just used: moves to the back
  void finished(Session& session);  // destroys it
  void act(Session& session, Action action, const ActionParameters& parameters);
  void acted(std::uint64_t session, const ActionOutcome& outcome);
  void feed_soon(Duration delay);
  void feed_viewers();

  loop::Loop& loop_;
  const ProbeLimits limits_;
  ProbeAnswers answers_;
  std::string scratch_;  // the answers to one read; a member to reuse its memory
  loop::DeadlineWheel deadlines_;
  loop::Timer feed_timer_;  // runs while there are viewers
  bool feeding_soon_ = false;
  std::size_t viewers_ = 0;
  Actions* actions_ = nullptr;
  std::uint64_t sessions_so_far_ = 0;
  Sessions silent_;    // have never sent a byte; the oldest first
  Sessions sessions_;  // the others; the least recently used first
  std::vector<loop::Listener> listeners_;
};

}  // namespace probegate::probe
