#include "proxy/parser_shelf.h"

namespace probegate::proxy {
namespace {

// Of each role: what is in use between two tunnels is few, and a burst's surplus is not kept.
constexpr std::size_t kMost = 32;

}  // namespace

// Room for all of them from the start: giving back never throws.
ParserShelf::ParserShelf() {
  requests_.reserve(kMost);
  responses_.reserve(kMost);
}

ParserShelf::Parser ParserShelf::take(proto::HttpParser::Role role, const proto::HttpLimits& limits,
                                      proto::MessageOptions options) {
  Row& kept = row(role);
  if (kept.empty()) return {new proto::HttpParser(role, limits, options), GiveBack(*this, role)};
  Parser parser(kept.back().release(), GiveBack(*this, role));
  kept.pop_back();
  parser->renew(limits, options);
  return parser;
}

void ParserShelf::GiveBack::operator()(proto::HttpParser* parser) const noexcept {
  std::unique_ptr<proto::HttpParser> owned(parser);
  Row& kept = shelf_->row(role_);
  if (kept.size() < kMost) kept.push_back(std::move(owned));
}

}  // namespace probegate::proxy
