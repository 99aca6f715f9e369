// RequestStream: a request and the way back to its client, as everything behind the framing sees them: a
// message of an HTTP/1.1 connection (http1_stream.h), or a stream of a connection that carries many.
//
// Thread: the data loop's. None of these is called while one of its own calls is running.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/http_forward.h"
#include "proto/http_message.h"
#include "proxy/refusal.h"

namespace probegate::proxy {

// What the question to the auth service has settled for the request that it let pass.
struct AuthGrant {
  std::string request_id;  // made for the question, where the request brought none; the backend gets the same
  std::string fields;      // complete lines for the backend's head
};

// One view of what is known of a request. Everything stays as and where it is until whoever got it is gone.
struct RequestContext {
  const proto::RequestHead& head;
  proto::ClientView client;          // without request id
  const AuthGrant* grant = nullptr;  // null when nobody was asked
};

// The body of a request, as its backend is to get it: with a length or in chunks, as RequestHead::body says.
// Back-pressure: what is not read stays with the source, which lets its client wait.
class RequestBody {
 public:
  enum class Step {
    nothing,  // all that has come is read
    piece,
    last,    // a piece, and the body is complete with it
    broken,  // problem() says why
  };
  // One piece, which may be empty; valid until the next call.
  virtual Step read(std::string_view& piece) = 0;
  virtual std::uint64_t received() const = 0;  // payload read so far, without chunk framing
  virtual Refusal problem() const = 0;

 protected:
  ~RequestBody() = default;
};

// Where the answer goes. Where a call gives false, the client is known to be lost.
class ResponseSink {
 public:
  // 1xx of the backend, and our own 100: the body is asked for.
  [[nodiscard]] virtual bool informational(const proto::ResponseHead& head) = 0;
  [[nodiscard]] virtual bool go_on() = 0;

  // How bodies that come in chunks are passed on: as they came, their trailers with them, or their payload.
  virtual bool takes_chunks() const = 0;
  // The final answer, with the `first` and then the `second` piece of its body.
  struct Beginning {
    const proto::ResponseHead& head;
    bool request_complete;  // nothing more of the request will come
    bool trailers;          // may follow, and may be announced
    std::string_view first;
    std::string_view second;
  };
  [[nodiscard]] virtual bool begin(const Beginning& beginning) = 0;
  [[nodiscard]] virtual bool body(std::string_view piece) = 0;
  // The answer is whole. `trailers`: of a body in chunks, where they go on.
  virtual void end(const proto::HeaderFields& trailers) = 0;

  // A verified 101: what comes next is the tunnel's.
  virtual void upgraded(const proto::ResponseHead& head) = 0;

  virtual bool busy() const = 0;  // the client is slow: nothing more should be written

 protected:
  ~ResponseSink() = default;
};

}  // namespace probegate::proxy
