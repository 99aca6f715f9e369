// What the checks that talk over a loop::Connection share.
#pragma once

#include <optional>
#include <string>

#include "config/config.h"
#include "health/check_result.h"
#include "loop/connection.h"

namespace probegate::checks {

// The result for a connection that failed in that phase. Our own lack of descriptors is nobody else's fault.
health::CheckResult failed_connection(loop::ConnectionObserver::Phase phase, const std::string& why);

loop::TlsSettings tls_settings(const config::TlsOptions& options);

// A pass, or a warning when the peer's certificate ends within tls.min_days_left.
health::CheckResult pass_or_expiring(std::optional<Duration> certificate_left, int min_days_left);

}  // namespace probegate::checks
