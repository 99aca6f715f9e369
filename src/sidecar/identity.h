// The name of this instance, for alerts and the status page.
#pragma once

#include <string>

namespace probegate::sidecar {

struct Identity {
  std::string service;   // the name of the Cloud Run service, or the host name
  std::string instance;  // the host name
};

Identity this_instance();

}  // namespace probegate::sidecar
