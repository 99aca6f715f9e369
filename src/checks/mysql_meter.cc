#include "checks/mysql_meter.h"

#include <malloc.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <algorithm>
#include <new>
#include <utility>

// Exported since 3.0, but not declared in any installed header.
extern "C" int ma_pvio_register_callback(my_bool add,
                                         void (*callback)(int mode, MYSQL* session,
                                                          const unsigned char* bytes, std::size_t size));

namespace probegate::checks {
namespace {

constexpr std::uint32_t kLongestPacket = 0xffffff;
constexpr std::uint32_t kMostColumns = 4096;  // limit of real servers; each costs memory
constexpr std::size_t kWorthTrimming = 1024 * 1024;

extern "C" void on_pvio(int mode, MYSQL* session, const unsigned char* bytes, std::size_t size) {
  const bool was_read = mode == 0 && session != nullptr && static_cast<ssize_t>(size) > 0;
  if (!was_read || meter_of(*session).pass(const_cast<unsigned char*>(bytes), size)) return;
  ::shutdown(static_cast<int>(mysql_get_socket(session)), SHUT_RDWR);
}

}  // namespace

void MysqlMeter::allow(std::size_t limit) {
  limit_ = limit;
  passed_ = 0;
}

std::optional<std::string> MysqlMeter::problem() const {
  if (lied_) return "the server announced more columns than a server can have";
  if (!exceeded_) return std::nullopt;
  return next_ == Next::login ? "the server sent more than 1 MiB during the login"
                              : "the server sent more than 16 MiB for one attempt";
}

bool MysqlMeter::pass(std::uint8_t* bytes, std::size_t size) {
  passed_ += size;
  total_ += size;
  exceeded_ = exceeded_ || passed_ > limit_;
  const auto end_packet = [this] {
    head_ = 0;
    length_ = 0;
  };
  for (std::size_t i = 0; i < size;) {
    if (head_ < 4) {
      const std::uint8_t byte = bytes[i++];
      if (head_ < 3) length_ |= static_cast<std::uint32_t>(byte) << (8 * head_);
      if (++head_ < 4) continue;
      number_ = byte;
      left_ = length_;
      first_ = !goes_on_;
      goes_on_ = length_ == kLongestPacket;
      if (left_ == 0) end_packet();
      continue;
    }
    if (std::exchange(first_, false)) begin_packet(bytes[i]);
    const auto step = static_cast<std::uint32_t>(std::min<std::size_t>(left_, size - i));
    i += step;
    left_ -= step;
    if (left_ == 0) end_packet();
  }
  return !exceeded_ && !lied_;
}

// Like the library, classifies a packet by its first byte and its length.
void MysqlMeter::begin_packet(std::uint8_t& first) {
  constexpr std::uint8_t kError = 0xff;
  constexpr std::uint8_t kEnd = 0xfe;
  constexpr std::uint8_t kThreeBytes = 0xfd;
  switch (next_) {
    case Next::login:
      if (first == 0 && number_ > 0) next_ = Next::header;
      return;
    case Next::header:
      if (first == kEnd || first == kThreeBytes) {
        lied_ = true;
        first = kError;
      }
      columns_ = 0;
      if (first != 0 && first != kError && first != 0xfb) next_ = Next::column;
      return;
    case Next::column:
      if (first == kEnd && length_ < 8) {
        next_ = Next::row;
        return;
      }
      if (++columns_ > kMostColumns) {
        lied_ = true;
        first = kError;
      }
      if (first == kError) next_ = Next::header;
      return;
    case Next::row:
      if ((first == kEnd && length_ <= 8) || first == kError) next_ = Next::header;
      return;
  }
}

void CloseMysql::operator()(MYSQL* session) const noexcept {
  mysql_close(session);
  auto* const whole = static_cast<MeteredMysql*>(session);
  const bool was_large = whole->meter.total() > kWorthTrimming;
  delete whole;
  if (was_large) ::malloc_trim(0);  // returns the memory that the library freed to the system
}

MysqlSession new_mysql_session() {
  static const bool hooked = [] {
    mysql_library_init(0, nullptr, nullptr);  // not thread-safe
    return ma_pvio_register_callback(1, &on_pvio) == 0;
  }();
  if (!hooked) return nullptr;
  std::unique_ptr<MeteredMysql> session(new (std::nothrow) MeteredMysql{});
  if (!session || mysql_init(session.get()) == nullptr) return nullptr;
  return MysqlSession(session.release());
}

MysqlMeter& meter_of(MYSQL& session) { return static_cast<MeteredMysql&>(session).meter; }

}  // namespace probegate::checks
