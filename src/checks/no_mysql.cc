// Replaces mysql.cc in a build without libmariadb: the type is known, but its configuration is an error.
#include "checks/registry.h"

namespace probegate::checks {

bool has_mysql() { return false; }

CheckPlan read_mysql(const config::CheckSpec& spec, const config::Config&) {
  spec.fields.allow_unknown_keys();
  spec.fields.problem(
      "type",
      "this build has no mysql: it was built without libmariadb (meson option mysql); use a build with it");
  return {};
}

}  // namespace probegate::checks
