// What a postgres check's configuration means for TLS. Pure, but for looking at the files it names.
//
// libpq verifies only from sslmode=verify-ca on, and takes a file of authorities that is not there for none.
// So naming authorities asks for at least verify-ca here, and `system`, which libpq knows from version 16 on
// only, for verify-full against the system's.
#pragma once

#include "checks/postgres_settings.h"
#include "config/config.h"

namespace probegate::checks {

// Completes the parameters: sslmode, sslrootcert, sslcert and sslkey. The keys of `tls` go before those of
// the address, whose files may lie in somebody else's container. Problems go to spec.fields.
void complete_postgres_tls(const config::CheckSpec& spec, PostgresSettings& settings);

}  // namespace probegate::checks
