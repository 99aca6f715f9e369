#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "base/json_text.h"
#include "base/text.h"

namespace probegate {
namespace {

constexpr std::size_t kQueueLines = 4096;
constexpr std::size_t kQueueBytes = 4 << 20;  // a line may contain a client's 64 KiB path
constexpr std::size_t kUsualLine = 640;
constexpr char kHex[] = "0123456789abcdef";
constexpr auto kFlushAtExit = std::chrono::seconds(1);
constexpr auto kTryAgain = std::chrono::seconds(1);  // after writing has failed

// The severity names of Cloud Logging.
const char* severity(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "DEBUG";
    case LogLevel::info: return "INFO";
    case LogLevel::warn: return "WARNING";
    case LogLevel::error: return "ERROR";
  }
  return "DEFAULT";
}

// Rounded to three decimals: times are not measured more precisely.
std::string to_text(double value) {
  std::string text;
  append_json_number(text, std::round(value * 1000) / 1000);
  return text;
}

struct AppendJson {
  std::string& line;
  void operator()(std::string_view v) const { append_json_text(line, v); }
  void operator()(std::int64_t v) const { line += std::to_string(v); }
  void operator()(double v) const { line += to_text(v); }
  void operator()(bool v) const { line += v ? "true" : "false"; }
};

constexpr std::string_view kRequestPrefix = "httpRequest.";
constexpr std::string_view kTracePrefix = "logging.googleapis.com/";

// Written without an intermediate JSON document, because a busy proxy writes a line for each request.
std::string format_json(LogLevel level, std::string_view message, std::span<const LogField> fields,
                        WallTime time) {
  std::string line;
  line.reserve(kUsualLine);
  line += R"({"severity":")";
  line.append(severity(level)).append(R"(","message":)");
  append_json_text(line, message);
  line.append(R"(,"timestamp":")").append(iso8601(time)).append("\"");
  bool nested = false;
  for (const auto& field : fields) {
    std::string_view key = field.key;
    // Only httpRequest nests; the trace fields of Cloud Logging have dots in their plain names.
    const bool nests = key.starts_with(kRequestPrefix);
    if (nests) key.remove_prefix(kRequestPrefix.size());
    if (nested && !nests) line += '}';
    line += nests && !nested ? R"(,"httpRequest":{)" : ",";
    nested = nests;
    line.append(1, '"').append(key).append("\":");  // our own keys need no escaping
    std::visit(AppendJson{line}, field.value);
  }
  line += nested ? "}}" : "}";
  return line;
}

// Anything but plain ASCII is quoted and escaped, so that a value from a client cannot control the terminal.
std::string quoted_if_needed(std::string_view value) {
  const auto is_plain = [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '=' && c != '\\'; };
  if (!value.empty() && std::all_of(value.begin(), value.end(), is_plain)) return std::string(value);
  // JSON does not escape U+0080 to U+009F (0xC2 and one more byte), which are control characters
  // for a terminal.
  std::string text;
  std::string json;
  append_json_text(json, value);
  for (std::size_t i = 0; i < json.size(); ++i) {
    const bool is_c1 = json[i] == '\xc2' && static_cast<unsigned char>(json[i + 1]) < 0xa0;
    if (!is_c1) {
      text += json[i];
      continue;
    }
    const auto code = static_cast<unsigned char>(json[++i]);
    text.append("\\u00").append(1, kHex[code >> 4]).append(1, kHex[code & 15]);
  }
  return text;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

// Fields that the message of an access line already contains.
bool is_in_message(std::string_view key) {
  return key == "httpRequest.requestMethod" || key == "httpRequest.requestUrl" || key == "httpRequest.status";
}

// Field names of Cloud Logging are long; the text format shows only their last part.
std::string_view short_key(std::string_view key) {
  for (const auto prefix : {kRequestPrefix, kTracePrefix}) {
    if (key.starts_with(prefix)) return key.substr(prefix.size());
  }
  return key;
}

std::string format_text(LogLevel level, std::string_view message, std::span<const LogField> fields,
                        WallTime time) {
  struct Show {
    std::string operator()(std::string_view v) const { return quoted_if_needed(v); }
    std::string operator()(std::int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const { return to_text(v); }
    std::string operator()(bool v) const { return v ? "true" : "false"; }
  };
  std::string name = to_lower(severity(level));
  name.resize(7, ' ');
  std::string line = iso8601(time) + " " + name + " ";
  for (const char c : message) line += is_control(c) ? ' ' : c;
  for (const auto& field : fields) {
    if (is_in_message(field.key)) continue;
    line += ' ';
    line += short_key(field.key);
    line += '=';
    line += std::visit(Show{}, field.value);
  }
  return line;
}

// Returns the number of bytes written; fewer than all when writing failed, with the cause in errno.
std::size_t write_all(int fd, std::string_view text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t n = ::write(fd, text.data() + written, text.size() - written);
    if (n > 0) {
      written += static_cast<std::size_t>(n);
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      pollfd wait{fd, POLLOUT, 0};
      ::poll(&wait, 1, 1000);
    } else if (!(n < 0 && errno == EINTR)) {
      break;
    }
  }
  return written;
}

}  // namespace

struct Log::Queue {
  explicit Queue(LogFormat f) : format(f) {}

