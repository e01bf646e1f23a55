// Streams: what goes out when, who is held up by whom, and what happens when one side ends it early.
#include <sys/resource.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "http/test_server.h"

namespace hearth::http {
namespace {

TEST_CASE("the head of a stream goes out at once, each write as it comes, and finish() keeps the connection") {
  std::promise<std::shared_ptr<Exchange>> promise;
  std::atomic<int> requests{0};
  const auto server = start_server([&](const std::shared_ptr<Exchange>& exchange) {
    if (requests++ > 0) return echo(exchange);
    exchange->begin_stream(200, {{"content-type", "text/event-stream"}});
    promise.set_value(exchange);
  });
  TestClient client(server->port());
  client.get("/");
  const auto head = client.read_head();
  CHECK(head.status == 200);
  CHECK(head.headers.at("content-type") == "text/event-stream");
  CHECK(head.headers.at("transfer-encoding") == "chunked");
  const std::shared_ptr<Exchange> exchange = promise.get_future().get();
  bool complete = false;
  for (const char* word : {"one", "two", "three"}) {
    exchange->write(word);
    CHECK(client.read_chunk(complete) == word);
  }
  exchange->write("");
  exchange->write("four");
  CHECK(client.read_chunk(complete) == "four");
  exchange->finish();
  CHECK(client.read_chunk(complete) == "");
  CHECK(complete);
  client.get("/next");
  CHECK(client.read_answer().body == "GET /next");
}

TEST_CASE("a stream to an HTTP/1.0 client is not chunked and ends with the connection") {
  const auto server = start_server([](const std::shared_ptr<Exchange>& exchange) {
    exchange->begin_stream(200, {});
    exchange->write("plain");
    exchange->finish();
  });
  TestClient client(server->port());
  client.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  const auto answer = client.read_answer();
  CHECK(answer.headers.at("connection") == "close");
  CHECK(answer.body == "plain");
}

TEST_CASE("large and small writes arrive in order and whole") {
  std::string expected;
  for (int i = 0; i < 300; ++i)
    expected += std::string(static_cast<std::size_t>(i * i), static_cast<char>('a' + i % 26));
  const auto server = start_server(
      [&](const std::shared_ptr<Exchange>& exchange) {
        exchange->begin_stream(200, {});
        for (int i = 0; i < 300; ++i)
          exchange->write(std::string(static_cast<std::size_t>(i * i), static_cast<char>('a' + i % 26)));
        exchange->finish();
      },
      {.unsent_bytes_max = 64ULL << 20});
  TestClient client(server->port());
  client.get("/");
  const auto answer = client.read_answer();
  CHECK(answer.complete);
  CHECK(answer.body == expected);
}

TEST_CASE("a client that closes while it is streamed to is noticed without a write") {
  for (const bool by_reset : {false, true}) {
    Counter gone;
    Counter begun;
    std::shared_ptr<Exchange> kept;
    const auto server = start_server([&](const std::shared_ptr<Exchange>& exchange) {
      kept = exchange;
      exchange->on_disconnect([&] { gone.add(); });
      exchange->begin_stream(200, {});
      begun.add();
    });
    TestClient client(server->port());
    client.get("/");
    CHECK(client.read_head().status == 200);
    CHECK(begun.reaches(1));
    CHECK(gone.count() == 0);
    by_reset ? client.reset() : client.close();
    CHECK(gone.reaches(1));
    kept->write("to nobody");
    kept->finish();
    Counter late;
    kept->on_disconnect([&] { late.add(); });
    CHECK(late.reaches(1));
    CHECK(gone.count() == 1);
  }
}

TEST_CASE("a client that goes away before the answer begins is noticed too") {
  Counter gone;
  std::promise<std::shared_ptr<Exchange>> promise;
  const auto server = start_server([&](const std::shared_ptr<Exchange>& exchange) {
    exchange->on_disconnect([&] { gone.add(); });
    promise.set_value(exchange);
  });
  TestClient client(server->port());
  client.get("/");
  const std::shared_ptr<Exchange> exchange = promise.get_future().get();
  client.close();
  CHECK(gone.reaches(1));
  exchange->respond({});
}

TEST_CASE("the end of an answered exchange is no disconnect") {
  std::atomic<int> gone{0};
  const auto server = start_server([&](const std::shared_ptr<Exchange>& exchange) {
    exchange->on_disconnect([&] { ++gone; });
    echo(exchange);
  });
  TestClient client(server->port());
  client.get("/");
  CHECK(client.read_answer().status == 200);
  client.close();
  server->stop();
  CHECK(gone == 0);
}

TEST_CASE("a reader that stops reading is dropped at the limit of unsent bytes and holds nobody else") {
  Counter gone;
  std::atomic<bool> drop_me{false};
  std::jthread writer;
  const auto server = start_server(
      [&](const std::shared_ptr<Exchange>& exchange) {
        if (exchange->request().path != "/slow") return echo(exchange);
        exchange->on_disconnect([&] {
          drop_me = true;
          gone.add();
        });
        exchange->begin_stream(200, {});
        writer = std::jthread([exchange, &drop_me] {
          while (!drop_me) {
            if (exchange->unsent_bytes() < (2U << 20))
              exchange->write(std::string(64 * 1024, 'x'));
            else
              std::this_thread::yield();
          }
        });
      },
      {.unsent_bytes_max = 1 << 20});
  TestClient slow(server->port(), 4096);
  slow.get("/slow");
  TestClient other(server->port());
  for (int i = 0; i < 20; ++i) {
    other.get("/quick");
    CHECK(other.read_answer().status == 200);
  }
  CHECK(gone.reaches(1));
  other.get("/after");
  CHECK(other.read_answer().status == 200);
}

TEST_CASE("a reader whose kernel takes nothing for too long is dropped") {
  Counter gone;
  const auto server = start_server(
      [&](const std::shared_ptr<Exchange>& exchange) {
        exchange->on_disconnect([&gone, exchange] { gone.add(); });
        exchange->begin_stream(200, {});
        exchange->write(std::string(16 << 20, 'x'));
      },
      {.unsent_bytes_max = 64 << 20, .write_stall_timeout_ms = 100});
  TestClient slow(server->port(), 4096);
  slow.get("/");
  CHECK(gone.reaches(1));
}

TEST_CASE("a response larger than the limit of unsent bytes is sent whole to a slow reader") {
  const auto server = start_server(
      [](const std::shared_ptr<Exchange>& exchange) { exchange->respond({200, {}, std::string(16 << 20, 'x')}); },
      {.unsent_bytes_max = 1 << 20});
  TestClient client(server->port(), 4096);
  client.get("/");
  const auto answer = client.read_answer();
  CHECK(answer.complete);
  CHECK(answer.body.size() == 16 << 20);
}

TEST_CASE("an exchange that is let go without an answer is a 500") {
  const auto server = start_server([](const std::shared_ptr<Exchange>& exchange) {
    if (exchange->request().path == "/ok") echo(exchange);
  });
  TestClient client(server->port());
  client.get("/");
  CHECK(client.read_answer().status == 500);
  client.get("/ok");
  CHECK(client.read_answer().status == 200);
}

TEST_CASE("a handler that throws is a 500 and the server goes on") {
  const auto server = start_server([](const std::shared_ptr<Exchange>&) { throw std::runtime_error("boom"); });
  TestClient client(server->port());
  client.get("/");
  CHECK(client.read_answer().status == 500);
  client.get("/");
  CHECK(client.read_answer().status == 500);
}

TEST_CASE("a stream that is let go unfinished or aborted is cut without the last chunk") {
  const auto server = start_server([](const std::shared_ptr<Exchange>& exchange) {
    exchange->begin_stream(200, {});
    exchange->write("half");
    if (exchange->request().path == "/abort") exchange->after_ms(20, [exchange] { exchange->abort(); });
  });
  for (const char* path : {"/abort", "/dropped"}) {
    TestClient client(server->port());
    client.get(path);
    const auto answer = client.read_answer();
    CHECK(answer.status == 200);
    CHECK_FALSE(answer.complete);
  }
}

TEST_CASE("timers of an exchange run in the order of their times, equal ones in the order of their making") {
  Counter done;
  std::string order;
  const auto server = start_server([&](const std::shared_ptr<Exchange>& exchange) {
    exchange->begin_stream(200, {});
    for (const auto& [delay, name] : {std::pair(40, 'd'), std::pair(10, 'a'), std::pair(20, 'b'), std::pair(20, 'c')})
      exchange->after_ms(delay, [&, name, exchange] {
        order += name;
        if (name != 'd') return;
        exchange->finish();
        done.add();
      });
    exchange->post([&] { order += '0'; });
  });
  TestClient client(server->port());
  client.get("/");
  CHECK(client.read_answer().complete);
  CHECK(done.reaches(1));
  CHECK(order.starts_with("0a"));
  CHECK(order.ends_with("d"));
  CHECK(order.find('b') < order.find('c'));
}

TEST_CASE("timers do not outlive their exchange") {
  std::atomic<int> late{0};
  std::weak_ptr<Exchange> seen;
  const auto server = start_server([&](const std::shared_ptr<Exchange>& exchange) {
    seen = exchange;
    exchange->after_ms(3'600'000, [&, exchange] { ++late; });
    echo(exchange);
  });
  TestClient client(server->port());
  client.get("/");
  CHECK(client.read_answer().status == 200);
  client.get("/");
  CHECK(client.read_answer().status == 200);
  server->stop();
  CHECK(seen.expired());
  CHECK(late == 0);
}

TEST_CASE("two hundred streams with timers run side by side") {
  const auto server = start_server([](const std::shared_ptr<Exchange>& exchange) {
    exchange->begin_stream(200, {});
    auto tick = std::make_shared<std::function<void(int)>>();
    *tick = [exchange, weak = std::weak_ptr(tick)](int left) {
      if (left == 0) return exchange->finish();
      exchange->write("tick ");
      if (const auto again = weak.lock()) exchange->after_ms(5, [again, left] { (*again)(left - 1); });
    };
    (*tick)(10);
  });
  std::vector<TestClient> clients;
  for (int i = 0; i < 200; ++i) clients.emplace_back(server->port());
  for (TestClient& client : clients) CHECK(client.get("/"));
  for (TestClient& client : clients) {
    const auto answer = client.read_answer();
    CHECK(answer.complete);
    CHECK(answer.body.size() == 50);
  }
}

TEST_CASE("stop() ends open streams, tells their handlers and returns") {
  Counter gone;
  Counter begun;
  std::shared_ptr<Exchange> kept;
  auto server = start_server([&](const std::shared_ptr<Exchange>& exchange) {
    kept = exchange;
    exchange->on_disconnect([&] { gone.add(); });
    exchange->begin_stream(200, {});
    begun.add();
  });
  TestClient client(server->port());
  TestClient idle(server->port());
  client.get("/");
  CHECK(client.read_head().status == 200);
  CHECK(begun.reaches(1));
  server->stop();
  CHECK(gone.count() == 1);
  CHECK(idle.read_to_end().empty());
  server.reset();
  kept->write("after the server");  // and nothing happens
  kept->finish();
  kept.reset();
}

TEST_CASE("stop_accepting() refuses new connections and lets open exchanges go on") {
  const auto server = start_server(echo);
  TestClient client(server->port());
  client.get("/a");
  CHECK(client.read_answer().status == 200);
  server->stop_accepting();
  client.get("/b");
  CHECK(client.read_answer().status == 200);  // by now the I/O thread has closed the listeners
  CHECK_FALSE(TestClient(server->port()).connected());
}

TEST_CASE("out of descriptors, the server waits for one instead of spinning, and then serves who waited") {
  const auto server = start_server(echo);
  std::vector<int> hoard;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next = ::dup(0);
  REQUIRE(next >= 0);
  hoard.push_back(next);
  const rlimit low{static_cast<rlim_t>(next) + 20, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  for (int copy = ::dup(0); copy >= 0; copy = ::dup(0)) hoard.push_back(copy);
  ::close(hoard.back());  // the client gets the last one
  hoard.pop_back();
  TestClient client(server->port());
  REQUIRE(client.connected());
  client.get("/waited");
  std::this_thread::sleep_for(std::chrono::milliseconds(150));  // so that accept() has failed at least once
  for (const int copy : hoard) ::close(copy);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(client.read_answer().body == "GET /waited");
}

TEST_CASE("a header's value cannot begin another header") {
  const auto server = start_server([](const std::shared_ptr<Exchange>& exchange) {
    exchange->respond({200, {{"x-model", "a\r\nset-cookie: b"}, {"content-length", "99"}}, "body"});
  });
  TestClient client(server->port());
  client.get("/");
  const auto answer = client.read_answer();
  CHECK(answer.headers.at("x-model") == "a  set-cookie: b");
  CHECK(answer.body == "body");
}

TEST_CASE("a port that is taken is an error that names the port, its holder and the next step") {
  const auto server = start_server(echo);
  const auto second = Server::start({.host = "127.0.0.1", .port = server->port(), .limits = {}}, echo, test_error);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().kind == ErrorKind::Io);
  CHECK(second.error().message.find("port " + std::to_string(server->port())) != std::string::npos);
  CHECK(second.error().message.find("process " + std::to_string(::getpid())) != std::string::npos);
  CHECK(second.error().message.find("--port N") != std::string::npos);
}

TEST_CASE("a host may be a name or an IPv6 address, and an unknown one is an error") {
  for (const char* host : {"localhost", "0.0.0.0", "127.0.0.1"}) {
    const auto server = Server::start({.host = host, .limits = {}}, echo, test_error);
    CAPTURE(host);
    REQUIRE(server.has_value());
    TestClient client((*server)->port());
    client.get("/");
    CHECK(client.read_answer().status == 200);
  }
  CHECK_FALSE(Server::start({.host = "no.such.host.invalid", .limits = {}}, echo, test_error).has_value());
  CHECK_FALSE(Server::start({.host = "203.0.113.1", .limits = {}}, echo, test_error).has_value());
}

}  // namespace
}  // namespace hearth::http
