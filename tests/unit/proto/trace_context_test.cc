#include "proto/trace_context.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

using namespace probegate::proto;

namespace {

const std::string kTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kSpan = "b7ad6b7169203331";

std::optional<TraceContext> of(const std::vector<std::pair<std::string, std::string>>& fields) {
  HeaderFields head;
  for (const auto& [name, value] : fields) head.add(name, value);
  return trace_context(head);
}
std::optional<TraceContext> parent(const std::string& value) { return of({{"traceparent", value}}); }
std::optional<TraceContext> cloud(const std::string& value) { return of({{"X-Cloud-Trace-Context", value}}); }

}  // namespace

TEST_CASE("traceparent names trace, span and whether it is sampled") {
  const auto context = parent("00-" + kTrace + "-" + kSpan + "-01");
  REQUIRE(context);
  CHECK(context->trace() == kTrace);
  CHECK(context->span() == kSpan);
  CHECK(context->has_span());
  CHECK(context->sampled);
  CHECK_FALSE(parent("00-" + kTrace + "-" + kSpan + "-00")->sampled);
  CHECK_FALSE(parent("00-" + kTrace + "-" + kSpan + "-0e")->sampled);
}

TEST_CASE("A later version of traceparent is read as far as this one goes") {
  CHECK(parent("cc-" + kTrace + "-" + kSpan + "-01")->trace() == kTrace);
  CHECK(parent("cc-" + kTrace + "-" + kSpan + "-01-what-the-future-brings")->trace() == kTrace);
  CHECK_FALSE(parent("cc-" + kTrace + "-" + kSpan + "-01.what"));
  CHECK_FALSE(parent("00-" + kTrace + "-" + kSpan + "-01-more"));
}

TEST_CASE("A malformed traceparent counts for nothing") {
  for (const std::string& value : std::vector<std::string>{
           "",
           "00",
           "00-" + kTrace + "-" + kSpan,
           "00-" + kTrace + "-" + kSpan + "-0",
           "00-" + kTrace + "-" + kSpan + "-0g",
           "ff-" + kTrace + "-" + kSpan + "-01",
           "00-" + std::string(32, '0') + "-" + kSpan + "-01",
           "00-" + kTrace + "-" + std::string(16, '0') + "-01",
           "00-0AF7651916CD43DD8448EB211C80319C-" + kSpan + "-01",
           "00_" + kTrace + "_" + kSpan + "_01",
       }) {
    CAPTURE(value);
    CHECK_FALSE(parent(value));
  }
  const std::string good = "00-" + kTrace + "-" + kSpan + "-01";
  CHECK_FALSE(of({{"traceparent", good}, {"traceparent", good}}));
}

TEST_CASE("X-Cloud-Trace-Context gives its decimal span as the hex that logs want") {
  const auto context = cloud("105445AA7843BC8BF206B12000100000/4660;o=1");
  REQUIRE(context);
  CHECK(context->trace() == "105445aa7843bc8bf206b12000100000");
  CHECK(context->span() == "0000000000001234");
  CHECK(context->sampled);
  CHECK(cloud(kTrace + "/18446744073709551615")->span() == "ffffffffffffffff");
}

TEST_CASE("X-Cloud-Trace-Context may leave out span and options") {
  CHECK(cloud(kTrace)->trace() == kTrace);
  CHECK_FALSE(cloud(kTrace)->has_span());
  CHECK_FALSE(cloud(kTrace)->sampled);
  CHECK(cloud(kTrace + ";o=1")->sampled);
  CHECK_FALSE(cloud(kTrace + "/0;o=0")->has_span());
  for (const std::string value : {"", "abc", "105445aa7843bc8bf206b1200010000g/1"}) CHECK_FALSE(cloud(value));
  CHECK_FALSE(cloud(std::string(32, '0') + "/1;o=1"));
  CHECK_FALSE(cloud(kTrace + "00/1"));
}

TEST_CASE("traceparent wins, and X-Cloud-Trace-Context is read where it is malformed") {
  const std::string other(32, 'a');
  CHECK(of({{"X-Cloud-Trace-Context", other + "/1"}, {"traceparent", "00-" + kTrace + "-" + kSpan + "-01"}})
            ->trace() == kTrace);
  CHECK(of({{"X-Cloud-Trace-Context", other + "/1"}, {"traceparent", "nonsense"}})->trace() == other);
  CHECK_FALSE(of({{"Accept", "*/*"}}));
}
