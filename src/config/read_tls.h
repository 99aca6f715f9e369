// The section `tls`: whom to trust, and who we are. Private to config/.
#pragma once

#include <string_view>

#include "config/config.h"
#include "config/fields.h"
#include "config/load.h"

namespace probegate::config {

// Which keys it has: all of them; those of the receivers of alerts, whose URL is the name to verify; those of
// postgres, where sslmode says how to verify.
enum class TlsKeys { all, receiver, files };

// `tls` of `parent`; the defaults where it is missing. The files are looked at, unless the file is read for
// another place.
TlsOptions read_tls(const Fields& parent, TlsKeys keys, const CheckTypes& types);

}  // namespace probegate::config
