#include "client/probe_client.h"

#include <signal.h>

#include <optional>
#include <utility>

namespace probegate::client {
namespace {

constexpr Duration kGrace = std::chrono::milliseconds(500);  // for http_ to report its own timeout

}  // namespace

ProbeClient::ProbeClient(ProbeAddress address)
    : address_(std::move(address)),
      loop_(*this),
      resolver_(loop_),
      http_(loop_, resolver_),
      limit_(loop_, [this] { loop_.stop(); }),
      on_interrupt_(loop_, SIGINT, [this] { interrupt(); }),
      on_terminate_(loop_, SIGTERM, [this] { interrupt(); }) {}

Result<loop::HttpResponse> ProbeClient::get(const std::string& path, Duration timeout) {
  return ask(probe_request(address_, path, timeout));
}

Result<loop::HttpResponse> ProbeClient::act(const std::string& action, const std::string& query,
                                            Duration timeout) {
  auto request = probe_request(address_, "/" + action + query, timeout);
  request.method = "POST";
  // The probe port refuses host names that are not in its list; localhost is always accepted.
  request.headers = {{"Probegate-Action", action}, {"Host", "localhost"}};
  return ask(std::move(request));
}

Result<loop::HttpResponse> ProbeClient::ask(loop::HttpRequest request) {
  std::optional<loop::HttpClient::Outcome> outcome;
  const bool before = std::exchange(interrupted_, false);
  const auto timeout = request.timeout;
  const auto call = http_.start(std::move(request), [&](loop::HttpClient::Outcome result) {
    outcome = std::move(result);
    loop_.stop();
  });
  pause(timeout + kGrace);
  interrupted_ = interrupted_ || before;
  if (!outcome) {
    return failure("no answer from " + address_.to_string() + (trouble_.empty() ? "" : ": " + trouble_));
  }
  if (!*outcome) return failure(address_.to_string() + ": " + outcome->error().message);
  return std::move(**outcome);
}

bool ProbeClient::pause(Duration time) {
  if (interrupted_) return false;
  limit_.start(time);
  loop_.run();
  limit_.stop();
  return !interrupted_;
}

void ProbeClient::interrupt() {
  interrupted_ = true;
  loop_.stop();
}

void ProbeClient::on_exception(const std::string& what) noexcept {
  try {
    trouble_ = what;
  } catch (...) {
    // Out of memory even for the message.
  }
}

}  // namespace probegate::client