  std::atomic<LogFormat> format;
  std::mutex mutex;
  std::condition_variable filled;
  std::condition_variable emptied;
  std::deque<std::string> lines;
  std::size_t bytes = 0;
  std::uint64_t dropped = 0;  // lines dropped after the newest of `lines`
  WallTime newest{};          // the time of the latest line
  bool writing = false;
  bool closed = false;

  bool full() const { return lines.size() >= kQueueLines || bytes >= kQueueBytes; }
};

std::string format_log_line(LogFormat format, LogLevel level, std::string_view message,
                            std::span<const LogField> fields, WallTime time) {
  return format == LogFormat::json ? format_json(level, message, fields, time)
                                   : format_text(level, message, fields, time);
}

namespace {

std::string dropped_line(LogFormat format, std::uint64_t lines, WallTime time) {
  const LogField count("lines", lines);
  return format_log_line(format, LogLevel::warn, "log lines dropped: the reader was too slow", {&count, 1},
                         time) +
         '\n';
}

std::string lost_line(LogFormat format, std::uint64_t lines, int error, WallTime time) {
  const LogField fields[] = {{"lines", lines}, {"why", std::strerror(error)}};
  return format_log_line(format, LogLevel::warn, "log lines lost: they could not be written", fields, time) +
         '\n';
}

// The writer's end of the queue. It counts lines that could not be written and logs their number when
// writing works again.
class Writer {
 public:
  explicit Writer(int fd) : fd_(fd) {}
  ~Writer() { ::close(fd_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  bool owes() const { return lost_ > 0; }

  void write(const std::deque<std::string>& lines, LogFormat format, WallTime now) {
    if (lost_ > 0) {
      // After a partly written line, start a new one.
      const std::string debt = (torn_ ? "\n" : "") + lost_line(format, lost_, error_, now);
      const auto written = write_all(fd_, debt);
      if (written < debt.size()) {
        torn_ = written > 0 ? debt[written - 1] != '\n' : torn_;
        lost_ += lines.size();
        return;
      }
      lost_ = 0;
      torn_ = false;
    }
    std::string batch;
    for (const auto& line : lines) batch += line;
    std::size_t written = write_all(fd_, batch);
    if (written == batch.size()) return;
    error_ = errno;
    torn_ = written > 0 && batch[written - 1] != '\n';
    for (const auto& line : lines) {
      if (written < line.size()) ++lost_;
      written -= std::min(written, line.size());
    }
  }

 private:
  const int fd_;
  std::uint64_t lost_ = 0;
  int error_ = 0;
  bool torn_ = false;  // the last line was only partly written
};

}  // namespace

Log::Log(int fd, LogLevel level, LogFormat format, const Clock& wall)
    : level_(level), wall_(wall), queue_(std::make_shared<Queue>(format)) {
  // Detached on purpose: the thread shares ownership of the queue and has its own descriptor, and the
  // destructor waits for it with a deadline. `wall` exists until the queue is closed.
  const int own_fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  std::thread([own_fd, &wall, queue = queue_] {
    Writer writer(own_fd);
    std::unique_lock lock(queue->mutex);
    const auto woken = [&] { return !queue->lines.empty() || queue->closed; };
    for (;;) {
      if (writer.owes()) {
        queue->filled.wait_for(lock, kTryAgain, woken);
      } else {
        queue->filled.wait(lock, woken);
      }
      if (queue->lines.empty() && (queue->closed || !writer.owes())) break;
      std::deque<std::string> lines;
      lines.swap(queue->lines);
      queue->bytes = 0;
      const auto dropped = std::exchange(queue->dropped, 0u);
      if (dropped > 0) lines.push_back(dropped_line(queue->format, dropped, wall.wall_now()));
      // After close, the clock may no longer exist.
      const WallTime now = queue->closed ? queue->newest : wall.wall_now();
      queue->writing = true;
      lock.unlock();
      writer.write(lines, queue->format, now);
      lock.lock();
      queue->writing = false;
      queue->emptied.notify_all();
    }
  }).detach();
}

Log::~Log() {
  flush(kFlushAtExit);
  const std::lock_guard lock(queue_->mutex);
  queue_->closed = true;
  queue_->filled.notify_all();
}

void Log::flush(Duration limit) {
  std::unique_lock lock(queue_->mutex);
  if (queue_->dropped > 0) {
    queue_->lines.push_back(
        dropped_line(queue_->format, std::exchange(queue_->dropped, 0u), wall_.wall_now()));
    queue_->filled.notify_all();
  }
  queue_->emptied.wait_for(lock, limit, [&] { return queue_->lines.empty() && !queue_->writing; });
}

void Log::set(LogLevel level, LogFormat format) {
  level_.store(level, std::memory_order_relaxed);
  queue_->format.store(format, std::memory_order_relaxed);
}

void Log::write(LogLevel level, std::string_view message, std::span<const LogField> fields) {
  if (!enabled(level)) return;
  const WallTime now = wall_.wall_now();
  std::string line = format_log_line(queue_->format, level, message, fields, now) + '\n';
  const std::lock_guard lock(queue_->mutex);
  queue_->newest = now;
  if (queue_->full()) {
    ++queue_->dropped;
    return;
  }
  queue_->bytes += line.size();
  queue_->lines.push_back(std::move(line));
  queue_->filled.notify_one();
}

}  // namespace probegate
