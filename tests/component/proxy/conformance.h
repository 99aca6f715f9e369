// The drivers of the conformance tables: each case goes through a real proxy whole, and cut in two at every
// byte.
//
// The pieces of all cuts are sent at once and the second ones follow when the proxy has read the first: that
// is known without a sleep, as a data loop serves what is ready in order, and a request sent later has its
// answer.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "exchange.h"
#include "support/second_reader.h"

namespace probegate::test {

inline constexpr std::size_t kAtOnce = 48;  // cuts under way together

// What a request would do if somebody read on where the proxy stopped.
inline const std::string kSmuggled = "GET /smuggled HTTP/1.1\r\nHost: smuggled\r\n\r\n";

// Made ids are unlike; the tables call them ID, and an instance by the name it has without its digits.
inline std::string with_plain_id(std::string bytes) {
  const std::string name = "X-Request-Id: ";
  for (auto at = bytes.find(name); at != std::string::npos; at = bytes.find(name, at + 1)) {
    const auto begin = at + name.size(), end = bytes.find("\r\n", begin);
    if (end - begin == 32 && bytes.find_first_not_of("0123456789abcdef", begin) == end) {
      bytes.replace(begin, 32, "ID");
    }
  }
  const std::string instance = " probegate-";
  for (auto at = bytes.find(instance); at != std::string::npos; at = bytes.find(instance, at + 1)) {
    bytes.erase(at + instance.size() - 1, 9);
  }
  return bytes;
}

// Of an answer: without the date that it was given here, which stands in front of our Via.
inline std::string with_plain_hop(std::string bytes) {
  bytes = with_plain_id(std::move(bytes));
  const std::string date = "Date: ", before = " GMT\r\nVia: 1.";
  for (auto at = bytes.find(date); at != std::string::npos; at = bytes.find(date, at)) {
    const auto end = bytes.find("\r\n", at);
    if (end == std::string::npos) break;
    if (bytes.compare(end - 4, before.size(), before) == 0) {
      bytes.erase(at, end + 2 - at);
    } else {
      ++at;
    }
  }
  return bytes;
}

// The head as the backend gets it from a client that nobody knows: its own fields, then the proxy's.
inline std::string forwarded(const std::string& line, const std::string& host, const std::string& fields = "",
                             const std::string& framing = "", const std::string& body = "", int minor = 1) {
  return line + " HTTP/1.1\r\n" + (host.empty() ? "" : "Host: " + host + "\r\n") + fields +
         "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n" +
         (host.empty() ? "" : "X-Forwarded-Host: " + host + "\r\n") + "X-Request-Id: ID\r\nVia: 1." +
         std::to_string(minor) + " probegate\r\n" + framing + "\r\n" + body;
}

// Records what reaches it, each request on a connection of its own, as it tells the proxy to close after
// each.
class RecordingBackend {
 public:
  explicit RecordingBackend(TestLoop& loop) : live_(loop) {
    live_.on_connection = [](Wire& wire) {
      wire.on_bytes = [&wire, answered = false]() mutable {
        // With other eyes than the proxy's, and they must find the same one request in it.
        const SecondReading reading = read_again(wire.received(), true);
        if (answered || reading.requests.empty() || !reading.requests.front().done) return;
        answered = true;
        wire.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
      };
    };
  }
  const Endpoint& endpoint() const { return live_.endpoint(); }

  // Everything since the last time, sorted; ends those connections. `broken_off`: the proxy ends them first.
  std::vector<std::string> take(TestLoop& loop, bool broken_off) {
    std::vector<std::string> records;
    loop.settle(3);  // whatever the proxy has connected is in the queue by now
    for (; taken_ < live_.connections(); ++taken_) {
      if (broken_off) CHECK(loop.until([&] { return live_.wire(taken_).gone(); }));
      std::string record = with_plain_id(live_.wire(taken_).take());
      const std::string self = endpoint().to_string();
      if (const auto at = record.find(self); at != std::string::npos)
        record.replace(at, self.size(), "BACKEND");
      records.push_back(std::move(record));
      live_.wire(taken_).close();
    }
    std::sort(records.begin(), records.end());
    return records;
  }

