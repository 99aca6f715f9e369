// The readers of the configuration's sections, and the contradictions between them. Private to config/.
//
// A section is read by one function, in the order `validate --print` shows; a new key is one line there and
// one field in config.h.
#pragma once

#include "config/config.h"
#include "config/environment.h"
#include "config/fields.h"
#include "config/load.h"

namespace probegate::config {

Config read_config(const Fields& root, const Environment& environment, const CheckTypes& types);

Proxy read_proxy(const Fields& proxy);
// Common keys of all checks; their own keys are read by `types` once everything else is known.
std::vector<CheckSpec> read_checks(const Fields& root, const CheckTypes& types);
Auth read_auth(const Fields& auth);
std::vector<Alert> read_alerts(const Fields& root);

}  // namespace probegate::config
