#include "loop/http_client.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "base/text.h"
#include "loop/curl_multi.h"
#include "loop/curl_options.h"
#include "loop/http_target.h"
#include "loop/resolver.h"
#include "loop/timer.h"

namespace probegate::loop {
namespace {

constexpr std::size_t kMaxHead = 64 * 1024;

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

bool has_header(const HttpRequest& request, std::string_view name) {
  return std::any_of(request.headers.begin(), request.headers.end(),
                     [&](const auto& header) { return iequals(header.first, name); });
}

HttpFailure::Kind kind_of(CURLcode code, long os_error) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return HttpFailure::Kind::resolve;
    case CURLE_COULDNT_CONNECT:
    case CURLE_SEND_ERROR: return HttpFailure::Kind::connect;
    // A system error, or bytes that curl rejects, such as a bad chunk.
    case CURLE_RECV_ERROR: return os_error != 0 ? HttpFailure::Kind::connect : HttpFailure::Kind::protocol;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR: return HttpFailure::Kind::tls;
    case CURLE_OPERATION_TIMEDOUT: return HttpFailure::Kind::timeout;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:  // a response without a status line: HTTP/0.9
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return HttpFailure::Kind::protocol;
    case CURLE_OUT_OF_MEMORY: return HttpFailure::Kind::local;
    default: return HttpFailure::Kind::internal;
  }
}

// The text of OpenSSL for an alert after the handshake, with which TLS 1.3 refuses a client; curl reports it
// as a broken connection. "... SSL routines::tlsv13 alert certificate required, errno 0"
std::optional<std::string> tls_alert(std::string_view curl_text) {
  constexpr std::string_view kBefore = "SSL routines::";
  const auto begin = curl_text.find(kBefore);
  if (begin == std::string_view::npos) return std::nullopt;
  auto reason = curl_text.substr(begin + kBefore.size());
  reason = reason.substr(0, reason.find(", errno"));
  return reason.find(" alert ") == std::string_view::npos ? std::nullopt : std::optional(std::string(reason));
}

}  // namespace

class HttpClient::Impl {
 public:
  Impl(Loop& l, Resolver& r) : loop(l), resolver(r), curl(l) {}

  Loop& loop;
  Resolver& resolver;
  CurlMulti curl;
};

// One request from start to outcome. Callbacks run from a timer and never inside curl, so they may destroy
// any Call and start new ones.
class HttpClient::Transfer final : public HttpClient::Call, private CurlMulti::Observer {
 public:
  Transfer(HttpClient::Impl& impl, HttpRequest request, std::function<void(HttpClient::Outcome)> done)
      : impl_(impl),
        request_(std::move(request)),
        done_(std::move(done)),
        timeout_(impl.loop, [this] { on_timeout(); }),
        report_(impl.loop, [this] { report(); }) {
    timeout_.start(request_.timeout);
    if (const auto problem = find_problem()) {
      finish(failed(HttpFailure::Kind::internal, *problem));
    } else if (request_.unix_path) {
      report_.start(Duration::zero());
    } else {
      query_ = impl_.resolver.resolve(Endpoint::tcp(target_.host, target_.port),
                                      [this](Resolver::Answer answer) { on_answer(std::move(answer)); });
    }
  }

  ~Transfer() override { detach(); }

  const char* phase() const noexcept override {
    if (query_) return "resolving the name";
    if (!running_) return "starting or ending the request";
    curl_off_t sent = 0;
    long connected = 0;  // local port, once connected
    curl_easy_getinfo(easy_.get(), CURLINFO_PRETRANSFER_TIME_T, &sent);
    curl_easy_getinfo(easy_.get(), CURLINFO_LOCAL_PORT, &connected);
    if (sent != 0) return "waiting for the answer";
    return target_.https && connected != 0 ? "in the TLS handshake" : "connecting";
  }

