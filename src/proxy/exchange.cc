#include "proxy/exchange.h"

#include <tuple>

#include "base/text.h"
#include "proto/http_forward.h"
#include "proxy/admission.h"
#include "proxy/request_id.h"

namespace probegate::proxy {
namespace {

using namespace std::chrono_literals;
using metrics::Reason;
using Event = proto::HttpParser::Event;

constexpr Duration kContinueAfter = 1s;
const std::vector<std::string> kNothing;
constexpr int kMostInformational = 16;  // 1xx answers before the final one

std::string_view view(std::span<const char> bytes) { return {bytes.data(), bytes.size()}; }

// The seconds of "Keep-Alive: timeout=5, max=100", if it names any.
std::optional<int> keep_alive_seconds(const proto::ResponseHead& response) {
  for (const auto part : split(response.fields.get(proto::FieldName::keep_alive), ',')) {
    const auto item = trim(part);
    if (iequals(item.substr(0, 8), "timeout=")) return parse_decimal<int>(item.substr(8));
  }
  return std::nullopt;
}

proto::MessageOptions options_for(const proto::RequestHead& request) {
  return {
      .to_head = request.method == "HEAD",
      .join_chunks = request.minor > 0,  // an HTTP/1.0 client gets the payload alone
      // RFC 9110 section 6.5.1: they are for those who asked for them.
      .drop_trailers = !proto::accepts_trailers(request),
  };
}

}  // namespace

Exchange::Exchange(Environment& environment, Owner& owner)
    : environment_(environment),
      owner_(owner),
      request_(owner.request_parser().request()),
      reading_(options_for(request_)),
      parser_(
          environment.parsers.take(proto::HttpParser::Role::response, environment.head_limits(), reading_)),
      response_(*parser_),
      deadline_(environment.wheel, *this),
      continue_deadline_(environment.wheel, *this),
      keep_alive_deadline_(environment.wheel, *this),
      started_ms_(environment.loop.turn_ms()) {
  if (request_.upgrade_websocket) upgrade_ = proto::OfferedHandshake::of(request_);
}

Exchange::~Exchange() = default;

void Exchange::start() {
  std::span<const char> nothing;
  request_complete_ = owner_.request_parser().feed(nothing) == Event::done;  // a request without a body
  if (!upgrade_) backend_ = environment_.backends->take_idle(lease_);
  if (!backend_.is_open()) return connect();
  reused_ = true;
  send_head();
}

void Exchange::connect() {
  state_ = State::connecting;
  reused_ = false;
  keep_alive_deadline_.disarm();
  lease_ = environment_.backends->new_lease();
  connecting_ = environment_.backends->connect(
      [this](loop::Stream stream) {
        connecting_.reset();
        backend_ = std::move(stream);
        send_head();
      },
      [this](BackendPool::Failure failure) {
        connecting_.reset();
        if (environment_.gate->open()) {
          refuse(failure.timed_out ? Reason::backend_timeout : Reason::backend_unreachable, failure.why);
        } else {
          refuse(Reason::gate_closed, "the backend stopped accepting connections: " + failure.why);
        }
      });
}

void Exchange::send_head() {
  state_ = State::waiting;
  backend_.set_observer(*this);
  const auto& config = *environment_.config;
  const auto& auth = config.auth;
  const AuthGrant* grant = owner_.auth_grant();
  if (grant != nullptr) request_id_ = grant->request_id;
  // Also where it may turn out that the client's own does not go on: empty, nominated, or replaced by auth.
  const auto* own_id = request_.fields.find(proto::FieldName::request_id);
  const bool own_goes_on = own_id != nullptr && !own_id->value.empty() && !request_.nominates && !auth;
  if (request_id_.empty() && !own_goes_on) request_id_ = new_request_id(environment_.random);
  proto::ClientView client = owner_.client_view();
  client.request_id = request_id_;
  std::string head;
  proto::write_request_head(request_, client, environment_.hop(), config.proxy.backend.authority,
                            auth ? auth->stripped : kNothing,
                            grant != nullptr ? grant->fields : std::string_view(), head);
  if (reused_) sent_at_ = environment_.loop.wall_now();
  if (!backend_.write(head)) return retry_or_fail("the backend closed the connection");
  if (!backend_.reading()) backend_.read_start();

  deadline_.arm(upgrade_ ? environment_.timeouts().upgrade : environment_.timeouts().response);
  if (request_.expect_continue) continue_deadline_.arm(kContinueAfter);
  if (!lease_.kept_alive) keep_alive_deadline_.arm(BackendPool::kKeepAliveAfter);
  if (!request_complete_) owner_.resume_client();
}

std::string_view Exchange::request_id() const {
  const auto* own = request_.fields.find(proto::FieldName::request_id);
  const bool goes_on = own != nullptr && !own->value.empty() && !request_.nominates;
  return goes_on ? own->value : std::string_view(request_id_);
}

bool Exchange::wants_body() const {
  const bool connected = state_ == State::waiting || state_ == State::responding;
  return !request_complete_ && connected && !backend_.busy() && !backend_deaf_;
}

void Exchange::take_body(std::span<const char>& bytes) {
  auto& parser = owner_.request_parser();
  const auto& auth = environment_.config->auth;
  const auto* const forbidden_trailers = auth ? &auth->stripped : nullptr;
  const auto limit = environment_.config->proxy.limits.body_bytes;
  while (!request_complete_) {
    const Event event = parser.feed(bytes, forbidden_trailers);
    if (event == Event::error) {
      return state_ == State::responding ? break_off(parser.error().detail)
                                         : refuse(refusal_of(parser.error()));
    }
    if (limit > 0 && parser.body_bytes() > limit) {
      constexpr char kTooLarge[] = "the request's body is larger than limits.body_bytes";
      if (state_ == State::responding) return break_off(kTooLarge);
      return refuse(Reason::body_too_large, kTooLarge);
    }
    if (event == Event::more) break;
    const std::string_view wire = parser.raw();
    // A backend that refuses a body may answer and close without reading it: its answer is what counts.
    backend_deaf_ = !wire.empty() && !backend_.write(wire);
    if (event == Event::done) request_complete_ = true;
    if (backend_.busy() || backend_deaf_) break;
  }
  extend_for_body(false);
}

// `fresh`: the time until now was the backend's.
void Exchange::extend_for_body(bool fresh) {
  if (state_ != State::waiting) return;
  const Duration window = environment_.timeouts().response;
  const auto came = owner_.request_parser().body_bytes() - body_bytes_before_;
  const bool too_slow = static_cast<double>(came) < kSlowestBody * to_seconds(window);
  if (!fresh && !request_complete_ && too_slow) return;
  body_bytes_before_ += came;
  deadline_.arm(window);
}

void Exchange::on_drained() {
  if (request_complete_) return;
  extend_for_body(true);
  owner_.resume_client();
}

// Only a connection that had served before can have been closed for reasons that have nothing to do with this
// request, and only where nothing of the answer has come, and the body, if any, is not gone, may it be sent
// again.
bool Exchange::may_repeat() const {
  const bool safe = request_.method == "GET" || request_.method == "HEAD" || request_.method == "OPTIONS";
  return safe && reused_ && !heard_ && request_.body == proto::BodyKind::none;
}

void Exchange::retry_or_fail(const std::string& what) {
  backend_.close();
  if (may_repeat()) {  // once: the next connection is a new one
    response_.next_message(reading_);
    return connect();
  }
  refuse(Reason::backend_error, what);
}

// What a backend says on a kept connection before it is asked (the rest of an answer that was longer than it
// said, a time-out message) must not become the answer to a stranger's request. The system's clock may be set
// back meanwhile, and then by more than a turn takes.
bool Exchange::answered_unasked() const {
  constexpr Duration kLongestTurn = 100ms;
  const auto arrived = reused_ && !heard_ ? backend_.arrived() : std::nullopt;
  return arrived && *arrived < sent_at_ && sent_at_ - *arrived < kLongestTurn;
}

void Exchange::on_data(std::span<const char> bytes) {
  if (answered_unasked()) return retry_or_fail("the backend answered before it was asked");
  heard_ = true;
  // The head is written together with what this read brings of the body, once all of that is known to be
  // right: until then a broken answer can still become a whole one of ours.
  std::string head;
  std::string_view first;  // of the body, behind `head`
  for (;;) {
    const Event event = response_.feed(bytes);
    switch (event) {
      case Event::more:
        if (!head.empty()) std::ignore = to_client(head, first);
        return;
      case Event::head: {
        const int status = response_.response().status;
        if (status == 101) return upgraded(bytes);
        if (status < 200) {
          if (!take_informational()) return;
        } else if (!take_response_head(head)) {
          return;
        }
        break;
      }
      case Event::body: {
        const auto piece = unchunk_ ? response_.payload() : response_.raw();
        if (head.empty()) {
          if (!to_client(head, piece)) return;
        } else {
          head.append(first);
          first = piece;  // of `bytes`, as every piece but trailers is
        }
        break;
      }
      case Event::done:
        if (state_ == State::waiting) {  // of an informational answer
          response_.next_message(reading_);
          break;
        }
        head.append(first);
        if (!to_client(head, unchunk_ ? std::string_view() : response_.raw())) return;
        return finish(bytes);
      case Event::error:
        if (state_ == State::responding && head.empty()) return break_off(response_.error().detail);
        return refuse(Reason::backend_error,
                      "the backend's answer is not HTTP: " + std::string(response_.error().detail));
    }
  }
}

// 100, 102, 103: passed on as they come, but never to an HTTP/1.0 client.
// False when the exchange has ended instead.
bool Exchange::take_informational() {
  const auto& response = response_.response();
  if (++informational_ > kMostInformational) {
    refuse(Reason::backend_error, "the backend sent too many informational answers");
    return false;
  }
  if (response.status == 100) continue_deadline_.disarm();
  if (request_.minor == 0) return true;
  if (response.status == 100 && std::exchange(continued_, true)) return true;  // we have said it already
  std::string head;
  proto::write_response_head(response, {.client_minor = request_.minor, .via = environment_.via()}, head);
  if (owner_.client_stream().write(head)) return true;
  leave();
  return false;
}

// Prepares the final answer's head; false when the exchange has ended instead.
bool Exchange::take_response_head(std::string& head) {
  const auto& response = response_.response();
  state_ = State::responding;
  continue_deadline_.disarm();
  unchunk_ = request_.minor == 0 && response.body == proto::BodyKind::chunked;
  const bool trailers = response.body == proto::BodyKind::chunked && !reading_.drop_trailers;
  keep_alive_ = request_.keep_alive && request_complete_ && !upgrade_ && !unchunk_ &&
                response.body != proto::BodyKind::until_close && environment_.gate->drain == DrainPhase::none;
  proto::AnswerView view;
  view.client_minor = request_.minor;
  view.connection = keep_alive_ ? proto::ConnectionField::keep_alive : proto::ConnectionField::close;
  view.trailers = trailers;
  view.via = environment_.via();
  view.date = environment_.http_date();
  proto::write_response_head(response, view, head);
  status_ = response.status;
  deadline_.arm(environment_.timeouts().idle);
  return true;
}

bool Exchange::to_client(std::string_view head, std::string_view piece) {
  auto& client = owner_.client_stream();
  if (head.empty() && piece.empty()) return true;
  if (answer_bytes_ == 0) {
    environment_.metrics.requests.add(status_);
    if (upgrade_) {
      environment_.metrics.upgrades[metrics::UpgradeResult::failed].add();
      environment_.metrics.upgrades_answered[metrics::CodeCounters::class_of(status_)].add();
      environment_.metrics.upgrades_failed[metrics::CodeCounters::class_of(status_)].add();
    }
  }
  if (head.empty()) std::swap(head, piece);
  answer_bytes_ += head.size() + piece.size();
  if (!client.write(head, piece)) {
    leave();
    return false;
  }
  if (client.busy()) backend_.read_stop();
  deadline_.arm(environment_.timeouts().idle);
  return true;
}

void Exchange::client_drained() {
  if (state_ == State::responding && backend_.is_open()) backend_.read_start();
}

// A 101: the tunnel opens only if this one was asked for and everything about it is right.
void Exchange::upgraded(std::span<const char> rest) {
  if (!upgrade_)
    return refuse(Reason::backend_error, "the backend answered 101 to a request that asked for no upgrade");
  if (const auto wrong = proto::check_upgrade_response(response_.response(), *upgrade_)) {
    return refuse(Reason::backend_error, "the backend's 101 is wrong: " + *wrong);
  }
  std::string head;
  proto::write_response_head(
      response_.response(), {.connection = proto::ConnectionField::upgrade, .via = environment_.via()}, head);
  const bool extensions = response_.response().fields.find(proto::FieldName::websocket_extensions) != nullptr;
  auto& counts = environment_.metrics;
  status_ = 101;
  counts.requests.add(status_);
  counts.upgrades[metrics::UpgradeResult::accepted].add();
  counts.upgrade_duration.observe(Millis(environment_.loop.turn_ms() - started_ms_));
  // That the client is gone is the tunnel's to notice: what counts as accepted ends as a tunnel.
  std::ignore = owner_.client_stream().write(head);
  state_ = State::ended;
  deadline_.disarm();
  owner_.exchange_upgraded(std::move(backend_), view(rest), extensions);
}

void Exchange::finish(std::span<const char> rest) {
  state_ = State::ended;
  deadline_.disarm();
  environment_.metrics.request_duration.observe(Millis(environment_.loop.turn_ms() - started_ms_));
  const bool reusable = request_complete_ && !upgrade_ && rest.empty() && response_.response().keep_alive &&
                        response_.response().body != proto::BodyKind::until_close && !backend_.busy();
  if (reusable) {
    environment_.backends->give_back(std::move(backend_), lease_, keep_alive_seconds(response_.response()));
  } else {
    backend_.close();
  }
  owner_.exchange_done(keep_alive_ && request_complete_);
}

void Exchange::on_end() {
  if (state_ == State::responding && response_.finish()) {
    if (!unchunk_ && !to_client({}, response_.raw())) return;
    return finish({});
  }
  on_lost(0);
}

void Exchange::on_lost(int status) {
  const std::string why = status < 0 ? loop::error_text(status) : std::string("closed without an answer");
  if (state_ == State::responding)
    return break_off("the backend's connection ended within its answer: " + why);
  if (state_ == State::waiting) retry_or_fail("the backend's connection ended before its answer: " + why);
}

void Exchange::on_deadline(loop::Deadline& deadline) {
  if (&deadline == &keep_alive_deadline_) {
    lease_.kept_alive = true;
    return backend_.keep_alive();
  }
  if (&deadline == &continue_deadline_) {
    continued_ = true;
    if (!owner_.client_stream().write("HTTP/1.1 100 Continue\r\n\r\n")) leave();
    return;
  }
  if (state_ == State::responding) {
    const bool client_stalls = owner_.client_stream().busy();
    return break_off(client_stalls ? "the client took nothing for timeouts.idle"
                                   : "the backend sent nothing for timeouts.idle",
                     client_stalls);
  }
  if (!request_complete_ && !backend_.busy() && !backend_deaf_) {
    return refuse(Refusal::of(Reason::bad_request, 408, "the rest of the request's body did not arrive"));
  }
  refuse(Reason::backend_timeout,
         "the backend did not answer within " +
             format_duration(upgrade_ ? environment_.timeouts().upgrade : environment_.timeouts().response));
}

void Exchange::cut() {
  if (state_ == State::responding) return break_off("the drain's time was over");
  refuse(Reason::draining, "this instance was shut down before the backend answered");
}

void Exchange::refuse(Refusal refusal) {
  state_ = State::ended;
  deadline_.disarm();
  continue_deadline_.disarm();
  backend_.close();
  owner_.exchange_refused(std::move(refusal));
}

void Exchange::leave() {
  deadline_.disarm();
  continue_deadline_.disarm();
  backend_.close();
  owner_.exchange_left();
}

void Exchange::break_off(std::string_view why, bool client_stalled) {
  state_ = State::ended;
  deadline_.disarm();
  continue_deadline_.disarm();
  backend_.close();
  // An answer that ends with the connection looks whole when it ends with FIN, and a client that takes
  // nothing takes no FIN either.
  const bool until_close = unchunk_ || response_.response().body == proto::BodyKind::until_close;
  owner_.exchange_broken(until_close || client_stalled, why);
}

}  // namespace probegate::proxy
