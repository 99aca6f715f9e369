#include "checks/grpc_health.h"

namespace probegate::checks {
namespace {

constexpr std::size_t kFrameHead = 5;  // compressed or not, then the length of the message

// Protobuf varint: seven bits per byte, lowest first; the high bit is set if more bytes follow.
void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

std::optional<std::uint64_t> take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read_status(std::string_view message) {
  std::uint64_t status = 0;  // a field with the default value is not sent
  while (!message.empty()) {
    const auto key = take_varint(message);
    if (!key) return std::nullopt;
    std::optional<std::uint64_t> skip = 0;
    switch (*key & 7) {
      case 0: {
        const auto value = take_varint(message);
        if (!value) return std::nullopt;
        if (*key >> 3 == 1) status = *value;
        break;
      }
      case 1: skip = 8; break;
      case 2: skip = take_varint(message); break;
      case 5: skip = 4; break;
      default: return std::nullopt;
    }
    if (!skip || *skip > message.size()) return std::nullopt;
    message.remove_prefix(*skip);
  }
  return status;
}

}  // namespace

std::string grpc_health_question(std::string_view service) {
  std::string message;
  if (!service.empty()) {
    message += '\x0A';  // field 1, length-delimited
    put_varint(message, service.size());
    message += service;
  }
  std::string frame(kFrameHead, '\0');
  for (std::size_t i = 0; i < 4; ++i) {
    frame[kFrameHead - 1 - i] = static_cast<char>(message.size() >> (8 * i));
  }
  return frame + message;
}

std::optional<std::uint64_t> grpc_serving_status(std::string_view body) {
  const bool compressed = !body.empty() && body.front() != '\0';  // we offer no compression
  if (body.size() < kFrameHead || compressed) return std::nullopt;
  std::size_t size = 0;
  for (std::size_t i = 1; i < kFrameHead; ++i) size = size << 8 | static_cast<unsigned char>(body[i]);
  body.remove_prefix(kFrameHead);
  return body.size() == size ? read_status(body) : std::nullopt;
}

}  // namespace probegate::checks
