// The grpc check: calls grpc.health.v1.Health/Check, the standard health protocol of gRPC.
//
// One HTTP/2 request over libcurl. The gRPC status comes in trailers, or in the head of an answer without a
// body; for libcurl both are headers.
#include <array>

#include "base/text.h"
#include "base/url.h"
#include "checks/grpc_health.h"
#include "checks/registry.h"
#include "checks/transport.h"
#include "loop/http_client.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;
using loop::HttpClient;
using loop::HttpResponse;

constexpr const char* kMethod = "/grpc.health.v1.Health/Check";
constexpr std::size_t kLongestService = 1000;
constexpr int kServing = 1;

struct Settings {
  loop::HttpRequest request;
  int min_days_left = 0;
};

std::optional<std::string> header(const HttpResponse& response, std::string_view name) {
  std::optional<std::string> found;
  for (const auto& [key, value] : response.headers) {
    if (iequals(key, name)) found = value;  // the last one: trailers follow the head
  }
  return found;
}

// "CODE: message of the server", https://grpc.github.io/grpc/core/md_doc_statuscodes.html.
CheckResult refused(int code, const std::optional<std::string>& words) {
  static constexpr std::array<std::string_view, 17> kNames = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  std::string told(kNames.at(static_cast<std::size_t>(code)));
  if (words && !words->empty()) told += ": " + percent_decoded(*words).value_or(*words);
  switch (code) {
    case 4: return CheckResult::fail(FailKind::timeout, told);
    case 5: return CheckResult::fail(FailKind::config, told + " (the server does not know this service)");
    case 7:
    case 16: return CheckResult::fail(FailKind::auth, told);
    case 12:
      return CheckResult::fail(FailKind::config,
                               told + " (the server does not implement grpc.health.v1.Health)");
    case 14: return CheckResult::fail(FailKind::connect, told);
    default: return CheckResult::fail(FailKind::answer, told);
  }
}

CheckResult judge_message(const Settings& settings, const HttpResponse& response) {
  const auto status = grpc_serving_status(response.body);
  if (!status) return CheckResult::fail(FailKind::protocol, "the answer is not a HealthCheckResponse");
  if (*status == kServing) return pass_or_expiring(response.certificate_left, settings.min_days_left);
  static constexpr std::array<std::string_view, 4> kNames = {"UNKNOWN", "SERVING", "NOT_SERVING",
                                                             "SERVICE_UNKNOWN"};
  const std::string name = *status < kNames.size() ? std::string(kNames[*status]) : std::to_string(*status);
  return CheckResult::fail(FailKind::answer, "the status is " + name + ", expected SERVING");
}

CheckResult judge(const Settings& settings, const HttpResponse& response) {
  if (response.status != 200) {
    const bool refused = response.status == 401 || response.status == 403;
    return CheckResult::fail(refused ? FailKind::auth : FailKind::answer,
                             "answered HTTP " + std::to_string(response.status) + ", expected 200");
  }
  const auto status = header(response, "grpc-status");
  const auto code = parse_decimal<int>(status.value_or(""));
  if (!code || *code > 16) {
    return CheckResult::fail(FailKind::protocol,
                             "the answer has no grpc-status, so it is not from a gRPC server");
  }
  if (*code != 0) return refused(*code, header(response, "grpc-message"));
  return judge_message(settings, response);
}

class GrpcCheck final : public Check {
 public:
  GrpcCheck(const CheckContext& context, std::shared_ptr<const Settings> settings)
      : context_(context), settings_(std::move(settings)) {}

  void start(Attempt attempt, TimePoint deadline) override {
    call_ = context_.http.start(
        with_deadline(settings_->request, deadline - context_.loop.now()),
        [this, attempt = std::move(attempt)](const HttpClient::Outcome& outcome) {
          attempt.finish(outcome ? judge(*settings_, *outcome) : failed_request(outcome.error()));
        });
  }

  const char* phase() const noexcept override { return call_ ? call_->phase() : nullptr; }

 private:
  const CheckContext context_;
  const std::shared_ptr<const Settings> settings_;  // owners: the plan and every check made from it
  std::unique_ptr<HttpClient::Call> call_;
};

void read_url(const config::CheckSpec& spec, Settings& settings, CheckPlan& plan) {
  const auto& fields = spec.fields;
  const auto text = fields.secret_url("url");
  if (!text) {
    if (!fields.has("url_file"))
      fields.problem("url", "is missing, expected grpc://host:port, grpcs://host:port or unix:/path");
    return;
  }
  if (text->starts_with("unix:")) {
    const auto endpoint = Endpoint::parse(*text);
    if (!endpoint) return fields.problem("url", endpoint.error().message);
    tls_of_url(spec, false, "grpcs://");
    settings.request.unix_path = endpoint->path;
    settings.request.url = std::string("http://localhost") + kMethod;
    plan.target = endpoint->to_string();
    return;
  }
  const auto url = parse_url(*text);
  if (!url) return fields.problem("url", "is not a valid URL: " + url.error().message);
  const bool tls = url->scheme == "grpcs";
  if (!tls && url->scheme != "grpc")
    return fields.problem("url", "must start with grpc://, grpcs:// or unix:/");
  if (url->user) return fields.problem("url", "a gRPC URL cannot have a user or password; use headers");
  if (url->target != "/") return fields.problem("url", "a gRPC URL cannot have a path; set the key service");
  if (!url->port()) return fields.problem("url", "the port is missing");
  settings.request.url = (tls ? "https://" : "http://") + url->authority + kMethod;
  settings.request.tls = tls_of_url(spec, tls, "grpcs://");
  plan.target = url->endpoint(0).to_string();
}

}  // namespace

CheckPlan read_grpc(const config::CheckSpec& spec, const config::Config&) {
  CheckPlan plan;
  Settings settings;
  read_url(spec, settings, plan);
  const auto service = spec.fields.text("service", "");
  if (service.size() > kLongestService) spec.fields.problem("service", "is longer than 1000 bytes");
  settings.min_days_left = spec.tls.min_days_left;

  auto& request = settings.request;
  request.method = "POST";
  request.http2 = true;
  request.headers = spec.fields.headers("headers");
  add_secrets(request.headers, plan.secrets);
  request.headers.emplace_back("content-type", "application/grpc");
  request.headers.emplace_back("te", "trailers");
  request.body = grpc_health_question(service);

  plan.make = [settings = std::make_shared<const Settings>(std::move(settings))](
                  const CheckContext& context) { return std::make_unique<GrpcCheck>(context, settings); };
  return plan;
}

}  // namespace probegate::checks
