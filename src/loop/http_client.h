// HttpClient: libcurl's multi-socket interface on a loop. For checks, the auth gate and alerts; not the data
// path.
//
// Owns: curl's connections (see curl_multi.h), kept and reused between requests. Names are resolved by
// Resolver and pinned, because curl's threaded resolver would block the loop on cancellation. Also set:
// NOSIGNAL, no proxy from the environment, only http and https, limited bodies. Errors: a Failure with the
// phase as kind and a readable message.
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
  std::optional<std::string> unix_path;  // connect to this socket; the URL gives Host and path
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Duration timeout = std::chrono::seconds(2);  // whole request: resolve, connect, TLS, response
  std::size_t max_body = 64 * 1024;            // more is cut off, and `truncated` says so
  std::optional<TlsSettings> tls;              // for https; empty: verified with the system's CA certificates
  bool http2 = false;                          // HTTP/2 only, also over plain TCP, as gRPC requires
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // of the final response, in order
  std::string body;
  bool truncated = false;
  std::optional<Duration> certificate_left;  // https: time until the peer's certificate expires
};

struct HttpFailure {
  enum class Kind {
    resolve,
    connect,
    tls,
    protocol,
    timeout,
    local,     // an error of this process, such as no descriptors left
    internal,  // the request itself cannot be made
  };
  Kind kind = Kind::internal;
  std::string message;
};

class HttpClient {
 public:
  using Outcome = tl::expected<HttpResponse, HttpFailure>;
  class Call {  // destroying it cancels the request without a callback
   public:
    virtual ~Call() = default;
    // The current phase, for messages: "connecting".
    virtual const char* phase() const noexcept = 0;
  };

  HttpClient(Loop& loop, Resolver& resolver);
  ~HttpClient();  // every Call must be destroyed before

  // Calls back exactly once in a later loop iteration, unless cancelled. The Call may be destroyed
  // inside the callback.
  std::unique_ptr<Call> start(HttpRequest request, std::function<void(Outcome)> done);

 private:
  class Impl;
  class Transfer;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probegate::loop
