// MysqlMeter: bounds what a server can make libmariadb hold.
//
// The library believes a server that announces 2^24 columns and makes room for them before one has come: some
// gigabytes, and minutes of its time. And it collects column definitions for as long as they keep coming. So
// every byte it has read, decrypted, passes here first, through a hook of the library's own for its trace
// plugins: an announcement of more than 65,535 columns, and the description of the 4,097th, is turned into an
// error packet; that and too many bytes end the connection. Thread: whichever calls the library for this
// session.
#pragma once

#include <mysql.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace probegate::checks {

class MysqlMeter {
 public:
  static constexpr std::size_t kLargestLogin = 1024 * 1024;
  static constexpr std::size_t kLargestAnswer = 16 * 1024 * 1024;  // of one attempt

  // So much may come from now on.
  void allow(std::size_t limit);
  // What the server did that no attempt goes on with.
  std::optional<std::string> problem() const;
  std::size_t total() const { return total_; }

  // Bytes as they were read, in order; they may be changed. False: the connection must end.
  [[nodiscard]] bool pass(std::uint8_t* bytes, std::size_t size);

 private:
  // What the next packet is, as the library will take it.
  enum class Next { login, header, column, row };

  void begin_packet(std::uint8_t& first);

  std::size_t limit_ = kLargestLogin;
  std::size_t passed_ = 0;
  std::size_t total_ = 0;
  bool exceeded_ = false;
  bool lied_ = false;
  Next next_ = Next::login;
  std::uint32_t length_ = 0;  // of the packet
  std::uint32_t number_ = 0;
  std::uint32_t columns_ = 0;  // that have been described
  unsigned head_ = 0;          // bytes of its four that have come
  std::uint32_t left_ = 0;     // of its payload
  bool first_ = false;         // the next byte is the first of the payload
  bool goes_on_ = false;       // the packet before was as long as packets get, and this is more of it
};

// A session with its meter: what every MYSQL of this program is the first part of.
struct MeteredMysql : MYSQL {
  MysqlMeter meter;
};

struct CloseMysql {
  void operator()(MYSQL* session) const noexcept;
  void operator()(MYSQL_RES* result) const noexcept { mysql_free_result(result); }
};
using MysqlSession = std::unique_ptr<MYSQL, CloseMysql>;

// Null without memory.
MysqlSession new_mysql_session();
MysqlMeter& meter_of(MYSQL& session);

}  // namespace probegate::checks
