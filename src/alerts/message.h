// How a message looks to its receiver: JSON for programs, Slack's shape, or a mail. Pure.
#pragma once

#include <string>
#include <vector>

#include "alerts/policy.h"

namespace probegate::alerts {

// Who tells.
struct Sender {
  std::string service;   // Cloud Run's name of the service, or the host's
  std::string instance;  // the host's name
};

std::string webhook_json(const Message& message, const Sender& sender);
std::string slack_json(const Message& message, const Sender& sender);
// Head and body by RFC 5322, lines ended by CR LF. `number` makes the Message-ID unique in this process.
std::string mail_text(const Message& message, const Sender& sender, const std::string& from,
                      const std::vector<std::string>& recipients, std::uint64_t number);

}  // namespace probegate::alerts
