// AccessLog: what the log says of requests: one line for each that ends, shaped as Cloud Logging reads them.
//
// Refusals come in floods, so of each reason at most kRefusalsTold lines are written in kRefusalWindow, and
// one that counts the rest. A path is written without its query, where browsers put their tokens. Owns: the
// counts of what was left out. Thread: its data loop's.
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

// A request that has ended, as whoever forwarded it knows it.
struct EndedRequest {
  const proto::RequestHead* head = nullptr;  // null: it never became whole
  std::string_view peer;                     // its address, empty for a unix socket
  bool trusted = false;                      // X-Forwarded-For names the client then
  std::string_view request_id;               // as the backend got it
  Duration took{0};                          // since the head was whole
  int status = 0;                            // of the answer under way; 0: there is none
  std::uint64_t bytes = 0;                   // of it, head and body, as written to the client
};

class AccessLog final : private loop::Deadline::Observer {
 public:
  static constexpr unsigned kRefusalsTold = 10;
  static constexpr Duration kRefusalWindow = std::chrono::seconds(10);

  explicit AccessLog(Environment& environment, Duration window = kRefusalWindow);
  ~AccessLog();  // says what is still untold

  // Whether a line is written of an answer: otherwise nobody need put together what it would say.
  bool tells_of(int status) const;
  void answered(const EndedRequest& request);
  // The answer ends in its middle.
  void cut_off(const EndedRequest& request, std::string_view why);
  // The client went away before it had its answer. `meanwhile`: "held", "asking auth", "waiting for the
  // backend", "receiving the answer".
  void client_left(const EndedRequest& request, std::string_view meanwhile);
  void refused(const EndedRequest& request, const Refusal& refusal);

  // Empty where the tunnel's line would not be written.
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
