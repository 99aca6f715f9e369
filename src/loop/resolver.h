// Resolver: names to addresses without blocking, each query cancellable and on its own.
//
// c-ares rather than getaddrinfo on libuv's pool: a black-holed name server holds a pool thread for 10 s and
// longer, four such names would starve every other one, and getaddrinfo cannot be cancelled. A channel per
// query costs some 100 us (it reads the small local files /etc/resolv.conf and /etc/hosts, so changes are
// seen) and buys isolation: one slow name costs only the one who asked.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "loop/address.h"
#include "loop/loop.h"

namespace probegate::loop {

// The end of the message where no name server answered in time; every other failure is an answer.
inline constexpr std::string_view kNobodyAnswered = "no name server answered in time";

class Resolver {
 public:
  using Answer =
      Result<std::vector<Address>>;  // never empty on success; IPv6 and IPv4 in the resolver's order

  class Query {  // destroying it cancels
   public:
    virtual ~Query() = default;
  };

  explicit Resolver(Loop& loop) : loop_(loop) {}

  // Calls back exactly once in a later turn, unless cancelled. Has no deadline of its own beyond c-ares'
  // (about 10 s): the caller has one. Literal addresses and unix paths are answered without asking anybody.
  std::unique_ptr<Query> resolve(const Endpoint& endpoint, std::function<void(Answer)> answered);

 private:
  Loop& loop_;
};

}  // namespace probegate::loop
