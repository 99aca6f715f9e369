// A check type of one's own: a memcached that tells its version. docs/adding-a-check.md shows this file.
#include "checks/registry.h"
#include "checks/transport.h"

namespace probegate::checks {
namespace {

class MemcachedCheck final : public Check, private loop::ConnectionObserver {
 public:
  MemcachedCheck(const CheckContext& context, Endpoint address)
      : context_(context), address_(std::move(address)) {}

  void start(Attempt attempt, TimePoint) override {
    attempt_ = std::move(attempt);
    answer_.clear();
    connection_.emplace(context_.loop, context_.resolver, address_, std::nullopt,
                        static_cast<loop::ConnectionObserver&>(*this));
  }

 private:
  void on_open() override {
    if (!connection_->write("version\r\n")) on_end();
  }
  void on_data(std::span<const char> bytes) override {
    answer_.append(bytes.data(), bytes.size());
    if (answer_.find('\n') == std::string::npos && answer_.size() < 100) return;
    finish(answer_.starts_with("VERSION ")
               ? health::CheckResult::pass()
               : health::CheckResult::fail(health::FailKind::protocol, "not a memcached"));
  }
  void on_end() override {
    finish(health::CheckResult::fail(health::FailKind::connect, "it closed the connection"));
  }
  void on_failed(Phase phase, const std::string& why) override { finish(failed_connection(phase, why)); }

  void finish(health::CheckResult result) {
    connection_.reset();
    attempt_.finish(std::move(result));
  }

  const CheckContext context_;
  const Endpoint address_;
  Attempt attempt_;
  std::optional<loop::Connection> connection_;
  std::string answer_;
};

}  // namespace

CheckPlan read_memcached(const config::CheckSpec& spec, const config::Config&) {
  const Endpoint address = spec.fields.endpoint("address", "127.0.0.1:11211");
  return {.make = [address](const CheckContext& c) { return std::make_unique<MemcachedCheck>(c, address); },
          .secrets = {},
          .target = address.to_string()};
}

}  // namespace probegate::checks
