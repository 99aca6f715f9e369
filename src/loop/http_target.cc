#include "loop/http_target.h"

#include "base/text.h"
#include "base/url.h"

namespace probegate::loop {
namespace {

constexpr std::uint16_t kHttp = 80;
constexpr std::uint16_t kHttps = 443;

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

Result<HttpTarget> parse_http_target(const HttpRequest& request) {
  auto url = parse_url(request.url);
  if (!url) return failure("not a URL: " + url.error().message);
  if (url->scheme != "http" && url->scheme != "https") return failure("neither http nor https");
  HttpTarget target;
  target.https = url->scheme == "https";
  target.host = url->host();
  target.port = url->port().value_or(target.https ? kHttps : kHttp);
  if (request.tls && !request.tls->server_name.empty() && !iequals(request.tls->server_name, target.host)) {
    // curl takes the name for SNI and verification from the URL; Host still has the original name.
    target.host_header = url->authority;
    target.connect_to = "::" + bracketed(target.host) + ":" + std::to_string(target.port);
    url->authority = bracketed(request.tls->server_name);
    if (url->port()) url->authority += ":" + std::to_string(target.port);
    if (!parse_url("https://" + url->authority)) return failure("tls.server_name is not a valid host name");
  }
  target.url = url->encoded();
  return target;
}

}  // namespace probegate::loop