 private:
  void on_transfer_done(CURLcode code) override {
    if (code == CURLE_OK && !head_complete_) code = CURLE_PARTIAL_FILE;  // curl accepts any end
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && response_.truncated)) {
      long status = 0;
      curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
      response_.status = static_cast<int>(status);
      return finish(std::move(response_));
    }
    if (old_version_) {
      return finish(
          failed(HttpFailure::Kind::protocol, "the peer does not speak HTTP/2: it answered in HTTP/1"));
    }
    // curl limits the length of a line and reports an excess as out of memory.
    const bool endless_line = code == CURLE_OUT_OF_MEMORY && head_size_ > 0 && !head_complete_;
    if (head_too_large_ || endless_line) {
      return finish(failed(HttpFailure::Kind::protocol, "the head of the answer is larger than 64 KiB"));
    }
    if (code == CURLE_COULDNT_CONNECT && no_socket_ != 0) {
      return finish(failed(HttpFailure::Kind::local, "cannot open a socket: " + error_text(-no_socket_)));
    }
    long os_error = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &os_error);
    if (const auto alert = tls_alert(error_)) return finish(failed(HttpFailure::Kind::tls, describe(*alert)));
    const bool asked = take_certificate_asked() && head_size_ == 0;
    if (asked && code != CURLE_OPERATION_TIMEDOUT) {
      return finish(
          failed(HttpFailure::Kind::tls,
                 describe(code, os_error) +
                     " (the peer asked for a client certificate, and none is set; see tls.cert_file)"));
    }
    finish(failed(kind_of(code, os_error), describe(code, os_error)));
  }

  static HttpClient::Outcome failed(HttpFailure::Kind kind, std::string message) {
    return tl::unexpected(HttpFailure{kind, std::move(message)});
  }

  std::optional<std::string> find_problem() {
    auto target = parse_http_target(request_);
    if (!target) return target.error().message;
    target_ = *std::move(target);
    for (const auto& [name, value] : request_.headers) {
      if (has_line_break(name) || has_line_break(value)) return "header " + name + " contains a line break";
    }
    return std::nullopt;
  }

  void on_answer(Resolver::Answer answer) {
    query_.reset();
    if (!answer) return finish(failed(HttpFailure::Kind::resolve, answer.error().message));
    if (Address::literal(Endpoint::tcp(target_.host, 0))) return begin();
    append(pin_, pin_of(target_.host, target_.port, *answer));
    begin();
  }

  void begin() {
    std::ignore = take_certificate_asked();
    easy_ = impl_.curl.make_easy();
    CurlOptions options(easy_.get());
    set_up(options);
    if (const auto problem = options.problem(); !problem.empty()) {
      return finish(failed(HttpFailure::Kind::internal, problem));
    }
    impl_.curl.add(easy_.get(), *this);
    running_ = true;
  }

  void set_up(CurlOptions& options) {
    options.set_basics(target_.url, "http,https", pin_.get(), error_);
    if (request_.unix_path) options.set(CURLOPT_UNIX_SOCKET_PATH, request_.unix_path->c_str());
    if (!target_.connect_to.empty()) {
      append(connect_to_, target_.connect_to);
      options.set(CURLOPT_CONNECT_TO, connect_to_.get());
    }
    if (request_.http2) set_up_http2(options);
    options.set(CURLOPT_OPENSOCKETFUNCTION, &Transfer::on_open_socket);
    options.set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
    options.set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    options.set(CURLOPT_HEADERDATA, static_cast<void*>(this));
    options.set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    options.set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    set_up_method(options);
    set_up_headers(options);
    if (target_.https) options.set_tls(request_.tls.value_or(TlsSettings{}), impl_.loop.tls());
  }

  void set_up_http2(CurlOptions& options) {
    if (target_.https) {
      options.set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
      return;
    }
    options.set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
    // curl 7.88 fails when it reuses such a connection ("Error in the HTTP2 framing layer").
    options.set(CURLOPT_FRESH_CONNECT, 1L);
    options.set(CURLOPT_FORBID_REUSE, 1L);
  }

  void set_up_method(CurlOptions& options) {
    if (!request_.body.empty()) {
      options.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
      options.set(CURLOPT_POSTFIELDS, request_.body.data());
    }
    if (request_.method == "HEAD") options.set(CURLOPT_NOBODY, 1L);
    options.set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }

  void set_up_headers(CurlOptions& options) {
    if (!has_header(request_, "user-agent")) append(headers_, "User-Agent: probegate");
    if (!target_.host_header.empty() && !has_header(request_, "host")) {
      append(headers_, "Host: " + target_.host_header);
    }
    // Removes what curl adds for a body: the content type of a form, and waiting for 100 Continue.
    if (!has_header(request_, "expect")) append(headers_, "Expect:");
    if (!request_.body.empty() && !has_header(request_, "content-type")) append(headers_, "Content-Type:");
    for (const auto& [name, value] : request_.headers) {
      append(headers_,
             value.empty() ? name + ";" : name + ": " + value);  // "name;" is curl's way to send an empty one
    }
    options.set(CURLOPT_HTTPHEADER, headers_.get());
  }

  // For a lack of descriptors in this process, curl would report "couldn't connect", as if it were an error
  // of the peer.
  static curl_socket_t on_open_socket(void* self, curlsocktype, curl_sockaddr* address) noexcept {
    const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0 && errno != EAFNOSUPPORT) static_cast<Transfer*>(self)->no_socket_ = errno;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
  }

  static std::size_t on_header(char* data, std::size_t, std::size_t size, void* self) noexcept {
    try {
      return static_cast<Transfer*>(self)->take_header({data, size}) ? size : 0;
    } catch (...) {
      return 0;  // ends the transfer
    }
  }

  static std::size_t on_body(char* data, std::size_t, std::size_t size, void* self) noexcept {
    try {
      return static_cast<Transfer*>(self)->take_body({data, size}) ? size : 0;
    } catch (...) {
      return 0;
    }
  }

  bool take_header(std::string_view line) {
    head_size_ += line.size();
    if (head_size_ > kMaxHead) {
      head_too_large_ = true;
      return false;
    }
    if (line.starts_with("HTTP/")) {  // a new head: the previous one was 1xx
      response_.headers.clear();
      head_complete_ = false;
      old_version_ = request_.http2 && line.starts_with("HTTP/1");
      if (old_version_) return false;
      if (target_.https) note_certificate();
      return true;
    }
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    head_complete_ = head_complete_ || line.empty();
    const auto colon = line.find(':');
    if (colon != std::string_view::npos) {
      response_.headers.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
    }
    return true;
  }

  // Curl knows the connection only during the transfer; this also works for a reused connection.
  void note_certificate() {
    curl_tlssessioninfo* session = nullptr;
    if (curl_easy_getinfo(easy_.get(), CURLINFO_TLS_SSL_PTR, &session) != CURLE_OK || session == nullptr)
      return;
    if (session->backend != CURLSSLBACKEND_OPENSSL || session->internals == nullptr) return;
    response_.certificate_left = certificate_left(
        SSL_get0_peer_certificate(static_cast<SSL*>(session->internals)), impl_.loop.wall_now());
  }

  bool take_body(std::string_view bytes) {
    const std::size_t room = request_.max_body - response_.body.size();
    response_.body.append(bytes.substr(0, room));
    response_.truncated = bytes.size() > room;
    return !response_.truncated;
  }

  std::string describe(const std::string& alert) const {
    const bool anonymous = !request_.tls || !request_.tls->cert_file;
    const bool about_us = alert.find("certificate required") != std::string::npos ||
                          alert.find("handshake failure") != std::string::npos;
    return "the peer refused TLS: " + alert +
           (anonymous && about_us ? " (it may ask for a client certificate; see tls.cert_file)" : "");
  }

  std::string describe(CURLcode code, long os_error) const {
    const std::string reason = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
    switch (code) {
      case CURLE_COULDNT_CONNECT: {
        const std::string where = request_.unix_path ? "unix:" + *request_.unix_path
                                                     : Endpoint::tcp(target_.host, target_.port).to_string();
        return "cannot connect to " + where + ": " +
               (os_error != 0 ? error_text(-static_cast<int>(os_error)) : reason);
      }
      case CURLE_GOT_NOTHING: return "the peer closed the connection without an answer";
      case CURLE_PARTIAL_FILE: return "the peer closed the connection in the middle of its answer";
      case CURLE_UNSUPPORTED_PROTOCOL: return "the peer does not speak HTTP: its answer has no status line";
      case CURLE_SSL_CONNECT_ERROR:
        if (reason.find("wrong version number") != std::string::npos) {
          return "the peer does not speak TLS: it answered in plain text";
        }
        return reason;
      default: return reason;
    }
  }

  void on_timeout() {
    finish(failed(HttpFailure::Kind::timeout, "no answer within " + format_duration(request_.timeout) +
                                                  ", while " + phase() + (query_ ? " " + target_.host : "")));
  }

  void finish(HttpClient::Outcome outcome) {
    query_.reset();
    timeout_.stop();
    detach();
    outcome_ = std::move(outcome);
    report_.start(Duration::zero());
  }

  void report() {
    if (!outcome_) return begin();  // a unix socket needs no resolver
    const auto done = std::move(done_);
    done(*std::move(outcome_));  // may destroy this object
  }

  void detach() {
    if (std::exchange(running_, false)) impl_.curl.remove(easy_.get());
    easy_.reset();
  }

  HttpClient::Impl& impl_;
  const HttpRequest request_;
  std::function<void(HttpClient::Outcome)> done_;
  HttpTarget target_;
  std::unique_ptr<Resolver::Query> query_;
  Curl<curl_slist> pin_;
  Curl<curl_slist> connect_to_;
  Curl<curl_slist> headers_;
  Curl<CURL> easy_;
  bool running_ = false;        // the curl transfer is running
  bool head_complete_ = false;  // of the current response
  char error_[CURL_ERROR_SIZE] = "";
  int no_socket_ = 0;  // errno if no socket could be opened
  std::size_t head_size_ = 0;
  bool head_too_large_ = false;
  bool old_version_ = false;  // the peer does not support the requested HTTP/2
  HttpResponse response_;
  std::optional<HttpClient::Outcome> outcome_;
  Timer timeout_;
  Timer report_;
};

HttpClient::HttpClient(Loop& loop, Resolver& resolver) : impl_(std::make_unique<Impl>(loop, resolver)) {}

HttpClient::~HttpClient() = default;

std::unique_ptr<HttpClient::Call> HttpClient::start(HttpRequest request, std::function<void(Outcome)> done) {
  return std::make_unique<Transfer>(*impl_, std::move(request), std::move(done));
}

}  // namespace probegate::loop
