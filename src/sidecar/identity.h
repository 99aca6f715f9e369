// Which of many this process is, for alerts and the status page.
#pragma once

#include <string>

namespace probegate::sidecar {

struct Identity {
  std::string service;   // Cloud Run's name of the service, or the host's
  std::string instance;  // the host's name
};

Identity this_instance();

}  // namespace probegate::sidecar
