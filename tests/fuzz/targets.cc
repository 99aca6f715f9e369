#include "targets.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "http_outcome.h"
#include "proto/http_forward.h"
#include "proto/ws_frames.h"
#include "proto/ws_handshake.h"
#include "tests/support/second_reader.h"

namespace {

using namespace probegate::proto;

void require(bool promise, const std::string& what) {
  if (promise) return;
  std::fprintf(stderr, "broken promise: %s\n", what.c_str());
  std::abort();
}

std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Limits small enough for a fuzzer to reach.
constexpr HttpLimits kSmall{
    .head_bytes = 512, .fields = 12, .chunk_extension_bytes = 32, .trailer_bytes = 64};

// However the bytes are sliced, the parser reads the same messages, and passes on no byte that did not come
// in.
HttpOutcome parse_all_ways(HttpParser::Role role, std::string_view bytes, std::string_view method) {
  const auto parse = [&](std::size_t slice, bool join) {
    return parse_http(role, bytes, [slice](std::size_t) { return slice; }, kSmall,
                      {.to_head = method == "HEAD", .join_chunks = join});
  };
  const HttpOutcome whole = parse(bytes.size(), false);
  require(bytes.find(whole.wire) != std::string_view::npos || whole.wire.empty() || whole.messages.size() > 1,
          "relayed bytes are not the bytes that came");
  for (const std::size_t slice : {1u, 2u, 7u}) {
    const std::string differs = difference(whole, parse(slice, false));
    require(differs.empty(), differs);
  }
  const HttpOutcome joined = parse(bytes.size(), true);
  require(joined.wire == whole.wire || whole.refused, "joined chunks relay other bytes");
  return whole;
}

void require_same_meaning(const RequestHead& before, const RequestHead& after) {
  require(after.method == before.method, "another method");
  require(after.path == before.path, "another path");
  require(before.host.empty() || after.host == before.host, "another host");
  require(after.body == before.body && after.content_length == before.content_length, "another body");
  require(after.upgrade_websocket == before.upgrade_websocket, "another upgrade");
}

// What goes on of the first request, with its whole body, is that one request to two readers who do not know
// our rules. An HTTP/1.0 body or method that we would not take never gets here.
void require_one_request(const RequestHead& head, const std::string& written, const HttpMessage& message) {
  for (const bool lenient : {false, true}) {
    const auto seen = probegate::test::read_again(written + message.raw, lenient);
    const std::string bytes = "\n" + written + message.raw;
    require(seen.error.empty(), "a request of ours is refused by another reader: " + seen.error + bytes);
    require(seen.requests.size() == 1 && seen.rest.empty(), "another reader sees another number" + bytes);
    const auto& request = seen.requests.front();
    require(request.done == message.done, "another reader sees another end" + bytes);
    require(request.method == head.method && request.target == head.path, "another request line" + bytes);
    require(request.body == message.payload, "another reader sees another body" + bytes);
    require(request.upgrade == head.upgrade_websocket, "another reader sees another upgrade" + bytes);
  }
}

// A head that was accepted is, as we write it for the backend, one head with the same meaning to the same
// strict reader.
void require_round_trip(std::string_view bytes, const HttpOutcome& outcome) {
  HttpParser first(HttpParser::Role::request, kSmall);
  std::span<const char> input(bytes);
  if (first.feed(input) != HttpParser::Event::head) return;
  for (const bool trusted : {false, true}) {
    std::string written;
    write_request_head(first.request(), {"192.0.2.1", trusted, "http", "id"}, {}, "backend:8000",
                       {"x-user-id"}, {}, written);
    HttpParser second(HttpParser::Role::request, {});
    std::span<const char> again(written);
    require(second.feed(again) == HttpParser::Event::head, "a head of ours is refused: " + written);
    require(again.empty(), "a head of ours has something behind it");
    require_same_meaning(first.request(), second.request());
    require(second.request().fields.find("x-user-id") == nullptr, "a dropped field went on");
    require(second.request().fields.count("x-forwarded-for") == 1, "not one X-Forwarded-For");
    require_one_request(first.request(), written, outcome.messages.front());
  }
}

}  // namespace

void fuzz_http_request(const std::uint8_t* data, std::size_t size) {
  const HttpOutcome outcome = parse_all_ways(HttpParser::Role::request, text_of(data, size), "GET");
  require_round_trip(text_of(data, size), outcome);
}

