// MailClient: sends one mail by SMTP, through libcurl on a loop. For alerts.
//
// As in HttpClient, names are resolved by Resolver and pinned, and one deadline limits the whole transfer.
// With a password TLS is required, also for smtp:// (STARTTLS), unless the server is on this machine.
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
  std::string url;  // smtp:// (with STARTTLS if the server supports it) or smtps://
  std::optional<std::string> user;
  std::string password;
  std::string from;  // envelope sender
  std::vector<std::string> recipients;
  std::string text;  // head and body, lines ended by CR LF
  Duration timeout = std::chrono::seconds(10);
  TlsSettings tls;
};

struct MailFailure {
  bool permanent = false;  // permanent refusal by the server; do not retry
  std::string message;     // without secrets
};

class MailClient {
 public:
  class Call {  // destroying it cancels the mail without a callback
   public:
    virtual ~Call() = default;
  };
  using Outcome = tl::expected<void, MailFailure>;

  MailClient(Loop& loop, Resolver& resolver);
  ~MailClient();  // every Call must be destroyed before

  // Calls back exactly once in a later loop iteration, unless cancelled. The Call may be destroyed
  // inside the callback.
  std::unique_ptr<Call> send(Mail mail, std::function<void(Outcome)> done);

 private:
  class Impl;
  class Transfer;
  std::unique_ptr<Impl> impl_;
};

}  // namespace probegate::loop
