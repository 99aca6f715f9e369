// HttpParser: converts bytes into a head, body pieces and the end of the message. Uses llhttp in strict mode
// after our own rules, so that no byte sequence is two requests for one parser and one for another.
//
// A head is collected completely (up to a limit), scanned byte by byte (head_scan), parsed by llhttp, then
// interpreted (head_rules). Bodies are not stored. Used for both directions; no I/O. Invariant: feed() never
// consumes bytes after the end of one message: pipelined requests, bytes after a 101 and bytes after an error
// stay with the caller.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/http_message.h"

namespace probegate::proto {

struct HttpLimits {
  static constexpr std::size_t kMostHeadBytes = 1024 * 1024;  // upper bound of the configured limit

  std::size_t head_bytes = 64 * 1024;  // start line and fields with their line ends; 0 = kMostHeadBytes
  std::size_t fields = 500;
  std::size_t chunk_extension_bytes = 4096;  // per body, all chunks together
  std::size_t trailer_bytes = 16 * 1024;
};

// Options for parsing a message that its own fields do not determine.
struct MessageOptions {
  // For responses: the request was HEAD, so no body follows.
  bool to_head = false;
  // One step takes all chunks in the input, so that a relay writes less often; payload() is then not valid.
  bool join_chunks = false;
  // For responses: trailers are omitted from raw(), and invalid trailers are not an error.
  bool drop_trailers = false;
};

class HttpParser {
 public:
  enum class Role { request, response };
  enum class Event {
    more,   // everything was consumed; feed more
    head,   // request() or response() is complete; its views live until next_message()
    body,   // raw() and payload() are a piece of the body, valid until the next call
    done,   // the message is complete; raw() may still hold its last wire bytes
    error,  // error() has the cause; the parser cannot be used further
  };

  HttpParser(Role role, HttpLimits limits, MessageOptions options = {});
  ~HttpParser();
  HttpParser(HttpParser&&) noexcept;
  HttpParser& operator=(HttpParser&&) noexcept;

  // Consumes bytes until the next event and advances `input` by them. After `head` of a message without a
  // body the next call (also with no bytes) gives `done`. A message with one of the `forbidden_trailers`, if
  // not null, in its trailers is refused, besides those that never belong there.
  Event feed(std::span<const char>& input, const std::vector<std::string>* forbidden_trailers = nullptr);

  const RequestHead& request() const;
  const ResponseHead& response() const;

  // With Event::body and Event::done: the wire bytes consumed by this step, chunk framing and trailers
  // included: what a relay passes on unchanged. Empty for BodyKind::none.
  std::string_view raw() const;
  // With Event::body: the payload of this step without chunk framing. One step is at most one piece of one
  // chunk, unless they are joined.
  std::string_view payload() const;
  // With Event::done: the trailers that are part of raw(); they live until next_message().
  const HeaderFields& trailers() const;
  std::uint64_t body_bytes() const;  // payload seen so far, without chunk framing

  const HttpError& error() const;

  bool idle() const;  // nothing of a next message has been seen (blank lines before a request do not count)
  bool in_body() const;  // between head and done

  // Resets the parser for the next message on the same connection.
  void next_message(MessageOptions options = {});
  // Resets the parser for a new connection, with the same role, reusing its memory.
  void renew(HttpLimits limits, MessageOptions options = {});
  // Responses: the peer closed. True when that completes the message (BodyKind::until_close, or in the middle
  // of trailers that are dropped), and raw() is what is still to be passed on; false when it truncates.
  bool finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probegate::proto
