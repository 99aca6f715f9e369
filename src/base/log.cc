#include "base/log.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"

namespace probegate {
namespace {

constexpr std::size_t kQueueLines = 4096;
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
  nlohmann::ordered_json line{{"severity", severity(level)}, {"message", message}, {"timestamp", iso8601(time)}};
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

std::string quoted_if_needed(std::string_view value) {
  const bool plain = !value.empty() && value.find_first_of(" \"=\\\n\r\t") == std::string_view::npos;
  if (plain) return std::string(value);
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

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
  for (const char c : message) line += c == '\n' ? ' ' : c;
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
  std::mutex mutex;
  std::condition_variable filled;
  std::condition_variable emptied;
  std::deque<std::string> lines;
  std::uint64_t dropped = 0;
  bool writing = false;
  bool closed = false;
};

std::string format_log_line(LogFormat format, LogLevel level, std::string_view message, Log::Fields fields,
                            WallTime time) {
  return format == LogFormat::json ? format_json(level, message, fields, time)
                                   : format_text(level, message, fields, time);
}

Log::Log(int fd, LogLevel level, LogFormat format, const Clock& wall)
    : level_(level), format_(format), wall_(wall), queue_(std::make_shared<Queue>()) {
  // Detached on purpose: it holds its own share of the queue, and the destructor waits for it with a deadline.
  std::thread([fd, queue = queue_] {
    std::unique_lock lock(queue->mutex);
    for (;;) {
      queue->filled.wait(lock, [&] { return !queue->lines.empty() || queue->closed; });
      if (queue->lines.empty()) break;
      std::string batch;
      while (!queue->lines.empty()) {
        batch += queue->lines.front();
        batch += '\n';
        queue->lines.pop_front();
      }
      queue->writing = true;
      lock.unlock();
      write_all(fd, batch);
      lock.lock();
      queue->writing = false;
      queue->emptied.notify_all();
    }
  }).detach();
}

Log::~Log() {
  std::unique_lock lock(queue_->mutex);
  queue_->closed = true;
  queue_->filled.notify_all();
  queue_->emptied.wait_for(lock, kFlushAtExit, [&] { return queue_->lines.empty() && !queue_->writing; });
}

void Log::write(LogLevel level, std::string_view message, Fields fields) {
  if (enabled(level)) enqueue(format_log_line(format_, level, message, fields, wall_.wall_now()));
}

void Log::enqueue(std::string line) {
  const std::lock_guard lock(queue_->mutex);
  if (queue_->lines.size() >= kQueueLines) {
    ++queue_->dropped;
    return;
  }
  if (queue_->dropped > 0) {
    queue_->lines.push_back(format_log_line(format_, LogLevel::warn, "log lines dropped: the reader was too slow",
                                            {{"lines", queue_->dropped}}, wall_.wall_now()));
    queue_->dropped = 0;
  }
  queue_->lines.push_back(std::move(line));
  queue_->filled.notify_one();
}

}  // namespace probegate
