// MailClient: one mail by SMTP, through libcurl on a loop. For alerts.
//
// As with HttpClient names are resolved by our Resolver and pinned, and one deadline holds everything. With a
// password TLS is a must, also over smtp:// (STARTTLS), unless the server is on this very machine.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "loop/connection.h"
#include "loop/loop.h"

namespace probegate::loop {

class Resolver;

struct Mail {
  std::string url;  // smtp:// (with STARTTLS where the server has it) or smtps://
  std::optional<std::string> user;
  std::string password;
  std::string from;  // of the envelope
  std::vector<std::string> recipients;
  std::string text;  // head and body, lines ended by CR LF
  Duration timeout = std::chrono::seconds(10);
  TlsSettings tls;
};

struct MailFailure {
  bool permanent = false;  // the server understood and refused; to try again would change nothing
  std::string message;     // without secrets
};

class MailClient {
 public:
  class Call {  // destroying it cancels; nothing is called back then
   public:
    virtual ~Call() = default;
  };
  using Outcome = tl::expected<void, MailFailure>;

  MailClient(Loop& loop, Resolver& resolver);
  ~MailClient();  // every Call must be gone

  // Calls back exactly once in a later turn, unless cancelled. The Call may be destroyed inside the callback.
  std::unique_ptr<Call> send(Mail mail, std::function<void(Outcome)> done);

 private:
  class Impl;
  class Transfer;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probegate::loop
