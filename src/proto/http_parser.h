// HttpParser: bytes in; a head, body pieces and the end of the message out. llhttp in strict mode behind
// rules of our own, so that no byte sequence can be read as two requests by one reader and as one by another.
//
// A head is collected whole (bounded), scanned byte by byte (head_scan), then parsed by llhttp, then judged
// (head_rules). Bodies stream through without being stored. Used for both directions; no I/O.
// Invariant: feed() consumes bytes up to the end of one message and not one more: pipelined requests, bytes
// after a 101 and bytes after an error stay with the caller.
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
  static constexpr std::size_t kMostHeadBytes = 1024 * 1024;  // whatever is asked for

  std::size_t head_bytes = 64 * 1024;  // start line and fields with their line ends; 0 = kMostHeadBytes
  std::size_t fields = 500;
  std::size_t chunk_extension_bytes = 4096;  // per body, all chunks together
  std::size_t trailer_bytes = 16 * 1024;
};

// How a message is to be read, beyond what it says itself.
struct MessageOptions {
  // Of an answer: the request was HEAD, so that no body follows.
  bool to_head = false;
  // One step takes all the chunks that the input holds, and payload() means nothing: a relay writes less
  // often.
  bool join_chunks = false;
  // Of an answer: trailers are left out of raw(), and whatever is wrong with them breaks nothing.
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
    error,  // error() says why; the parser is finished
  };

  HttpParser(Role role, HttpLimits limits, MessageOptions options = {});
  ~HttpParser();
  HttpParser(HttpParser&&) noexcept;
  HttpParser& operator=(HttpParser&&) noexcept;

  // Consumes bytes until the next event; `input` is advanced by what was consumed. After `head` of a message
  // without a body the next call (also with no bytes) gives `done`. A message with one of the
  // `forbidden_trailers`, if not null, in its trailers is refused, besides those that never belong there.
  Event feed(std::span<const char>& input, const std::vector<std::string>* forbidden_trailers = nullptr);

  const RequestHead& request() const;
  const ResponseHead& response() const;

  // With Event::body and Event::done: the wire bytes consumed by this step, chunk framing and trailers
  // included: what a relay passes on unchanged. Empty for BodyKind::none.
  std::string_view raw() const;
  // With Event::body: the payload of this step without chunk framing, for a receiver that knows no chunks.
  // One step is at most one piece of one chunk, unless they are joined.
  std::string_view payload() const;
  // With Event::done: the trailers that are part of raw(); they live until next_message().
  const HeaderFields& trailers() const;
  std::uint64_t body_bytes() const;  // payload seen so far, without chunk framing

  const HttpError& error() const;

  bool idle() const;  // nothing of a next message has been seen (blank lines before a request do not count)
  bool in_body() const;  // between head and done

  // Forgets this message and is ready for the next one on the same connection.
  void next_message(MessageOptions options = {});
  // Forgets the connection too: as good as a new parser of the same role, in the memory of this one.
  void renew(HttpLimits limits, MessageOptions options = {});
  // Responses: the peer closed. True when that completes the message (BodyKind::until_close, or in the middle
  // of trailers that are dropped), and raw() is what is still to be passed on; false when it truncates.
  bool finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probegate::proto
