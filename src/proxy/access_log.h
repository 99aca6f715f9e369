// AccessLog: one log line per finished request, in the format of Cloud Logging.
//
// Refusals may come in floods: per reason at most kRefusalsTold lines are written in kRefusalWindow, then one
// line with the number of the others. Paths are logged without the query, which may hold tokens. Owns: the
// counts of suppressed lines. Thread: its data loop's.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "loop/deadline.h"
#include "proto/http_message.h"
#include "proxy/environment.h"
#include "proxy/refusal.h"
#include "proxy/tunnel_log_context.h"

namespace probegate::proxy {

// What is known of a request that has ended.
struct EndedRequest {
  const proto::RequestHead* head = nullptr;  // null if it was never complete
  std::string_view peer;                     // its address, empty for a unix socket
  bool trusted = false;                      // X-Forwarded-For names the client then
  std::string_view request_id;               // as sent to the backend
  Duration took{0};                          // since the head was complete
  int status = 0;                            // of the current answer; 0: none
  std::uint64_t bytes = 0;                   // of it, head and body, as written to the client
};

class AccessLog final : private loop::Deadline::Observer {
 public:
  static constexpr unsigned kRefusalsTold = 10;
  static constexpr Duration kRefusalWindow = std::chrono::seconds(10);

  explicit AccessLog(Environment& environment, Duration window = kRefusalWindow);
  ~AccessLog();  // logs the counts of suppressed lines

  // True if a line would be written for an answer; lets callers avoid the work of preparing one.
  bool tells_of(int status) const;
  void answered(const EndedRequest& request);
  // The answer was cut off in its middle.
  void cut_off(const EndedRequest& request, std::string_view why);
  // The client left before it got its answer. `meanwhile`: "held", "asking auth", "waiting for the
  // backend", "receiving the answer".
  void client_left(const EndedRequest& request, std::string_view meanwhile);
  void refused(const EndedRequest& request, const Refusal& refusal);

  // Empty if the tunnel's line would not be written.
  TunnelLogContext note(const EndedRequest& request) const;
  // The note's fields of a tunnel's line, appended. They view `note` and `texts`.
  void add_note(const TunnelLogContext& note, std::vector<LogField>& fields, std::string& texts) const;

 private:
  struct Repeats {
    std::uint64_t began_ms = 0;
    unsigned told = 0;
    std::uint64_t untold = 0;
  };

  bool tells(LogLevel level, bool failure) const;
  std::string_view shown_client(const EndedRequest& request) const;
  bool is_one_too_many(metrics::Reason reason);
  void tell_untold();
  void write(LogLevel level, const EndedRequest& request, int status, std::string_view outcome,
             std::vector<LogField> fields);
  void add_trace(const proto::TraceContext& context, std::vector<LogField>& fields, std::string& texts) const;
  void on_deadline(loop::Deadline& deadline) override;

  Environment& environment_;
  const Duration window_;
  loop::Deadline deadline_;
  std::array<Repeats, std::size(metrics::LabelSet<metrics::Reason>::words)> repeats_;
};

}  // namespace probegate::proxy
