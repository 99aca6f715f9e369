#include "proxy/parser_pool.h"

namespace probegate::proxy {
namespace {

// Per role. Few parsers are in use at a time; those left over from a burst are not kept.
constexpr std::size_t kMost = 32;

}  // namespace

// Reserves memory for all of them, so that giving one back never throws.
ParserPool::ParserPool() {
  requests_.reserve(kMost);
  responses_.reserve(kMost);
}

ParserPool::Parser ParserPool::take(proto::HttpParser::Role role, const proto::HttpLimits& limits,
                                    proto::MessageOptions options) {
  Row& kept = row(role);
  if (kept.empty()) return {new proto::HttpParser(role, limits, options), GiveBack(*this, role)};
  Parser parser(kept.back().release(), GiveBack(*this, role));
  kept.pop_back();
  parser->renew(limits, options);
  return parser;
}

void ParserPool::GiveBack::operator()(proto::HttpParser* parser) const noexcept {
  std::unique_ptr<proto::HttpParser> owned(parser);
  Row& kept = pool_->row(role_);
  if (kept.size() < kMost) kept.push_back(std::move(owned));
}

}  // namespace probegate::proxy
