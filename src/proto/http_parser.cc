#include "proto/http_parser.h"

#include <llhttp.h>

#include <algorithm>

#include "base/text.h"
#include "proto/head_rules.h"
#include "proto/head_scan.h"
#include "proto/plain_head.h"

namespace probegate::proto {

// Debian builds llhttp 8 lenient by default, and the lenient mode has CVE-2023-30589.
static_assert(LLHTTP_VERSION_MAJOR != 8 || LLHTTP_STRICT_MODE == 1, "llhttp 8 must be built strict");

class HttpParser::Impl {
 public:
  Impl(Role role, HttpLimits limits, MessageOptions options) : role_(role), options_(options) {
    set_limits(limits);
    llhttp_init(&llhttp_, role_ == Role::request ? HTTP_REQUEST : HTTP_RESPONSE, &settings());
    llhttp_.data = this;
  }

  Event feed(std::span<const char>& input, const std::vector<std::string>* forbidden_trailers) {
    raw_ = payload_ = {};
    switch (state_) {
      case State::start:
      case State::head: return take_head(input);
      case State::length: return take_length(input);
      case State::until_close: return input.empty() ? Event::more : took_payload(take_all(input));
      case State::chunk_header:
      case State::chunk_data:
      case State::trailers: return take_chunks(input, forbidden_trailers);
      case State::done: return Event::done;
      case State::failed: break;
    }
    return Event::error;
  }

  void next_message(MessageOptions options) {
    options_ = options;
    state_ = State::start;
    blank_bytes_ = 0;
    head_.clear();
    trailers_.clear();
    trailer_fields_.clear();
    start_line_checked_ = llhttp_done_ = false;
    remaining_ = body_bytes_ = chunk_framing_ = chunk_extensions_ = 0;
    reset_head(request_);
    reset_head(response_);
    raw_ = payload_ = {};
    llhttp_reset(&llhttp_);
  }

  void renew(HttpLimits limits, MessageOptions options) {
    next_message(options);
    set_limits(limits);
    error_ = {};
    disagreed_ = false;
  }

  bool finish() {
    raw_ = {};
    if (state_ == State::until_close) {
      state_ = State::done;
    } else if (state_ == State::trailers && options_.drop_trailers) {
      response_.keep_alive = false;
      end_without_trailers();
    }
    return state_ == State::done;
  }

  Role role_;
  HttpLimits limits_;
  MessageOptions options_;
  enum class State { start, head, length, until_close, chunk_header, chunk_data, trailers, done, failed };
  State state_ = State::start;

  RequestHead request_;
  ResponseHead response_;
  LineBlock head_;
  std::string_view raw_;
  std::string_view payload_;
  HeaderFields trailer_fields_;
  std::uint64_t body_bytes_ = 0;
  HttpError error_;

 private:
  static const llhttp_settings_t& settings() {
    static const llhttp_settings_t shared = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_headers_complete = [](llhttp_t* llhttp) { return self(llhttp).on_headers_complete(); };
      s.on_chunk_header = [](llhttp_t*) { return static_cast<int>(HPE_PAUSED); };
      s.on_message_complete = [](llhttp_t* llhttp) {
        self(llhttp).llhttp_done_ = true;
        return static_cast<int>(HPE_PAUSED);
      };
      return s;
    }();
    return shared;
  }
  static Impl& self(llhttp_t* llhttp) { return *static_cast<Impl*>(llhttp->data); }

  void set_limits(const HttpLimits& limits) {
    limits_ = limits;
    if (limits_.head_bytes == 0) limits_.head_bytes = HttpLimits::kMostHeadBytes;
    limits_.head_bytes = std::min(limits_.head_bytes, HttpLimits::kMostHeadBytes);
  }

  // Keeps the memory of the fields for the next message.
  template <typename Head>
  static void reset_head(Head& head) {
    HeaderFields fields = std::move(head.fields);
    fields.clear();
    head = {};
    head.fields = std::move(fields);
  }

  Event fail(HttpError error) {
    state_ = State::failed;
    error_ = error;
    raw_ = payload_ = {};
    return Event::error;
  }
  Event fail(std::string_view detail) { return fail(HttpError{400, detail}); }

  static std::string_view take(std::span<const char>& input, std::size_t size) {
    const std::string_view taken(input.data(), size);
    input = input.subspan(size);
    return taken;
  }
  static std::string_view as_text(std::span<const char> bytes) { return {bytes.data(), bytes.size()}; }
  static std::string_view take_all(std::span<const char>& input) { return take(input, input.size()); }

