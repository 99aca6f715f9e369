#include "checks/renewal.h"

#include <sys/stat.h>

#include <map>
#include <set>
#include <utility>

#include "checks/presentable.h"
#include "config/secrets.h"
#include "loop/timer.h"

namespace probegate::checks {
namespace {

using namespace std::chrono_literals;
using health::CheckResult;
using health::FailKind;

constexpr Duration kLookAgain = 500ms;  // after a refused login
constexpr std::size_t kLargestFile = 64 * 1024;

// The secret in the file; empty if the file has none yet.
std::optional<std::string> content_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  auto content = config::read_file(path, kLargestFile);
  if (!content || content->find_first_not_of("\r\n") == std::string::npos) return std::nullopt;
  return *std::move(content);
}

// The configuration and files a plan was made from.
struct Origin {
  CheckPlan plan;
  ReadCheck read = nullptr;
  config::CheckSpec spec;
  std::shared_ptr<const config::Config> config;
  std::map<std::string, std::optional<std::string>> files;  // with their content
  std::set<std::string> addresses;                          // the `files` that contain a URL
};

class RenewingCheck final : public Check {
 public:
  RenewingCheck(const CheckContext& context, std::shared_ptr<const Origin> origin)
      : context_(context),
        origin_(std::move(origin)),
        plan_(origin_->plan),
        files_(origin_->files),
        again_(context.loop, [this] { begin(); }),
        watch_(context.loop, [this] { look_again(); }) {}

  void start(Attempt attempt, TimePoint deadline) override {
    watch_.stop();
    attempt_ = std::move(attempt);
    deadline_ = deadline;
    if (check_ && check_->keeps_session()) return begin();
    if (renew()) {
      check_.reset();
      if (context_.retry) context_.retry();
    }
    begin();
  }

  const char* phase() const noexcept override { return check_ ? check_->phase() : nullptr; }
  bool keeps_session() const noexcept override { return check_ && check_->keeps_session(); }

 private:
  void begin() {
    if (std::exchange(outdated_, false)) check_.reset();
    if (!check_) {
      CheckContext context = context_;
      context.begin_anew = [this] { return begin_anew(); };
      check_ = plan_.make(context);
    }
    check_->start(
        Attempt([anchor = std::weak_ptr<RenewingCheck*>(anchor_), attempt = attempt_](CheckResult result) {
          if (const auto us = anchor.lock()) (*us)->on_result(result);
          attempt.finish(std::move(result));
        }),
        deadline_);
  }

  // Called when the check is about to log in during an attempt. The check is replaced in a later loop
  // iteration, because its code is still running.
  bool begin_anew() {
    if (!renew()) return false;
    outdated_ = true;
    again_.start(Duration::zero());
    return true;
  }

  void on_result(CheckResult& result) {
    if (!result.error) return;
    const bool refused = result.error->kind == FailKind::auth;
    result.error->message =
        presentable(result.error->message + (refused ? hint() : std::string()), plan_.secrets);
    if (refused) watch_.start_repeating(kLookAgain);
  }

  // Whitespace around a password is kept, because it may be intended; if the login is refused, it
  // probably is not.
  std::string hint() const {
    for (const auto& [path, content] : files_) {
      if (!content || origin_->addresses.contains(path)) continue;
      const auto blanks = config::blanks_around(*content);
      if (!blanks.empty())
        return "; the secret in " + path + " " + std::string(blanks) + ", which is sent too";
    }
    return {};
  }

  void look_again() {
    if (!changed() || !context_.retry) return;
    watch_.stop();
    context_.retry();
  }

  bool changed() const {
    for (const auto& [path, before] : files_) {
      const auto now = content_of(path);
      if (now && now != before) return true;
    }
    return false;
  }

  // Reads the files again; true if there is a new plan.
  bool renew() {
    if (!changed()) return false;
    for (auto& [path, content] : files_) {
      if (auto now = content_of(path)) content = std::move(now);
    }
    config::CheckSpec spec = origin_->spec;
    spec.fields = origin_->spec.fields.unread();
    CheckPlan plan = origin_->read(spec, *origin_->config);
    if (!spec.fields.problems().empty()) return false;
    plan_ = std::move(plan);
    return true;
  }

  const CheckContext context_;
  const std::shared_ptr<const Origin> origin_;  // owners: the plan and every check made from it
  // Sole owner: this object; an Attempt that outlives it finds the pointer expired.
  const std::shared_ptr<RenewingCheck*> anchor_ = std::make_shared<RenewingCheck*>(this);
  CheckPlan plan_;
  std::map<std::string, std::optional<std::string>> files_;
  Attempt attempt_;
  TimePoint deadline_{};
  bool outdated_ = false;  // the check object must be replaced
  std::unique_ptr<Check> check_;
  loop::Timer again_;
  loop::Timer watch_;
};

}  // namespace

CheckPlan renewing(ReadCheck read, const config::CheckSpec& spec,
                   const std::shared_ptr<const config::Config>& config) {
  auto origin = std::make_shared<Origin>();
  // Reads the files before the plan is made, so that a change in between is noticed later.
  for (const auto& file : spec.fields.secret_files()) {
    origin->files[file.path] = content_of(file.path);
    if (file.is_address) origin->addresses.insert(file.path);
  }
  CheckPlan plan = read(spec, *config);
  if (origin->files.empty()) return plan;
  origin->plan = plan;
  origin->read = read;
  origin->spec = spec;
  origin->config = config;
  plan.make = [origin = std::shared_ptr<const Origin>(std::move(origin))](const CheckContext& context) {
    return std::make_unique<RenewingCheck>(context, origin);
  };
  return plan;
}

}  // namespace probegate::checks
