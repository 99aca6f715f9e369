#include "loop/connection.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "loop/resolver.h"
#include "loop/stream.h"
#include "loop/timer.h"

namespace probegate::loop {
namespace {

constexpr Duration kNextAddressAfter = std::chrono::milliseconds(250);  // RFC 8305 section 5
constexpr std::size_t kMostAddresses = 16;
constexpr std::size_t kTlsRecord = 16 * 1024;

// RFC 8305 section 4: families alternate, beginning with the one the resolver prefers, so that broken IPv6
// costs one step and not one for each IPv6 address.
std::vector<Address> interleave(const std::vector<Address>& addresses) {
  std::vector<Address> preferred, other, out;
  for (const Address& address : addresses) {
    (address.family() == addresses.front().family() ? preferred : other).push_back(address);
  }
  for (std::size_t i = 0; i < std::max(preferred.size(), other.size()) && out.size() < kMostAddresses; ++i) {
    if (i < preferred.size()) out.push_back(preferred[i]);
    if (i < other.size()) out.push_back(other[i]);
  }
  return out;
}

bool is_our_own_lack(int status) {
  return status == UV_EMFILE || status == UV_ENFILE || status == UV_ENOBUFS || status == UV_ENOMEM;
}

}  // namespace

// Every call of the observer may destroy this object, so it is the last statement of a function, or the
// DestructionGuard is tested after it.
class Connection::Impl final : private StreamObserver {
 public:
  using Phase = ConnectionObserver::Phase;

  Impl(Loop& loop, Resolver& resolver, const Endpoint& endpoint, const std::optional<TlsSettings>& tls,
       ConnectionObserver& observer)
      : loop_(loop), endpoint_(endpoint), tls_settings_(tls), observer_(observer), next_start_(loop, [this] {
          start_next();
        }) {
    if (tls_settings_ && tls_settings_->server_name.empty()) tls_settings_->server_name = endpoint.host;
    query_ = resolver.resolve(endpoint, [this](Resolver::Answer answer) { on_answer(std::move(answer)); });
  }

  ~Impl() {
    if (destroyed_ != nullptr) *destroyed_ = true;
  }

  bool write(std::string_view bytes) {
    if (phase_ != Phase::established || !stream_.is_open()) return false;
    if (!tls_) return stream_.write(bytes);
    return tls_->write(bytes) && (flush_tls() || tls_->asked_in_vain());  // the next read reports the cause
  }

  void shutdown() {
    if (!stream_.is_open()) return;
    if (tls_) {
      tls_->end();
      if (!flush_tls()) return;  // broken: the next read reports it
    }
    stream_.half_close();
  }

  const char* phase() const noexcept {
    switch (phase_) {
      case Phase::resolve: return "resolving the name";
      case Phase::connect: return "connecting";
      case Phase::tls: return "in the TLS handshake";
      case Phase::established:
      case Phase::local: return nullptr;
    }
    return nullptr;
  }

  std::optional<Duration> certificate_left() const {
    return tls_ ? tls_->certificate_left(loop_.wall_now()) : std::nullopt;
  }

 private:
  // One of the concurrent connects to the addresses of the name.
  class Racer final : private StreamObserver {
   public:
    Racer(Impl& impl, const Address& address, int& status) : impl_(impl), address_(address) {
      stream_ = Stream::connect(impl.loop_, address, *this, status);
    }
    const Address& address() const { return address_; }
    Stream take_stream() { return std::move(stream_); }

   private:
    void on_connected(int status) override { impl_.on_racer(*this, status); }
    void on_data(std::span<const char>) override {}
    void on_end() override {}
    void on_lost(int) override {}

    Impl& impl_;
    const Address address_;
    Stream stream_;
  };

  class DestructionGuard {
   public:
    explicit DestructionGuard(Impl& impl) : impl_(impl) { impl.destroyed_ = &destroyed_; }
    ~DestructionGuard() {
      if (!destroyed_) impl_.destroyed_ = nullptr;
    }
    bool destroyed() const { return destroyed_; }

   private:
    Impl& impl_;
    bool destroyed_ = false;
  };

  void on_answer(Resolver::Answer answer) {
    query_.reset();
    if (!answer) return fail(Phase::resolve, answer.error().message);
    phase_ = Phase::connect;
    addresses_ = interleave(*answer);
    start_next();
  }

