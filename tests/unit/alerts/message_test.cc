// The shapes that receivers see.
#include "alerts/message.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "fake_clock.h"

namespace probegate::alerts {
namespace {

using namespace std::chrono_literals;

const Sender kSender{"chat", "chat-7f9c"};

Message down(std::string text = "check redis is down: connect: connection refused") {
  const WallTime now = FakeClock().wall_now();
  return {Kind::check_down, Phase::firing, "redis", std::move(text), now, now - 5s};
}

TEST_CASE("A webhook gets one JSON with everything that a program needs") {
  const auto json = nlohmann::json::parse(webhook_json(down(), kSender));
  CHECK(json == nlohmann::json{{"version", 1},
                               {"event", "check_down"},
                               {"phase", "firing"},
                               {"subject", "redis"},
                               {"check", "redis"},
                               {"message", "check redis is down: connect: connection refused"},
                               {"service", "chat"},
                               {"instance", "chat-7f9c"},
                               {"timestamp", "2026-11-23T13:00:00.000Z"},
                               {"since", "2026-11-23T12:59:55.000Z"}});
}

TEST_CASE("Bytes that are no UTF-8 make no webhook invalid") {
  CHECK(nlohmann::json::accept(webhook_json(down("\xff\xfe broken"), kSender)));
  CHECK(nlohmann::json::accept(slack_json(down("\xff\xfe broken"), kSender)));
}

TEST_CASE("Slack gets a text in which nothing from outside is markup") {
  const auto json = nlohmann::json::parse(slack_json(down("a <!channel> & b"), kSender));
  CHECK(json == nlohmann::json{{"text", "[firing] *chat*: a &lt;!channel&gt; &amp; b"}});
}

TEST_CASE("A mail is a whole one, and no text can add a line to its head") {
  const auto mail = mail_text(down("down\r\nBcc: evil@example.com\r\n.\r\n"), kSender, "gate@example.com",
                              {"ops@example.com", "dev@example.com"}, 7);
  const auto head = mail.substr(0, mail.find("\r\n\r\n"));
  CHECK(head.find("From: probegate <gate@example.com>\r\n") != std::string::npos);
  CHECK(head.find("To: ops@example.com,\r\n dev@example.com\r\n") != std::string::npos);
  CHECK(head.find("Subject: [firing] chat: down??Bcc: evil@example.com??.??\r\n") != std::string::npos);
  CHECK(head.find("Date: Mon, 23 Nov 2026 13:00:00 +0000") != std::string::npos);
  CHECK(head.find("\r\nBcc:") == std::string::npos);
  CHECK(mail.find("\r\n.\r\n") == std::string::npos);
}

TEST_CASE("No line of a mail is longer than a server must take") {
  const auto mail = mail_text(down(std::string(5000, 'x')), kSender, "a@b", {"c@d"}, 1);
  for (std::size_t at = 0; at < mail.size();) {
    const auto end = mail.find("\r\n", at);
    REQUIRE(end != std::string::npos);
    CHECK(end - at <= 998);
    at = end + 2;
  }
}

}  // namespace
}  // namespace probegate::alerts
