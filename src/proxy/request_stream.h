// RequestStream: a request and the way back to its client, independent of the framing: a message of an
// HTTP/1.1 connection (http1_stream.h), or a stream of a multiplexed connection.
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

// What the auth service has decided for a request that may pass.
struct AuthGrant {
  std::string request_id;  // made for the auth request if the client sent none; the backend gets the same
  std::string fields;      // complete lines for the backend's head
};

// A view of what is known of a request. What it refers to must outlive every user of this.
struct RequestContext {
  const proto::RequestHead& head;
  proto::ClientView client;          // without request id
  const AuthGrant* grant = nullptr;  // null if the auth service was not asked
};

// The body of a request, framed for the backend: with a length or in chunks, according to RequestHead::body.
// Back-pressure: what is not read stays with the source, which stops reading from its client.
class RequestBody {
 public:
  enum class Step {
    nothing,  // all that has arrived is read
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

// Where the answer goes. A call returns false if the client is lost.
class ResponseSink {
 public:
  // A 1xx of the backend, and our own 100 Continue.
  [[nodiscard]] virtual bool informational(const proto::ResponseHead& head) = 0;
  [[nodiscard]] virtual bool go_on() = 0;

  // True: chunked bodies are passed on as they are, with trailers; false: only their payload is.
  virtual bool takes_chunks() const = 0;
  // The final answer, with the `first` and then the `second` piece of its body.
  struct Beginning {
    const proto::ResponseHead& head;
    bool request_complete;  // the whole request has arrived
    bool trailers;          // may follow, and may be announced
    std::string_view first;
    std::string_view second;
  };
  [[nodiscard]] virtual bool begin(const Beginning& beginning) = 0;
  [[nodiscard]] virtual bool body(std::string_view piece) = 0;
  // The answer is complete. `trailers`: those of a chunked body, if they are passed on.
  virtual void end(const proto::HeaderFields& trailers) = 0;

  // A verified 101; all that follows belongs to the tunnel.
  virtual void upgraded(const proto::ResponseHead& head) = 0;

  virtual bool busy() const = 0;  // the client is slow: nothing more should be written

 protected:
  ~ResponseSink() = default;
};

}  // namespace probegate::proxy
