// The room's pure parts: parser at every cut, outgoing bytes, timers, heads.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>

#include "http/outgoing.h"
#include "http/request_parser.h"
#include "http/response_head.h"
#include "http/timer_queue.h"

namespace hearth::http {
namespace {

TEST_CASE("the parser's result does not depend on how the bytes are cut") {
  const std::string text = "POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhellorest";
  for (std::size_t first = 0; first <= text.size(); ++first) {
    RequestParser parser(1000, 1000);
    std::string held = text.substr(0, first);
    RequestParser::Step step;
    bool more = true;
    for (;;) {
      step = parser.push(held);
      held.erase(0, step.consumed);
      if (step.progress == RequestParser::Progress::Complete) break;
      REQUIRE(step.progress != RequestParser::Progress::Failed);
      if (step.progress == RequestParser::Progress::HeaderDone && !held.empty()) continue;
      REQUIRE(more);
      held += text.substr(first);
      more = false;
    }
    if (more) held += text.substr(first);
    CHECK(held == "rest");
    const Request request = parser.take_request();
    CHECK(request.path == "/a");
    CHECK(request.body == "hello");
    CHECK(*request.header("host") == "x");
  }
}

// The whole input's outcome, given in pieces of the sizes that `next` says.
template <class Next>
std::string outcome(std::string_view input, Next next) {
  RequestParser parser(600, 300);
  std::string held;
  while (!input.empty()) {
    const std::size_t count = std::min<std::size_t>(next(), input.size());
    held += input.substr(0, count);
    input.remove_prefix(count);
    for (;;) {
      const RequestParser::Step step = parser.push(held);
      held.erase(0, step.consumed);
      if (step.progress == RequestParser::Progress::Failed) return "failed";
      if (step.progress == RequestParser::Progress::Complete) {
        const Request r = parser.take_request();
        std::string all = r.method + ' ' + r.path + '?' + r.query + '\n' + r.body;
        for (const auto& [name, value] : r.headers) all += '\n' + name + '=' + value;
        return all;
      }
      if (step.progress != RequestParser::Progress::HeaderDone || held.empty()) break;
    }
  }
  return "more";
}

TEST_CASE("broken requests end in the same refusal or the same request however they are cut") {
  const std::string seeds[] = {
      "POST /v1/messages?beta=true HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n{\"a\": "
      "1234}",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4;a=b\r\nbody\r\n10\r\n0123456789abcdef\r\n0\r\nt: u\r\n\r\n",
      "GET http://h/p?q HTTP/1.0\r\nConnection: keep-alive\r\nX: " + std::string(700, 'x') + "\r\n\r\n"};
  std::mt19937 random(20260101);
  const auto below = [&](std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
  };
  constexpr std::string_view kOdd = "\r\n\0 :;,0fF9\t\x7f\xff/?";
  for (int round = 0; round < 3000; ++round) {
    std::string text = seeds[below(3)];
    for (std::size_t change = below(4); change > 0; --change) {
      const std::size_t at = below(text.size());
      switch (below(4)) {
        case 0: text[at] = kOdd[below(kOdd.size())]; break;
        case 1: text.insert(at, 1, kOdd[below(kOdd.size())]); break;
        case 2: text.erase(at, 1 + below(3)); break;
        default: text.insert(at, text.substr(below(text.size()), below(20))); break;
      }
      if (text.empty()) text = "x";
    }
    const std::string whole = outcome(text, [&] { return text.size(); });
    const std::string bytewise = outcome(text, [] { return std::size_t{1}; });
    const std::string cut = outcome(text, [&] { return 1 + below(40); });
    CAPTURE(text);
    // What is wrong behind the first complete header may be seen earlier or later, never differently.
    if (whole != bytewise || whole != cut) FAIL_CHECK((whole + " | " + bytewise + " | " + cut));
  }
}

TEST_CASE("outgoing bytes come out in order however they are taken") {
  for (std::size_t step = 1; step < 60'000; step = step * 3 + 1) {
    Outgoing out;
    std::string expected;
    std::string got;
    const auto take = [&] {
      std::string front;
      out.visit_front(4, [&](std::string_view piece) { front += piece; });
      const std::size_t count = std::min(step, front.size());
      got += front.substr(0, count);
      out.consume(count);
    };
    for (std::size_t i = 0; i < 200; ++i) {
      std::string piece(i % 7 == 0 ? i * 100 : i, static_cast<char>('a' + i % 26));
      expected += piece;
      out.append(std::move(piece));
      take();
      if (out.size() != expected.size() - got.size()) FAIL("size() is not what is left");
    }
    while (!out.empty()) take();
    CHECK(got == expected);
  }
}

TEST_CASE("timers come due by time, equal times in the order they were added, and a removed one never") {
  TimerQueue timers;
  std::string ran;
  const auto add = [&](std::int64_t due_us, char name) {
    return timers.add(due_us, [&ran, name](const TimerQueue::Key&) { ran += name; });
  };
  (void)add(30, 'd');
  (void)add(10, 'a');
  (void)add(20, 'b');
  const auto removed = add(20, 'x');
  (void)add(20, 'c');
  CHECK(timers.remove(removed));
  CHECK_FALSE(timers.remove(removed));
  CHECK(timers.next_due_us() == 10);
  while (auto due = timers.pop_due(25)) due->second(due->first);
  CHECK(ran == "abc");
  CHECK(timers.size() == 1);
}

TEST_CASE("the date is written as HTTP wants it") { CHECK(http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT"); }

TEST_CASE("a head frames the body as it is told and ignores framing from the caller") {
  const std::string head =
      response_head(529, {{"Transfer-Encoding", "gzip"}, {"x", "y"}}, Framing::Chunked, 0, Reuse::Close, 0);
  CHECK(head ==
        "HTTP/1.1 529 Overloaded\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\nx: y\r\n"
        "transfer-encoding: chunked\r\nconnection: close\r\n\r\n");
}

}  // namespace
}  // namespace hearth::http
