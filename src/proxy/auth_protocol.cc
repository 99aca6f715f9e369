#include "proxy/auth_protocol.h"

#include <algorithm>

#include "base/text.h"

namespace probegate::proxy {
namespace {

using proto::FieldName;

// Limit for the body of a denial; a larger answer counts as none.
constexpr std::size_t kMostBody = 64 * 1024;

// Fields that are needed to read the body of a denial, and WWW-Authenticate, which makes browsers ask
// for a password.
constexpr std::string_view kRelayed[] = {"www-authenticate", "content-type", "content-encoding",
                                         "content-language"};

// RFC 9110 section 5.5: other characters in a value could end the line or the head for the next parser.
bool is_field_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

template <typename Names>
std::string copy_fields(const loop::HttpResponse& response, const Names& names) {
  std::string lines;
  for (const auto& [name, value] : response.headers) {
    const bool wanted = std::any_of(std::begin(names), std::end(names),
                                    [&name = name](const auto& one) { return iequals(one, name); });
    if (wanted && is_field_value(value)) lines.append(name).append(": ").append(value).append("\r\n");
  }
  return lines;
}

// The fields that auth_request() sets itself.
bool is_forwarded(FieldName name) {
  return name == FieldName::forwarded_for || name == FieldName::forwarded_host ||
         name == FieldName::forwarded_proto;
}

// The field as a trusted peer sent it, or else our own value.
std::string forwarded(const proto::RequestHead& request, const proto::ClientView& client, FieldName name,
                      std::string_view own) {
  const auto* theirs = client.trusted ? request.fields.find(name) : nullptr;
  return std::string(theirs != nullptr ? theirs->value : own);
}

std::string forwarded_for(const proto::RequestHead& request, const proto::ClientView& client) {
  std::string list;
  const auto entry = [&](std::string_view text) {
    if (!text.empty()) list.append(list.empty() ? "" : ", ").append(text);
  };
  for (const auto& field : request.fields) {
    if (client.trusted && field.known == FieldName::forwarded_for) entry(field.value);
  }
  entry(client.address.substr(0, client.address.find('%')));
  return list;
}

AuthAnswer unavailable(std::string why, bool ours = false) {
  AuthAnswer answer;
  answer.why = std::move(why);
  answer.ours = ours;
  return answer;
}

}  // namespace

loop::HttpRequest auth_request(const config::Auth& auth, const proto::RequestHead& request,
                               const proto::ClientView& client) {
  loop::HttpRequest question;
  question.url = auth.url;
  question.timeout = auth.timeout;
  question.max_body = kMostBody;
  auto& headers = question.headers;
  for (const auto& wanted : auth.send_headers) {
    bool found = false;
    for (const auto& field : request.fields) {
      if (!iequals(field.name, wanted) || is_forwarded(field.known)) continue;
      headers.emplace_back(wanted, field.value);
      found = true;
    }
    // The backend gets the same id, so that the logs of both can be joined.
    if (!found && wanted == "x-request-id" && !client.request_id.empty())
      headers.emplace_back(wanted, client.request_id);
  }
  headers.emplace_back("X-Forwarded-Method", request.method);
  headers.emplace_back("X-Forwarded-Uri", request.path);
  headers.emplace_back("X-Forwarded-Proto",
                       forwarded(request, client, FieldName::forwarded_proto, client.scheme));
  const auto host = forwarded(request, client, FieldName::forwarded_host, request.host);
  if (!host.empty()) headers.emplace_back("X-Forwarded-Host", host);
  const auto addresses = forwarded_for(request, client);
  if (!addresses.empty()) headers.emplace_back("X-Forwarded-For", addresses);
  return question;
}

AuthAnswer judge_auth(const config::Auth& auth, const loop::HttpClient::Outcome& outcome) {
  if (!outcome) {
    using Kind = loop::HttpFailure::Kind;
    const auto kind = outcome.error().kind;
    return unavailable(outcome.error().message, kind == Kind::local || kind == Kind::internal);
  }
  const auto& response = *outcome;
  AuthAnswer answer;
  answer.status = response.status;
  if (response.status >= 200 && response.status <= 299) {  // whatever its body says
    answer.kind = AuthAnswer::Kind::allowed;
    answer.fields = copy_fields(response, auth.set_headers);
    return answer;
  }
  if (response.status != 401 && response.status != 403) {
    return unavailable("the auth service answered " + std::to_string(response.status));
  }
  if (response.truncated) return unavailable("the auth service's denial is larger than 64 KiB");
  answer.kind = AuthAnswer::Kind::denied;
  answer.fields = copy_fields(response, kRelayed);
  answer.body = response.body;
  return answer;
}

bool carries_bypass(const config::Auth& auth, const proto::RequestHead& request) {
  if (!auth.bypass || request.fields.count(auth.bypass->header) != 1) return false;
  return equal_in_constant_time(request.fields.get(auth.bypass->header), auth.bypass->secret);
}

}  // namespace probegate::proxy
