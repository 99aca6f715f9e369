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
        parser_(proto::HttpParser::Role::request, {.head_bytes = server.limits_.head_bytes}) {
    stream_.set_observer(*this);
  }

  void begin(Sessions::iterator self) {
    self_ = self;
    used_at_ms_ = server_.loop_.turn_ms();
    deadline_.arm(server_.limits_.head_timeout);
    stream_.read_start();
  }

  Sessions::iterator self() const { return self_; }
  std::uint64_t used_at_ms() const { return used_at_ms_; }
  void used_now() { used_at_ms_ = server_.loop_.turn_ms(); }

 private:
  enum class State {
    reading,    // requests
    lingering,  // the last answer is out: discards input, so that a RST does not overtake the answer
  };

  void on_data(std::span<const char> bytes) override {
    if (state_ == State::lingering) return;
    std::string& out = server_.scratch_;
    out.clear();
    const bool was_idle = parser_.idle();
    const bool more_requests = answer_all(bytes, out);
    if (out.empty()) {
      if (was_idle && !parser_.idle()) deadline_.arm(server_.limits_.head_timeout);
      return;
    }
    server_.touched(*this);
    send(out, more_requests);
  }

  // Answers every complete request in `bytes`. False when this was the last one of the connection.
  bool answer_all(std::span<const char> bytes, std::string& out) {
    using Event = proto::HttpParser::Event;
    for (;;) {
      switch (parser_.feed(bytes)) {
        case Event::more: return true;
        case Event::head:
          if (!answer(parser_.request(), out)) return false;
          break;
        case Event::body: break;  // cannot come: a request with a body is the last one
        case Event::done: parser_.next_message(); break;
        case Event::error:
          server_.answers_.refuse(parser_.error().status, parser_.error().detail, out);
          return false;
      }
    }
  }

  bool answer(const proto::RequestHead& head, std::string& out) {
    ProbeRequest request;
    request.method = head.method;
    request.path = head.path;
    request.accept = head.fields.get("accept");
    request.minor = head.minor;
    request.keep_alive =
        head.keep_alive && head.body == proto::BodyKind::none && out.size() < server_.limits_.answer_bytes;
    server_.answers_.answer(request, out);
    return request.keep_alive;
  }

  void send(const std::string& out, bool more_requests) {
    if (!stream_.write(out)) return server_.finished(*this);
    if (!more_requests) return linger();
    if (stream_.busy()) {
      stream_.read_stop();
      deadline_.arm(server_.limits_.answer_timeout);
    } else {
      wait_for_request();
    }
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
    if (state_ == State::reading && !peer_ended_) {
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
    if (!stream_.busy()) server_.finished(*this);
  }

  void on_lost(int) override { server_.finished(*this); }

  void on_deadline(loop::Deadline&) override {
    const bool slow_head = state_ == State::reading && !stream_.busy() && !parser_.idle();
    if (!slow_head) return server_.finished(*this);
    server_.scratch_.clear();
    server_.answers_.refuse(408, "the head of the request took too long", server_.scratch_);
    send(server_.scratch_, false);
  }

  ProbeServer& server_;
  loop::Stream stream_;
  loop::Deadline deadline_;
  proto::HttpParser parser_;
  State state_ = State::reading;
  bool peer_ended_ = false;
  std::uint64_t used_at_ms_ = 0;
  Sessions::iterator self_;
};

ProbeServer::ProbeServer(loop::Loop& loop, ProbeOptions options,
                         std::shared_ptr<const health::Snapshot> first, WriteMetrics write_metrics,
                         ProbeLimits limits)
    : loop_(loop),
      limits_(limits),
      answers_(loop, std::move(options), std::move(first), std::move(write_metrics)),
      deadlines_(loop) {}

ProbeServer::~ProbeServer() = default;

Result<void> ProbeServer::listen(const loop::ListenSocket& socket) {
  const auto descriptor = socket.duplicate();
  if (!descriptor) return tl::make_unexpected(descriptor.error());
  listeners_.emplace_back(loop_, *descriptor, socket.endpoint().is_unix(),
                          [this](loop::Stream stream) { accepted(std::move(stream)); });
  return {};
}

void ProbeServer::accepted(loop::Stream stream) {
  make_room();
  if (sessions_.size() >= limits_.hard_connections) return;
  sessions_.emplace_back(*this, std::move(stream));
  sessions_.back().begin(std::prev(sessions_.end()));
}

void ProbeServer::make_room() {
  const auto grace_ms = static_cast<std::uint64_t>(std::chrono::duration_cast<Millis>(limits_.grace).count());
  while (sessions_.size() >= limits_.connections &&
         loop_.turn_ms() - sessions_.front().used_at_ms() >= grace_ms) {
    sessions_.pop_front();
  }
}

void ProbeServer::touched(Session& session) {
  session.used_now();
  sessions_.splice(sessions_.end(), sessions_, session.self());
}

void ProbeServer::finished(Session& session) { sessions_.erase(session.self()); }

}  // namespace probegate::probe
