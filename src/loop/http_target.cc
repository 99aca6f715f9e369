#include "loop/http_target.h"

#include <new>

#include "base/text.h"
#include "loop/curl_multi.h"
#include "loop/curl_options.h"

namespace probegate::loop {
Result<HttpTarget> parse_http_target(const HttpRequest& request) {
  const Curl<CURLU> url(curl_url());
  if (!url) throw std::bad_alloc();
  if (const auto code = curl_url_set(url.get(), CURLUPART_URL, request.url.c_str(), 0); code != CURLUE_OK) {
    return failure("not a URL: " + redact_url(request.url) + ": " + curl_url_strerror(code));
  }
  const std::string scheme = url_part(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https")
    return failure("neither http nor https: " + redact_url(request.url));
  HttpTarget target;
  target.https = scheme == "https";
  target.host = url_part(url.get(), CURLUPART_HOST);
  const auto port = parse_decimal<std::uint16_t>(url_part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
  target.port = port.value_or(0);
  target.url = request.url;
  if (request.tls && !request.tls->server_name.empty() && !iequals(request.tls->server_name, target.host)) {
    // curl takes the name for SNI and verification from the URL; the peer still sees its own in Host.
    const std::string own_port = url_part(url.get(), CURLUPART_PORT);
    target.host_header = own_port.empty() ? target.host : target.host + ":" + own_port;
    target.connect_to = "::" + target.host + ":" + std::to_string(target.port);
    const bool v6 = request.tls->server_name.find(':') != std::string::npos;
    const std::string name = v6 ? "[" + request.tls->server_name + "]" : request.tls->server_name;
    if (curl_url_set(url.get(), CURLUPART_HOST, name.c_str(), 0) != CURLUE_OK) {
      return failure("not a host name: " + request.tls->server_name);
    }
    target.url = url_part(url.get(), CURLUPART_URL);
  }
  if (target.host.starts_with('[')) target.host = target.host.substr(1, target.host.size() - 2);
  return target;
}

}  // namespace probegate::loop
