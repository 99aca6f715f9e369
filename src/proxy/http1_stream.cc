#include "proxy/http1_stream.h"

#include <tuple>
#include <utility>

#include "proxy/admission.h"

namespace probegate::proxy {

using Event = proto::HttpParser::Event;

RequestBody::Step Http1Body::read(std::string_view& piece) {
  if (bytes_.empty() && !kept_.empty()) bytes_ = taken_ = std::exchange(kept_, {});
  const auto& auth = environment_.config->auth;
  const Event event = parser_.feed(bytes_, auth ? &auth->stripped : nullptr);
  piece = parser_.raw();
  switch (event) {
    case Event::more: return Step::nothing;
    case Event::done: return Step::last;
    case Event::error: return Step::broken;
    default: return Step::piece;
  }
}

std::string Http1Body::take_rest() {
  const auto rest = std::exchange(bytes_, {});
  return {rest.begin(), rest.end()};
}

Refusal Http1Body::problem() const { return refusal_of(parser_.error()); }

// Never to an HTTP/1.0 client.
bool Http1Answer::informational(const proto::ResponseHead& head) {
  if (request_.minor == 0) return true;
  std::string out;
  proto::write_response_head(head, {.client_minor = request_.minor, .via = environment_.via()}, out);
  return client_.write(out);
}

bool Http1Answer::begin(const Beginning& beginning) {
  const auto body = beginning.head.body;
  until_close_ =
      body == proto::BodyKind::until_close || (body == proto::BodyKind::chunked && !takes_chunks());
  keep_alive_ = request_.keep_alive && beginning.request_complete && !request_.upgrade_websocket &&
                !until_close_ && environment_.gate->phase == health::Phase::running;
  proto::AnswerView view;
  view.client_minor = request_.minor;
  view.connection = keep_alive_ ? proto::ConnectionField::keep_alive : proto::ConnectionField::close;
  view.trailers = beginning.trailers;
  view.via = environment_.via();
  view.date = environment_.http_date();
  std::string& out = environment_.head;
  out.clear();
  proto::write_response_head(beginning.head, view, out);
  out.append(beginning.first);
  return write(out, beginning.second);
}

// Ignores a lost client: the tunnel notices it, and an accepted upgrade must end as a tunnel.
void Http1Answer::upgraded(const proto::ResponseHead& head) {
  std::string out;
  proto::write_response_head(head, {.connection = proto::ConnectionField::upgrade, .via = environment_.via()},
                             out);
  std::ignore = client_.write(out);
}

bool Http1Answer::write(std::string_view first, std::string_view second) {
  bytes_ += first.size() + second.size();
  return client_.write(first, second);
}

}  // namespace probegate::proxy
