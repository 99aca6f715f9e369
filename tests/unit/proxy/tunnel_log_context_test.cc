#include "proxy/tunnel_log_context.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>

using namespace probegate;
using proxy::TunnelLogContext;

namespace {

proto::TraceContext a_trace() {
  proto::TraceContext trace;
  trace.trace_id.fill('a');
  trace.span_id.fill('b');
  trace.sampled = true;
  return trace;
}

}  // namespace

TEST_CASE("A tunnel's note gives back what it was made of") {
  TunnelLogContext note("/ws", "10.0.0.1", "id-1", a_trace());
  const TunnelLogContext moved = std::move(note);
  CHECK_FALSE(moved.empty());
  CHECK(moved.path() == "/ws");
  CHECK(moved.client() == "10.0.0.1");
  CHECK(moved.request_id() == "id-1");
  REQUIRE(moved.trace());
  CHECK(moved.trace()->trace() == std::string(32, 'a'));
  CHECK(moved.trace()->span() == std::string(16, 'b'));
  CHECK(moved.trace()->sampled);
}

TEST_CASE("A tunnel's note may lack anything") {
  const TunnelLogContext nothing;
  CHECK(nothing.empty());
  CHECK(nothing.path().empty());
  CHECK_FALSE(nothing.trace());
  const TunnelLogContext blank("", "", "", std::nullopt);
  CHECK_FALSE(blank.empty());
  CHECK(blank.request_id().empty());
  CHECK_FALSE(blank.trace());
}

TEST_CASE("A tunnel's note is bounded, whatever a client sends") {
  const TunnelLogContext note(std::string(100'000, 'p'), "c", std::string(100'000, 'i'), a_trace());
  CHECK(note.path() == std::string(TunnelLogContext::kLongestText, 'p'));
  CHECK(note.request_id() == std::string(TunnelLogContext::kLongestText, 'i'));
  CHECK(note.trace()->trace() == std::string(32, 'a'));
}
