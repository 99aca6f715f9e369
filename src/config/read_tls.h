// Reads the section `tls`: trusted certificates and the client certificate. Private to config/.
#pragma once

#include <string_view>

#include "config/config.h"
#include "config/fields.h"
#include "config/load.h"

namespace probegate::config {

// The keys allowed: all; those for receivers of alerts, which are verified by the host of their URL; the
// files only, for postgres, where sslmode selects the verification.
enum class TlsKeys { all, receiver, files };

// Reads `tls` of `parent`; the defaults if it is missing. Certificate files are validated
// except for Purpose::render.
TlsOptions read_tls(const Fields& parent, TlsKeys keys, const CheckTypes& types);

}  // namespace probegate::config