 private:
  LiveBackend live_;
  std::size_t taken_ = 0;
};

// Returns once the proxy has read everything that was sent to it before.
inline void await_proxy(TestLoop& loop, const ProxyFixture& proxy) {
  FakeClient last(loop, proxy.endpoint(), "OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n");
  if (!loop.until([&] { return last.received().starts_with("HTTP/1.1 204 "); })) {
    throw std::runtime_error("the proxy does not answer");
  }
  last.reset();
}

// The cuts of a text: behind each byte but the last, and behind the last, which is to send it whole.
inline std::vector<std::size_t> every_cut(const std::string& bytes) {
  std::vector<std::size_t> cuts;
  for (std::size_t cut = 1; cut <= bytes.size(); ++cut) cuts.push_back(cut);
  return cuts;
}

// Calls `run` with some of them at a time.
template <typename Run>
void in_batches(const std::vector<std::size_t>& cuts, const Run& run) {
  for (std::size_t at = 0; at < cuts.size(); at += kAtOnce) {
    const auto begin = cuts.begin() + static_cast<std::ptrdiff_t>(at);
    run(std::vector<std::size_t>(begin,
                                 begin + static_cast<std::ptrdiff_t>(std::min(kAtOnce, cuts.size() - at))));
  }
}

struct RequestRow {
  std::string sentence;
  std::string bytes;
  // Either this status and reason, with nothing behind it read...
  int status = 400;
  std::string reason = "bad_request";
  // ...or an answer of the backend to each of these, which are all that it gets.
  std::vector<std::string> forwarded = {};
  // Of a request that is refused in its body: what of it the backend may have seen.
  std::string begun = {};
  bool stays_open = true;
};

inline RequestRow passes(std::string sentence, std::string bytes, std::vector<std::string> forwarded,
                         bool stays_open = true) {
  return {std::move(sentence), std::move(bytes), 200, "", std::move(forwarded), "", stays_open};
}

namespace detail {

inline void require_passed(TestLoop& loop, const RequestRow& row, Wire& client) {
  for (std::size_t i = 0; i < row.forwarded.size(); ++i) {
    const Answer answer = next_answer(loop, client);
    CHECK(answer.status == 200);
    CHECK(answer.body == "ok");
  }
  if (!row.stays_open) CHECK(loop.until([&] { return client.ended(); }));
  CHECK(client.received().empty());
}

inline void require_refused(TestLoop& loop, const RequestRow& row, Wire& client, bool head_only) {
  const Answer answer = next_answer(loop, client, head_only);
  CHECK(answer.status == row.status);
  CHECK(answer.get("probegate-reason") == row.reason);
  CHECK(answer.get("content-type") == "application/problem+json");
  CHECK(answer.get("connection").starts_with("close"));
  CHECK(loop.until([&] { return client.ended(); }));
  CHECK(client.received().empty());
}

}  // namespace detail

inline void check_request(TestLoop& loop, RecordingBackend& backend, const ProxyFixture& proxy,
                          const RequestRow& row, const std::vector<std::size_t>& cuts) {
  const bool refused = row.forwarded.empty();
  std::vector<std::unique_ptr<FakeClient>> clients;
  for (const std::size_t cut : cuts) {
    clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), row.bytes.substr(0, cut)));
  }
  await_proxy(loop, proxy);
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    clients[i]->send(row.bytes.substr(cuts[i]) + (refused ? kSmuggled : ""));
  }
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    INFO("cut behind " << cuts[i] << " bytes of " << row.bytes.size());
    if (refused) {
      detail::require_refused(loop, row, *clients[i], row.bytes.starts_with("HEAD "));
    } else {
      detail::require_passed(loop, row, *clients[i]);
    }
  }
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    expected.insert(expected.end(), row.forwarded.begin(), row.forwarded.end());
  }
  std::sort(expected.begin(), expected.end());
  const auto records = backend.take(loop, !row.begun.empty());
  if (row.begun.empty()) {
    CHECK(records == expected);
  } else {
    for (const auto& record : records) CHECK(row.begun.substr(0, record.size()) == record);
  }
  for (const auto& client : clients) client->reset();
}

