#include "cli/version_text.h"

#include <sys/auxv.h>

#include "base/version.h"
#include "checks/registry.h"
#include "cli/commit.h"

namespace probegate::cli {

std::string version_text() {
  // The kernel gives a dynamic program the address of its interpreter (ld.so).
  const bool is_static = ::getauxval(AT_BASE) == 0;
  std::string text = std::string("probegate ") + kVersion + " (commit " + kCommit + ", " +
                     (is_static ? "static" : "dynamic") + ")\nchecks:";
  std::string absent;
  for (const auto& type : checks::check_types()) {
    (checks::is_built_in(type.name) ? text : absent).append(" ").append(type.name);
  }
  return absent.empty() ? text : text + "; not in this build:" + absent;
}

}  // namespace probegate::cli
