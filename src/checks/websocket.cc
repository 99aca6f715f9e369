// The websocket check: a full handshake, Ping and Pong, an optional message, and Close.
//
// Each attempt uses a new connection, because it must prove that new sessions are served. The result is
// reported when we send Close; the connection then waits briefly for the peer's Close, so that the backend
// logs a normal end and not a lost client four times a second.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "checks/presentable.h"
#include "checks/random_bytes.h"
#include "checks/refused_answer.h"
#include "checks/registry.h"
#include "checks/transport.h"
#include "checks/websocket_settings.h"
#include "checks/websocket_visit.h"
#include "loop/connection.h"
#include "loop/timer.h"
#include "proto/http_parser.h"
#include "proto/ws_frames.h"
#include "proto/ws_handshake.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;
using proto::Opcode;

constexpr std::size_t kLongestMessage = 1024 * 1024;
constexpr Duration kCloseWait = std::chrono::seconds(1);
constexpr Duration kRefusalPatience = std::chrono::milliseconds(250);

std::string close_text(const std::string& payload) {
  if (payload.size() < 2) return "without a code";
  const auto code = static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
  const std::string reason = payload.substr(2);
  return "with code " + std::to_string(code) + (reason.empty() ? "" : " " + checks::quoted(reason));
}

class WebSocketCheck final : public Check, private loop::ConnectionObserver {
 public:
  WebSocketCheck(const CheckContext& context, std::shared_ptr<const WebSocketSettings> settings)
      : context_(context),
        settings_(std::move(settings)),
        close_wait_(context.loop, [this] { connection_.reset(); }),
        refusal_patience_(context.loop, [this] { tell_refusal(); }) {}

  void start(Attempt attempt, TimePoint deadline) override {
    attempt_ = std::move(attempt);
    deadline_ = deadline;
    close_wait_.stop();
    refused_.reset();
    phase_ = nullptr;
    parser_.reset();
    frames_.emplace(kLongestMessage);
    message_.clear();
    awaiting_pong_ = settings_->ping;
    awaiting_text_ = settings_->expect.has_value();
    awaiting_close_ = false;
    connection_.emplace(context_.loop, context_.resolver, settings_->endpoint, settings_->tls,
                        static_cast<loop::ConnectionObserver&>(*this));
  }

  const char* phase() const noexcept override {
    return phase_ != nullptr || !connection_ ? phase_ : connection_->phase();
  }

 private:
  void on_open() override {
    step(VisitStep::connected);
    phase_ = "waiting for the answer to the upgrade";
    const std::string key = proto::websocket_key(random_bytes<16>());
    offered_ = {proto::websocket_accept(key), settings_->subprotocols, {}};
    parser_.emplace(proto::HttpParser::Role::response, proto::HttpLimits{});
    write(settings_->head + "Sec-WebSocket-Key: " + key + "\r\n\r\n");
  }

  void on_data(std::span<const char> bytes) override {
    if (refused_) return read_refusal(bytes);
    if (parser_ && !read_head(bytes)) return;
    while (connection_) {
      switch (frames_->next(bytes)) {
        case proto::FrameReader::Status::more: return;
        case proto::FrameReader::Status::error:
          return finish(CheckResult::fail(FailKind::protocol,
                                          "not a WebSocket frame: " + std::string(frames_->error())));
        case proto::FrameReader::Status::frame: on_frame(frames_->frame()); break;
      }
    }
  }

  // True once the handshake is done; `bytes` then has the data after it.
  bool read_head(std::span<const char>& bytes) {
    for (;;) {
      switch (parser_->feed(bytes)) {
        case proto::HttpParser::Event::more: return false;
        case proto::HttpParser::Event::head: break;
        case proto::HttpParser::Event::done:  // an interim response such as 103; the final one follows
          parser_.emplace(proto::HttpParser::Role::response, proto::HttpLimits{});
          continue;
        default:
          finish(CheckResult::fail(FailKind::protocol,
                                   "the answer is not HTTP: " + std::string(parser_->error().detail)));
          return false;
      }
      const auto& head = parser_->response();
      if (head.status < 200 && head.status != 101) continue;
      const bool switched = head.status == 101;
      if (!settings_->status.contains(head.status)) {
        on_refusal(head);
        if (connection_ && !switched) read_refusal(bytes);
        return false;
      }
      if (!switched) {  // a required login proves that the endpoint exists
        pass();
        return false;
      }
      if (const auto problem = proto::check_upgrade_response(head, offered_)) {
        finish(CheckResult::fail(FailKind::protocol, "the 101 is wrong: " + *problem));
        return false;
      }
      parser_.reset();
      converse();
      return connection_.has_value();
    }
  }

  // The status decides the result; the beginning of the body is added to the message if it arrives soon.
  void on_refusal(const proto::ResponseHead& head) {
    const bool redirects = head.status >= 300 && head.status < 400;
    refused_ = RefusedAnswer{.status = head.status,
                             .body = {},
                             .location = redirects ? std::string(head.fields.get("Location")) : "",
                             .probegate_reason = std::string(head.fields.get("Probegate-Reason"))};
    if (head.status == 101) return tell_refusal();
    phase_ = "reading the refusal";
    refusal_patience_.start(std::min(kRefusalPatience, (deadline_ - context_.loop.now()) / 2));
  }

