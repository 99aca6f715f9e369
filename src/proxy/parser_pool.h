// ParserPool: parsers whose session or exchange has ended, kept for the next one of the same data loop.
//
// A parser lives for a handshake and is several blocks of memory. Made anew each time, it costs instructions,
// and what it frees between two tunnels that stay are holes that no tunnel fits: a third of the memory that
// an idle tunnel took. Owns: at most kMost of each role. Outlives every parser it handed out. Thread: its
// data loop's.
#pragma once

#include <memory>
#include <vector>

#include "proto/http_parser.h"

namespace probegate::proxy {

class ParserPool {
 public:
  class GiveBack {
   public:
    GiveBack() = default;
    GiveBack(ParserPool& pool, proto::HttpParser::Role role) : pool_(&pool), role_(role) {}
    void operator()(proto::HttpParser* parser) const noexcept;

   private:
    ParserPool* pool_ = nullptr;
    proto::HttpParser::Role role_{};
  };
  using Parser = std::unique_ptr<proto::HttpParser, GiveBack>;

  ParserPool();
  // As good as new.
  Parser take(proto::HttpParser::Role role, const proto::HttpLimits& limits, proto::MessageOptions options);

 private:
  using Row = std::vector<std::unique_ptr<proto::HttpParser>>;
  Row& row(proto::HttpParser::Role role) {
    return role == proto::HttpParser::Role::request ? requests_ : responses_;
  }

  Row requests_;
  Row responses_;
};

}  // namespace probegate::proxy
