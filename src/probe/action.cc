#include "probe/action.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/text.h"

namespace probegate::probe {
namespace {

const ActionName kActions[] = {{"reload", Action::reload, {}},
                               {"drain", Action::drain, {"by"}},
                               {"resume", Action::resume, {"by"}},
                               {"pause", Action::pause, {"by", "for", "message"}}};

bool is_number(std::string_view text) { return parse_decimal<std::uint16_t>(text).has_value(); }

// "localhost", "127.0.0.1:9090", "[::1]:9090".
bool is_localhost_or_address(std::string_view host) {
  unsigned char address[16];
  if (host.starts_with('[')) {
    const auto close = host.find(']');
    if (close == std::string_view::npos) return false;
    const auto port = host.substr(close + 1);
    if (!port.empty() && !(port.starts_with(':') && is_number(port.substr(1)))) return false;
    return ::inet_pton(AF_INET6, std::string(host.substr(1, close - 1)).c_str(), address) == 1;
  }
  const auto colon = host.find(':');
  if (colon != std::string_view::npos && !is_number(host.substr(colon + 1))) return false;
  const std::string name(host.substr(0, colon));
  return iequals(name, "localhost") || ::inet_pton(AF_INET, name.c_str(), address) == 1;
}

}  // namespace

const ActionName* find_action(std::string_view target) {
  const auto path = target.substr(0, target.find('?'));
  for (const auto& name : kActions) {
    if (path.starts_with('/') && name.word == path.substr(1)) return &name;
  }
  return nullptr;
}

ActionParameters action_parameters(std::string_view target) {
  auto url = parse_url("http://localhost" + std::string(target));
  return url ? std::move(url->parameters) : ActionParameters();
}

std::optional<ActionRefusal> refuse_action(const ActionName& name, const ActionRequest& request) {
  if (request.method != "POST") return ActionRefusal{405, "allowed method: POST"};
  if (!request.local) return ActionRefusal{403, "allowed only from this machine: loopback or a unix socket"};
  if (request.has_origin)
    return ActionRefusal{403, "not allowed from a web page: the request has an Origin field"};
  if (request.through_proxy)
    return ActionRefusal{403, "not allowed through a proxy: the request was forwarded"};
  if (!is_localhost_or_address(request.host))
    return ActionRefusal{403, "the Host must be localhost or an IP address"};
  if (request.action != name.word)
    return ActionRefusal{400, "the header Probegate-Action must name the action in the path"};
  const auto parameters = action_parameters(request.target);
  if (parameters.empty() && request.target.find('?') != std::string_view::npos)
    return ActionRefusal{400, "the query cannot be read"};
  for (const auto& parameter : parameters) {
    if (std::ranges::find(name.parameters, parameter.name) == name.parameters.end())
      return ActionRefusal{400, "unknown parameter in the query"};
  }
  return std::nullopt;
}

}  // namespace probegate::probe
