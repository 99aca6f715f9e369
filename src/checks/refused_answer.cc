#include "checks/refused_answer.h"

#include "base/url.h"
#include "checks/presentable.h"

namespace probegate::checks {

using health::CheckResult;
using health::FailKind;

namespace {

constexpr std::size_t kLongestExcerpt = 160;
constexpr std::size_t kLongestUrl = 120;

}  // namespace

CheckResult refused_answer(const RefusedQuestion& question, const RefusedAnswer& answer) {
  std::string text = "answered " + std::to_string(answer.status);
  if (!question.what.empty()) text += " " + question.what;
  text += ", expected " + question.expected;
  if (!answer.probegate_reason.empty()) text += " (Probegate-Reason: " + answer.probegate_reason + ")";
  if (!answer.location.empty()) text += ", redirects to " + excerpt(redact_url(answer.location), kLongestUrl);
  text += "; " + excerpt(question.url, kLongestUrl);
  const auto said = excerpt(question.secrets.masked(answer.body), kLongestExcerpt);
  if (!said.empty()) text += " said \"" + said + '"';
  text += "; see " + question.remedies;
  const bool refused = answer.status == 401 || answer.status == 403;
  return CheckResult::fail(refused ? FailKind::auth : FailKind::answer, std::move(text));
}

}  // namespace probegate::checks
