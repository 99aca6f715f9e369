#include "probe/process_metrics.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <sstream>
#include <string>

namespace probegate::probe {
namespace {

std::string read_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The fields of /proc/self/stat that we need; see proc(5).
struct Stat {
  double cpu_seconds = 0;
  double start_ticks = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_pages = 0;
};

std::optional<Stat> read_stat() {
  const std::string text = read_file("/proc/self/stat");
  const auto name_end = text.rfind(')');  // the name may itself hold blanks and parentheses
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double utime = 0, stime = 0;
  Stat stat;
  fields >> utime >> stime;
  for (int field = 16; field < 22; ++field) fields >> skipped;
  fields >> stat.start_ticks >> stat.virtual_bytes >> stat.resident_pages;
  if (!fields) return std::nullopt;
  stat.cpu_seconds = (utime + stime) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return stat;
}

std::optional<double> boot_time() {
  const std::string text = read_file("/proc/stat");
  const auto at = text.find("\nbtime ");
  if (at == std::string::npos) return std::nullopt;
  double seconds = 0;
  const auto [end, code] = std::from_chars(text.data() + at + 7, text.data() + text.size(), seconds);
  return code == std::errc{} ? std::optional(seconds) : std::nullopt;
}

std::uint64_t open_descriptors() {
  struct stat info {};
  // Since Linux 6.2 the size is the number; before, it is 0 and the entries must be counted.
  if (::stat("/proc/self/fd", &info) == 0 && info.st_size > 0)
    return static_cast<std::uint64_t>(info.st_size);
  std::error_code error;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count;
}

std::uint64_t resident_bytes(const Stat& stat) {
  return stat.resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::optional<std::uint64_t> resident_bytes() {
  const auto stat = read_stat();
  return stat ? std::optional(resident_bytes(*stat)) : std::nullopt;
}

void write_process(metrics::Exposition& out) {
  const auto stat = read_stat();
  const auto boot = boot_time();
  out.counter("process_cpu_seconds", "Total user and system CPU time spent in seconds.");
  if (stat) out.sample({}, stat->cpu_seconds);
  out.gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
  if (stat) out.sample({}, resident_bytes(*stat));
  out.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.");
  if (stat) out.sample({}, stat->virtual_bytes);
  out.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.");
  if (stat && boot) {
    out.sample({}, *boot + stat->start_ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)));
  }
  out.gauge("process_open_fds", "Number of open file descriptors.");
  out.sample({}, open_descriptors());
  out.gauge("process_max_fds", "Maximum number of open file descriptors.");
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    const bool unlimited = limit.rlim_cur == RLIM_INFINITY;
    out.sample({}, unlimited ? std::numeric_limits<double>::infinity() : static_cast<double>(limit.rlim_cur));
  }
}

}  // namespace probegate::probe
