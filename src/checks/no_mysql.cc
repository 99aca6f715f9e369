// Stands in for mysql.cc in a build without libmariadb: the type is known, and says why it cannot be had.
#include "checks/registry.h"

namespace probegate::checks {

bool has_mysql() { return false; }

CheckPlan read_mysql(const config::CheckSpec& spec, const config::Config&) {
  spec.fields.allow_unknown_keys();
  spec.fields.problem(
      "type",
      "this build has no mysql: it was made without libmariadb (meson's option mysql), as the static "
      "one of the image must be");
  return {};
}

}  // namespace probegate::checks
