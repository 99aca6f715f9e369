// Reads secret files again, so that a rotated password needs neither a signal nor a restart.
//
// Files are read before each login, and every half second after a refused login; a changed file ends the
// back-off. The whole configuration of the check is read again from its loaded values, so this works for
// passwords, URLs and header values of every type. The old secret stays if the file is missing, empty, not a
// regular file or invalid, because it may be in the middle of an update.
#pragma once

#include <memory>

#include "checks/check.h"

namespace probegate::checks {

// The plan of `read`, the reader of the type. Its checks are wrapped if any of the secrets are in files.
CheckPlan renewing(ReadCheck read, const config::CheckSpec& spec,
                   const std::shared_ptr<const config::Config>& config);

}  // namespace probegate::checks
