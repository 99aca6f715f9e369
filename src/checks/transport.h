// Shared functions of checks that use loop::Connection or HTTP.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/redaction.h"
#include "config/config.h"
#include "health/check_result.h"
#include "loop/connection.h"
#include "loop/http_client.h"

namespace probegate::checks {

// The result for a connection that failed in that phase. A lack of descriptors in this
// process is inconclusive.
health::CheckResult failed_connection(loop::ConnectionObserver::Phase phase, const std::string& why);

// The kind for a name that could not be resolved: `resolve`, or `timeout` if no name server answered.
health::FailKind resolve_failure(std::string_view why);

// The same for an HTTP request.
health::CheckResult failed_request(const loop::HttpFailure& failure);

// The request with a time limit slightly after the deadline. The runner's deadline decides, because it
// excludes time in which the process was suspended; this limit is for a check without a runner.
loop::HttpRequest with_deadline(loop::HttpRequest request, Duration left);

loop::TlsSettings tls_settings(const config::TlsOptions& options);

// Adds the parts of headers that must be masked in messages of a peer.
void add_secrets(const std::vector<std::pair<std::string, std::string>>& headers, Secrets& secrets);

// TLS settings of a check whose URL selects TLS. A section `tls` with a URL without TLS is an error, because
// it has no effect; `with_tls` is the scheme to suggest: "rediss://".
std::optional<loop::TlsSettings> tls_of_url(const config::CheckSpec& spec, bool has_tls,
                                            std::string_view with_tls);

// Applies TLS files from parameters of the URL if `tls` does not set them, and validates them like those of
// `tls`. Problems are reported at the key url.
void add_url_files(const config::CheckSpec& spec, const std::optional<std::string>& ca_file,
                   const std::optional<std::string>& cert_file, const std::optional<std::string>& key_file,
                   loop::TlsSettings& tls);

// A pass, or a warning if the peer's certificate expires within tls.min_days_left.
health::CheckResult pass_or_expiring(std::optional<Duration> certificate_left, int min_days_left);

}  // namespace probegate::checks
