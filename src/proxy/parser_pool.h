// ParserPool: keeps parsers of ended sessions and exchanges for the next ones of the same data loop.
//
// A parser lives for one handshake and takes several blocks of memory. Creating one each time costs
// instructions, and the blocks freed between two long-lived tunnels fragment the heap, by a third of the
// memory of an idle tunnel. Owns: at most kMost of each role. Outlives every parser it hands out. Thread:
// its data loop's.
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
  // A parser in its initial state.
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
