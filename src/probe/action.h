// Actions: what a POST to the probe port asks of the running process, and who may ask. Pure.
//
// Only whoever is on this machine may: over loopback or a unix socket, with a header that no browser sends by
// itself, and never for a page, whose own name may resolve to 127.0.0.1 or whose requests carry Origin. In a
// Pod every container is on loopback.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace probegate::probe {

enum class Action { reload };

struct ActionName {
  std::string_view word;  // of the header Probegate-Action; its path is "/" + word
  Action action;
};

const ActionName* find_action(std::string_view path);  // null: no such path

// What the guard looks at.
struct ActionRequest {
  std::string_view method;
  std::string_view host;    // of the Host field, with its port
  std::string_view action;  // the header Probegate-Action
  bool local = false;       // the peer is a loopback address or a unix socket
  bool has_origin = false;
  bool through_proxy = false;  // Via, Forwarded or X-Forwarded-For: the peer asks for somebody else
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
  // Calls `done` exactly once, in this call or a later turn of the control loop; whoever asked may be gone.
  virtual void act(Action action, std::function<void(ActionOutcome)> done) = 0;

 protected:
  ~Actions() = default;
};

}  // namespace probegate::probe
