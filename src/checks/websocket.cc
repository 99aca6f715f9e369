// The websocket check: a client as real as can be. Handshake, Ping and its Pong, an optional message, Close.
//
// A new connection for each attempt, as what it proves is that new sessions are served. The result is
// reported with our Close; the connection then waits a moment for the peer's, so that the backend's log shows
// an orderly end and not a lost client four times a second.
#include <utility>

#include "base/text.h"
#include "base/url.h"
#include "checks/presentable.h"
#include "checks/random_bytes.h"
#include "checks/registry.h"
#include "checks/transport.h"
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
constexpr Duration kFarewell = std::chrono::seconds(1);

struct Settings {
  Endpoint endpoint;
  std::optional<loop::TlsSettings> tls;
  int min_days_left = 0;
  std::string head;  // of the request, without the key and the empty line
  std::vector<std::string> subprotocols;
  bool ping = true;
  std::optional<std::string> send;
  std::optional<std::string> expect;
  VisitSteps on_step = {};  // for a visit, which ends with the peer's Close and not with ours
};

std::string close_text(const std::string& payload) {
  if (payload.size() < 2) return "without a code";
  const auto code = static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
  const std::string reason = payload.substr(2);
  return "with code " + std::to_string(code) + (reason.empty() ? "" : " " + quoted(reason));
}

class WebSocketCheck final : public Check, private loop::ConnectionObserver {
 public:
  WebSocketCheck(const CheckContext& context, std::shared_ptr<const Settings> settings)
      : context_(context),
        settings_(std::move(settings)),
        farewell_(context.loop, [this] { connection_.reset(); }) {}

  void start(Attempt attempt, TimePoint) override {
    attempt_ = std::move(attempt);
    farewell_.stop();
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

  // True once the handshake is done; `bytes` is then what came after it.
  bool read_head(std::span<const char>& bytes) {
    for (;;) {
      switch (parser_->feed(bytes)) {
        case proto::HttpParser::Event::more: return false;
        case proto::HttpParser::Event::head: break;
        case proto::HttpParser::Event::done:  // of an interim answer, such as 103; the real one follows
          parser_.emplace(proto::HttpParser::Role::response, proto::HttpLimits{});
          continue;
        default:
          finish(CheckResult::fail(FailKind::protocol,
                                   "the answer is not HTTP: " + std::string(parser_->error().detail)));
          return false;
      }
      const auto& head = parser_->response();
      if (head.status < 200 && head.status != 101) continue;
      if (auto problem = judge(head)) {
        finish(*std::move(problem));
        return false;
      }
      parser_.reset();
      converse();
      return connection_.has_value();
    }
  }

  std::optional<CheckResult> judge(const proto::ResponseHead& head) const {
    if (head.status != 101) {
      const bool refused = head.status == 401 || head.status == 403;
      std::string text = "answered " + std::to_string(head.status) + " to the upgrade, expected 101";
      const auto reason = head.fields.get("Probegate-Reason");  // a gate before it says why
      if (!reason.empty()) text += " (Probegate-Reason: " + std::string(reason) + ")";
      return CheckResult::fail(refused ? FailKind::auth : FailKind::answer, std::move(text));
    }
    const auto problem = proto::check_upgrade_response(head, offered_);
    if (!problem) return std::nullopt;
    return CheckResult::fail(FailKind::protocol, "the 101 is wrong: " + *problem);
  }

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
      case Opcode::ping: break;  // we are gone before a Pong could matter
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
    farewell_.start(kFarewell);
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
    finish(
        CheckResult::fail(FailKind::protocol, std::string("closed the connection while we were ") + phase_));
  }

  void on_failed(Phase phase, const std::string& why) override { finish(failed_connection(phase, why)); }

  bool write(std::string_view bytes) {
    if (connection_->write(bytes)) return true;
    finish(CheckResult::fail(FailKind::connect, "the connection broke"));
    return false;
  }

  // Also the end of a farewell; the attempt has then been reported and this result is nobody's.
  void finish(CheckResult result) {
    farewell_.stop();
    connection_.reset();
    std::exchange(attempt_, {}).finish(std::move(result));
  }

  const CheckContext context_;
  const std::shared_ptr<const Settings> settings_;  // owners: the plan and every check made from it
  Attempt attempt_;
  const char* phase_ = nullptr;  // null until the connection is open
  std::optional<loop::Connection> connection_;
  loop::Timer farewell_;
  proto::OfferedHandshake offered_;
  std::optional<proto::HttpParser> parser_;  // until the handshake is done
  std::optional<proto::FrameReader> frames_;
  std::string ping_;
  std::string message_;  // the fragments so far
  bool awaiting_pong_ = false;
  bool awaiting_text_ = false;
  bool awaiting_close_ = false;  // a visit's
};

constexpr std::string_view kOurHeaders[] = {"connection",
                                            "upgrade",
                                            "content-length",
                                            "transfer-encoding",
                                            "sec-websocket-key",
                                            "sec-websocket-version",
                                            "sec-websocket-accept",
                                            "sec-websocket-protocol",
                                            "sec-websocket-extensions"};

using Headers = std::vector<std::pair<std::string, std::string>>;

