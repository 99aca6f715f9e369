#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/text.h"

namespace probegate {
namespace {

constexpr std::size_t kQueueLines = 4096;
constexpr std::size_t kQueueBytes = 4 << 20;  // a line may carry a client's 64 KiB path
constexpr auto kFlushAtExit = std::chrono::seconds(1);

// The words Cloud Logging knows.
const char* severity(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "DEBUG";
    case LogLevel::info: return "INFO";
    case LogLevel::warn: return "WARNING";
    case LogLevel::error: return "ERROR";
  }
  return "DEFAULT";
}

std::string format_json(LogLevel level, std::string_view message, Log::Fields fields, WallTime time) {
  nlohmann::ordered_json line{
      {"severity", severity(level)}, {"message", message}, {"timestamp", iso8601(time)}};
  for (const auto& field : fields) {
    nlohmann::ordered_json* place = &line;
    std::string_view key = field.key;
    // Only httpRequest nests; the trace fields of Cloud Logging have dots in their plain names.
    if (key.starts_with("httpRequest.")) {
      place = &line["httpRequest"];
      key.remove_prefix(std::string_view("httpRequest.").size());
    }
    std::visit([&](const auto& value) { (*place)[std::string(key)] = value; }, field.value);
  }
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Anything but plain ASCII is quoted and escaped: a value from a client must not move the reader's terminal.
std::string quoted_if_needed(std::string_view value) {
  const auto is_plain = [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '=' && c != '\\'; };
  if (!value.empty() && std::all_of(value.begin(), value.end(), is_plain)) return std::string(value);
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_control(char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }

std::string format_text(LogLevel level, std::string_view message, Log::Fields fields, WallTime time) {
  struct Show {
    std::string operator()(std::string_view v) const { return quoted_if_needed(v); }
    std::string operator()(std::int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const { return nlohmann::json(v).dump(); }
    std::string operator()(bool v) const { return v ? "true" : "false"; }
  };
  std::string name = to_lower(severity(level));
  name.resize(7, ' ');
  std::string line = iso8601(time) + " " + name + " ";
  for (const char c : message) line += is_control(c) ? ' ' : c;
  for (const auto& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    line += std::visit(Show{}, field.value);
  }
  return line;
}

// Returns false when the reader is gone for good.
bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      pollfd wait{fd, POLLOUT, 0};
      ::poll(&wait, 1, 1000);
    } else if (!(n < 0 && errno == EINTR)) {
      return false;
    }
  }
  return true;
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
  std::uint64_t dropped = 0;  // since the newest of `lines`, which is the last one before the gap
  bool writing = false;
  bool closed = false;

  bool full() const { return lines.size() >= kQueueLines || bytes >= kQueueBytes; }
};

std::string format_log_line(LogFormat format, LogLevel level, std::string_view message, Log::Fields fields,
                            WallTime time) {
  return format == LogFormat::json ? format_json(level, message, fields, time)
                                   : format_text(level, message, fields, time);
}

namespace {

std::string dropped_line(LogFormat format, std::uint64_t lines, WallTime time) {
  return format_log_line(format, LogLevel::warn, "log lines dropped: the reader was too slow",
                         {{"lines", lines}}, time) +
         '\n';
}

}  // namespace

Log::Log(int fd, LogLevel level, LogFormat format, const Clock& wall)
    : level_(level), wall_(wall), queue_(std::make_shared<Queue>(format)) {
  // Detached on purpose: it holds its own share of the queue and its own descriptor, and the destructor waits
  // for it with a deadline. Until the queue is closed, `wall` is alive.
  const int own_fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  std::thread([own_fd, &wall, queue = queue_] {
    std::unique_lock lock(queue->mutex);
    for (;;) {
      queue->filled.wait(lock, [&] { return !queue->lines.empty() || queue->closed; });
      if (queue->lines.empty()) break;
      std::deque<std::string> lines;
      lines.swap(queue->lines);
      queue->bytes = 0;
      const auto dropped = std::exchange(queue->dropped, 0u);
      if (dropped > 0) lines.push_back(dropped_line(queue->format, dropped, wall.wall_now()));
      queue->writing = true;
      lock.unlock();
      std::string batch;
      for (const auto& line : lines) batch += line;
      write_all(own_fd, batch);
      lock.lock();
      queue->writing = false;
      queue->emptied.notify_all();
    }
    ::close(own_fd);
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

void Log::write(LogLevel level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  std::string line = format_log_line(queue_->format, level, message, fields, wall_.wall_now()) + '\n';
  const std::lock_guard lock(queue_->mutex);
  if (queue_->full()) {
    ++queue_->dropped;
    return;
  }
  queue_->bytes += line.size();
  queue_->lines.push_back(std::move(line));
  queue_->filled.notify_one();
}

}  // namespace probegate
