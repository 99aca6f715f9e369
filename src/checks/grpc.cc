// The grpc check: grpc.health.v1.Health/Check, the question every gRPC server is built to answer.
//
// One HTTP/2 request over libcurl. Both messages are written and read by hand: the request is one string
// field, the answer one enum field, and the generated code for these and its library (3 MB) would be the
// largest part of the program. Fields we do not know are skipped, as protobuf wants it. The gRPC status comes
// in trailers, or in the head of an answer without a body; for libcurl both are headers.
#include <array>

#include "base/text.h"
#include "checks/presentable.h"
#include "checks/registry.h"
#include "checks/transport.h"
#include "checks/url.h"
#include "loop/http_client.h"

namespace probegate::checks {
namespace {

using health::CheckResult;
using health::FailKind;
using loop::HttpClient;
using loop::HttpResponse;

constexpr const char* kMethod = "/grpc.health.v1.Health/Check";
constexpr std::size_t kLongestService = 1000;
constexpr std::size_t kFrameHead = 5;  // compressed or not, then the length of the message
constexpr int kServing = 1;

struct Settings {
  loop::HttpRequest request;
  int min_days_left = 0;
};

// Protobuf's numbers: seven bits a byte, the lowest first; the high bit says that more follow.
void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

// HealthCheckRequest { string service = 1; } in its frame.
std::string request_body(std::string_view service) {
  std::string message;
  if (!service.empty()) {
    message += '\x0A';  // field 1, length-delimited
    put_varint(message, service.size());
    message += service;
  }
  std::string frame(kFrameHead, '\0');
  for (std::size_t i = 0; i < 4; ++i) {
    frame[kFrameHead - 1 - i] = static_cast<char>(message.size() >> (8 * i));
  }
  return frame + message;
}

// HealthCheckResponse { ServingStatus status = 1; }; nothing where the message is broken.
std::optional<std::uint64_t> serving_status(std::string_view message) {
  std::uint64_t status = 0;  // a field at its default is not sent
  while (!message.empty()) {
    const auto key = take_varint(message);
    if (!key) return std::nullopt;
    std::optional<std::uint64_t> skip = 0;
    switch (*key & 7) {
      case 0: {
        const auto value = take_varint(message);
        if (!value) return std::nullopt;
        if (*key >> 3 == 1) status = *value;
        break;
      }
      case 1: skip = 8; break;
      case 2: skip = take_varint(message); break;
      case 5: skip = 4; break;
      default: return std::nullopt;
    }
    if (!skip || *skip > message.size()) return std::nullopt;
    message.remove_prefix(*skip);
  }
  return status;
}

// The one message of the answer, out of its frame; nothing where that is broken.
std::optional<std::string_view> unframed(std::string_view body) {
  if (body.size() < kFrameHead || body.front() != '\0')
    return std::nullopt;  // compressed: we did not offer it
  std::size_t size = 0;
  for (std::size_t i = 1; i < kFrameHead; ++i) size = size << 8 | static_cast<unsigned char>(body[i]);
  body.remove_prefix(kFrameHead);
  return body.size() == size ? std::optional(body) : std::nullopt;
}

std::optional<std::string> header(const HttpResponse& response, std::string_view name) {
  std::optional<std::string> found;
  for (const auto& [key, value] : response.headers) {
    if (iequals(key, name)) found = value;  // the last: a trailer comes after the head
  }
  return found;
}

// "CODE: the server's words", https://grpc.github.io/grpc/core/md_doc_statuscodes.html.
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
      return CheckResult::fail(FailKind::config, told + " (the server offers no grpc.health.v1.Health)");
    case 14: return CheckResult::fail(FailKind::connect, told);
    default: return CheckResult::fail(FailKind::answer, told);
  }
}

CheckResult judge_message(const Settings& settings, const HttpResponse& response) {
  const auto message = unframed(response.body);
  const auto status = message ? serving_status(*message) : std::nullopt;
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
    settings.request.unix_path = endpoint->path;
    settings.request.url = std::string("http://localhost") + kMethod;
    plan.target = endpoint->to_string();
    return;
  }
  const auto url = parse_url(*text);
  if (!url) return fields.problem("url", "is not grpc://host:port: " + url.error().message);
  const bool tls = url->scheme == "grpcs";
  if (!tls && url->scheme != "grpc") return fields.problem("url", "starts with grpc://, grpcs:// or unix:/");
  if (url->user) return fields.problem("url", "a gRPC URL has no user and password; use headers");
  if (url->target != "/")
    return fields.problem("url", "a gRPC URL has no path; the service is a key of its own");
  if (!url->port) return fields.problem("url", "the port is missing");
  settings.request.url = (tls ? "https://" : "http://") + url->authority() + kMethod;
  if (tls) settings.request.tls = tls_settings(spec.tls);
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
  for (const auto& [name, value] : request.headers) plan.secrets.push_back(value);
  request.headers.emplace_back("content-type", "application/grpc");
  request.headers.emplace_back("te", "trailers");
  request.body = request_body(service);

  plan.make = [settings = std::make_shared<const Settings>(std::move(settings))](
                  const CheckContext& context) { return std::make_unique<GrpcCheck>(context, settings); };
  return plan;
}

}  // namespace probegate::checks
