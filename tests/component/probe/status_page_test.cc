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
  CHECK(contains(page.body, "<title>probegate: not ready, chat-7f</title>"));
  CHECK(contains(page.body, "waiting for <strong>database</strong>"));
  CHECK(contains(page.body, "refused &lt;by&gt; &quot;10.0.0.5&quot; &amp; more"));
  CHECK_FALSE(contains(page.body, "<by>"));
  f.server.publish(f.snapshot(health::GateState::open));
  const Answer open = f.get("/");
  CHECK(contains(open.body, "<h1>ready</h1>"));
  CHECK(contains(open.body, "<dt>gate first open after</dt><dd>1.00 s</dd>"));
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
  CHECK(contains(page, "<dt>messages per minute</dt><dd>1234</dd>"));
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
  happens({.kind = EventKind::backend_stopping, .message = "the backend closes its tunnels with 1012"});
  happens({.kind = EventKind::auth_breaker, .to = "open", .message = "no answer within 2s"});
  happens({.kind = EventKind::connection_limit, .to = "reached", .message = "19 open, limit in force 19"});
  happens({.kind = EventKind::clock, .message = "the wall clock jumped 2h ahead of the monotonic clock"});
  const std::string page = f.get("/").body;
  for (const char* words : {
           "<td>start</td><td class=\"why\">the previous process ended as signal; restart loop: 3 "
           "starts</td>",
           "open → <strong class=\"tag bad\">closed</strong> waiting for database",
           "<strong>database</strong> may run now",
           "<td>startup timeout</td><td class=\"why\"> waiting for database</td>",
           "<td>backend refused</td><td class=\"why\"> no listener (3 times)</td>",
           "<td>backend restart</td>",
           "<td>frozen</td><td class=\"why\">for 1.50 s</td>",
           "<td>stuck</td><td class=\"why\"> data-0</td>",
           "<td>stuck</td><td class=\"why\">all data loops respond again</td>",
           "<strong class=\"tag bad\">refused</strong> 2 mistakes, see the log",
           "<td>backend stopping</td><td class=\"why\"> the backend closes its tunnels with 1012</td>",
           "<td>auth breaker</td><td class=\"why\"><strong class=\"tag bad\">open</strong> no answer within "
           "2s</td>",
           "<strong class=\"tag warn\">reached</strong> 19 open, limit in force 19",
           "<td>clock</td><td class=\"why\"> the wall clock jumped 2h ahead of the monotonic clock</td>",
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
  f.source.refusals.push_back({WallTime(1s), f.now(), metrics::Reason::gate_closed, 7});
  f.source.data->tunnels.set(2);
  f.source.minute = {.requests = 60, .messages = 1200, .refused = 7};
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

TEST_CASE(
    "An open gate is not shown green while most clients are refused, the breaker is open or the limit is "
    "reached") {
  using metrics::CodeClass;
  using metrics::Reason;
  using metrics::UpgradeResult;
  ProbeFixture f;
  f.server.publish(f.snapshot(health::GateState::open));
  const auto shown = [&] { return f.get("/").body; };
  const auto status = [&] { return nlohmann::json::parse(f.get("/status").body).at("traffic"); };
  CHECK(contains(shown(), "<section id=\"state\" class=\"good\""));
  CHECK(status().at("concerns").empty());

  f.source.minute.upgrades[UpgradeResult::refused] = 37;
  f.source.minute.upgrades[UpgradeResult::failed] = 13;
  f.source.minute.upgrades_refused[Reason::auth_unavailable] = 37;
  f.source.minute.upgrades_refused[Reason::backend_unreachable] = 3;
  f.source.minute.upgrades_failed[CodeClass::server_error] = 10;
  CHECK(contains(shown(), "<section id=\"state\" class=\"warn\""));
  CHECK(contains(shown(), "<h1>ready</h1>"));
  CHECK(contains(
      shown(),
      "0 accepted, 37 refused (37 auth_unavailable), 13 failed (10 backend_5xx, 3 backend_unreachable)"));
  CHECK(status().at("last_minute").at("upgrades") ==
        nlohmann::json{{"accepted", 0},
                       {"refused", 37},
                       {"failed", 13},
                       {"refused_by", {{"auth_unavailable", 37}}},
                       {"failed_by", {{"backend_5xx", 10}, {"backend_unreachable", 3}}}});
  CHECK(status().at("concerns").size() == 1);

  f.source.minute = {};
  f.source.minute.requests_by_class[CodeClass::success] = 39;
  f.source.minute.requests_by_class[CodeClass::server_error] = 40;
  CHECK(contains(shown(), "39 2xx, 0 3xx, 0 4xx, 40 5xx"));
  CHECK(contains(shown(), "<section id=\"state\" class=\"warn\""));

  f.source.minute = {};
  f.source.breaker_open = false;
  CHECK(contains(shown(), "<dt>auth breaker</dt><dd>closed</dd>"));
  CHECK(contains(shown(), "<section id=\"state\" class=\"good\""));
  f.source.breaker_open = true;
  CHECK(contains(shown(), "<section id=\"state\" class=\"warn\""));
  CHECK(status().at("auth_breaker") == "open");

  f.source.breaker_open = false;
  f.source.connections = {.open = 18, .in_force = 19, .configured = 10000};
  CHECK(contains(shown(), "18 open, limit in force 19 of 10000"));
  CHECK(contains(shown(), "<section id=\"state\" class=\"good\""));
  f.source.connections.open = 19;
  CHECK(contains(shown(), "<section id=\"state\" class=\"warn\""));
}

TEST_CASE("An open gate whose readiness fails says that clients are still let in, and nothing waits") {
  ProbeFixture f;
  auto snapshot = std::make_shared<health::Snapshot>(*f.snapshot(health::GateState::starting));
  snapshot->gate = health::GateState::open;
  snapshot->ever_opened = true;
  f.server.publish(snapshot);
  const std::string page = f.get("/").body;
  CHECK(contains(page, "not ready because of database; new clients are still let in"));
  CHECK_FALSE(contains(page, "waiting for <strong>"));
}

TEST_CASE("The page says whose it is, and names no address when details are a summary") {
  ProbeFixture f;
  for (const char* part : {"service <strong>chat</strong>", "instance <strong>chat-7f</strong>",
                           "backend <strong>127.0.0.1:8000</strong>",
                           "configuration <strong>/etc/probegate/probegate.yaml</strong>"}) {
    CAPTURE(part);
    CHECK(contains(f.get("/").body, part));
  }
  CHECK(nlohmann::json::parse(f.get("/status").body).at("about").at("backend") == "127.0.0.1:8000");
  ProbeAnswers answers(*f.loop, {health::Details::summary, "1.2.3"}, f.snapshot(health::GateState::starting),
                       f.source);
  for (const char* path : {"/", "/status"}) {
    CHECK(contains(answered(answers, path), "chat-7f"));
    CHECK_FALSE(contains(answered(answers, path), "127.0.0.1:8000"));
    CHECK_FALSE(contains(answered(answers, path), "/etc/probegate"));
  }
}

TEST_CASE("What a check asks is shown beside it, except in a summary") {
  ProbeFixture f;
  auto policies = std::vector<health::CheckPolicy>(1, ProbeFixture::policy());
  policies[0].target = "10.0.0.5:5432/app";
  auto snapshot = std::make_shared<health::Snapshot>(*f.snapshot(health::GateState::open));
  snapshot->policies = std::make_shared<const std::vector<health::CheckPolicy>>(policies);
  f.server.publish(snapshot);
  CHECK(contains(f.get("/").body, "10.0.0.5:5432/app"));
  CHECK(nlohmann::json::parse(f.get("/status").body).at("checks").at("database").at("target") ==
        "10.0.0.5:5432/app");
  ProbeAnswers answers(*f.loop, {health::Details::summary, "1.2.3"}, snapshot, f.source);
  for (const char* path : {"/", "/status", "/health/ready"})
    CHECK_FALSE(contains(answered(answers, path), "10.0.0.5"));
}

TEST_CASE("The page says how many events it leaves out") {
  ProbeFixture f;
  for (int i = 0; i < 42; ++i) f.source.past.add(check_event("pass", i % 2 == 0 ? "fail" : "pass"));
  CHECK(contains(f.get("/").body, "12 older events are in /status"));
}

}  // namespace
}  // namespace probegate::probe
