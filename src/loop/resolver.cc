#include "loop/resolver.h"

#include <ares.h>
#include <netdb.h>

#include <map>

#include "loop/fd_watch.h"
#include "loop/timer.h"

namespace probegate::loop {
namespace {

constexpr int kTimeoutMillis = 1000;  // before the first retransmission; doubles
constexpr int kTries = 3;
constexpr std::size_t kMostAddresses = 64;  // enough for any connect; a name may have thousands

struct FreeAddresses {
  void operator()(ares_addrinfo* info) const noexcept { ares_freeaddrinfo(info); }
};

std::string why(int status) {
  switch (status) {
    case ARES_ETIMEOUT: return std::string(kNobodyAnswered);
    // c-ares tries the next server after SERVFAIL or REFUSED, and finally returns this code.
    case ARES_ECONNREFUSED: return "every name server failed, refused or could not be reached";
    default: return ares_strerror(status);
  }
}

class LiteralQuery final : public Resolver::Query {
 public:
  LiteralQuery(Loop& loop, Address address, std::function<void(Resolver::Answer)> answered)
      : timer_(loop,
               [address = std::vector{address}, answered = std::move(answered)] { answered(address); }) {
    timer_.start(Duration::zero());
  }

 private:
  Timer timer_;
};

class DnsQuery final : public Resolver::Query {
 public:
  DnsQuery(Loop& loop, const Endpoint& endpoint, std::function<void(Resolver::Answer)> answered)
      : loop_(loop),
        name_(endpoint.host),
        answered_(std::move(answered)),
        timer_(loop, [this] { on_timer(); }),
        report_(loop, [this] { report(); }) {
    ares_options options{};
    options.timeout = kTimeoutMillis;
    options.tries = kTries;
    options.sock_state_cb = [](void* self, ares_socket_t fd, int readable, int writable) {
      static_cast<DnsQuery*>(self)->watch(fd, readable != 0, writable != 0);
    };
    options.sock_state_cb_data = this;
    const int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    if (const int status = ares_init_options(&channel_, &options, mask); status != ARES_SUCCESS) {
      channel_ = nullptr;
      finish(failure("cannot start the resolver: " + std::string(ares_strerror(status))));
      return;
    }
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ARES_AI_NUMERICSERV;
    const std::string port = std::to_string(endpoint.port);
    ares_getaddrinfo(
        channel_, name_.c_str(), port.c_str(), &hints,
        [](void* self, int status, int, ares_addrinfo* info) {
          static_cast<DnsQuery*>(self)->on_answer(status, info);
        },
        this);
    arm_timer();
  }

  ~DnsQuery() override {
    cancelled_ = true;
    watches_.clear();  // before c-ares closes the descriptors
    if (channel_ != nullptr) ares_destroy(channel_);
  }

 private:
  void watch(int fd, bool readable, bool writable) {
    watches_.erase(fd);
    if (cancelled_ || (!readable && !writable)) return;
    auto watch = std::make_unique<FdWatch>(loop_, fd, [this, fd](FdWatch::Ready ready) {
      ares_process_fd(channel_, ready.readable ? fd : ARES_SOCKET_BAD, ready.writable ? fd : ARES_SOCKET_BAD);
      arm_timer();
    });
    watch->want(readable, writable);
    watches_.emplace(fd, std::move(watch));
  }

  void arm_timer() {
    timeval left{};
    if (channel_ == nullptr || ares_timeout(channel_, nullptr, &left) == nullptr) {
      timer_.stop();
    } else {
      timer_.start(std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec));
    }
  }

  void on_timer() {
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_timer();
  }

  // Also called on destruction: one family may have been answered by then, and must be freed.
  void on_answer(int status, ares_addrinfo* info) {
    const std::unique_ptr<ares_addrinfo, FreeAddresses> owner(info);
    if (cancelled_) return;
    if (status != ARES_SUCCESS) {
      finish(failure("cannot resolve " + name_ + ": " + why(status)));
      return;
    }
    std::vector<Address> addresses;
    for (auto* node = info->nodes; node != nullptr && addresses.size() < kMostAddresses;
         node = node->ai_next) {
      addresses.emplace_back(node->ai_addr, node->ai_addrlen);
    }
    if (addresses.empty()) {
      finish(failure("cannot resolve " + name_ + ": the name has no address"));
    } else {
      finish(std::move(addresses));
    }
  }

  // The answer may come inside a c-ares call, where destroying the channel is forbidden, so it is reported in
  // the next iteration.
  void finish(Resolver::Answer answer) {
    answer_ = std::move(answer);
    report_.start(Duration::zero());
  }

  void report() {
    const auto answered = std::move(answered_);
    answered(std::move(answer_));  // may destroy this query
  }

  Loop& loop_;
  const std::string name_;
  std::function<void(Resolver::Answer)> answered_;
  Resolver::Answer answer_ = failure("unanswered");
  ares_channel channel_ = nullptr;
  std::map<int, std::unique_ptr<FdWatch>> watches_;
  Timer timer_;
  Timer report_;
  bool cancelled_ = false;
};

}  // namespace

std::unique_ptr<Resolver::Query> Resolver::resolve(const Endpoint& endpoint,
                                                   std::function<void(Answer)> answered) {
  if (const auto address = Address::literal(endpoint)) {
    return std::make_unique<LiteralQuery>(loop_, *address, std::move(answered));
  }
  return std::make_unique<DnsQuery>(loop_, endpoint, std::move(answered));
}

}  // namespace probegate::loop