  Event took_payload(std::string_view piece) {
    raw_ = payload_ = piece;
    body_bytes_ += piece.size();
    return Event::body;
  }

  // --- the head

  Event take_head(std::span<const char>& input) {
    if (state_ == State::start) {
      if (const auto wrong = skip_blank_lines(input)) return fail(*wrong);
      if (state_ == State::start) return Event::more;
    }
    const auto taken = head_.take(input, limits_.head_bytes);
    if (taken == LineBlock::Result::complete) return complete_head();
    // Rejected as early as possible, because a client that does not speak HTTP may never send the empty line.
    if (!start_line_checked_ && !head_.first_line().empty()) {
      start_line_checked_ = true;
      RequestHead request;  // a local object: views in the members would dangle when head_ grows
      ResponseHead response;
      if (const auto wrong = scan_start_line(request, response)) return fail(*wrong);
    }
    switch (taken) {
      case LineBlock::Result::bare_lf: return fail("an LF without CR");
      case LineBlock::Result::full:
        if (head_.first_line().empty()) return fail(HttpError{414, "a request line larger than the limit"});
        return fail(HttpError{431, "a head larger than the limit"});
      default: return Event::more;
    }
  }

  // RFC 9112 section 2.2: ignore empty lines that old clients send after a body.
  std::optional<HttpError> skip_blank_lines(std::span<const char>& input) {
    while (!input.empty()) {
      const char c = input.front();
      if (blank_bytes_ % 2 == 1) {
        if (c != '\n') return HttpError{400, "a CR without LF"};
      } else if (c != '\r' || role_ == Role::response) {
        if (!is_token_char(c)) return HttpError{400, "not HTTP"};
        state_ = State::head;
        break;
      }
      if (++blank_bytes_ > limits_.head_bytes) return HttpError{431, "empty lines larger than the limit"};
      input = input.subspan(1);
    }
    return std::nullopt;
  }

  std::optional<HttpError> scan_start_line(RequestHead& request, ResponseHead& response) const {
    return role_ == Role::request ? scan_request_line(head_.first_line(), request)
                                  : scan_status_line(head_.first_line(), response);
  }

  Event complete_head() {
    if (const auto wrong = scan_start_line(request_, response_)) return fail(*wrong);
    const bool is_request = role_ == Role::request;
    auto& fields = is_request ? request_.fields : response_.fields;
    const auto lines = std::string_view(head_.bytes()).substr(head_.first_line().size());
    bool blank = false;
    if (const auto wrong = scan_fields(lines, limits_.fields, fields, is_request ? nullptr : &blank)) {
      return fail(*wrong);
    }
    if (blank) response_.plain = false;
    if (const auto wrong = is_request ? judge_request(request_, path_storage_)
                                      : judge_response(response_, options_.to_head)) {
      return fail(*wrong);
    }
    if (!ask_llhttp()) return fail_by_llhttp();

    remaining_ = is_request ? request_.content_length : response_.content_length;
    switch (body()) {
      case BodyKind::none: state_ = State::done; break;
      case BodyKind::length: state_ = State::length; break;
      case BodyKind::chunked: state_ = State::chunk_header; break;
      case BodyKind::until_close: state_ = State::until_close; break;
    }
    return Event::head;
  }

  BodyKind body() const { return role_ == Role::request ? request_.body : response_.body; }

  // Llhttp must have parsed the same message. From here on, it is used for chunked bodies only.
  int on_headers_complete() {
    constexpr int kSkipBody = 1, kWithBody = 0, kRefuse = -1;
    llhttp_.upgrade = 0;  // where a message ends is decided here
    const bool has_length = (llhttp_.flags & F_CONTENT_LENGTH) != 0;
    const bool chunked = (llhttp_.flags & F_CHUNKED) != 0;
    const int minor = role_ == Role::request ? request_.minor : response_.minor;
    bool agreed = llhttp_.http_major == 1 && llhttp_.http_minor == minor;
    switch (body()) {
      case BodyKind::length: {
        const auto length = role_ == Role::request ? request_.content_length : response_.content_length;
        agreed = agreed && has_length && !chunked && llhttp_.content_length == length;
        break;
      }
      case BodyKind::chunked: agreed = agreed && chunked && !has_length; break;
      case BodyKind::until_close: agreed = agreed && !chunked && !has_length; break;
      case BodyKind::none:  // a request must not announce a body; a response to HEAD or a 304 may
        if (role_ == Role::request) agreed = agreed && !chunked && llhttp_.content_length == 0;
        break;
    }
    disagreed_ = !agreed;
    if (disagreed_) return kRefuse;
    return body() == BodyKind::chunked ? kWithBody : kSkipBody;
  }

