// What the checks that talk over a loop::Connection, or over HTTP, share.
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

// The result for a connection that failed in that phase. Our own lack of descriptors is nobody else's fault.
health::CheckResult failed_connection(loop::ConnectionObserver::Phase phase, const std::string& why);

// Of a name that could not be resolved: `resolve`, or `timeout` where no name server answered.
health::FailKind resolve_failure(std::string_view why);

// The same for an HTTP request.
health::CheckResult failed_request(const loop::HttpFailure& failure);

// The request with a limit just behind the deadline. The runner's deadline decides, as it knows of frozen
// time; this limit is for a check without a runner.
loop::HttpRequest with_deadline(loop::HttpRequest request, Duration left);

loop::TlsSettings tls_settings(const config::TlsOptions& options);

// What of headers may come back in a peer's words and must not be shown.
void add_secrets(const std::vector<std::pair<std::string, std::string>>& headers, Secrets& secrets);

// Of a check whose URL says whether there is TLS. A section `tls` beside one without is a mistake, as it
// would do nothing; `with_tls` is how such a URL begins: "rediss://".
std::optional<loop::TlsSettings> tls_of_url(const config::CheckSpec& spec, bool has_tls,
                                            std::string_view with_tls);

// Files that an address names by parameters of its own: used where `tls` names none, and looked at as those
// of `tls` are. Problems go to the key url.
void add_url_files(const config::CheckSpec& spec, const std::optional<std::string>& ca_file,
                   const std::optional<std::string>& cert_file, const std::optional<std::string>& key_file,
                   loop::TlsSettings& tls);

// A pass, or a warning when the peer's certificate ends within tls.min_days_left.
health::CheckResult pass_or_expiring(std::optional<Duration> certificate_left, int min_days_left);

}  // namespace probegate::checks
