// The backend of the benchmark: echoes WebSocket messages and answers every other request with 64 bytes.
//
//   backend --listen 127.0.0.1:PORT|unix:/path
//
// It knows one key, the sample of RFC 6455 section 1.3, so its answer is a constant; another key gets 400,
// which the load generator counts as an error. Runs until it is killed.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <vector>

#include "net.h"

namespace {

using bench::Flow;

constexpr std::string_view kSwitch =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
constexpr std::string_view kPage =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 64\r\n\r\n"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
constexpr std::string_view kRefusal = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
constexpr std::string_view kSampleKey =
    "sec-websocket-key: dghlihnhbxbszsbub25jzq==";  // lower case, as the head is made
constexpr std::size_t kMostHead = 65536;

std::array<char, 262144> buffer;

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // False when the connection is over. Reads only while nothing waits to be written, so a client that does
  // not read stalls itself.
  bool advance() {
    for (;;) {
      if (!flush()) return false;
      if (written_ < out_.size()) return true;
      if (closing_) return false;
      const auto [flow, count] = bench::receive(fd_, buffer);
      if (flow != Flow::kMoved) return flow == Flow::kBlocked;
      take(std::span(buffer).first(count));
    }
  }

 private:
  bool flush() {
    while (written_ < out_.size()) {
      const auto [flow, count] = bench::transmit(fd_, std::string_view(out_).substr(written_));
      if (flow != Flow::kMoved) return flow == Flow::kBlocked;
      written_ += count;
    }
    out_.clear();
    written_ = 0;
    return true;
  }

  void take(std::span<char> bytes) {
    if (upgraded_) return echo(bytes);
    head_.append(bytes.data(), bytes.size());
    for (std::size_t end; !upgraded_ && (end = head_.find("\r\n\r\n")) != std::string::npos;) {
      answer(head_.substr(0, end));
      head_.erase(0, end + 4);
    }
    if (head_.size() > kMostHead) bench::fail("a request head without end");
    if (upgraded_ && !head_.empty()) echo(head_);
    if (upgraded_) std::string().swap(head_);  // thousands of tunnels stay open
  }

  void answer(std::string head) {
    std::ranges::transform(head, head.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const bool upgrade = head.find("\r\nupgrade: websocket") != std::string::npos;
    upgraded_ = upgrade && head.find(kSampleKey) != std::string::npos;
    out_ += upgraded_ ? kSwitch : upgrade ? kRefusal : kPage;
  }

  // The client's frames, unmasked, as frames of a server.
  void echo(std::span<char> bytes) {
    while (!bytes.empty()) {
      if (payload_left_ == 0) {
        frame_.push_back(bytes.front());
        bytes = bytes.subspan(1);
        if (frame_.size() == frame_head_size()) begin_frame();
        continue;
      }
      const std::size_t count = std::min<std::size_t>(bytes.size(), payload_left_);
      const std::size_t at = out_.size();
      out_.append(bytes.data(), count);
      for (std::size_t i = 0; i < count; ++i) out_[at + i] ^= mask_[(mask_at_ + i) & 3];
      mask_at_ += count;
      payload_left_ -= count;
      bytes = bytes.subspan(count);
    }
  }

  std::size_t length_bytes() const {
    const int length = frame_[1] & 0x7f;
    return length == 126 ? 2 : length == 127 ? 8 : 0;
  }
  std::size_t frame_head_size() const { return frame_.size() < 2 ? 2 : 2 + length_bytes() + 4; }

  void begin_frame() {
    if ((frame_[1] & 0x80) == 0) bench::fail("a frame of the client without a mask");
    const std::size_t extra = length_bytes();
    payload_left_ = static_cast<std::uint64_t>(frame_[1] & 0x7f);
    if (extra > 0) payload_left_ = 0;
    for (std::size_t i = 0; i < extra; ++i)
      payload_left_ = payload_left_ << 8 | static_cast<unsigned char>(frame_[2 + i]);
    std::copy_n(frame_.end() - 4, 4, mask_.begin());
    mask_at_ = 0;
    closing_ = (frame_[0] & 0x0f) == 8;
    out_.push_back(frame_[0]);
    out_.push_back(static_cast<char>(frame_[1] & 0x7f));
    out_.append(frame_, 2, extra);
    frame_.clear();
  }

  const int fd_;
  bool upgraded_ = false;
  bool closing_ = false;
  std::string head_;
  std::string out_;
  std::size_t written_ = 0;
  std::string frame_;  // the head of a frame, as far as it came
  std::array<char, 4> mask_{};
  std::size_t mask_at_ = 0;
  std::uint64_t payload_left_ = 0;
};

void serve(int listener) {
  const int epoll = bench::new_epoll();
  bench::watch(epoll, listener, nullptr);
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (connection != nullptr) {
        if (!connection->advance()) delete connection;
        continue;
      }
      for (int fd; (fd = bench::accept_from(listener)) >= 0;) bench::watch(epoll, fd, new Connection(fd));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string address = bench::option(argc, argv, "--listen", "");
  if (address.empty()) bench::fail("backend --listen 127.0.0.1:PORT|unix:/path");
  serve(bench::listen_on(address));
}