  // --- llhttp

  bool ask_llhttp() {
    const bool is_request = role_ == Role::request;
    // Fields of an interim response never frame a body, so there is nothing to compare.
    if (!is_request && response_.status < 200) return true;
    if (is_request ? request_.plain : response_.plain) return run_llhttp(head_.bytes());
    return run_llhttp(is_request ? plain_head(request_) : plain_head(response_));
  }

  // Passes all of `bytes` to llhttp; false on an error or if it stops before the end.
  bool run_llhttp(std::string_view bytes) {
    return run_llhttp_until_pause(bytes) == bytes.size() && llhttp_state_ != LlhttpState::failed;
  }

  // Returns how much llhttp read: everything, or up to where a callback paused it.
  std::size_t run_llhttp_until_pause(std::string_view bytes) {
    const llhttp_errno_t result = llhttp_execute(&llhttp_, bytes.data(), bytes.size());
    llhttp_state_ = result == HPE_OK       ? LlhttpState::reading
                    : result == HPE_PAUSED ? LlhttpState::paused
                                           : LlhttpState::failed;
    if (llhttp_state_ != LlhttpState::paused) return bytes.size();
    const auto read = static_cast<std::size_t>(llhttp_get_error_pos(&llhttp_) - bytes.data());
    llhttp_resume(&llhttp_);
    return read;
  }

  Event fail_by_llhttp() {
    if (disagreed_) return fail("an ambiguous head");
    const char* const reason = llhttp_get_error_reason(&llhttp_);  // static text in llhttp
    return fail(reason != nullptr && *reason != '\0' ? std::string_view(reason) : "malformed HTTP");
  }

  // --- the body

  Event take_length(std::span<const char>& input) {
    if (input.empty()) return Event::more;
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
    took_payload(take(input, size));
    remaining_ -= size;
    if (remaining_ > 0) return Event::body;
    state_ = State::done;
    return Event::done;
  }

  Event take_chunks(std::span<const char>& input, const std::vector<std::string>* forbidden_trailers) {
    const char* const begin = input.data();
    bool stop = false;
    while (!stop && !input.empty() && state_ != State::trailers) {
      if (state_ == State::chunk_header) {
        if (!take_chunk_header(input)) return Event::error;
      } else {
        if (!take_chunk_data(input)) return Event::error;
        stop = !options_.join_chunks;
      }
    }
    if (options_.join_chunks) payload_ = {};
    raw_ = {begin, static_cast<std::size_t>(input.data() - begin)};
    if (state_ == State::trailers && !stop) return take_trailers(input, forbidden_trailers);
    return raw_.empty() ? Event::more : Event::body;
  }

  // From the end of the last chunk's data to the end of the next chunk's size line; llhttp pauses there.
  bool take_chunk_header(std::span<const char>& input) {
    // CRLF of the previous data, 16 hex digits, CRLF: anything beyond is an extension or padding,
    // which is limited.
    constexpr std::uint64_t kPlain = 2 + 16 + 2;
    const std::uint64_t most = kPlain + limits_.chunk_extension_bytes - chunk_extensions_;
    const auto offered = std::min<std::uint64_t>(input.size(), most - chunk_framing_);
    const std::size_t read = run_llhttp_until_pause({input.data(), static_cast<std::size_t>(offered)});
    if (llhttp_state_ == LlhttpState::failed) {
      fail_by_llhttp();
      return false;
    }
    input = input.subspan(read);
    chunk_framing_ += read;
    if (llhttp_state_ == LlhttpState::reading) {
      if (chunk_framing_ < most) return true;
      fail("chunk extensions larger than the limit");
      return false;
    }
    if (chunk_framing_ > kPlain) chunk_extensions_ += chunk_framing_ - kPlain;
    chunk_framing_ = 0;
    remaining_ = llhttp_.content_length;
    if (remaining_ > kMostBody) {
      fail("a chunk larger than 2^63-1 bytes");
      return false;
    }
    state_ = remaining_ > 0 ? State::chunk_data : State::trailers;
    return true;
  }

