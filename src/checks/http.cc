// The http check: sends one request and compares the response with the expectations.
#include <algorithm>

#include "base/text.h"
#include "base/url.h"
#include "checks/expectations.h"
#include "checks/presentable.h"
#include "checks/refused_answer.h"
#include "checks/registry.h"
#include "checks/transport.h"
#include "loop/http_client.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;
using loop::HttpClient;
using loop::HttpResponse;

struct Settings {
  loop::HttpRequest request;
  StatusSet status;
  RefusedQuestion question;  // for the message about an unexpected status
  std::optional<std::string> body;
  std::vector<HeaderCondition> headers;
  std::vector<JsonCondition> json;
  int min_days_left = 0;
};

CheckResult judge_json(const Settings& settings, const HttpResponse& response) {
  if (response.truncated) {
    return CheckResult::fail(FailKind::answer, "the body is larger than " +
                                                   std::to_string(settings.request.max_body / 1024) +
                                                   " KiB, too large to be read as JSON");
  }
  const auto document = nlohmann::json::parse(response.body, nullptr, false);
  if (document.is_discarded()) return CheckResult::fail(FailKind::answer, "the body is not JSON");
  for (const auto& condition : settings.json) {
    if (auto complaint = condition.complaint(document)) {
      return CheckResult::fail(FailKind::answer, *std::move(complaint));
    }
  }
  return pass_or_expiring(response.certificate_left, settings.min_days_left);
}

CheckResult refused(const RefusedQuestion& question, const HttpResponse& response) {
  RefusedAnswer answer{.status = response.status,
                       .body = response.body.substr(0, kRefusalBytes),
                       .location = {},
                       .probegate_reason = {}};
  const bool redirects = response.status >= 300 && response.status < 400;
  for (const auto& [name, value] : response.headers) {
    if (redirects && iequals(name, "location")) answer.location = value;
    if (iequals(name, "probegate-reason")) answer.probegate_reason = value;
  }
  return refused_answer(question, answer);
}

CheckResult judge(const Settings& settings, const HttpResponse& response) {
  if (!settings.status.contains(response.status)) {
    return refused(settings.question, response);
  }
  for (const auto& condition : settings.headers) {
    if (auto complaint = condition.complaint(response.headers)) {
      return CheckResult::fail(FailKind::answer, *std::move(complaint));
    }
  }
  if (settings.body && response.body.find(*settings.body) == std::string::npos) {
    return CheckResult::fail(FailKind::answer, "the body does not contain " + checks::quoted(*settings.body) +
                                                   (response.truncated ? " in its first 64 KiB" : ""));
  }
  if (!settings.json.empty()) return judge_json(settings, response);
  return pass_or_expiring(response.certificate_left, settings.min_days_left);
}

CheckResult judge(const Settings& settings, const HttpClient::Outcome& outcome) {
  return outcome ? judge(settings, *outcome) : failed_request(outcome.error());
}

class HttpCheck final : public Check {
 public:
  HttpCheck(const CheckContext& context, std::shared_ptr<const Settings> settings)
      : context_(context), settings_(std::move(settings)) {}

  void start(Attempt attempt, TimePoint deadline) override {
    call_ = context_.http.start(with_deadline(settings_->request, deadline - context_.loop.now()),
                                [this, attempt = std::move(attempt)](const HttpClient::Outcome& outcome) {
                                  attempt.finish(judge(*settings_, outcome));
                                });
  }

  const char* phase() const noexcept override { return call_ ? call_->phase() : nullptr; }

 private:
  const CheckContext context_;
  const std::shared_ptr<const Settings> settings_;  // owners: the plan and every check made from it
  std::unique_ptr<HttpClient::Call> call_;
};

void read_backend_path(const config::Fields& fields, const config::Backend& backend, const std::string& path,
                       Settings& settings, CheckPlan& plan) {
  if (path.find_first_of(" \t\r\n#") != std::string::npos) {
    fields.problem("url", "the path must not contain whitespace or a fragment");
  }
  settings.request.url = "http://" + backend.authority + path;
  settings.question.url = "http://" + backend.authority + path.substr(0, path.find('?'));
  if (backend.endpoint.is_unix()) settings.request.unix_path = backend.endpoint.path;
  if (const auto url = parse_url(settings.request.url)) add_secrets(*url, plan.secrets);
  plan.target = backend.endpoint.to_string() + path.substr(0, path.find('?'));
}

