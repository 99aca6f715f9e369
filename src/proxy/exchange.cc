#include "proxy/exchange.h"

#include <tuple>
#include <utility>

#include "base/text.h"
#include "proto/http_forward.h"
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

// The timeout of "Keep-Alive: timeout=5, max=100" in seconds, if there is one.
std::optional<int> keep_alive_seconds(const proto::ResponseHead& response) {
  const auto* field = response.fields.find(proto::FieldName::keep_alive);
  if (field == nullptr) return std::nullopt;
  for (const auto part : split(field->value, ',')) {
    const auto item = trim(part);
    if (iequals(item.substr(0, 8), "timeout=")) return parse_decimal<int>(item.substr(8));
  }
  return std::nullopt;
}

proto::MessageOptions options_for(const proto::RequestHead& request, bool as_chunks) {
  return {
      .to_head = request.method == "HEAD",
      .join_chunks = as_chunks,
      // RFC 9110 section 6.5.1: only for clients that sent TE: trailers.
      .drop_trailers = !proto::accepts_trailers(request),
  };
}

}  // namespace

Exchange::Exchange(Environment& environment, const RequestContext& request, RequestBody& body,
                   ResponseSink& sink, Events& events)
    : environment_(environment),
      events_(events),
      context_(request),
      request_(request.head),
      body_(body),
      sink_(sink),
      reading_(options_for(request_, sink.takes_chunks())),
      parser_(
          environment.parsers.take(proto::HttpParser::Role::response, environment.head_limits(), reading_)),
      response_(*parser_),
      deadline_(environment.wheel, events),
      continue_deadline_(environment.wheel, events),
      keep_alive_deadline_(environment.wheel, events),
      started_ms_(environment.loop.turn_ms()),
      request_complete_(request_.body == proto::BodyKind::none) {
  if (request_.upgrade_websocket) upgrade_ = proto::OfferedHandshake::of(request_);
}

Exchange::~Exchange() = default;

void Exchange::start() {
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
      [&events = events_](loop::Stream stream) { events.on_backend(std::move(stream)); },
      [&events = events_](const BackendPool::Failure& failure) { events.on_no_backend(failure); });
}

void Exchange::on_backend(loop::Stream backend) {
  connecting_.reset();
  backend_ = std::move(backend);
  send_head();
}

void Exchange::on_no_backend(const BackendPool::Failure& failure) {
  connecting_.reset();
  if (environment_.gate->open()) {
    refuse(failure.timed_out ? Reason::backend_timeout : Reason::backend_unreachable, failure.why);
  } else {
    refuse(Reason::gate_closed, "the backend stopped accepting connections: " + failure.why);
  }
}

void Exchange::send_head() {
  state_ = State::waiting;
  backend_.set_observer(events_);
  const auto& config = *environment_.config;
  const auto& auth = config.auth;
  const AuthGrant* grant = context_.grant;
  if (grant != nullptr) request_id_ = grant->request_id;
  // Also made if the client's own might not be forwarded: empty, named in Connection, or replaced by auth.
  const auto* own_id = request_.fields.find(proto::FieldName::request_id);
  const bool own_goes_on = own_id != nullptr && !own_id->value.empty() && !request_.nominates && !auth;
  if (request_id_.empty() && !own_goes_on) request_id_ = new_request_id(environment_.random);
  proto::ClientView client = context_.client;
  client.request_id = request_id_;
  std::string& head = environment_.head;
  head.clear();
  proto::write_request_head(request_, client, environment_.hop(), config.proxy.backend.authority,
                            auth ? auth->stripped : kNothing,
                            grant != nullptr ? grant->fields : std::string_view(), head);
  if (reused_) sent_at_ = environment_.loop.wall_now();
  if (!backend_.write(head)) return retry_or_fail("the backend closed the connection");
  if (!backend_.reading()) backend_.read_start();

  deadline_.arm(upgrade_ ? environment_.timeouts().upgrade : environment_.timeouts().response);
  if (request_.expect_continue) continue_deadline_.arm(kContinueAfter);
  if (!lease_.kept_alive) keep_alive_deadline_.arm(BackendPool::kKeepAliveAfter);
  take_body();
}

std::string_view Exchange::request_id() const {
  const auto* own = request_.fields.find(proto::FieldName::request_id);
  const bool goes_on = own != nullptr && !own->value.empty() && !request_.nominates;
  return goes_on ? own->value : std::string_view(request_id_);
}

bool Exchange::wants_body() const {
  const bool connected = state_ == State::waiting || state_ == State::responding;
  return !request_complete_ && connected && !backend_.busy() && !backend_write_closed_;
}