  bool take_chunk_data(std::span<const char>& input) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
    payload_ = take(input, size);
    if (!run_llhttp(payload_)) {
      fail_by_llhttp();
      return false;
    }
    body_bytes_ += size;
    remaining_ -= size;
    if (remaining_ == 0) state_ = State::chunk_header;
    return true;
  }

  // Trailers are forwarded only after all of them were validated. `raw_` holds the bytes consumed before them
  // in this step.
  Event take_trailers(std::span<const char>& input, const std::vector<std::string>* forbidden) {
    if (options_.drop_trailers && !(trailers_.empty() && as_text(input).starts_with("\r\n"))) {
      // A separate step, because the trailers are not completely in `input`.
      return raw_.empty() ? skip_trailers(input) : Event::body;
    }
    const char* const begin = input.data();
    const bool fresh = trailers_.empty();
    const auto taken = trailers_.take(input, std::max<std::size_t>(limits_.trailer_bytes, 2));
    switch (taken) {
      case LineBlock::Result::more: return raw_.empty() ? Event::more : Event::body;
      case LineBlock::Result::bare_lf: return fail("an LF without CR in the trailers");
      case LineBlock::Result::full: return fail(HttpError{431, "trailers larger than the limit"});
      case LineBlock::Result::complete: break;
    }
    auto& fields = trailer_fields_;
    if (const auto wrong = scan_fields(trailers_.bytes(), limits_.fields, fields)) return fail(*wrong);
    if (const auto wrong = judge_trailers(fields, role_ == Role::request, forbidden)) {
      return fail(*wrong);
    }
    if (!run_llhttp(trailers_.bytes())) return fail_by_llhttp();
    if (!llhttp_done_) return fail("a chunked body that does not end with its trailers");
    state_ = State::done;
    if (fresh) {
      if (raw_.empty()) raw_ = {begin, 0};
      raw_ = {raw_.data(), static_cast<std::size_t>(input.data() - raw_.data())};
    } else {
      raw_ = trailers_.bytes();
    }
    return Event::done;
  }

  // Trailers that are not forwarded: their content is ignored, because the body before them is complete. If
  // their end cannot be found, no later bytes are used.
  Event skip_trailers(std::span<const char>& input) {
    const auto taken = trailers_.take(input, std::max<std::size_t>(limits_.trailer_bytes, 2));
    if (taken == LineBlock::Result::more) return Event::more;
    HeaderFields fields;
    const bool complete = taken == LineBlock::Result::complete;
    if (!complete || scan_fields(trailers_.bytes(), limits_.fields, fields)) response_.keep_alive = false;
    if (!complete) input = input.last(0);
    end_without_trailers();
    return Event::done;
  }

  void end_without_trailers() {
    raw_ = "\r\n";
    payload_ = {};
    state_ = State::done;
  }

  llhttp_t llhttp_{};
  enum class LlhttpState { reading, paused, failed };  // after the bytes it was given last
  LlhttpState llhttp_state_ = LlhttpState::reading;
  bool llhttp_done_ = false;
  bool disagreed_ = false;

  std::size_t blank_bytes_ = 0;  // bytes of empty lines before the head
  bool start_line_checked_ = false;
  std::string path_storage_;
  LineBlock trailers_;
  std::uint64_t remaining_ = 0;         // of the body, or of the chunk
  std::uint64_t chunk_framing_ = 0;     // bytes since the last byte of payload
  std::uint64_t chunk_extensions_ = 0;  // of all chunks
};

HttpParser::HttpParser(Role role, HttpLimits limits, MessageOptions options)
    : impl_(std::make_unique<Impl>(role, limits, options)) {}
HttpParser::~HttpParser() = default;
HttpParser::HttpParser(HttpParser&&) noexcept = default;
HttpParser& HttpParser::operator=(HttpParser&&) noexcept = default;

HttpParser::Event HttpParser::feed(std::span<const char>& input,
                                   const std::vector<std::string>* forbidden_trailers) {
  return impl_->feed(input, forbidden_trailers);
}
const RequestHead& HttpParser::request() const { return impl_->request_; }
const ResponseHead& HttpParser::response() const { return impl_->response_; }
std::string_view HttpParser::raw() const { return impl_->raw_; }
std::string_view HttpParser::payload() const { return impl_->payload_; }
const HeaderFields& HttpParser::trailers() const { return impl_->trailer_fields_; }
std::uint64_t HttpParser::body_bytes() const { return impl_->body_bytes_; }
const HttpError& HttpParser::error() const { return impl_->error_; }
bool HttpParser::idle() const { return impl_->state_ == Impl::State::start; }
bool HttpParser::in_body() const {
  return impl_->state_ >= Impl::State::length && impl_->state_ < Impl::State::done;
}
void HttpParser::next_message(MessageOptions options) { impl_->next_message(options); }
void HttpParser::renew(HttpLimits limits, MessageOptions options) { impl_->renew(limits, options); }
bool HttpParser::finish() { return impl_->finish(); }

}  // namespace probegate::proto
