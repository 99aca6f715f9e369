#include "http_outcome.h"

#include <algorithm>
#include <memory>

namespace probegate::proto {
namespace {

std::string describe_fields(const HeaderFields& fields) {
  std::string text;
  for (const HeaderField& field : fields) {
    text.append("\n  ").append(field.name).append("=").append(field.value);
  }
  return text;
}

std::string describe_body(BodyKind body, std::uint64_t length) {
  switch (body) {
    case BodyKind::none: return "no body";
    case BodyKind::length: return "length " + std::to_string(length);
    case BodyKind::chunked: return "chunked";
    case BodyKind::until_close: return "until close";
  }
  return "?";
}

std::unique_ptr<char[]> exact_copy(std::string_view text) {
  auto copy = std::make_unique<char[]>(text.size());
  std::copy(text.begin(), text.end(), copy.get());
  return copy;
}

}  // namespace

std::string describe(const RequestHead& head) {
  std::string text;
  text.append(head.method).append(" ").append(head.target).append(" path ").append(head.path);
  text.append(" host ").append(head.host).append(" 1.").append(std::to_string(head.minor)).append(", ");
  text.append(describe_body(head.body, head.content_length));
  if (head.keep_alive) text.append(", keep-alive");
  if (head.upgrade_websocket) text.append(", websocket");
  if (head.expect_continue) text.append(", expect");
  return text.append(describe_fields(head.fields));
}

std::string describe(const ResponseHead& head) {
  std::string text = std::to_string(head.status);
  text.append(" ").append(head.reason).append(" 1.").append(std::to_string(head.minor)).append(", ");
  text.append(describe_body(head.body, head.content_length));
  if (head.keep_alive) text.append(", keep-alive");
  if (head.has_content_length) text.append(", Content-Length ").append(std::to_string(head.content_length));
  return text.append(describe_fields(head.fields));
}

HttpOutcome parse_http(HttpParser::Role role, std::string_view bytes,
                       const std::function<std::size_t(std::size_t)>& size, HttpLimits limits,
                       MessageOptions options) {
  HttpParser parser(role, limits);
  return parse_http(parser, role, bytes, size, options);
}

HttpOutcome parse_http(HttpParser& parser, HttpParser::Role role, std::string_view bytes,
                       const std::function<std::size_t(std::size_t)>& size, MessageOptions options) {
  parser.next_message(options);
  HttpOutcome outcome;
  std::string head;  // of the next message, with the empty lines before it
  bool switched = false;
  for (std::size_t at = 0, call = 0; at <= bytes.size() && !outcome.refused && !switched; ++call) {
    const std::size_t step = std::min(bytes.size() - at, std::max<std::size_t>(size(call), 1));
    const auto block = exact_copy(bytes.substr(at, step));
    std::span<const char> input(block.get(), step);
    for (bool more = false; !more && !outcome.refused && !switched;) {
      const char* const before = input.data();
      const auto event = parser.feed(input);
      if (outcome.messages.empty() || outcome.messages.back().done) head.append(before, input.data());
      switch (event) {
        case HttpParser::Event::more: more = true; break;
        case HttpParser::Event::head: {
          auto& message = outcome.messages.emplace_back();
          message.head =
              role == HttpParser::Role::request ? describe(parser.request()) : describe(parser.response());
          outcome.wire += head.substr(head.find_first_not_of("\r\n"));
          head.clear();
          break;
        }
        case HttpParser::Event::body:
        case HttpParser::Event::done:
          outcome.messages.back().raw += parser.raw();
          outcome.messages.back().payload += parser.payload();
          outcome.wire += parser.raw();
          if (event == HttpParser::Event::body) break;
          outcome.messages.back().done = true;
          switched = role == HttpParser::Role::response && parser.response().status == 101;
          if (!switched) parser.next_message(options);
          break;
        case HttpParser::Event::error:
          outcome.refused = true;
          outcome.status = parser.error().status;
          outcome.detail = parser.error().detail;
          break;
      }
    }
    at += step;
    if (switched) outcome.rest = std::string(input.data(), input.size()).append(bytes.substr(at));
    if (step == 0) break;
  }
  return outcome;
}

std::string HttpOutcome::text() const {
  std::string out;
  for (const HttpMessage& message : messages) {
    out.append("[").append(message.head).append(message.done ? "] done, payload " : "] open, payload ");
    out.append(message.payload).append("\n");
  }
  if (refused) out.append("refused: ").append(std::to_string(status)).append(" ").append(detail);
  return out;
}

std::string difference(const HttpOutcome& a, const HttpOutcome& b) {
  const auto both = "\n--- first:\n" + a.text() + "\n--- second:\n" + b.text();
  if (a.refused != b.refused || a.status != b.status || a.detail != b.detail) return "verdict differs" + both;
  if (a.messages.size() != b.messages.size()) return "number of messages differs" + both;
  if (a.rest != b.rest) return "what is left differs" + both;
  for (std::size_t i = 0; i < a.messages.size(); ++i) {
    if (a.messages[i].head != b.messages[i].head) return "a head differs" + both;
    const bool broken = a.refused && i + 1 == a.messages.size() && !a.messages[i].done;
    if (!broken && a.messages[i] != b.messages[i]) return "a body differs" + both;
  }
  return {};
}

}  // namespace probegate::proto