void read_url(const config::CheckSpec& spec, const config::Config& config, Settings& settings,
              CheckPlan& plan) {
  const auto& fields = spec.fields;
  const auto text = fields.secret_url("url");
  if (!text) {
    if (!fields.has("url_file")) {
      fields.problem("url",
                     "is missing, expected http://host/path, https://host/path, or a path on the backend");
    }
    return;
  }
  if (text->starts_with('/')) {
    tls_of_url(spec, false, "https://host" + *text);
    return read_backend_path(fields, config.proxy.backend, *text, settings, plan);
  }
  const auto url = parse_url(*text);
  if (!url) return fields.problem("url", "is not a valid URL: " + url.error().message);
  const bool https = url->scheme == "https";
  if (!https && url->scheme != "http") return fields.problem("url", "must start with http://, https:// or /");
  settings.request.url = url->encoded();
  settings.question.url = url->scheme + "://" + url->authority + url->path;
  settings.request.tls = tls_of_url(spec, https, "https://");
  add_secrets(*url, plan.secrets);
  plan.target = url->endpoint(https ? 443 : 80).to_string() + url->path;
}

void read_request(const config::Fields& fields, loop::HttpRequest& request) {
  if (const auto path = fields.optional_text("socket")) {
    const auto endpoint = Endpoint::parse("unix:" + *path);
    if (!endpoint) fields.problem("socket", "is not the path of a unix socket: " + endpoint.error().message);
    request.unix_path = *path;
  }
  request.method = fields.text("method", "GET");
  const bool word =
      !request.method.empty() && std::all_of(request.method.begin(), request.method.end(),
                                             [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; });
  if (!word || request.method == "CONNECT") {
    fields.problem("method", "is not a request method, such as GET, HEAD or POST");
  }
  request.headers = fields.headers("headers");
  request.body = fields.private_text("body").value_or("");
}

template <typename Condition>
void read_conditions(const config::Fields& fields, const char* key, std::vector<Condition>& conditions) {
  for (const auto& [place, condition] : fields.text_map(key)) {
    if (auto read = Condition::parse(place, condition)) {
      conditions.push_back(*std::move(read));
    } else {
      fields.entry_problem(key, place, read.error().message);
    }
  }
}

void read_expectations(const config::Fields& fields, Settings& settings) {
  settings.status = StatusSet::read(fields, "expect_status", {"200-299"});
  settings.question.expected = settings.status.to_string();
  settings.body = fields.optional_text("expect_body");
  read_conditions(fields, "expect_header", settings.headers);
  read_conditions(fields, "expect_json", settings.json);
  const bool needs_body = settings.body || !settings.json.empty();
  if (needs_body && settings.request.method == "HEAD") {
    fields.problem("method", "HEAD has no body, and expect_body or expect_json needs one");
  }
}

}  // namespace

CheckPlan read_http(const config::CheckSpec& spec, const config::Config& config) {
  CheckPlan plan;
  Settings settings;
  read_url(spec, config, settings, plan);
  read_request(spec.fields, settings.request);
  read_expectations(spec.fields, settings);
  settings.question.remedies = "headers and expect_status";
  settings.min_days_left = spec.tls.min_days_left;
  add_secrets(settings.request.headers, plan.secrets);
  plan.secrets.push_back(settings.request.body);
  // Messages show expected values, even if the request body, which is masked, contains the same text.
  for (const auto* key : {"expect_json", "expect_header"}) {
    for (const auto& [place, condition] : spec.fields.text_map(key)) {
      for (const auto part : split(place, '/')) plan.secrets.allow(std::string(part));
    }
  }

  plan.secrets.allow(settings.question.url);
  settings.question.secrets = plan.secrets;

  plan.make = [settings = std::make_shared<const Settings>(std::move(settings))](
                  const CheckContext& context) { return std::make_unique<HttpCheck>(context, settings); };
  return plan;
}

}  // namespace probegate::checks
