#include "probe/probe_server.h"

#include "proto/http_parser.h"

namespace probegate::probe {

// One connection to the probe port: reads requests and answers each at once.
class ProbeServer::Session final : public loop::StreamObserver, public loop::Deadline::Observer {
 public:
  Session(ProbeServer& server, loop::Stream stream)
      : server_(server),
        stream_(std::move(stream)),
        deadline_(server.deadlines_, *this),
        parser_(proto::HttpParser::Role::request, {.head_bytes = server.limits_.head_bytes}),
        id_(++server.sessions_so_far_) {
    stream_.set_observer(*this);
  }

  void begin(Sessions::iterator self) {
    self_ = self;
    used_at_ms_ = server_.loop_.turn_ms();
    deadline_.arm(server_.limits_.head_timeout);
    stream_.read_start();
  }

  ~Session() {
    if (state_ == State::viewing) --server_.viewers_;
  }

  bool viewing() const { return state_ == State::viewing; }
  bool silent() const { return silent_; }

  // Sends an event to a viewer. Skips it if the viewer has not read the last one; a viewer that reads
  // none is cut.
  void feed(const std::string& event) {
    if (stream_.busy()) return;
    server_.touched(*this);
    if (!stream_.write(event)) return server_.finished(*this);
    if (stream_.busy()) deadline_.arm(server_.limits_.answer_timeout);
  }

  std::uint64_t id() const { return id_; }
  bool acting() const { return state_ == State::acting; }
  void finish_action(const ActionOutcome& outcome) {
    server_.scratch_.clear();
    server_.answers_.answer_action(outcome, server_.scratch_);
    send(server_.scratch_, Reply::last);
  }

  Sessions::iterator self() const { return self_; }
  std::uint64_t used_at_ms() const { return used_at_ms_; }
  void used_now() { used_at_ms_ = server_.loop_.turn_ms(); }

 private:
  using Reply = ProbeAnswers::Reply;
  enum class State {
    reading,    // requests
    viewing,    // streams /events; discards input
    acting,     // an action is running, and its answer will be the last one; discards input
    lingering,  // the last answer is sent; discards input, so that a RST does not overtake the answer
  };

  void on_data(std::span<const char> bytes) override {
    if (state_ != State::reading) return;
    if (std::exchange(silent_, false)) server_.heard(*this);
    std::string& out = server_.scratch_;
    out.clear();
    const bool was_idle = parser_.idle();
    const Reply reply = answer_all(bytes, out);
    if (reply == Reply::action) return begin_action(out);
    if (out.empty()) {
      if (was_idle && !parser_.idle()) deadline_.arm(server_.limits_.head_timeout);
      return;
    }
    server_.touched(*this);
    send(out, reply);
  }

  // Answers every complete request in `bytes`; returns what happens to the connection.
  Reply answer_all(std::span<const char> bytes, std::string& out) {
    using Event = proto::HttpParser::Event;
    for (;;) {
      switch (parser_.feed(bytes)) {
        case Event::more: return Reply::complete;
        case Event::head:
          if (const Reply reply = answer(parser_.request(), out); reply != Reply::complete) return reply;
          break;
        case Event::body: break;  // cannot come: a request with a body is the last one
        case Event::done: parser_.next_message(); break;
        case Event::error:
          server_.answers_.refuse(parser_.error().status, parser_.error().detail, out);
          return Reply::last;
      }
    }
  }

  Reply answer(const proto::RequestHead& head, std::string& out) {
    ProbeRequest request;
    request.method = head.method;
    request.path = head.path;
    request.accept = head.fields.get("accept");
    request.host = head.host;
    request.minor = head.minor;
    request.keep_alive =
        head.keep_alive && head.body == proto::BodyKind::none && out.size() < server_.limits_.answer_bytes;
    request.may_follow = server_.viewers_ < server_.limits_.viewers;
    if (const auto* action = find_action(head.path)) {
      action_ = action->action;
      action_parameters_ = action_parameters(head.path);
      describe_for_action(head, request);
    }
    const Reply reply = server_.answers_.answer(request, out);
    return request.keep_alive || reply == Reply::stream || reply == Reply::action ? reply : Reply::last;
  }

  void describe_for_action(const proto::RequestHead& head, ProbeRequest& request) {
    const auto peer = stream_.peer();
    request.local = peer.is_unix() || peer.is_loopback();
    request.action = head.fields.get("probegate-action");
    request.has_origin = head.fields.find("origin") != nullptr;
    for (const auto* name : {"via", "forwarded", "x-forwarded-for"})
      request.through_proxy = request.through_proxy || head.fields.find(name) != nullptr;
  }

  // Sends the answers to earlier requests first. The action may finish, and destroy this object, inside.
  void begin_action(const std::string& out) {
    state_ = State::acting;
    server_.touched(*this);
    deadline_.arm(server_.limits_.action_timeout);
    if (!out.empty() && !stream_.write(out)) return server_.finished(*this);
    server_.act(*this, action_, std::exchange(action_parameters_, {}));
  }

  void send(const std::string& out, Reply reply) {
    if (!stream_.write(out)) return server_.finished(*this);
    if (reply == Reply::last) return linger();
    if (reply == Reply::stream) return begin_viewing();
    if (stream_.busy()) {
      stream_.read_stop();
      deadline_.arm(server_.limits_.answer_timeout);
    } else {
      wait_for_request();
    }
  }

  void begin_viewing() {
    state_ = State::viewing;
    ++server_.viewers_;
    deadline_.disarm();
    if (stream_.busy()) deadline_.arm(server_.limits_.answer_timeout);
    server_.feed_soon(Duration(0));
  }

