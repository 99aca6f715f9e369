// Structured log: one event per line on stdout, as JSON or text. Never blocks its caller.
//
// Owns: the writer thread and its queue, bounded in lines and bytes. Invariant: if the reader of stdout is
// too slow, lines are dropped (and their number is logged later), but no loop waits. Hand-written because the
// available async sinks join their thread without a deadline, so a stalled stdout would block the exit.
// Thread: every method may be called from any thread.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"

namespace probegate {

enum class LogLevel { debug, info, warn, error };
enum class LogFormat { text, json };

struct LogField {
  using Value = std::variant<std::string_view, std::int64_t, double, bool>;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  template <std::integral Int>
  LogField(std::string_view k, Int v) : key(k), value(static_cast<std::int64_t>(v)) {}

  // "httpRequest.status" becomes a nested object in JSON; pass all httpRequest fields in a row. Any other dot
  // is part of the name.
  std::string_view key;
  Value value;
};

class Log {
 public:
  using Fields = std::initializer_list<LogField>;

  // Writes to a duplicate of `fd`; the caller keeps `fd`. `wall` gives the timestamps and must
  // outlive the log.
  Log(int fd, LogLevel level, LogFormat format, const Clock& wall);
  ~Log();  // waits at most one second for the lines still queued
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Waits until the queued lines are written, but at most `limit`. Call it before an immediate exit.
  void flush(Duration limit);

  // Applies to later lines; queued lines are not changed.
  void set(LogLevel level, LogFormat format);

  bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
  void write(LogLevel level, std::string_view message, std::span<const LogField> fields);
  void write(LogLevel level, std::string_view message, Fields fields = {}) {
    write(level, message, std::span(fields.begin(), fields.size()));
  }

  void debug(std::string_view message, Fields fields = {}) { write(LogLevel::debug, message, fields); }
  void info(std::string_view message, Fields fields = {}) { write(LogLevel::info, message, fields); }
  void warn(std::string_view message, Fields fields = {}) { write(LogLevel::warn, message, fields); }
  void error(std::string_view message, Fields fields = {}) { write(LogLevel::error, message, fields); }

 private:
  struct Queue;

  std::atomic<LogLevel> level_;
  const Clock& wall_;
  const std::shared_ptr<Queue> queue_;  // the writer thread may outlive the log
};

// The line without its newline. Public for the tests of both formats.
std::string format_log_line(LogFormat format, LogLevel level, std::string_view message,
                            std::span<const LogField> fields, WallTime time);

}  // namespace probegate
