// HttpClient: libcurl's multi-socket interface on a loop. For checks, the auth gate and alerts; not the data
// path.
//
// Owns: curl's connections (see curl_multi.h), kept and reused between requests. Names are resolved by our
// Resolver and pinned, as curl's threaded resolver would block the loop when it is cancelled (and NOSIGNAL,
// no proxy from the environment, only http and https, bounded bodies). Errors: a Failure with the phase as
// its kind and a sentence for people.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "loop/connection.h"
#include "loop/loop.h"

namespace probegate::loop {

class Resolver;

struct HttpRequest {
  std::string method = "GET";
  std::string url;                       // http or https
  std::optional<std::string> unix_path;  // talk over this socket; the URL still gives Host and path
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Duration timeout = std::chrono::seconds(2);  // of everything: resolve, connect, TLS, answer
  std::size_t max_body = 64 * 1024;            // more is cut off, and `truncated` says so
  std::optional<TlsSettings> tls;              // for https; empty: the system's authorities, verified
  bool http2 = false;                          // and nothing older, also over plain TCP, as gRPC is spoken
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // of the final answer, in order
  std::string body;
  bool truncated = false;
  std::optional<Duration> certificate_left;  // https: until the peer's certificate ends
};

struct HttpFailure {
  enum class Kind {
    resolve,
    connect,
    tls,
    protocol,
    timeout,
    local,     // our own lack, such as no descriptors left: says nothing about the peer
    internal,  // the request itself cannot be made
  };
  Kind kind = Kind::internal;
  std::string message;
};

class HttpClient {
 public:
  using Outcome = tl::expected<HttpResponse, HttpFailure>;
  class Call {  // destroying it cancels; nothing is called back then
   public:
    virtual ~Call() = default;
    // What it is busy with, for messages: "connecting".
    virtual const char* phase() const noexcept = 0;
  };

  HttpClient(Loop& loop, Resolver& resolver);
  ~HttpClient();  // every Call must be gone

  // Calls back exactly once in a later turn, unless cancelled. The Call may be destroyed inside the callback.
  std::unique_ptr<Call> start(HttpRequest request, std::function<void(Outcome)> done);

 private:
  class Impl;
  class Transfer;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probegate::loop
