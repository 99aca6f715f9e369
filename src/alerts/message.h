// Formats messages for their receivers: JSON for webhooks, Slack's format, or mail. Pure.
#pragma once

#include <string>
#include <vector>

#include "alerts/policy.h"

namespace probegate::alerts {

// The instance that sends the alert.
struct Sender {
  std::string service;   // the name of the Cloud Run service, or the host name
  std::string instance;  // the host name
};

std::string webhook_json(const Message& message, const Sender& sender);
std::string slack_json(const Message& message, const Sender& sender);
// Header and body by RFC 5322, lines end with CR LF. `number` makes the Message-ID unique in this process.
std::string mail_text(const Message& message, const Sender& sender, const std::string& from,
                      const std::vector<std::string>& recipients, std::uint64_t number);

}  // namespace probegate::alerts
