// The readers of the configuration's sections, and the contradictions between them. Private to config/.
//
// A section is read by one function, in the order `validate --print` shows; a new key is one line there and
// one field in config.h.
#pragma once

#include "config/config.h"
#include "config/environment.h"
#include "config/fields.h"
#include "config/load.h"
#include "config/vocabulary.h"

namespace probegate::config {

// `vocabulary` tells what a check without a type may be; null: while it is made itself.
Config read_config(const Fields& root, const Environment& environment, const CheckTypes& types,
                   const Vocabulary* vocabulary);

Proxy read_proxy(const Fields& proxy, Platform platform);
// Common keys of all checks; their own keys are read by `types` once everything else is known.
std::vector<CheckSpec> read_checks(const Fields& root, const CheckTypes& types, const Vocabulary* vocabulary);
Auth read_auth(const Fields& auth);
std::vector<Alert> read_alerts(const Fields& root, const CheckTypes& types);

}  // namespace probegate::config
