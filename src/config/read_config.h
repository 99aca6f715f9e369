// Reads the sections of the configuration and reports contradictions between them. Private to config/.
//
// One function reads each section, in the order that `validate --print` shows; a new key is one line there
// and one field in config.h.
#pragma once

#include "config/config.h"
#include "config/environment.h"
#include "config/fields.h"
#include "config/load.h"
#include "config/vocabulary.h"

namespace probegate::config {

// `vocabulary` is used to guess the type of a check without a valid one; null while the vocabulary itself
// is being built.
Config read_config(const Fields& root, const Environment& environment, const CheckTypes& types,
                   const Vocabulary* vocabulary);

Proxy read_proxy(const Fields& proxy, Platform platform);
// Reads the common keys of all checks; `types` reads the keys of each type later.
std::vector<CheckSpec> read_checks(const Fields& root, const CheckTypes& types, const Vocabulary* vocabulary);
Auth read_auth(const Fields& auth);
std::vector<Alert> read_alerts(const Fields& root, const CheckTypes& types);

}  // namespace probegate::config
