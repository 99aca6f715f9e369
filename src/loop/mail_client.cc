#include "loop/mail_client.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "base/url.h"
#include "loop/curl_multi.h"
#include "loop/curl_options.h"
#include "loop/resolver.h"
#include "loop/timer.h"

namespace probegate::loop {
class MailClient::Impl {
 public:
  Impl(Loop& l, Resolver& r) : loop(l), resolver(r), curl(l) {}

  Loop& loop;
  Resolver& resolver;
  CurlMulti curl;
};

// One mail from start to outcome. Callbacks run from a timer and never inside curl.
class MailClient::Transfer final : public MailClient::Call, private CurlMulti::Observer {
 public:
  Transfer(MailClient::Impl& impl, Mail mail, std::function<void(MailClient::Outcome)> done)
      : impl_(impl),
        mail_(std::move(mail)),
        done_(std::move(done)),
        timeout_(impl.loop, [this] { fail(false, "no answer within " + format_duration(mail_.timeout)); }),
        report_(impl.loop, [this] { report(); }) {
    timeout_.start(mail_.timeout);
    const auto url = parse_url(mail_.url);
    if (!url) {
      fail(true, "not a URL: " + url.error().message);
      return;
    }
    url_ = url->encoded();
    host_ = url->host();
    port_ = url->port().value_or(url->scheme == "smtps" ? 465 : 25);
    query_ = impl_.resolver.resolve(Endpoint::tcp(host_, port_),
                                    [this](Resolver::Answer answer) { on_answer(std::move(answer)); });
  }

  ~Transfer() override { detach(); }

 private:
  void on_answer(Resolver::Answer answer) {
    query_.reset();
    if (!answer) return fail(false, answer.error().message);
    if (!Address::literal(Endpoint::tcp(host_, 0))) append(pin_, pin_of(host_, port_, *answer));
    local_ = std::all_of(answer->begin(), answer->end(), [](const Address& address) {
      return address.ip() == "::1" || address.ip().starts_with("127.");
    });
    easy_ = impl_.curl.make_easy();
    CurlOptions options(easy_.get());
    set_up(options);
    if (const auto problem = options.problem(); !problem.empty()) return fail(true, problem);
    impl_.curl.add(easy_.get(), *this);
    running_ = true;
  }

  void set_up(CurlOptions& options) {
    options.set_basics(url_, "smtp,smtps", pin_.get(), error_);
    options.set(CURLOPT_FORBID_REUSE, 1L);  // alerts are rare, and mail servers close idle connections
    if (mail_.user) {
      options.set(CURLOPT_USERNAME, mail_.user->c_str());
      options.set(CURLOPT_PASSWORD, mail_.password.c_str());
    }
    const bool must = mail_.user && !local_;
    options.set(CURLOPT_USE_SSL, static_cast<long>(must ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    options.set_tls(mail_.tls, impl_.loop.tls());
    from_ = "<" + mail_.from + ">";
    options.set(CURLOPT_MAIL_FROM, from_.c_str());
    for (const auto& recipient : mail_.recipients) append(recipients_, "<" + recipient + ">");
    options.set(CURLOPT_MAIL_RCPT, recipients_.get());
    options.set(CURLOPT_UPLOAD, 1L);
    options.set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(mail_.text.size()));
    options.set(CURLOPT_READFUNCTION, &Transfer::on_read);
    options.set(CURLOPT_READDATA, static_cast<void*>(this));
    options.set(CURLOPT_WRITEFUNCTION, &Transfer::on_write);
  }

  static std::size_t on_read(char* buffer, std::size_t, std::size_t room, void* self) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    const auto left = transfer.mail_.text.size() - transfer.sent_;
    const auto count = std::min(room, left);
    std::memcpy(buffer, transfer.mail_.text.data() + transfer.sent_, count);
    transfer.sent_ += count;
    return count;
  }

  static std::size_t on_write(char*, std::size_t, std::size_t size, void*) noexcept { return size; }

  void on_transfer_done(CURLcode code) override {
    if (code == CURLE_OK) return finish({});
    long answer = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &answer);
    // Only curl's own text and the number: the server's text might repeat secrets of the request.
    const bool untrusted = code == CURLE_PEER_FAILED_VERIFICATION;
    const bool tls = untrusted || code == CURLE_SSL_CONNECT_ERROR;
    std::string message = tls && error_[0] != '\0' ? error_ : curl_easy_strerror(code);
    if (answer >= 400) message += ", the server's last answer was " + std::to_string(answer);
    const bool refused = code == CURLE_LOGIN_DENIED || code == CURLE_USE_SSL_FAILED || answer >= 500;
    fail(refused || untrusted, message);
  }

  void fail(bool permanent, std::string message) {
    finish(tl::unexpected(MailFailure{permanent, std::move(message)}));
  }

  void finish(MailClient::Outcome outcome) {
    query_.reset();
    timeout_.stop();
    detach();
    outcome_ = std::move(outcome);
    report_.start(Duration::zero());
  }

  void report() {
    const auto done = std::move(done_);
    done(*std::move(outcome_));  // may destroy this object
  }

  void detach() {
    if (std::exchange(running_, false)) impl_.curl.remove(easy_.get());
    easy_.reset();
  }

  MailClient::Impl& impl_;
  const Mail mail_;
  std::function<void(MailClient::Outcome)> done_;
  std::string url_;  // in the form for curl
  std::string host_;
  std::uint16_t port_ = 0;
  bool local_ = false;
  std::unique_ptr<Resolver::Query> query_;
  std::string from_;
  Curl<curl_slist> pin_;
  Curl<curl_slist> recipients_;
  Curl<CURL> easy_;
  bool running_ = false;
  char error_[CURL_ERROR_SIZE] = "";
  std::size_t sent_ = 0;
  std::optional<MailClient::Outcome> outcome_;
  Timer timeout_;
  Timer report_;
};

MailClient::MailClient(Loop& loop, Resolver& resolver) : impl_(std::make_unique<Impl>(loop, resolver)) {}

MailClient::~MailClient() = default;

std::unique_ptr<MailClient::Call> MailClient::send(Mail mail, std::function<void(Outcome)> done) {
  return std::make_unique<Transfer>(*impl_, std::move(mail), std::move(done));
}

}  // namespace probegate::loop