inline void check_requests(const std::vector<RequestRow>& table, const ProxyFixture::Tune& tune = {}) {
  for (const RequestRow& row : table) {
    DYNAMIC_SECTION(row.sentence) {
      TestLoop loop;
      RecordingBackend backend(loop);
      ProxyFixture proxy(loop, backend.endpoint(), tune);
      in_batches(every_cut(row.bytes), [&](const std::vector<std::size_t>& cuts) {
        check_request(loop, backend, proxy, row, cuts);
      });
      for (const std::string& record : row.forwarded) {
        for (const bool lenient : {false, true}) {  // nobody reads anything else in what is passed on
          const SecondReading reading = read_again(record, lenient);
          CHECK(reading.requests.size() == 1);
          CHECK(reading.error.empty());
          CHECK(reading.rest.empty());
        }
      }
    }
  }
}

enum class Then { open, fin, rst };  // how the client's connection goes on behind the answer

struct AnswerRow {
  std::string sentence;
  std::string request;  // to which it is the answer
  std::string bytes;
  std::string to_client;  // all of it; empty: 502 backend_error instead
  Then then = Then::open;
  bool backend_ends = false;  // with FIN, behind the bytes
};

inline void check_answer(TestLoop& loop, const AnswerRow& row, const std::vector<std::size_t>& cuts) {
  LiveBackend backend(loop);
  ProxyFixture proxy(loop, backend.endpoint());
  std::vector<std::unique_ptr<FakeClient>> clients;
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    clients.push_back(std::make_unique<FakeClient>(loop, proxy.endpoint(), row.request));
  }
  for (std::size_t i = 0; i < cuts.size(); ++i) backend.await_request(i);
  for (std::size_t i = 0; i < cuts.size(); ++i) backend.wire(i).send(row.bytes.substr(0, cuts[i]));
  await_proxy(loop, proxy);
  for (std::size_t i = 0; i < cuts.size(); ++i) {
    if (cuts[i] < row.bytes.size()) backend.wire(i).send(row.bytes.substr(cuts[i]));
    if (row.backend_ends) backend.wire(i).half_close();
  }
  // Which client has which cut is the proxy's affair: all of them must see the same.
  for (const auto& client : clients) {
    if (row.to_client.empty()) {
      const Answer answer = next_answer(loop, *client, row.request.starts_with("HEAD "));
      CHECK(answer.status == 502);
      CHECK(answer.get("probegate-reason") == "backend_error");
      CHECK(loop.until([&] { return client->ended(); }));
      CHECK(client->received().empty());
      continue;
    }
    const bool whole = loop.until([&] {
      const bool there = with_plain_hop(client->received()).size() >= row.to_client.size();
      return client->gone() || (row.then == Then::open && there);
    });
    CHECK(whole);
    CHECK(client->lost() == (row.then == Then::rst));
    CHECK(client->ended() == (row.then == Then::fin));
    if (row.then == Then::rst) {  // which may destroy what was on its way
      CHECK(row.to_client.starts_with(with_plain_hop(client->received())));
    } else {
      CHECK(with_plain_hop(client->received()) == row.to_client);
    }
    if (row.then == Then::open) CHECK_FALSE(client->gone());
  }
  for (const auto& client : clients) client->reset();
}

inline void check_answers(const std::vector<AnswerRow>& table) {
  for (const AnswerRow& row : table) {
    DYNAMIC_SECTION(row.sentence) {
      TestLoop loop;
      in_batches(every_cut(row.bytes),
                 [&](const std::vector<std::size_t>& cuts) { check_answer(loop, row, cuts); });
    }
  }
}

}  // namespace probegate::test
