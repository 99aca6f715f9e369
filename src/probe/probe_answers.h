// ProbeAnswers: one request in, the whole HTTP answer out. No sockets, so every path is tested as text.
//
// Owns: the published snapshot and what has been rendered from it. A document is rendered at the first
// request after a snapshot was published; the next requests cost a few appends and the time. Called from: the
// control loop only.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/http_date.h"
#include "health/readiness_json.h"
#include "health/snapshot.h"
#include "probe/action.h"
#include "probe/source.h"
#include "probe/status_page.h"

namespace probegate::probe {

struct ProbeRequest {
  std::string_view method;
  std::string_view path;  // origin-form, with its query
  std::string_view accept;
  std::string_view host;  // as the client wrote it; empty where it wrote none
  int minor = 1;
  bool keep_alive = true;   // whether the connection stays open after this answer
  bool may_follow = false;  // whether it may become a viewer's
  std::string_view action;  // from here on for actions only
  bool local = false;
  bool has_origin = false;
  bool through_proxy = false;
};

struct ProbeOptions {
  health::Details details = health::Details::full;
  std::string version;
  std::vector<std::string> hosts = {};  // names for the page, /events and /status
};

class ProbeAnswers {
 public:
  // `clock` and `source` outlive this. The snapshot is shared by the control loop, the data loops and us; it
  // is never null.
  ProbeAnswers(const Clock& clock, ProbeOptions options, std::shared_ptr<const health::Snapshot> first,
               const Source& source);

  void publish(std::shared_ptr<const health::Snapshot> snapshot);
  health::GateState gate() const { return snapshot_->gate; }
  void set_details(health::Details details);
  void set_hosts(std::vector<std::string> hosts) { options_.hosts = std::move(hosts); }

  // Appends the answer to `out`.
  enum class Reply {
    complete,
    last,    // the connection closes
    stream,  // it is a viewer's now
    action,  // nothing was appended: the path's action is to be begun, and answer_action() follows
  };
  Reply answer(const ProbeRequest& request, std::string& out);
  // Appends the state as one server-sent event, for a viewer.
  void append_event(std::string& out);
  // Appends what became of an action; it closes the connection.
  void answer_action(const ActionOutcome& outcome, std::string& out);
  // Appends the answer to what is no request; it closes the connection.
  void refuse(int status, std::string_view detail, std::string& out);

 private:
  enum class Page { startup, readiness, liveness, status, metrics, html, events };

  // An answer up to the value of Content-Length, and its body.
  struct Rendered {
    std::string head;
    health::SplicedBody body;
    std::string fixed;  // application/health+json: no gaps, and `body` is empty
  };
  using Cache = std::array<std::optional<Rendered>, 3>;  // of the first three pages

  void answer_document(Page page, const ProbeRequest& request, std::string& out);
  const Rendered& rendered(Page page, bool draft);
  Reply judge_action(const ActionName& name, const ProbeRequest& request, std::string& out);
  void answer_metrics(const ProbeRequest& request, std::string& out);
  void answer_status(const ProbeRequest& request, std::string& out);
  Reply answer_events(const ProbeRequest& request, std::string& out);
  void answer_html(const ProbeRequest& request, std::string& out);
  void answer_text(int status, std::string_view type, std::string_view extra_fields,
                   const ProbeRequest& request, std::string_view body, std::string& out);
  StatusView view() const;
  void end_head(std::size_t content_length, const ProbeRequest& request, std::string& out);

  const Clock& clock_;
  ProbeOptions options_;
  std::shared_ptr<const health::Snapshot> snapshot_;
  const Source& source_;
  Cache json_;
  Cache draft_;
  HttpDate date_;
};

}  // namespace probegate::probe