Headers read_headers(const config::Fields& fields) {
  auto headers = fields.headers("headers");
  for (const auto& [name, value] : headers) {
    for (const auto ours : kOurHeaders) {
      if (iequals(name, ours)) {
        fields.problem("headers", name + " belongs to the handshake" +
                                      (ours == "sec-websocket-protocol" ? "; use subprotocols" : ""));
      }
    }
  }
  return headers;
}

std::vector<std::string> read_subprotocols(const config::Fields& fields) {
  constexpr std::string_view kSeparators = "()<>@,;:\\\"/[]?={} \t\r\n";
  auto names = fields.text_list("subprotocols", {});
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty() && names[i].find_first_of(kSeparators) == std::string::npos) continue;
    fields.item_problem("subprotocols", i, "is not a subprotocol's name, a word such as graphql-ws");
  }
  return names;
}

bool has_header(const Headers& headers, std::string_view name) {
  for (const auto& header : headers) {
    if (iequals(header.first, name)) return true;
  }
  return false;
}

std::string request_head(const std::string& target, const std::string& authority, const Headers& headers,
                         const std::vector<std::string>& subprotocols) {
  std::string head = "GET " + target + " HTTP/1.1\r\n";
  if (!has_header(headers, "host")) head += "Host: " + authority + "\r\n";
  if (!has_header(headers, "user-agent")) head += "User-Agent: probegate\r\n";
  head += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  for (std::size_t i = 0; i < subprotocols.size(); ++i) {
    head += (i == 0 ? "Sec-WebSocket-Protocol: " : ", ") + subprotocols[i];
    if (i + 1 == subprotocols.size()) head += "\r\n";
  }
  for (const auto& [name, value] : headers) head += name + ": " + value + "\r\n";
  return head;
}

struct Address {
  Endpoint endpoint;
  bool tls = false;
  std::string authority;
  std::string target;
};

Address read_address(const config::Fields& fields, const config::Config& config, Secrets& secrets) {
  const auto text = fields.secret_url("url");
  const auto& backend = config.proxy.backend;
  if (!text) {
    if (!fields.has("url_file")) {
      fields.problem("url", "is missing, expected ws://host/path, wss://host/path, or a path on the backend");
    }
    return {};
  }
  if (text->starts_with('/')) {
    const bool clean = text->find_first_of(" \t\r\n#") == std::string::npos;
    if (!clean) fields.problem("url", "the path must be without blanks and fragment");
    if (const auto url = parse_url("ws://" + backend.authority + *text)) add_secrets(*url, secrets);
    return {backend.endpoint, false, backend.authority, *text};
  }
  const auto url = parse_url(*text);
  if (!url) {
    fields.problem(
        "url", "is not ws://host/path, wss://host/path, or a path on the backend: " + url.error().message);
    return {};
  }
  if (url->scheme != "ws" && url->scheme != "wss") fields.problem("url", "starts with ws://, wss:// or /");
  if (url->user) fields.problem("url", "a WebSocket URL has no user and password; use headers");
  add_secrets(*url, secrets);
  const bool tls = url->scheme == "wss";
  return {url->endpoint(tls ? 443 : 80), tls, url->authority, url->target};
}

}  // namespace

CheckPlan read_websocket(const config::CheckSpec& spec, const config::Config& config) {
  const auto& fields = spec.fields;
  CheckPlan plan;
  const Address address = read_address(fields, config, plan.secrets);
  const auto headers = read_headers(fields);
  Settings settings;
  settings.endpoint = address.endpoint;
  if (!address.authority.empty()) settings.tls = tls_of_url(spec, address.tls, "wss://");
  settings.min_days_left = spec.tls.min_days_left;
  settings.subprotocols = read_subprotocols(fields);
  settings.ping = fields.boolean("ping", true);
  settings.send = fields.private_text("send");
  settings.expect = fields.optional_text("expect");
  settings.head = request_head(address.target, address.authority, headers, settings.subprotocols);

  add_secrets(headers, plan.secrets);
  if (settings.send) plan.secrets.push_back(*settings.send);
  plan.target = address.endpoint.to_string() + address.target.substr(0, address.target.find('?'));
  plan.make = [settings =
                   std::make_shared<const Settings>(std::move(settings))](const CheckContext& context) {
    return std::make_unique<WebSocketCheck>(context, settings);
  };
  return plan;
}

Result<CheckPlan> plan_websocket_visit(const std::string& text, VisitSteps on_step) {
  const auto url = parse_url(text);
  if (!url) return failure("not ws://host:port/path: " + url.error().message);
  const bool tls = url->scheme == "wss" || url->scheme == "https";
  if (!tls && url->scheme != "ws" && url->scheme != "http")
    return failure("the URL starts with ws:// or wss://");
  if (url->user) return failure("a WebSocket URL has no user and password");
  Settings settings;
  settings.endpoint = url->endpoint(tls ? 443 : 80);
  if (tls) settings.tls = tls_settings({});
  settings.on_step = std::move(on_step);
  settings.head = request_head(url->target, url->authority, {}, {});
  CheckPlan plan;
  add_secrets(*url, plan.secrets);
  plan.target = settings.endpoint.to_string();
  plan.make = [settings =
                   std::make_shared<const Settings>(std::move(settings))](const CheckContext& context) {
    return std::make_unique<WebSocketCheck>(context, settings);
  };
  return plan;
}

}  // namespace probegate::checks
