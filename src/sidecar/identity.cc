#include "sidecar/identity.h"

#include <unistd.h>

#include "config/environment.h"

namespace probegate::sidecar {

Identity this_instance() {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  const auto& environment = config::process_environment();
  const auto service = environment.find("K_SERVICE");
  return {service == environment.end() ? host : service->second, host};
}

}  // namespace probegate::sidecar
