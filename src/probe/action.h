// Actions: the commands that a POST to the probe port can give, and who may give them. Pure.
//
// Only local clients may: over loopback or a unix socket, with a header that browsers do not send by
// themselves. Web pages may not: requests with Origin are refused, and host names too, as they may resolve to
// 127.0.0.1. In a Pod every container is on loopback.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/url.h"

namespace probegate::probe {

enum class Action { reload, drain, resume, pause };

struct ActionName {
  std::string_view word;  // value of the header Probegate-Action; the path is "/" + word
  Action action;
  std::vector<std::string_view> parameters;  // names that its query may have
};

using ActionParameters = std::vector<UrlParameter>;

const ActionName* find_action(std::string_view target);       // null if there is no such path
ActionParameters action_parameters(std::string_view target);  // of its query; none if it cannot be read

// The parts of a request that decide whether the action is allowed.
struct ActionRequest {
  std::string_view method;
  std::string_view target;  // the path with its query
  std::string_view host;    // the Host field, with its port
  std::string_view action;  // the header Probegate-Action
  bool local = false;       // the peer is a loopback address or a unix socket
  bool has_origin = false;
  bool through_proxy = false;  // has Via, Forwarded or X-Forwarded-For: the peer is a proxy
};

struct ActionRefusal {
  int status = 0;  // 400, 403, 405
  std::string_view detail;
};

std::optional<ActionRefusal> refuse_action(const ActionName& name, const ActionRequest& request);

struct ActionOutcome {
  int status = 200;
  std::string body;  // JSON
};

class Actions {
 public:
  // Calls `done` exactly once, in this call or a later turn of the control loop; the client may be gone.
  virtual void act(Action action, const ActionParameters& parameters,
                   std::function<void(ActionOutcome)> done) = 0;

 protected:
  ~Actions() = default;
};

}  // namespace probegate::probe
