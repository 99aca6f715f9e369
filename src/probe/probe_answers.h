// ProbeAnswers: one request in, the whole HTTP answer out. No sockets, so every path is tested as text.
//
// Owns: the published snapshot and the documents rendered from it. A document is rendered at the first
// request after a snapshot was published; further requests only append it with the current time. Called from:
// the control loop only.
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
  std::string_view host;  // as the client sent it; empty if it sent none
  int minor = 1;
  bool keep_alive = true;   // whether the connection stays open after this answer
  bool may_follow = false;  // whether another viewer of /events is allowed
  std::string_view action;  // this and the following are for actions only
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
    stream,  // the connection now streams events to a viewer
    action,  // nothing was appended: the caller starts the action of the path, then calls answer_action()
  };
  Reply answer(const ProbeRequest& request, std::string& out);
  // Appends the state as one server-sent event, for a viewer.
  void append_event(std::string& out);
  // Appends the result of an action; the connection closes after it.
  void answer_action(const ActionOutcome& outcome, std::string& out);
  // Appends the answer to an invalid request; the connection closes after it.
  void refuse(int status, std::string_view detail, std::string& out);

 private:
  enum class Page { startup, readiness, liveness, status, metrics, html, events };

  // The head of an answer up to the value of Content-Length, and its body.
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
