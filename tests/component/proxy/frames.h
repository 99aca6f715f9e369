// WebSocket frames as tests write and read them, on purpose without src/proto.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace probegate::test {

enum class From { client, backend };  // clients mask

inline std::string frame(From from, unsigned first_byte, std::string_view payload) {
  std::string out(1, static_cast<char>(first_byte));
  const unsigned mask = from == From::client ? 0x80u : 0u;
  const auto put_length = [&](std::uint64_t length, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(length >> (8 * i) & 0xff);
  };
  if (payload.size() < 126) {
    out += static_cast<char>(mask | payload.size());
  } else if (payload.size() < 65536) {
    out += static_cast<char>(mask | 126u);
    put_length(payload.size(), 2);
  } else {
    out += static_cast<char>(mask | 127u);
    put_length(payload.size(), 8);
  }
  if (mask == 0) return out.append(payload);
  const char key[] = {'\x11', '\x22', '\x33', '\x44'};
  out.append(key, sizeof key);
  for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ key[i % 4]);
  return out;
}
inline std::string text(From from, std::string_view payload) { return frame(from, 0x81, payload); }
inline std::string close_frame(From from, unsigned code, std::string_view reason = "") {
  const char bytes[] = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  return frame(from, 0x88, std::string(bytes, 2).append(reason));
}

// What arrived, for people: {"text hi", "close 1001"}; "M:" before those that are masked, "rest N" for the
// beginning of a frame of which N bytes came.
inline std::vector<std::string> frames_in(std::string_view bytes) {
  std::vector<std::string> frames;
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  while (!bytes.empty()) {
    std::size_t header = 2;
    std::uint64_t length = 0;
    const auto rest = [&] {
      frames.push_back("rest " + std::to_string(bytes.size()));
      return frames;
    };
    if (bytes.size() < 2) return rest();
    const bool masked = (at(1) & 0x80) != 0;
    length = at(1) & 0x7f;
    const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (bytes.size() < header + extended) return rest();
    if (extended > 0) {
      length = 0;
      for (std::size_t i = 0; i < extended; ++i) length = length << 8 | at(header + i);
      header += extended;
    }
    std::string key(4, '\0');
    if (masked) {
      if (bytes.size() < header + 4) return rest();
      key = bytes.substr(header, 4);
      header += 4;
    }
    if (bytes.size() < header + length) return rest();
    std::string payload(bytes.substr(header, length));
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ key[i % 4]);
    std::string name;
    switch (at(0)) {
      case 0x81: name = "text " + payload; break;
      case 0x01: name = "text... " + payload; break;
      case 0x00: name = "...continued... " + payload; break;
      case 0x80: name = "...continued " + payload; break;
      case 0x82: name = "binary " + std::to_string(payload.size()); break;
      case 0x88:
        name = "close";
        if (payload.size() >= 2) {
          name += " " + std::to_string(static_cast<unsigned char>(payload[0]) * 256u +
                                       static_cast<unsigned char>(payload[1]));
        }
        break;
      case 0x89: name = "ping"; break;
      case 0x8a: name = "pong " + payload; break;
      default: name = "frame " + std::to_string(at(0)); break;
    }
    frames.push_back((masked ? "M:" : "") + name);
    bytes.remove_prefix(header + length);
  }
  return frames;
}

inline const std::string kUpgrade =
    "GET /chat HTTP/1.1\r\nHost: example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
inline const std::string kSwitching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

}  // namespace probegate::test