  void read_refusal(std::span<const char> bytes) {
    for (;;) {
      const auto event = parser_->feed(bytes);
      if (event == proto::HttpParser::Event::more) return;
      const bool last = event != proto::HttpParser::Event::body;
      if (event != proto::HttpParser::Event::error) {
        refused_->body += parser_->payload().substr(0, kRefusalBytes);
      }
      if (last || refused_->full()) return tell_refusal();
    }
  }

  void tell_refusal() { finish(refused_answer(settings_->question, *refused_)); }

  void pass() { finish(pass_or_expiring(connection_->certificate_left(), settings_->min_days_left)); }

  void converse() {
    step(VisitStep::upgraded);
    phase_ = awaiting_pong_ ? "waiting for the Pong" : "waiting for the message";
    std::string frames;
    if (settings_->ping) {
      ping_ = random_hex();
      frames += proto::make_ping(ping_, random_bytes<4>()).view();
    }
    if (settings_->send) frames += proto::make_client_text(*settings_->send, random_bytes<4>());
    if (!frames.empty() && !write(frames)) return;
    part_if_satisfied();
  }

  void on_frame(const proto::FrameReader::Frame& frame) {
    switch (frame.opcode) {
      case Opcode::pong:
        if (frame.payload != ping_ || !std::exchange(awaiting_pong_, false)) break;
        step(VisitStep::pong);
        break;
      case Opcode::text:
      case Opcode::binary:
      case Opcode::continuation: on_fragment(frame); break;
      case Opcode::close:
        if (awaiting_close_) return on_reply(frame.payload);
        return finish(CheckResult::fail(FailKind::answer,
                                        "closed " + close_text(frame.payload) + " while we were " + phase_));
      case Opcode::ping: break;  // no Pong: we close before it would matter
    }
    part_if_satisfied();
  }

  void on_fragment(const proto::FrameReader::Frame& frame) {
    if (!awaiting_text_ || message_.size() + frame.payload.size() > kLongestMessage) return message_.clear();
    message_ += frame.payload;
    if (!frame.fin) return;
    if (message_.find(*settings_->expect) != std::string::npos) awaiting_text_ = false;
    message_.clear();
  }

  void part_if_satisfied() {
    if (!attempt_ || awaiting_pong_ || awaiting_text_ || awaiting_close_) return;
    auto result = pass_or_expiring(connection_->certificate_left(), settings_->min_days_left);
    if (!write(proto::make_close(proto::close_code::kNormal, "", random_bytes<4>()).view())) return;
    if (settings_->on_step) {
      phase_ = "waiting for the answer to our Close";
      awaiting_close_ = true;
      return;
    }
    close_wait_.start(kCloseWait);
    std::exchange(attempt_, {}).finish(std::move(result));
  }

  void on_reply(const std::string& payload) {
    if (close_text(payload) != "with code 1000") {
      return finish(CheckResult::fail(FailKind::protocol, "answered our Close " + close_text(payload)));
    }
    step(VisitStep::closed);
    finish(CheckResult::pass());
  }

  void step(VisitStep step) const {
    if (settings_->on_step) settings_->on_step(step);
  }

  void on_end() override {
    if (refused_) return tell_refusal();
    finish(
        CheckResult::fail(FailKind::protocol, std::string("closed the connection while we were ") + phase_));
  }

  void on_failed(Phase phase, const std::string& why) override {
    if (refused_) return tell_refusal();
    finish(failed_connection(phase, why));
  }

  bool write(std::string_view bytes) {
    if (connection_->write(bytes)) return true;
    finish(CheckResult::fail(FailKind::connect, "the connection broke"));
    return false;
  }

  // Also called at the end of the closing handshake, when the attempt was already reported and this
  // result is ignored.
  void finish(CheckResult result) {
    close_wait_.stop();
    refusal_patience_.stop();
    connection_.reset();
    std::exchange(attempt_, {}).finish(std::move(result));
  }

  const CheckContext context_;
  const std::shared_ptr<const WebSocketSettings> settings_;  // owners: the plan and every check made from it
  Attempt attempt_;
  TimePoint deadline_{};
  const char* phase_ = nullptr;  // null until the connection is open
  std::optional<loop::Connection> connection_;
  loop::Timer close_wait_;
  loop::Timer refusal_patience_;
  std::optional<RefusedAnswer> refused_;  // set while its body is being read
  proto::OfferedHandshake offered_;
  std::optional<proto::HttpParser> parser_;  // until the handshake is done
  std::optional<proto::FrameReader> frames_;
  std::string ping_;
  std::string message_;  // fragments received so far
  bool awaiting_pong_ = false;
  bool awaiting_text_ = false;
  bool awaiting_close_ = false;  // a smoke check waits for the peer's Close
};

std::function<std::unique_ptr<Check>(const CheckContext&)> maker(WebSocketSettings settings) {
  return [settings = std::make_shared<const WebSocketSettings>(std::move(settings))](
             const CheckContext& context) { return std::make_unique<WebSocketCheck>(context, settings); };
}

}  // namespace

CheckPlan read_websocket(const config::CheckSpec& spec, const config::Config& config) {
  CheckPlan plan;
  plan.make = maker(read_websocket_settings(spec, config, plan));
  return plan;
}

Result<CheckPlan> plan_websocket_visit(const WebSocketVisit& visit, VisitSteps on_step) {
  CheckPlan plan;
  auto settings = websocket_visit_settings(visit, plan);
  if (!settings) return failure(settings.error().message);
  settings->on_step = std::move(on_step);
  plan.make = maker(*std::move(settings));
  return plan;
}

}  // namespace probegate::checks
