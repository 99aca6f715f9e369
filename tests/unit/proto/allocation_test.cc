#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>
#include <string>

#include "proto/http_forward.h"
#include "proto/http_parser.h"
#include "proto/ws_frames.h"

namespace {

std::size_t allocations = 0;

}  // namespace

// Of the whole test program: malloc stays under the eyes of a sanitizer.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

using namespace probegate::proto;
using namespace std::string_literals;

TEST_CASE("A kept connection allocates nothing for its later messages") {
  const std::string request =
      "POST http://b?q HTTP/1.1\r\nHost: a\r\nUser-Agent: some client\r\nConnection: keep-alive, "
      "X-One\r\nX-One: 1\r\n"
      "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  const std::string answer = "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 5\r\n\r\nhello";
  HttpParser requests(HttpParser::Role::request, {});
  HttpParser answers(HttpParser::Role::response, {});
  const std::vector<std::string> drop{"x-user-id"};
  std::string head;
  const auto exchange = [&] {
    std::span<const char> input(request);
    requests.feed(input);
    head.clear();
    write_request_head(requests.request(), {"192.0.2.1", false, "http", "id"}, {}, "backend", drop, "", head);
    while (requests.feed(input) == HttpParser::Event::body) {
    }
    requests.next_message();
    input = answer;
    answers.feed(input);
    head.clear();
    write_response_head(answers.response(), {1, ConnectionField::keep_alive, false, "probegate"}, head);
    while (answers.feed(input) == HttpParser::Event::body) {
    }
    answers.next_message();
  };
  exchange();
  exchange();
  const std::size_t before = allocations;
  CHECK(before > 0);
  for (int i = 0; i < 100; ++i) exchange();
  CHECK(allocations == before);
}

TEST_CASE("A tunnel allocates nothing") {
  FrameTracker tracker(Masking::forbidden, false, 0);
  const std::string frames = "\x81\x02hi\x01\x01x\x89\0\x80\x01y"s;
  const std::size_t before = allocations;
  for (int i = 0; i < 100; ++i) tracker.walk(frames);
  const std::size_t after = allocations;
  CHECK(after == before);
  CHECK(tracker.messages() == 200);
}
