#include "checks/transport.h"

#include <algorithm>
#include <chrono>

#include "loop/resolver.h"
#include "loop/tls_files.h"

namespace probegate::checks {

using health::CheckResult;
using health::FailKind;

CheckResult failed_connection(loop::ConnectionObserver::Phase phase, const std::string& why) {
  using Phase = loop::ConnectionObserver::Phase;
  switch (phase) {
    case Phase::resolve: return CheckResult::fail(resolve_failure(why), why);
    case Phase::tls: return CheckResult::fail(FailKind::tls, why);
    case Phase::local: return CheckResult::inconclusive(why);
    case Phase::connect: return CheckResult::fail(FailKind::connect, why);
    case Phase::established: return CheckResult::fail(FailKind::connect, "the connection broke: " + why);
  }
  return CheckResult::fail(FailKind::connect, why);
}

FailKind resolve_failure(std::string_view why) {
  return why.ends_with(loop::kNobodyAnswered) ? FailKind::timeout : FailKind::resolve;
}

CheckResult failed_request(const loop::HttpFailure& failure) {
  using Kind = loop::HttpFailure::Kind;
  switch (failure.kind) {
    case Kind::resolve: return CheckResult::fail(resolve_failure(failure.message), failure.message);
    case Kind::connect: return CheckResult::fail(FailKind::connect, failure.message);
    case Kind::tls: return CheckResult::fail(FailKind::tls, failure.message);
    case Kind::protocol: return CheckResult::fail(FailKind::protocol, failure.message);
    case Kind::timeout: return CheckResult::fail(FailKind::timeout, failure.message);
    case Kind::local: return CheckResult::inconclusive(failure.message);
    case Kind::internal: return CheckResult::fail(FailKind::internal, failure.message);
  }
  return CheckResult::fail(FailKind::internal, failure.message);
}

loop::HttpRequest with_deadline(loop::HttpRequest request, Duration left) {
  request.timeout = std::max(left, Duration::zero()) + std::chrono::seconds(1);
  return request;
}

loop::TlsSettings tls_settings(const config::TlsOptions& options) {
  return {options.server_name.value_or(""), options.ca_file, options.verify, options.cert_file,
          options.key_file};
}

std::optional<loop::TlsSettings> tls_of_url(const config::CheckSpec& spec, bool has_tls,
                                            std::string_view with_tls) {
  if (has_tls) return tls_settings(spec.tls);
  if (spec.fields.has("tls")) {
    spec.fields.contradiction("tls", "the URL does not use TLS, so tls has no effect; write " +
                                         std::string(with_tls) + ", or remove tls");
  }
  return std::nullopt;
}

void add_secrets(const std::vector<std::pair<std::string, std::string>>& headers, Secrets& secrets) {
  for (const auto& [name, value] : headers) {
    if (is_harmless_header(name)) continue;
    secrets.push_back(value);
    // For "Bearer TOKEN", a peer may repeat only the token.
    if (const auto blank = value.find(' '); blank != std::string::npos)
      secrets.push_back(value.substr(blank + 1));
  }
}

void add_url_files(const config::CheckSpec& spec, const std::optional<std::string>& ca_file,
                   const std::optional<std::string>& cert_file, const std::optional<std::string>& key_file,
                   loop::TlsSettings& tls) {
  const bool here = !spec.fields.problems().rendering();
  const auto look = [&](const char* what, const std::optional<std::string>& problem) {
    if (problem) spec.fields.problem("url", std::string("the ") + what + " that it names: " + *problem);
    return !problem;
  };
  if (ca_file && !tls.ca_file && tls.verify) {
    tls.ca_file = ca_file;
    if (here) look("CA file", loop::authorities_problem(*ca_file));
  }
  if ((!cert_file && !key_file) || tls.cert_file) return;
  if (!cert_file || !key_file)
    return spec.fields.problem("url", "a client certificate and its key must be set together");
  tls.cert_file = cert_file;
  tls.key_file = key_file;
  if (here && look("certificate", loop::certificate_problem(*cert_file)) &&
      look("key", loop::key_problem(*key_file))) {
    look("key", loop::pair_problem(*cert_file, *key_file));
  }
}

CheckResult pass_or_expiring(std::optional<Duration> certificate_left, int min_days_left) {
  using Days = std::chrono::duration<int, std::ratio<86400>>;
  if (min_days_left == 0 || !certificate_left || *certificate_left >= Days(min_days_left)) {
    return CheckResult::pass();
  }
  const auto days = std::chrono::floor<Days>(*certificate_left).count();
  return CheckResult::warn(FailKind::tls, days < 0 ? "the certificate has expired"
                                                   : "the certificate expires in " + std::to_string(days) +
                                                         " days, limit " + std::to_string(min_days_left));
}

}  // namespace probegate::checks