void Exchange::take_body() {
  const auto limit = environment_.config->proxy.limits.body_bytes;
  bool came = false;
  while (wants_body()) {
    std::string_view piece;
    const auto step = body_.read(piece);
    if (step == RequestBody::Step::broken) {
      Refusal problem = body_.problem();
      return state_ == State::responding ? break_off(std::move(problem.detail)) : refuse(std::move(problem));
    }
    if (limit > 0 && body_.received() > limit) {
      constexpr char kTooLarge[] = "the request's body is larger than limits.body_bytes";
      if (state_ == State::responding) return break_off(kTooLarge);
      return refuse(Reason::body_too_large, kTooLarge);
    }
    if (step == RequestBody::Step::nothing) break;
    came = true;
    // A backend may answer and close without reading the body; then its answer counts, not this error.
    backend_write_closed_ = !piece.empty() && !backend_.write(piece);
    if (step == RequestBody::Step::last) request_complete_ = true;
  }
  if (came) extend_for_body(false);
}

// `fresh`: restarts the clock; the time until now was spent by the backend.
void Exchange::extend_for_body(bool fresh) {
  if (state_ != State::waiting) return;
  const Duration window = environment_.timeouts().response;
  const auto came = body_.received() - body_bytes_before_;
  const bool too_slow = static_cast<double>(came) < kSlowestBody * to_seconds(window);
  if (!fresh && !request_complete_ && too_slow) return;
  body_bytes_before_ += came;
  deadline_.arm(window);
}

void Exchange::on_drained() {
  if (request_complete_) return;
  extend_for_body(true);
  take_body();
}

// A reused connection may have been closed for reasons unrelated to this request. The request may be
// sent again if nothing of the answer has arrived, the method is safe, and there is no body that has
// been consumed already.
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

// Bytes that a backend sent on a kept connection before the request (the rest of a longer answer, a time-out
// message) must not become the answer to another client's request. A larger difference means that the system
// clock was set back.
bool Exchange::answered_unasked() const {
  constexpr Duration kLongestTurn = 100ms;
  const auto arrived = reused_ && !heard_ ? backend_.arrived() : std::nullopt;
  return arrived && *arrived < sent_at_ && sent_at_ - *arrived < kLongestTurn;
}

void Exchange::on_data(std::span<const char> bytes) {
  if (answered_unasked()) return retry_or_fail("the backend answered before it was asked");
  heard_ = true;
  // The head is passed on together with the part of the body that this read brings, once all of it is parsed:
  // until then an invalid answer can still be replaced by a complete 502.
  bool begins = false;
  std::string first;       // of the body then,
  std::string_view piece;  // and behind it, of `bytes`, as every piece but trailers is
  for (;;) {
    const Event event = response_.feed(bytes);
    switch (event) {
      case Event::more:
        if (begins && !begin_answer(first, piece)) return;
        if (state_ == State::responding) deadline_.arm(environment_.timeouts().idle);
        return;
      case Event::head: {
        const int status = response_.response().status;
        if (status == 101) return upgraded(bytes);
        if (status < 200) {
          if (!take_informational()) return;
        } else {
          take_response_head();
          begins = true;
        }
        break;
      }
      case Event::body:
        if (begins) first.append(piece);
        piece = unchunk_ ? response_.payload() : response_.raw();
        if (!begins && !pass_on(piece)) return;
        break;
      case Event::done: {
        if (state_ == State::waiting) {  // of an informational answer
          response_.next_message(reading_);
          break;
        }
        const std::string_view last = unchunk_ ? std::string_view() : response_.raw();
        first.append(begins ? piece : std::string_view());
        if (!(begins ? begin_answer(first, last) : pass_on(last))) return;
        return finish(bytes);
      }
      case Event::error:
        if (state_ == State::responding && !begins) return break_off(std::string(response_.error().detail));
        return refuse(Reason::backend_error,
                      "the backend's answer is not HTTP: " + std::string(response_.error().detail));
    }
  }
}

// Passes on 100, 102 and 103. False if the exchange has ended.
bool Exchange::take_informational() {
  const auto& response = response_.response();
  if (++informational_ > kMostInformational) {
    refuse(Reason::backend_error, "the backend sent too many informational answers");
    return false;
  }
  if (response.status == 100) continue_deadline_.disarm();
  if (response.status == 100 && std::exchange(continued_, true)) return true;  // already sent by us
  if (sink_.informational(response)) return true;
  leave();
  return false;
}

void Exchange::take_response_head() {
  const auto& response = response_.response();
  state_ = State::responding;
  continue_deadline_.disarm();
  unchunk_ = response.body == proto::BodyKind::chunked && !reading_.join_chunks;
  status_ = response.status;
}

