// The health documents: snapshot in, body out. Pure; compared with golden files by the tests.
//
// A body is rendered once per snapshot. Only the time and the uptime differ between answers; they are
// inserted per request, so a probe costs no serialization.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "health/snapshot.h"

namespace probegate::health {

enum class Document { startup, readiness, liveness };
enum class Details { full, summary };  // summary: no error texts, table names or addresses

// The status word of a document, and whether it is answered with 200 or 503.
struct Judgement {
  std::string_view word;
  bool ok;
  bool operator==(const Judgement&) const = default;
};
Judgement judge(Document document, const Snapshot& snapshot);

// A body with two gaps, for the time and for the uptime.
struct SplicedBody {
  std::string before_time;
  std::string before_uptime;
  std::string after_uptime;

  static constexpr std::size_t kTimeSize = 24;  // iso8601()
  std::size_t size(std::string_view uptime) const {
    return before_time.size() + kTimeSize + before_uptime.size() + uptime.size() + after_uptime.size();
  }
  void append_to(std::string& out, std::string_view time, std::string_view uptime) const;
  std::string text(std::string_view time, std::string_view uptime) const;
};

// "3.214": seconds with three decimals. Negative values become zero.
std::string uptime_text(Duration uptime);

// `without`: names of checks that get no boolean at the top level.
SplicedBody readiness_json(const Snapshot& snapshot, Document document, Details details,
                           std::span<const std::string_view> without = {});

// The format of draft-inadarei-api-health-check (application/health+json). It has no time of its own, so no
// gaps to fill.
std::string health_json(const Snapshot& snapshot, Document document, Details details,
                        std::string_view version);

}  // namespace probegate::health
