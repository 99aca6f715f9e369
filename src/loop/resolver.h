// Resolver: resolves names without blocking; each query is independent and can be cancelled.
//
// Uses c-ares and not getaddrinfo on libuv's pool: a name server that does not answer blocks a pool thread
// for 10 s or longer, four such names would block all others, and getaddrinfo cannot be cancelled. One
// channel per query costs about 100 us (it reads /etc/resolv.conf and /etc/hosts, so changes are seen), and a
// slow name delays only its own query.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "loop/address.h"
#include "loop/loop.h"

namespace probegate::loop {

// The end of the message if no name server answered in time; every other failure is an answer.
inline constexpr std::string_view kNobodyAnswered = "no name server answered in time";

class Resolver {
 public:
  using Answer =
      Result<std::vector<Address>>;  // never empty on success; IPv6 and IPv4 in the resolver's order

  class Query {  // destroying it cancels the query
   public:
    virtual ~Query() = default;
  };

  explicit Resolver(Loop& loop) : loop_(loop) {}

  // Calls back exactly once in a later loop iteration, unless cancelled. It has no deadline except that of
  // c-ares (about 10 s); the caller has one. Literal addresses and unix paths need no query.
  std::unique_ptr<Query> resolve(const Endpoint& endpoint, std::function<void(Answer)> answered);

 private:
  Loop& loop_;
};

}  // namespace probegate::loop