bool Exchange::begin_answer(std::string_view first, std::string_view second) {
  const auto& head = response_.response();
  const bool trailers = head.body == proto::BodyKind::chunked && !reading_.drop_trailers;
  count_answer();
  return passed_on(sink_.begin({head, request_complete_, trailers, first, second}));
}

bool Exchange::pass_on(std::string_view piece) { return piece.empty() || passed_on(sink_.body(piece)); }

// False if the exchange has ended because the client is lost.
bool Exchange::passed_on(bool taken) {
  if (!taken) {
    leave();
    return false;
  }
  if (sink_.busy()) backend_.read_stop();
  return true;
}

void Exchange::count_answer() {
  environment_.metrics.requests.add(status_);
  if (!upgrade_) return;
  environment_.metrics.upgrades[metrics::UpgradeResult::failed].add();
  environment_.metrics.upgrades_answered[metrics::CodeCounters::class_of(status_)].add();
  environment_.metrics.upgrades_failed[metrics::CodeCounters::class_of(status_)].add();
}

void Exchange::client_drained() {
  if (state_ == State::responding && backend_.is_open()) backend_.read_start();
}

// Handles a 101: the tunnel opens only if the request was an upgrade and the answer is valid.
void Exchange::upgraded(std::span<const char> rest) {
  if (!upgrade_)
    return refuse(Reason::backend_error, "the backend answered 101 to a request that asked for no upgrade");
  if (const auto wrong = proto::check_upgrade_response(response_.response(), *upgrade_)) {
    return refuse(Reason::backend_error, "the backend's 101 is invalid: " + *wrong);
  }
  const bool extensions = response_.response().fields.find(proto::FieldName::websocket_extensions) != nullptr;
  auto& counts = environment_.metrics;
  status_ = 101;
  counts.requests.add(status_);
  counts.upgrades[metrics::UpgradeResult::accepted].add();
  counts.upgrade_duration.observe(Millis(environment_.loop.turn_ms() - started_ms_));
  sink_.upgraded(response_.response());
  state_ = State::ended;
  stop_clocks();
  outcome_ = Upgraded{std::move(backend_), view(rest), extensions};
}

void Exchange::finish(std::span<const char> rest) {
  sink_.end(response_.trailers());
  state_ = State::ended;
  stop_clocks();
  environment_.metrics.request_duration.observe(Millis(environment_.loop.turn_ms() - started_ms_));
  const bool reusable = request_complete_ && !upgrade_ && rest.empty() && response_.response().keep_alive &&
                        response_.response().body != proto::BodyKind::until_close && !backend_.busy();
  if (reusable) {
    environment_.backends->give_back(std::move(backend_), lease_, keep_alive_seconds(response_.response()));
  } else {
    backend_.close();
  }
  outcome_ = Answered{};
}

void Exchange::on_end() {
  if (state_ == State::responding && response_.finish()) {
    if (!unchunk_ && !pass_on(response_.raw())) return;
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
    if (!sink_.go_on()) leave();
    return;
  }
  if (state_ == State::responding) {
    const bool client_stalls = sink_.busy();
    return break_off(client_stalls ? "the client read nothing for timeouts.idle"
                                   : "the backend sent nothing for timeouts.idle",
                     client_stalls);
  }
  if (!request_complete_ && !backend_.busy() && !backend_write_closed_) {
    return refuse(Refusal::of(Reason::bad_request, 408, "the rest of the request's body did not arrive"));
  }
  refuse(Reason::backend_timeout,
         "the backend did not answer within " +
             format_duration(upgrade_ ? environment_.timeouts().upgrade : environment_.timeouts().response));
}

void Exchange::cut() {
  if (state_ == State::responding) return break_off("drain.timeout has passed");
  refuse(Reason::draining, "this instance was shut down before the backend answered");
}

void Exchange::refuse(Refusal refusal) {
  state_ = State::ended;
  stop_clocks();
  backend_.close();
  outcome_ = std::move(refusal);
}

// Keeps the state, because the log shows how far the exchange had come.
void Exchange::leave() {
  stop_clocks();
  backend_.close();
  outcome_ = ClientLeft{};
}

void Exchange::stop_clocks() {
  deadline_.disarm();
  continue_deadline_.disarm();
  keep_alive_deadline_.disarm();
}

void Exchange::break_off(std::string why, bool client_stalled) {
  state_ = State::ended;
  stop_clocks();
  backend_.close();
  outcome_ = Broken{std::move(why), client_stalled};
}

}  // namespace probegate::proxy
