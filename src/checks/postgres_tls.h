// Derives the TLS parameters of a postgres check from its configuration. Pure, except that it
// validates the files.
//
// libpq verifies only with sslmode=verify-ca or verify-full, and ignores a missing CA file. So a CA file
// raises sslmode to at least verify-ca here, and `system`, which libpq supports since version 16, means
// verify-full with the system's CA file.
#pragma once

#include "checks/postgres_settings.h"
#include "config/config.h"

namespace probegate::checks {

// Completes the parameters: sslmode, sslrootcert, sslcert and sslkey. The keys of `tls` override those of the
// address, whose files may be in another container. Problems go to spec.fields.
void complete_postgres_tls(const config::CheckSpec& spec, PostgresSettings& settings);

}  // namespace probegate::checks
