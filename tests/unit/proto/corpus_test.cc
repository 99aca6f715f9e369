#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "targets.h"

namespace {

using Target = void (*)(const std::uint8_t*, std::size_t);

// The seeds, each of their beginnings, and each with one byte changed at each place: a target aborts on a
// broken promise.
void replay(const std::string& corpus, Target target) {
  const auto run = [target](const std::string& input) {
    target(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  };
  int seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(FUZZ_CORPUS) + "/" + corpus)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string seed(std::istreambuf_iterator<char>(file), {});
    INFO(entry.path());
    run(seed);
    for (std::size_t i = 0; i < seed.size(); ++i) {
      run(seed.substr(0, i));
      for (const char changed : {'\n', '\r', ' ', '\0', '\x80'}) {
        std::string mutant = seed;
        mutant[i] = changed;
        run(mutant);
      }
    }
    ++seeds;
  }
  CHECK(seeds >= 5);
}

}  // namespace

TEST_CASE("No request of the corpus breaks a promise of the parser") {
  replay("http_request", fuzz_http_request);
}
TEST_CASE("No answer of the corpus breaks a promise of the parser") {
  replay("http_response", fuzz_http_response);
}
TEST_CASE("No frames of the corpus break a promise of the tracker") { replay("ws_frames", fuzz_ws_frames); }
TEST_CASE("No handshake of the corpus breaks a promise") { replay("ws_handshake", fuzz_ws_handshake); }
