#include "config/read_tls.h"

#include "config/describe.h"

namespace probegate::config {

TlsOptions read_tls(const Fields& parent, TlsKeys keys, const CheckTypes& types) {
  TlsOptions value;
  const auto tls = parent.optional_section("tls");
  if (!tls) return value;
  value.ca_file = tls->optional_text("ca_file");
  if (keys != TlsKeys::files) value.verify = tls->boolean("verify", value.verify);
  if (keys == TlsKeys::all) {
    value.server_name = tls->optional_text("server_name");
    value.min_days_left = static_cast<int>(tls->integer("min_days_left", 0, 0, 3650));
  }
  value.cert_file = tls->optional_text("cert_file");
  value.key_file = tls->optional_text("key_file");
  if (value.ca_file && !value.verify) {
    tls->contradiction("verify", "ca_file has no effect with verify: false; remove one of the two");
  }
  if (value.cert_file && !value.key_file) tls->contradiction("cert_file", "needs key_file, its private key");
  if (value.key_file && !value.cert_file) tls->contradiction("key_file", "needs cert_file, its certificate");
  if (types.tls_problems && !parent.problems().rendering()) {
    for (const auto& [key, message] : types.tls_problems(value)) tls->problem(key, message);
  }
  return value;
}

}  // namespace probegate::config
