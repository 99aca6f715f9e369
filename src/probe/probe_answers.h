// ProbeAnswers: one request in, the whole HTTP answer out. No sockets, so every path is tested as text.
//
// Owns: the published snapshot and what has been rendered from it. A document is rendered at the first
// request after a snapshot was published; the next requests cost a few appends and the time. Called from: the
// control loop only.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "health/readiness_json.h"
#include "health/snapshot.h"
#include "metrics/exposition.h"

namespace probegate::probe {

struct ProbeRequest {
  std::string_view method;
  std::string_view path;  // origin-form, with its query
  std::string_view accept;
  int minor = 1;
  bool keep_alive = true;  // whether the connection stays open after this answer
};

struct ProbeOptions {
  health::Details details = health::Details::full;
  std::string version;
};

// Writes the families that are not in the snapshot; called once per scrape.
using WriteMetrics = std::function<void(metrics::Exposition&)>;

class ProbeAnswers {
 public:
  // `clock` outlives this. The snapshot is shared by the control loop, the data loops and us; it is never
  // null.
  ProbeAnswers(const Clock& clock, ProbeOptions options, std::shared_ptr<const health::Snapshot> first,
               WriteMetrics write_metrics);

  void publish(std::shared_ptr<const health::Snapshot> snapshot);
  void set_details(health::Details details);

  // Appends the answer to `out`.
  void answer(const ProbeRequest& request, std::string& out);
  // Appends the answer to what is no request; it closes the connection.
  void refuse(int status, std::string_view detail, std::string& out);

 private:
  enum class Page { startup, readiness, liveness, status };

  // An answer up to the value of Content-Length, and its body.
  struct Rendered {
    std::string head;
    health::SplicedBody body;
    std::string fixed;  // application/health+json: no gaps, and `body` is empty
  };
  using Cache = std::array<std::optional<Rendered>, 4>;

  void answer_page(Page page, const ProbeRequest& request, std::string& out);
  const Rendered& rendered(Page page, bool draft);
  void answer_metrics(const ProbeRequest& request, std::string& out);
  void answer_html(const ProbeRequest& request, std::string& out);
  void answer_text(int status, std::string_view type, std::string_view extra_fields,
                   const ProbeRequest& request, std::string_view body, std::string& out);
  void end_head(std::size_t content_length, const ProbeRequest& request, std::string& out);
  std::string_view date(WallTime wall);

  const Clock& clock_;
  ProbeOptions options_;
  std::shared_ptr<const health::Snapshot> snapshot_;
  const WriteMetrics write_metrics_;
  Cache json_;
  Cache draft_;
  std::string date_;  // of date_second_
  std::int64_t date_second_ = -1;
};

}  // namespace probegate::probe
