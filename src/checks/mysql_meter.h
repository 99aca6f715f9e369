// MysqlMeter: limits the memory that a server can make libmariadb allocate.
//
// If a server announces 2^24 columns, the library allocates memory for all of them before the first arrives:
// several gigabytes, and minutes of CPU time. It also stores column definitions as long as they arrive. So
// all decrypted bytes pass through this class first, by the library's hook for trace plugins. An announcement
// of more than 65,535 columns, and the definition of the 4,097th, is replaced by an error packet; this, and
// too many bytes, ends the connection. Thread: the one that calls the library for this session.
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

  // Allows `limit` more bytes from now on.
  void allow(std::size_t limit);
  // The protocol violation of the server, if any; the attempt cannot continue then.
  std::optional<std::string> problem() const;
  std::size_t total() const { return total_; }

  // Takes the bytes in the order they were read, and may change them. False: the connection must end.
  [[nodiscard]] bool pass(std::uint8_t* bytes, std::size_t size);

 private:
  // The type of the next packet, as the library will interpret it.
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
  std::uint32_t columns_ = 0;  // definitions received
  unsigned head_ = 0;          // bytes of the 4-byte header received
  std::uint32_t left_ = 0;     // remaining bytes of the payload
  bool first_ = false;         // the next byte is the first of the payload
  bool goes_on_ = false;       // the previous packet had the maximum length, and this one continues it
};

// A session with its meter. Every MYSQL of this program is the base of a MeteredMysql.
struct MeteredMysql : MYSQL {
  MysqlMeter meter;
};

struct CloseMysql {
  void operator()(MYSQL* session) const noexcept;
  void operator()(MYSQL_RES* result) const noexcept { mysql_free_result(result); }
};
using MysqlSession = std::unique_ptr<MYSQL, CloseMysql>;

// Null if out of memory.
MysqlSession new_mysql_session();
MysqlMeter& meter_of(MYSQL& session);

}  // namespace probegate::checks