  void start_next() {
    next_start_.stop();
    while (next_ < addresses_.size()) {
      const Address& address = addresses_[next_++];
      int status = 0;
      auto racer = std::make_unique<Racer>(*this, address, status);
      if (status == 0) {
        racers_.push_back(std::move(racer));
        if (next_ < addresses_.size()) next_start_.start(kNextAddressAfter);
        return;
      }
      note_failure(address, status);
    }
    if (racers_.empty()) fail(only_our_own_lack_ ? Phase::local : Phase::connect, failures_);
  }

  void on_racer(Racer& racer, int status) {
    if (status == 0) {
      stream_ = racer.take_stream();
      next_start_.stop();
      racers_.clear();  // destroys `racer`
      return take_up();
    }
    note_failure(racer.address(), status);
    std::erase_if(racers_, [&](const auto& other) { return other.get() == &racer; });
    start_next();  // after a refusal, try the next address at once
  }

  void note_failure(const Address& address, int status) {
    only_our_own_lack_ = only_our_own_lack_ && is_our_own_lack(status);
    failures_ += failures_.empty() ? "cannot connect to " : ", ";
    failures_ += address.to_string() + ": " + error_text(status);
  }

  void take_up() {
    stream_.set_observer(*this);
    stream_.read_start();
    if (!tls_settings_) {
      phase_ = Phase::established;
      return observer_.on_open();
    }
    phase_ = Phase::tls;
    tls_.emplace(loop_.tls(), *tls_settings_);
    if (tls_->state() == TlsClient::State::failed) return fail(Phase::tls, tls_->why());
    if (!flush_tls()) fail(Phase::tls, "the connection broke during the TLS handshake");
  }

  void on_data(std::span<const char> bytes) override {
    if (!tls_) return observer_.on_data(bytes);
    DestructionGuard guard(*this);
    tls_->feed(bytes);
    const bool sent = flush_tls();  // the next handshake message, or an alert with the cause of the failure
    if (phase_ == Phase::tls && tls_->state() == TlsClient::State::open) {
      phase_ = Phase::established;
      observer_.on_open();
      if (guard.destroyed()) return;
    }
    std::array<char, kTlsRecord> plaintext;
    while (const std::size_t size = tls_->read(plaintext)) {
      heard_ = true;
      observer_.on_data({plaintext.data(), size});
      if (guard.destroyed()) return;
    }
    if (tls_->state() == TlsClient::State::failed) return fail(Phase::tls, tls_->why());
    if (tls_->state() == TlsClient::State::ended) return end();
    if (!sent || !flush_tls()) fail(phase_, "the connection broke");
  }

  void on_end() override {
    if (phase_ == Phase::tls)
      return fail(Phase::tls, "the peer closed the connection during the TLS handshake");
    end();
  }

  void on_lost(int status) override {
    fail(phase_, phase_ == Phase::tls ? "TLS handshake failed: " + error_text(status) : error_text(status));
  }

  void end() {
    if (!std::exchange(ended_, true)) observer_.on_end();
  }

  bool flush_tls() {
    const std::string bytes = tls_->take();
    return bytes.empty() || stream_.write(bytes);
  }

  void fail(Phase phase, const std::string& why) {
    std::string message = why;  // copied: the original may be in an object that is closed now
    if (phase == Phase::established && tls_ && tls_->asked_in_vain() && !heard_) {
      phase = Phase::tls;
      message += " (the peer asked for a client certificate, and none is set; see tls.cert_file)";
    }
    next_start_.stop();
    stream_.close();
    observer_.on_failed(phase, message);
  }

  Loop& loop_;
  const Endpoint endpoint_;
  std::optional<TlsSettings> tls_settings_;
  ConnectionObserver& observer_;
  Phase phase_ = Phase::resolve;
  std::unique_ptr<Resolver::Query> query_;
  std::vector<Address> addresses_;
  std::size_t next_ = 0;
  std::vector<std::unique_ptr<Racer>> racers_;
  Timer next_start_;
  std::string failures_;
  bool only_our_own_lack_ = true;
  Stream stream_;
  std::optional<TlsClient> tls_;
  bool ended_ = false;
  bool heard_ = false;  // plaintext received
  bool* destroyed_ = nullptr;
};

Connection::Connection(Loop& loop, Resolver& resolver, const Endpoint& endpoint,
                       const std::optional<TlsSettings>& tls, ConnectionObserver& observer)
    : impl_(std::make_unique<Impl>(loop, resolver, endpoint, tls, observer)) {}

Connection::~Connection() = default;

bool Connection::write(std::string_view bytes) { return impl_->write(bytes); }

void Connection::shutdown() { impl_->shutdown(); }

const char* Connection::phase() const noexcept { return impl_->phase(); }

std::optional<Duration> Connection::certificate_left() const { return impl_->certificate_left(); }

}  // namespace probegate::loop
