#include "proxy/auth_step.h"

#include "proxy/request_id.h"

namespace probegate::proxy {

std::optional<AuthDecision> AuthStep::ask(const proto::RequestHead& request, proto::ClientView client,
                                          std::string_view who) {
  if (request.fields.find(proto::FieldName::request_id) == nullptr)
    grant_.request_id = new_request_id(environment_.random);
  client.request_id = grant_.request_id;
  AuthClient::Asker& asker = *this;
  auto asked = environment_.auth->ask(request, client, who, asker);
  if (auto* decision = std::get_if<AuthDecision>(&asked)) return std::move(*decision);
  question_ = std::move(std::get<std::unique_ptr<AuthQuestion>>(asked));
  return std::nullopt;
}

}  // namespace probegate::proxy
