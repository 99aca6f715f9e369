// Secrets that stand in files are read again, so that a rotated password needs neither a signal nor a
// restart.
//
// Read before each login, and every half second after a login that was refused; a file that changed ends the
// back-off. What is read is the check's whole configuration, from the values it was loaded with, so this
// holds for passwords, URLs and header values of every type alike. Kept as it was: a file that is gone,
// empty, no regular file or does not fit in any more, as it may be caught while it is written.
#pragma once

#include <memory>

#include "checks/check.h"

namespace probegate::checks {

// The plan of `read`, the type's reader; its checks are wrapped where some of the secrets stand in files.
CheckPlan renewing(ReadCheck read, const config::CheckSpec& spec,
                   const std::shared_ptr<const config::Config>& config);

}  // namespace probegate::checks
