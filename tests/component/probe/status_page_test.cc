#include <nlohmann/json.hpp>

#include "probe/status_json.h"
#include "probe_fixture.h"

namespace probegate::probe {
namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

health::Event check_event(std::string from, std::string to) {
  health::Event event;
  event.kind = health::EventKind::check;
  event.since_start = 2s;
  event.check = "database";
  event.from = std::move(from);
  event.to = std::move(to);
  return event;
}

health::Event failure() {
  health::Event event = check_event("pass", "fail");
  event.error = health::CheckError{health::FailKind::connect, "refused by 10.0.0.5"};
  return event;
}

std::string answered(ProbeAnswers& answers, std::string_view path, std::string_view accept = "") {
  std::string text;
  ProbeRequest request;
  request.method = "GET";
  request.path = path;
  request.accept = accept;
  answers.answer(request, text);
  return text;
}

TEST_CASE("The status page says what holds the gate, and escapes what dependencies say") {
  ProbeFixture f;
  const Answer page = f.get("/");
  CHECK(page.status == 200);
  CHECK(page.field("Content-Type") == "text/html; charset=utf-8");
  CHECK(contains(page.body, "<title>probegate: not_ready</title>"));
  CHECK(contains(page.body, "waiting for <strong>database</strong>"));
  CHECK(contains(page.body, "refused &lt;by&gt; &quot;10.0.0.5&quot; &amp; more"));
  CHECK_FALSE(contains(page.body, "<by>"));
  f.server.publish(f.snapshot(health::GateState::open));
  const Answer open = f.get("/");
  CHECK(contains(open.body, "<h1>ready</h1>"));
  CHECK(contains(open.body, "<dt>first open after</dt><dd>1.00 s</dd>"));
}

TEST_CASE("The page's policy names its own script and style by hash, and lets nothing else in") {
  ProbeFixture f;
  const std::string policy = f.get("/").field("Content-Security-Policy");
  CHECK(contains(policy, "default-src 'none'"));
  CHECK(contains(policy, "script-src 'sha256-"));
  CHECK(contains(policy, "style-src 'sha256-"));
  CHECK_FALSE(contains(policy, "unsafe"));
}

TEST_CASE("The status page shows the start, the events, the refusals and the next run") {
  ProbeFixture f;
  f.source.past.add(failure());
  f.source.past.add(check_event("fail", "pass"));
  f.source.past.add_run(0, 4ms, false);
  f.source.past.add_run(0, 9ms, true);
  f.source.data->refused[metrics::Reason::gate_closed].add(7);
  f.source.minute.messages = 1234;
  f.source.next = f.now() + 5s;
  f.server.publish(f.snapshot(health::GateState::open));
  const std::string page = f.get("/").body;
  CHECK(contains(page, "last 2 runs: 4.0 ms to 9.0 ms, 1 failed"));
  CHECK(contains(page, "last: connect: refused by 10.0.0.5"));
  CHECK(contains(page, "<dt>messages a minute</dt><dd>1234</dd>"));
  CHECK(contains(page, "<th scope=\"row\">gate_closed</th><td class=\"number\">7</td>"));
  CHECK(contains(page, "<td class=\"number\">in "));
  CHECK(contains(page, "<td class=\"number\">2.00 s</td>"));  // when it passed
}

TEST_CASE("Each kind of event is told in words") {
  using health::Event;
  using health::EventKind;
  ProbeFixture f;
  const auto happens = [&](Event event) { f.source.past.add(event); };
  happens({.kind = EventKind::start, .from = "signal", .message = "restart loop: 3 starts"});
  happens({.kind = EventKind::gate, .from = "open", .to = "closed", .waiting_for = {"database"}});
  happens(check_event("waiting", "unknown"));
  happens({.kind = EventKind::startup_timeout, .waiting_for = {"database"}});
  for (int i = 0; i < 3; ++i) happens({.kind = EventKind::backend_refused, .message = "no listener"});
  happens({.kind = EventKind::backend_restart});
  happens({.kind = EventKind::frozen, .took = 1500ms});
  happens({.kind = EventKind::stuck, .message = "data-0"});
  happens({.kind = EventKind::stuck});
  happens({.kind = EventKind::reload, .to = "refused", .message = "2 mistakes, see the log"});
  const std::string page = f.get("/").body;
  for (const char* words : {
           "<td>start</td><td class=\"why\">the one before ended by signal restart loop: 3 starts</td>",
           "open → <strong class=\"tag bad\">closed</strong> waiting for database",
           "<strong>database</strong> may run now",
           "<td>startup timeout</td><td class=\"why\"> waiting for database</td>",
           "<td>backend refused</td><td class=\"why\"> no listener (3 times)</td>",
           "<td>backend restart</td>",
           "<td>frozen</td><td class=\"why\">for 1.50 s</td>",
           "<td>stuck</td><td class=\"why\"> data-0</td>",
           "<td>stuck</td><td class=\"why\">every data loop turns again</td>",
           "<strong class=\"tag bad\">refused</strong> 2 mistakes, see the log",
       }) {
    CAPTURE(words);
    CHECK(contains(page, words));
  }
}

TEST_CASE("The status document is the readiness document and more") {
  ProbeFixture f;
  f.source.past.add(failure());
  f.source.past.add(check_event("fail", "pass"));
  f.source.past.add_run(0, 4ms, false);
  f.source.data->refused[metrics::Reason::gate_closed].add(7);
  f.source.refusals.push_back({WallTime(1s), metrics::Reason::gate_closed, 7});
  f.source.data->tunnels.set(2);
  f.source.minute = {60, 1200, 7};
  f.source.next = f.now() + 3600s;
  f.server.publish(f.snapshot(health::GateState::open));
  const auto status = nlohmann::json::parse(f.get("/status").body);
  const auto ready = nlohmann::json::parse(f.get("/health/ready").body);
  for (const auto& [key, value] : ready.items()) {
    CAPTURE(key);
    if (key != "timestamp" && key != "uptime_seconds") CHECK(status.at(key) == value);
  }
  CHECK(status.at("schema") == kStatusSchema);
  CHECK(status.at("version") == "1.2.3");
  CHECK(status.at("timeline").at("steps")[0] ==
        nlohmann::json{{"check", "database"}, {"runnable_seconds", 0.0}, {"passed_seconds", 2.0}});
  CHECK(status.at("recent_runs").at("database").at("runs")[0] ==
        nlohmann::json{{"latency_ms", 4.0}, {"failed", false}});
  CHECK(status.at("recent_runs").at("database").at("next_run_in_seconds") > 3000);
  REQUIRE(status.at("events").size() == 2);
  CHECK(status.at("events")[0].at("error").at("message") == "refused by 10.0.0.5");
  CHECK(status.at("events")[1].at("to") == "pass");
  const auto& traffic = status.at("traffic");
  CHECK(traffic.at("tunnels") == 2);
  CHECK(traffic.at("messages_per_minute") == 1200);
  CHECK(traffic.at("refused_total") == nlohmann::json{{"gate_closed", 7}});
  CHECK(traffic.at("recent_refusals")[0].at("count") == 7);
}

TEST_CASE("A check named like a key of the status document gives way there, and nowhere else") {
  ProbeFixture f;
  auto policies = std::vector<health::CheckPolicy>(1, ProbeFixture::policy());
  policies[0].name = "traffic";
  auto snapshot = std::make_shared<health::Snapshot>(*f.snapshot(health::GateState::open));
  snapshot->policies = std::make_shared<const std::vector<health::CheckPolicy>>(policies);
  f.server.publish(snapshot);
  const auto status = nlohmann::json::parse(f.get("/status").body);
  CHECK(status.at("traffic").is_object());
  CHECK(status.at("checks").at("traffic").at("status") == "pass");
  CHECK(nlohmann::json::parse(f.get("/health/ready").body).at("traffic") == true);
}

TEST_CASE("The status page names nothing from outside when details are a summary") {
  ProbeFixture f;
  f.source.past.add(failure());
  health::Event refused;
  refused.kind = health::EventKind::backend_refused;
  refused.message = "10.0.0.5:8000 refused";
  f.source.past.add(refused);
  ProbeAnswers answers(*f.loop, {health::Details::summary, "1.2.3"}, f.snapshot(health::GateState::starting),
                       f.source);
  for (const char* path : {"/", "/status", "/health/ready"}) {
    for (const char* accept : {"", "application/health+json"}) {
      const std::string text = answered(answers, path, accept);
      CAPTURE(path, accept);
      CHECK(contains(text, "connect"));
      CHECK_FALSE(contains(text, "10.0.0.5"));
      CHECK_FALSE(contains(text, "refused by"));
    }
  }
  std::string event;
  answers.append_event(event);
  CHECK(contains(event, "connect"));
  CHECK_FALSE(contains(event, "10.0.0.5"));
}

}  // namespace
}  // namespace probegate::probe
