#include "proxy/backend_pool.h"

#include <algorithm>

#include "base/text.h"

namespace probegate::proxy {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostIdle = 128;  // per data loop
constexpr Duration kIdleTime = 4s;
constexpr Duration kAddressTime = 5s;   // a name is resolved again after this, and after every failed connect
constexpr Duration kFirstRetry = 20ms;  // doubles up to kLongestRetry
constexpr Duration kLongestRetry = 320ms;

}  // namespace

class BackendPool::Idle final : public loop::StreamObserver, public loop::Deadline::Observer {
 public:
  Idle(BackendPool& pool, loop::Stream stream, const Lease& lease, Duration time)
      : pool_(pool), stream_(std::move(stream)), lease_(lease), deadline_(pool.environment_.wheel, *this) {
    stream_.set_observer(*this);
    if (!stream_.reading()) stream_.read_start();
    deadline_.arm(time);
  }

  loop::Stream take(Lease& lease) {
    lease = lease_;
    return std::move(stream_);
  }

  // Any event ends an idle connection: unexpected bytes, FIN, loss, or its deadline.
  void on_data(std::span<const char>) override { pool_.drop(*this); }
  void on_end() override { pool_.drop(*this); }
  void on_lost(int) override { pool_.drop(*this); }
  void on_deadline(loop::Deadline&) override { pool_.drop(*this); }

 private:
  BackendPool& pool_;
  loop::Stream stream_;
  Lease lease_;
  loop::Deadline deadline_;
};

class BackendPool::Connecting final : public BackendConnect,
                                      public loop::StreamObserver,
                                      public loop::Deadline::Observer {
 public:
  Connecting(BackendPool& pool, Connected connected, Failed failed)
      : pool_(pool),
        connected_(std::move(connected)),
        failed_(std::move(failed)),
        limit_(pool.environment_.wheel, *this) {
    limit_.arm(pool_.environment_.timeouts().connect);
    attempt();
  }

  void on_connected(int status) override {
    if (status == 0) {
      if (asked_ == pool_.generation_) pool_.environment_.share.backend().reached();
      const auto connected = std::move(connected_);  // may destroy this object
      connected(std::move(stream_));
      return;
    }
    stream_.close();
    if (++next_address_ < addresses().size()) {
      connect();
    } else {
      refused(status);
    }
  }

  void on_data(std::span<const char>) override {}  // not reading yet
  void on_end() override {}
  void on_lost(int) override {}

  void on_deadline(loop::Deadline&) override {
    const auto failed = std::move(failed_);
    if (last_refusal_.empty()) {
      failed({true, "the backend did not accept a connection within " +
                        format_duration(pool_.environment_.timeouts().connect)});
    } else {
      failed({false, last_refusal_});
    }
  }

 private:
  const std::vector<loop::Address>& addresses() const { return pool_.addresses_; }

  void attempt() {
    next_address_ = 0;
    asked_ = pool_.generation_;
    const auto& endpoint = pool_.environment_.config->proxy.backend.endpoint;
    const bool fresh =
        !addresses().empty() && pool_.environment_.loop.now() - pool_.resolved_at_ < kAddressTime;
    if (fresh) {
      connect();
    } else if (const auto literal = loop::Address::literal(endpoint)) {
      pool_.addresses_ = {*literal};
      pool_.resolved_at_ = TimePoint::max();  // never resolved again
      connect();
    } else {
      query_ = pool_.resolver_.resolve(endpoint, [this](loop::Resolver::Answer answer) {
        if (asked_ != pool_.generation_) return attempt();  // the answer is for the previous backend
        if (!answer) return refused(answer.error().message, true);
        pool_.addresses_ = std::move(*answer);
        pool_.resolved_at_ = pool_.environment_.loop.now();
        connect();
      });
    }
  }

  void connect() {
    int status = 0;
    stream_ = loop::Stream::connect(pool_.environment_.loop, addresses()[next_address_], *this, status);
    if (status < 0) refused(status);
  }

  void refused(int status) {
    // A lack of descriptors, memory or local ports is a local error and says nothing about the backend.
    const bool own_fault = status == UV_EMFILE || status == UV_ENFILE || status == UV_ENOBUFS ||
                           status == UV_ENOMEM || status == UV_EADDRNOTAVAIL;
    if (!own_fault && asked_ == pool_.generation_) pool_.environment_.share.backend().refused();
    refused(loop::error_text(status), !own_fault);
  }

  void refused(const std::string& why, bool by_backend) {
    pool_.resolved_at_ = {};
    last_refusal_ = why;
    if (!by_backend) pool_.close_idle();  // may free the descriptors that are missing
    // A refusal by the previous backend does not affect the gate.
    const bool current = asked_ == pool_.generation_;
    const bool gate_closes = by_backend && current && pool_.environment_.host.backend_refused(why);
    const bool may_retry = pool_.environment_.timeouts().connect > Duration::zero() && !gate_closes;
    if (may_retry) {
      later([this] { attempt(); }, pause_);
      pause_ = std::min(pause_ * 2, kLongestRetry);
    } else {
      // In a later turn, as the caller may still be inside connect().
      const auto report = [this, why] {
        const auto failed = std::move(failed_);
        failed({false, why});
      };
      later(report, Duration::zero());
    }
  }

  // Created only when needed: most connects succeed at once.
  void later(std::function<void()> step, Duration delay) {
    later_ = std::make_unique<loop::Timer>(pool_.environment_.loop, std::move(step));
    later_->start(delay);
  }

  BackendPool& pool_;
  Connected connected_;
  Failed failed_;
  loop::Deadline limit_;
  std::unique_ptr<loop::Timer> later_;
  std::unique_ptr<loop::Resolver::Query> query_;
  loop::Stream stream_;
  std::size_t next_address_ = 0;
  unsigned asked_ = 0;  // the generation of the backend to which the current attempt connects
  Duration pause_ = kFirstRetry;
  std::string last_refusal_;
};