// The first byte says what the request was.
void fuzz_http_response(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return;
  const std::string_view method = data[0] % 4 == 0 ? "HEAD" : "GET";
  const std::string_view bytes = text_of(data + 1, size - 1);
  parse_all_ways(HttpParser::Role::response, bytes, method);

  const MessageOptions options{.to_head = method == "HEAD"};
  HttpParser first(HttpParser::Role::response, kSmall, options);
  std::span<const char> input(bytes);
  if (first.feed(input) != HttpParser::Event::head) return;
  for (const bool trailers : {false, true}) {
    std::string written;
    write_response_head(first.response(), {1, ConnectionField::close, trailers, "probegate"}, written);
    HttpParser second(HttpParser::Role::response, {}, options);
    std::span<const char> again(written);
    require(second.feed(again) == HttpParser::Event::head && again.empty(),
            "a head of ours is refused: " + written);
    require(second.response().status == first.response().status, "another status");
    const BodyKind body = first.response().body;
    require(second.response().body == body, "another body");
    require(second.response().content_length == first.response().content_length ||
                first.response().status == 204 || first.response().status < 200,
            "another length");
  }
}

// The first byte chooses the role, whether extensions are negotiated, and a limit.
void fuzz_ws_frames(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return;
  const Masking masking = (data[0] & 1) != 0 ? Masking::required : Masking::forbidden;
  const bool extensions = (data[0] & 2) != 0;
  const std::uint64_t limit = (data[0] & 4) != 0 ? 200 : 0;
  const std::string bytes(text_of(data + 1, size - 1));

  FrameTracker whole(masking, extensions, limit);
  const std::size_t walked = whole.walk(bytes);
  require(walked <= bytes.size(), "walked beyond the end");
  require(walked == bytes.size() || whole.closed() || whole.problem() != FrameTracker::Problem::none,
          "stopped without a reason");

  for (const std::size_t slice : {1u, 3u, 10u}) {
    FrameTracker sliced(masking, extensions, limit);
    std::size_t at = 0;
    while (at < bytes.size() && !sliced.closed() && sliced.problem() == FrameTracker::Problem::none) {
      const std::string block = bytes.substr(at, slice);
      const std::size_t step = sliced.walk(block);
      at += step;
      if (step < block.size()) break;
    }
    require(sliced.problem_detail() == whole.problem_detail(), "another verdict when sliced");
    require(sliced.closed() == whole.closed() && sliced.close_code() == whole.close_code(),
            "another Close when sliced");
    require(sliced.messages() == whole.messages(), "another number of messages when sliced");
    require(at >= walked, "less walked when sliced");
  }

  FrameReader reader(4096);
  std::span<const char> input(bytes);
  while (reader.next(input) == FrameReader::Status::frame) {
    require(reader.frame().payload.size() <= 4096, "a frame larger than the limit");
  }
}

// A request's head and an answer's head, one behind the other: what both say of the handshake.
void fuzz_ws_handshake(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = text_of(data, size);
  HttpParser requests(HttpParser::Role::request, kSmall), answers(HttpParser::Role::response, kSmall);
  std::span<const char> input(bytes);
  if (requests.feed(input) != HttpParser::Event::head) return;
  const RequestHead& request = requests.request();
  const auto refused = check_upgrade_request(request);
  require(!refused || refused->status == 400 || refused->status == 426, "another refusal");
  const OfferedHandshake offered = OfferedHandshake::of(request);
  require(offered.accept.size() == 28, "an accept value of another length");
  for (const auto& element : offered.subprotocols) {
    require(!element.empty() && probegate::trim(element) == element, "a list's element with blanks");
  }
  if (answers.feed(input) != HttpParser::Event::head) return;
  const ResponseHead& answer = answers.response();
  if (check_upgrade_response(answer, offered)) return;
  require(answer.status == 101 && answer.fields.get("sec-websocket-accept") == offered.accept, "a wrong 101");
  require(answer.fields.count("sec-websocket-protocol") <= offered.subprotocols.size(),
          "a subprotocol out of nothing");

  // The tunnel opens on what we write, too.
  std::string written;
  write_response_head(answer, {1, ConnectionField::upgrade, false, "probegate"}, written);
  HttpParser second(HttpParser::Role::response, {});
  std::span<const char> again(written);
  require(second.feed(again) == HttpParser::Event::head, "a 101 of ours is refused");
  const auto wrong = check_upgrade_response(second.response(), offered);
  require(!wrong, "a 101 of ours is wrong: " + wrong.value_or(""));
}
