// Uses only the parser and the formatter of hiredis; its I/O resolves names on the loop's thread and does not
// report refused connections.
#include "checks/redis_protocol.h"

#include <hiredis/hiredis.h>

#include <new>
#include <utility>

namespace probegate::checks {

class RedisReader::Impl {
 public:
  Impl() : reader_(redisReaderCreateWithFunctions(const_cast<redisReplyObjectFunctions*>(&kFunctions))) {
    if (reader_ == nullptr) throw std::bad_alloc();
    reader_->privdata = this;
  }
  ~Impl() { redisReaderFree(reader_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void feed(std::span<const char> bytes) { redisReaderFeed(reader_, bytes.data(), bytes.size()); }

  Result<std::optional<RedisReply>> next() {
    void* object = nullptr;
    if (redisReaderGetReply(reader_, &object) != REDIS_OK) return failure(reader_->errstr);
    if (object == nullptr) return std::nullopt;
    elements_ = 0;
    const std::unique_ptr<RedisReply> reply(static_cast<RedisReply*>(object));
    return std::optional(std::move(*reply));
  }

 private:
  using Type = RedisReply::Type;

  // The root is owned here; an element is in the array of its parent.
  static void* place(const redisReadTask* task, RedisReply reply) noexcept {
    if (task->parent == nullptr) return new RedisReply(std::move(reply));
    auto& slot = static_cast<RedisReply*>(task->parent->obj)->items[static_cast<std::size_t>(task->idx)];
    slot = std::move(reply);
    return &slot;
  }

  static void* make_array(const redisReadTask* task, int elements) noexcept {
    auto& made = static_cast<Impl*>(task->privdata)->elements_;
    made += static_cast<std::size_t>(elements);
    if (made > kMostElements) return nullptr;
    return place(task, {Type::array, {}, std::vector<RedisReply>(static_cast<std::size_t>(elements))});
  }

  static constexpr redisReplyObjectFunctions kFunctions = {
      .createString = [](const redisReadTask* task, char* text, std::size_t size) noexcept -> void* {
        const auto type = task->type == REDIS_REPLY_ERROR ? Type::error : Type::text;
        return place(task, {type, std::string(text, size), {}});
      },
      .createArray = make_array,
      .createInteger = [](const redisReadTask* task, long long value) noexcept -> void* {
        return place(task, {Type::text, std::to_string(value), {}});
      },
      .createNil = [](const redisReadTask* task) noexcept -> void* { return place(task, {}); },
      .freeObject = [](void* reply) noexcept { delete static_cast<RedisReply*>(reply); },
  };

  redisReader* reader_;
  std::size_t elements_ = 0;  // of the reply being parsed
};

std::string redis_command(const std::vector<std::string>& words) {
  std::vector<const char*> arguments;
  std::vector<std::size_t> sizes;
  for (const auto& word : words) {
    arguments.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* bytes = nullptr;
  const int size =
      redisFormatCommandArgv(&bytes, static_cast<int>(words.size()), arguments.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  std::string text(bytes, static_cast<std::size_t>(size));
  redisFreeCommand(bytes);
  return text;
}

RedisReader::RedisReader() : impl_(std::make_unique<Impl>()) {}
RedisReader::~RedisReader() = default;
void RedisReader::feed(std::span<const char> bytes) { impl_->feed(bytes); }
Result<std::optional<RedisReply>> RedisReader::next() { return impl_->next(); }

}  // namespace probegate::checks
