#include "client.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace bench {
namespace {

constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
constexpr std::string_view kAccept = "\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
constexpr std::string_view kClose("\x88\x82\x01\x02\x03\x04\x02\xea", 8);  // code 1000, masked
constexpr std::string_view kCloseBack("\x88\x02\x03\xe8", 4);
constexpr std::size_t kMostAnswer = 1 << 20;

std::array<char, 262144> buffer;

std::string lower(std::string_view text) {
  std::string copy(text);
  std::ranges::transform(copy, copy.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return copy;
}

std::string frame_head(std::size_t size, bool masked) {
  std::string head(1, '\x82');  // one whole binary message
  const int bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  const std::size_t length = bytes == 0 ? size : bytes == 2 ? 126 : 127;
  head.push_back(static_cast<char>(length | (masked ? 0x80 : 0)));
  for (int i = bytes - 1; i >= 0; --i) head.push_back(static_cast<char>(size >> (8 * i)));
  return head;
}

}  // namespace

Client::Client(const Work& work, std::size_t number) : work_(work), number_(number) {
  if (work.kind == Kind::kGet) {
    request_ = "GET " + work.path + " HTTP/1.1\r\nHost: bench\r\n";
    for (std::size_t i = 0; i < work.fields; ++i) {
      request_ += "X-Field-" + std::to_string(100 + i) + ": " + std::string(65, 'x') + "\r\n";
    }
    request_ += "\r\n";
  }
  if (work.kind != Kind::kEcho) return;
  // Each connection has a payload and a mask of its own, so that a message that goes astray is noticed.
  echo_ = frame_head(work.size, false);
  message_ = frame_head(work.size, true);
  std::array<char, 4> mask;
  for (std::size_t i = 0; i < 4; ++i)
    message_.push_back(mask[i] = static_cast<char>(number * 37 + i * 101 + 1));
  for (std::size_t i = 0; i < work.size; ++i) {
    const char byte = static_cast<char>((i + number) * 31 + (i >> 8) + (number >> 8));
    echo_.push_back(byte);
    message_.push_back(static_cast<char>(byte ^ mask[i & 3]));
  }
}

void Client::open(int epoll) {
  epoll_ = epoll;
  fd_ = connect_to(work_.target);
  watch(epoll, fd_, this);
  if (work_.kind == Kind::kEcho) say(Step::kUpgrade, kUpgrade);
}

void Client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Client::begin() {
  switch (work_.kind) {
    case Kind::kEcho: due_ = echo_; return say(Step::kEcho, message_);
    case Kind::kGet: return say(Step::kAnswer, request_);
    case Kind::kHandshake: open(epoll_); return say(Step::kUpgrade, kUpgrade);
  }
}

void Client::say(Step step, std::string_view bytes) {
  step_ = step;
  out_ = bytes;
  answer_.clear();
  answer_size_ = 0;
  send();
}

void Client::send() {
  while (!out_.empty()) {
    const auto [flow, count] = transmit(fd_, out_);
    if (flow == Flow::kEnded) wrong("lost while sending");
    if (flow == Flow::kBlocked) return;
    out_.remove_prefix(count);
  }
}

bool Client::advance() {
  send();
  bool complete = false;
  for (;;) {
    const auto [flow, count] = receive(fd_, buffer);
    if (flow == Flow::kBlocked) return complete;
    if (flow == Flow::kEnded) {
      if (step_ != Step::kEof) wrong("ended by the other side");
      close();
      step_ = Step::kIdle;
      return true;
    }
    complete = take({buffer.data(), count}) || complete;
    if (count < buffer.size() && step_ != Step::kEof) return complete;  // empty now; more will be an edge
  }
}

bool Client::take(std::string_view bytes) {
  switch (step_) {
    case Step::kUpgrade: return take_upgrade(bytes);
    case Step::kEcho:
    case Step::kClose: return compare(bytes);
    case Step::kAnswer: return take_answer(bytes);
    case Step::kIdle:
    case Step::kEof: wrong("spoke without being asked", bytes);
  }
  return false;
}

bool Client::compare(std::string_view bytes) {
  if (!due_.starts_with(bytes)) wrong("echoed other bytes than were sent", bytes);
  due_.remove_prefix(bytes.size());
  if (!due_.empty()) return false;
  if (!out_.empty()) wrong("echoed a message before it was sent");
  const bool closing = step_ == Step::kClose;
  step_ = closing ? Step::kEof : Step::kIdle;
  return !closing;
}

bool Client::take_upgrade(std::string_view bytes) {
  answer_ += bytes;
  if (!answer_.ends_with("\r\n\r\n")) {
    if (answer_.size() > kMostAnswer) wrong("sent a head without end");
    return false;
  }
  if (!answer_.starts_with("HTTP/1.1 101 ")) wrong("refused the upgrade", answer_);
  if (lower(answer_).find(lower(kAccept)) == std::string::npos) wrong("accepted another key", answer_);
  step_ = Step::kIdle;
  std::string().swap(answer_);
  if (work_.kind == Kind::kEcho) return true;
  due_ = kCloseBack;
  say(Step::kClose, kClose);
  return false;
}

bool Client::take_answer(std::string_view bytes) {
  answer_ += bytes;
  if (answer_size_ == 0) {
    const std::size_t end = answer_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    if (!answer_.starts_with("HTTP/1.1 200 ")) wrong("did not answer 200", answer_);
    constexpr std::string_view kField = "\r\ncontent-length: ";
    const std::string head = lower(std::string_view(answer_).substr(0, end + 2));
    const std::size_t field = head.find(kField);
    if (field == std::string::npos) wrong("gave no Content-Length", answer_);
    std::size_t length = 0;
    std::from_chars(head.data() + field + kField.size(), head.data() + head.size(), length);
    answer_size_ = end + 4 + length;
  }
  if (answer_.size() < answer_size_) return false;
  if (answer_.size() > answer_size_) wrong("sent more than its answer", answer_);
  if (answer_.find(work_.body_contains) == std::string::npos) wrong("answered something else", answer_);
  step_ = Step::kIdle;
  return true;
}

void Client::wrong(std::string_view what, std::string_view seen) const {
  std::string text =
      "connection " + std::to_string(number_) + " to " + work_.target + " " + std::string(what);
  if (!seen.empty()) text += ": " + std::string(seen.substr(0, 300));
  fail(text);
}

}  // namespace bench