  void wait_for_request() {
    deadline_.arm(parser_.idle() ? server_.limits_.idle_timeout : server_.limits_.head_timeout);
  }

  void linger() {
    state_ = State::lingering;
    const bool slow = stream_.busy();
    stream_.half_close();
    deadline_.arm(slow ? server_.limits_.answer_timeout : server_.limits_.linger);
  }

  void on_drained() override {
    if (state_ == State::viewing) {
      deadline_.disarm();
    } else if (acting()) {
      return;
    } else if (state_ == State::reading && !peer_ended_) {
      stream_.read_start();
      wait_for_request();
    } else if (peer_ended_) {
      server_.finished(*this);
    } else {
      deadline_.arm(server_.limits_.linger);
    }
  }

  void on_end() override {
    peer_ended_ = true;
    stream_.read_stop();
    if ((!stream_.busy() && !acting()) || viewing()) server_.finished(*this);
  }

  void on_lost(int) override { server_.finished(*this); }

  void on_deadline(loop::Deadline&) override {
    if (acting())
      return finish_action(
          {503, R"({"error":"not done in time","detail":"the action did not finish in time, see the log"})"
                "\n"});
    const bool slow_head = state_ == State::reading && !stream_.busy() && !parser_.idle();
    if (!slow_head) return server_.finished(*this);
    server_.scratch_.clear();
    server_.answers_.refuse(408, "the head of the request took too long", server_.scratch_);
    send(server_.scratch_, Reply::last);
  }

  ProbeServer& server_;
  loop::Stream stream_;
  loop::Deadline deadline_;
  proto::HttpParser parser_;
  State state_ = State::reading;
  bool silent_ = true;  // no byte has arrived
  bool peer_ended_ = false;
  std::uint64_t used_at_ms_ = 0;
  const std::uint64_t id_;
  Action action_ = Action::reload;
  ActionParameters action_parameters_;
  Sessions::iterator self_;
};

ProbeServer::ProbeServer(loop::Loop& loop, ProbeOptions options,
                         std::shared_ptr<const health::Snapshot> first, const Source& source,
                         ProbeLimits limits)
    : loop_(loop),
      limits_(limits),
      answers_(loop, std::move(options), std::move(first), source),
      deadlines_(loop),
      feed_timer_(loop, [this] { feed_viewers(); }) {}

ProbeServer::~ProbeServer() = default;

Result<void> ProbeServer::listen(const loop::ListenSocket& socket) {
  const auto descriptor = socket.duplicate();
  if (!descriptor) return tl::make_unexpected(descriptor.error());
  listeners_.emplace_back(loop_, *descriptor, socket.endpoint().is_unix(),
                          [this](loop::Stream stream) { accepted(std::move(stream)); });
  return {};
}

void ProbeServer::publish(std::shared_ptr<const health::Snapshot> snapshot) {
  const bool gate_moved = answers_.gate() != snapshot->gate;
  answers_.publish(std::move(snapshot));
  if (viewers_ > 0) feed_soon(gate_moved ? Duration(0) : limits_.view_change);
}

void ProbeServer::act(Session& session, Action action, const ActionParameters& parameters) {
  if (actions_ == nullptr) {
    return session.finish_action({503, R"({"error":"not yet","detail":"the process is still starting"})"
                                       "\n"});
  }
  actions_->act(action, parameters,
                [this, id = session.id()](const ActionOutcome& outcome) { acted(id, outcome); });
}

void ProbeServer::acted(std::uint64_t session, const ActionOutcome& outcome) {
  for (Session& candidate : sessions_) {
    if (candidate.id() == session && candidate.acting()) return candidate.finish_action(outcome);
  }
}

void ProbeServer::feed_soon(Duration delay) {
  if (feeding_soon_ && delay > Duration::zero()) return;
  feeding_soon_ = true;
  feed_timer_.start(delay);
}

void ProbeServer::feed_viewers() {
  feeding_soon_ = false;
  if (viewers_ == 0) return;
  scratch_.clear();
  answers_.append_event(scratch_);
  std::vector<Session*> viewers;  // copied, because feed() moves or ends a session
  for (Session& session : sessions_) {
    if (session.viewing()) viewers.push_back(&session);
  }
  for (Session* viewer : viewers) viewer->feed(scratch_);
  if (viewers_ > 0) feed_timer_.start(limits_.view_period);
}

void ProbeServer::accepted(loop::Stream stream) {
  make_room();
  if (connections() >= limits_.hard_connections) return;
  silent_.emplace_back(*this, std::move(stream));
  silent_.back().begin(std::prev(silent_.end()));
}

// Closes silent connections first: a prober sends its request at once, so a flood of silent connections does
// not displace it.
void ProbeServer::make_room() {
  const auto grace_ms = static_cast<std::uint64_t>(std::chrono::duration_cast<Millis>(limits_.grace).count());
  while (connections() >= limits_.connections && !silent_.empty()) silent_.pop_front();
  while (sessions_.size() >= limits_.connections &&
         loop_.turn_ms() - sessions_.front().used_at_ms() >= grace_ms) {
    sessions_.pop_front();
  }
}

void ProbeServer::heard(Session& session) { sessions_.splice(sessions_.end(), silent_, session.self()); }

void ProbeServer::touched(Session& session) {
  session.used_now();
  auto& list = session.silent() ? silent_ : sessions_;
  list.splice(list.end(), list, session.self());
}

void ProbeServer::finished(Session& session) {
  (session.silent() ? silent_ : sessions_).erase(session.self());
}

}  // namespace probegate::probe
