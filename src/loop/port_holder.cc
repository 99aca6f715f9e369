#include "loop/port_holder.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/text.h"

namespace probegate::loop {
namespace {

constexpr std::string_view kListenState = "0A";

// Collects the inodes of sockets that listen on the port; columns of /proc/net/tcp: sl local rem st
// ... inode (10th).
void collect_inodes(const char* table, std::uint16_t port, std::set<std::string>& inodes) {
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string sl, local, remote, state, skip, inode;
    words >> sl >> local >> remote >> state;
    for (int i = 0; i < 5; ++i) words >> skip;
    words >> inode;
    const auto colon = local.rfind(':');
    if (state != kListenState || colon == std::string::npos) continue;
    unsigned value = 0;
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), value, 16);
    if (value == port) inodes.insert("socket:[" + inode + "]");
  }
}

std::string command_name(const std::filesystem::path& process) {
  std::string name;
  std::getline(std::ifstream(process / "comm") >> std::ws, name);
  return name;
}

bool holds_one_of(const std::filesystem::path& process, const std::set<std::string>& inodes) {
  std::error_code error;
  for (const auto& fd : std::filesystem::directory_iterator(process / "fd", error)) {
    std::error_code ignored;
    if (inodes.contains(std::filesystem::read_symlink(fd.path(), ignored).string())) return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> find_port_holder(const Endpoint& endpoint) {
  if (endpoint.is_unix()) return std::nullopt;
  std::set<std::string> inodes;
  collect_inodes("/proc/net/tcp", endpoint.port, inodes);
  collect_inodes("/proc/net/tcp6", endpoint.port, inodes);
  if (inodes.empty()) return std::nullopt;
  std::error_code error;
  for (const auto& process : std::filesystem::directory_iterator("/proc", error)) {
    const auto pid = process.path().filename().string();
    if (!parse_decimal<int>(pid)) continue;
    if (holds_one_of(process.path(), inodes)) return "pid " + pid + " (" + command_name(process.path()) + ")";
  }
  return std::nullopt;
}

}  // namespace probegate::loop
