// This build has libmariadb; see no_mysql.cc.
#include "checks/registry.h"

namespace probegate::checks {

bool has_mysql() { return true; }

}  // namespace probegate::checks
