// The tcp check: connects to any server and may expect a text. Use it as an example for new check types.
#include <algorithm>

#include "checks/presentable.h"
#include "checks/registry.h"
#include "checks/transport.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;

constexpr std::size_t kMostRead = 64 * 1024;  // limits memory if the peer never stops sending

struct Settings {
  Endpoint address;
  std::optional<loop::TlsSettings> tls;
  int min_days_left = 0;
  std::optional<std::string> send;
  std::optional<std::string> expect;
};

class TcpCheck final : public Check, private loop::ConnectionObserver {
 public:
  TcpCheck(const CheckContext& context, std::shared_ptr<const Settings> settings)
      : context_(context), settings_(std::move(settings)) {}

  void start(Attempt attempt, TimePoint) override {
    attempt_ = std::move(attempt);
    received_.clear();
    connection_.emplace(context_.loop, context_.resolver, settings_->address, settings_->tls,
                        static_cast<loop::ConnectionObserver&>(*this));
  }

  const char* phase() const noexcept override {
    const char* opening = connection_ ? connection_->phase() : nullptr;
    return opening != nullptr ? opening : "waiting for the expected text";
  }

 private:
  void on_open() override {
    if (settings_->send && !connection_->write(*settings_->send)) {
      return finish(CheckResult::fail(FailKind::connect, "the connection broke"));
    }
    if (!settings_->expect) pass();
  }

  void on_data(std::span<const char> bytes) override {
    const std::string& expected = *settings_->expect;
    const auto seen = received_.size() - std::min(received_.size(), expected.size());
    received_.append(bytes.data(), bytes.size());
    if (received_.find(expected, seen) != std::string::npos) return pass();
    if (received_.size() >= kMostRead) unexpected("sent 64 KiB");
  }

  void on_end() override { unexpected("closed the connection"); }
  void on_failed(Phase phase, const std::string& why) override { finish(failed_connection(phase, why)); }

  void pass() { finish(pass_or_expiring(connection_->certificate_left(), settings_->min_days_left)); }

  void unexpected(const std::string& what) {
    const std::string heard = received_.empty() ? "" : ", but " + checks::quoted(received_);
    finish(
        CheckResult::fail(FailKind::answer, what + " without " + checks::quoted(*settings_->expect) + heard));
  }

  void finish(CheckResult result) {
    connection_.reset();
    attempt_.finish(std::move(result));
  }

  const CheckContext context_;
  const std::shared_ptr<const Settings> settings_;  // owners: the plan and every check made from it
  Attempt attempt_;
  std::optional<loop::Connection> connection_;
  std::string received_;
};

}  // namespace

CheckPlan read_tcp(const config::CheckSpec& spec, const config::Config&) {
  const auto& fields = spec.fields;
  Settings settings;
  if (!fields.has("address")) fields.problem("address", "is missing, expected host:port or unix:/path");
  settings.address = fields.endpoint("address", "127.0.0.1:1");
  if (!settings.address.is_unix() && settings.address.port == 0) {
    fields.problem("address", "the port must be a number from 1 to 65535");
  }
  settings.send = fields.private_text("send");
  settings.expect = fields.optional_text("expect");
  if (fields.has("tls")) settings.tls = tls_settings(spec.tls);
  settings.min_days_left = spec.tls.min_days_left;

  CheckPlan plan;
  plan.target = settings.address.to_string();
  if (settings.send) plan.secrets.push_back(*settings.send);
  if (settings.expect) plan.secrets.allow(*settings.expect);
  plan.make = [settings = std::make_shared<const Settings>(std::move(settings))](
                  const CheckContext& context) { return std::make_unique<TcpCheck>(context, settings); };
  return plan;
}

}  // namespace probegate::checks
