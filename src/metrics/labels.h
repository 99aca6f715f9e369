// The closed label sets of our metrics: one enum each, and its words in the exposition.
//
// Closed on purpose: labels with a path, a peer or an error text would let clients create series.
#pragma once

#include <cstddef>
#include <iterator>
#include <string_view>

namespace probegate::metrics {

// Why probegate answered a request itself; also the word in Probegate-Reason and problem+json.
enum class Reason {
  gate_closed,
  paused,
  hold_timeout,
  hold_full,
  draining,
  connection_limit,
  backend_unreachable,
  backend_timeout,
  backend_error,
  auth_denied,
  auth_unavailable,
  origin_denied,
  bad_request,
  header_timeout,
  header_too_large,
  body_too_large,
  uri_too_long,
  not_found,
  loop_detected,
};
enum class UpgradeResult { accepted, refused, failed };
// The class of a status by its first digit; `other` for a status outside of RFC 9110.
enum class CodeClass { informational, success, redirection, client_error, server_error, other };
enum class Direction { client_to_backend, backend_to_client };
enum class TunnelCause {
  client_close,
  backend_close,
  client_lost,
  backend_lost,
  drain,
  idle_timeout,
  ping_timeout,
  max_lifetime,
  max_message,
  protocol_error,
};
enum class AuthResult { allowed, denied, unavailable, bypassed };
enum class RunResult { pass, warn, fail, inconclusive };
enum class ReloadResult { success, failure };
enum class AlertResult { delivered, failed, dropped };
// Of a check.
enum class FailKind {
  config,
  resolve,
  connect,
  tls,
  auth,
  protocol,
  answer,
  missing_tables,
  timeout,
  internal,
};

// A label set: the label's name, and its words in the order of the enum.
template <typename Label>
struct LabelSet;

template <>
struct LabelSet<Reason> {
  static constexpr std::string_view name = "reason";
  static constexpr std::string_view words[] = {
      "gate_closed",   "paused",           "hold_timeout",        "hold_full",
      "draining",      "connection_limit", "backend_unreachable", "backend_timeout",
      "backend_error", "auth_denied",      "auth_unavailable",    "origin_denied",
      "bad_request",   "header_timeout",   "header_too_large",    "body_too_large",
      "uri_too_long",  "not_found",        "loop_detected"};
  static_assert(std::size(words) == static_cast<std::size_t>(Reason::loop_detected) + 1);
};

template <>
struct LabelSet<UpgradeResult> {
  static constexpr std::string_view name = "result";
  static constexpr std::string_view words[] = {"accepted", "refused", "failed"};
  static_assert(std::size(words) == static_cast<std::size_t>(UpgradeResult::failed) + 1);
};

template <>
struct LabelSet<CodeClass> {
  static constexpr std::string_view name = "class";
  static constexpr std::string_view words[] = {"1xx", "2xx", "3xx", "4xx", "5xx", "other"};
  static_assert(std::size(words) == static_cast<std::size_t>(CodeClass::other) + 1);
};

template <>
struct LabelSet<Direction> {
  static constexpr std::string_view name = "direction";
  static constexpr std::string_view words[] = {"client_to_backend", "backend_to_client"};
  static_assert(std::size(words) == static_cast<std::size_t>(Direction::backend_to_client) + 1);
};

template <>
struct LabelSet<TunnelCause> {
  static constexpr std::string_view name = "cause";
  static constexpr std::string_view words[] = {
      "client_close", "backend_close", "client_lost",  "backend_lost", "drain",
      "idle_timeout", "ping_timeout",  "max_lifetime", "max_message",  "protocol_error"};
  static_assert(std::size(words) == static_cast<std::size_t>(TunnelCause::protocol_error) + 1);
};

template <>
struct LabelSet<AuthResult> {
  static constexpr std::string_view name = "result";
  static constexpr std::string_view words[] = {"allowed", "denied", "unavailable", "bypassed"};
  static_assert(std::size(words) == static_cast<std::size_t>(AuthResult::bypassed) + 1);
};

template <>
struct LabelSet<RunResult> {
  static constexpr std::string_view name = "result";
  static constexpr std::string_view words[] = {"pass", "warn", "fail", "inconclusive"};
  static_assert(std::size(words) == static_cast<std::size_t>(RunResult::inconclusive) + 1);
};

template <>
struct LabelSet<ReloadResult> {
  static constexpr std::string_view name = "result";
  static constexpr std::string_view words[] = {"success", "failure"};
  static_assert(std::size(words) == static_cast<std::size_t>(ReloadResult::failure) + 1);
};

template <>
struct LabelSet<AlertResult> {
  static constexpr std::string_view name = "result";
  static constexpr std::string_view words[] = {"delivered", "failed", "dropped"};
  static_assert(std::size(words) == static_cast<std::size_t>(AlertResult::dropped) + 1);
};

template <>
struct LabelSet<FailKind> {
  static constexpr std::string_view name = "kind";
  static constexpr std::string_view words[] = {"config",  "resolve",  "connect", "tls",
                                               "auth",    "protocol", "answer",  "missing_tables",
                                               "timeout", "internal"};
  static_assert(std::size(words) == static_cast<std::size_t>(FailKind::internal) + 1);
};

template <typename Label>
inline constexpr std::size_t label_count = std::size(LabelSet<Label>::words);

template <typename Label>
constexpr auto to_string(Label label) -> decltype(LabelSet<Label>::words[0]) {
  return LabelSet<Label>::words[static_cast<std::size_t>(label)];
}

}  // namespace probegate::metrics
