// The main() of every Catch2 executable. Compiled once: the runner alone costs ten seconds.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#include <csignal>

int main(int argc, char* argv[]) {
  // As in the program: a peer that is gone is an error value, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  return Catch::Session().run(argc, argv);
}