BackendPool::BackendPool(Environment& environment, Duration lifetime)
    : environment_(environment), resolver_(environment.loop), lifetime_(lifetime) {}

BackendPool::~BackendPool() = default;

// Spread by 10 % either way, so that connections opened together do not end together.
BackendPool::Lease BackendPool::new_lease() {
  std::uniform_real_distribution<double> spread(0.9, 1.1);
  const auto lifetime = std::chrono::duration<double>(lifetime_) * spread(environment_.random);
  return {generation_, environment_.loop.turn_ms() + static_cast<std::uint64_t>(lifetime / 1ms)};
}

loop::Stream BackendPool::take_idle(Lease& lease) {
  while (!idle_.empty()) {
    loop::Stream stream = idle_.back()->take(lease);
    idle_.pop_back();
    if (stream.quiet()) return stream;
  }
  return {};
}

std::unique_ptr<BackendConnect> BackendPool::connect(Connected connected, Failed failed) {
  return std::make_unique<Connecting>(*this, std::move(connected), std::move(failed));
}

void BackendPool::give_back(loop::Stream stream, const Lease& lease, std::optional<int> keep_alive_seconds) {
  const auto now = environment_.loop.turn_ms();
  if (lease.generation != generation_ || lease.until_ms <= now) return;
  if (environment_.gate->phase >= health::Phase::closing) return;
  if (environment_.share.all().is_reserve(stream.descriptor())) return;
  if (!stream.quiet()) return;  // bytes after an answer would be read as the next answer
  if (idle_.size() >= kMostIdle) idle_.erase(idle_.begin());
  const Duration idle = keep_alive_seconds ? std::chrono::seconds(*keep_alive_seconds - 1) : kIdleTime;
  const Duration time = std::min<Duration>(idle, Millis(lease.until_ms - now));
  if (time <= Duration::zero()) return;
  const loop::Loop::Scope scope(environment_.loop, environment_.loop.root_sink());  // no longer the session's
  Lease kept = lease;
  if (!std::exchange(kept.kept_alive, true)) stream.keep_alive();
  if (!std::exchange(kept.noted, true)) stream.note_arrivals();
  idle_.push_back(std::make_unique<Idle>(*this, std::move(stream), kept, time));
}

void BackendPool::close_idle() { idle_.clear(); }

void BackendPool::backend_changed() {
  environment_.share.backend().forget();
  ++generation_;
  idle_.clear();
  addresses_.clear();
  resolved_at_ = {};
}

void BackendPool::drop(Idle& idle) {
  std::erase_if(idle_, [&](const auto& entry) { return entry.get() == &idle; });
}

}  // namespace probegate::proxy
