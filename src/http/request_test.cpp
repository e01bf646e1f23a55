// Requests as they come over the wire: framing, limits, order, and what is refused and how.
#include <algorithm>
#include <atomic>
#include <thread>

#include "http/test_server.h"

namespace hearth::http {
namespace {

TEST_CASE("a GET is answered with its length and the connection stays open for the next") {
  const auto server = start_server(echo);
  TestClient client(server->port());
  for (int i = 0; i < 3; ++i) {
    client.get("/a");
    const auto answer = client.read_answer();
    CHECK(answer.status == 200);
    CHECK(answer.body == "GET /a");
    CHECK(answer.headers.contains("date"));
    CHECK_FALSE(answer.headers.contains("connection"));
  }
  CHECK(server->connection_count() == 1);
}

TEST_CASE("path, query, headers, peer and time of arrival reach the handler") {
  std::unique_ptr<Server> server = start_server([](const std::shared_ptr<Exchange>& exchange) {
    const Request& r = exchange->request();
    const std::string* header = r.header("x-one");
    exchange->respond({200,
                       {},
                       r.method + "|" + r.path + "|" + r.query + "|" + (header ? *header : "none") + "|" +
                           (r.peer.starts_with("127.0.0.1:") ? "peer" : r.peer) + "|" +
                           (r.received_us > 0 ? "time" : "no time")});
  });
  TestClient client(server->port());
  client.get("/v1/messages%20?beta=true&x=?", "X-One:  two \r\n");
  CHECK(client.read_answer().body == "GET|/v1/messages%20|beta=true&x=?|two|peer|time");
  client.send("GET http://elsewhere:80/p?q HTTP/1.1\r\nhost: a\r\n\r\n");
  CHECK(client.read_answer().body == "GET|/p|q|none|peer|time");
}

TEST_CASE("pipelined requests are answered in their order") {
  const auto server = start_server(echo);
  TestClient client(server->port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nhost: t\r\n\r\n";
  client.send(all);
  for (int i = 0; i < 50; ++i) CHECK(client.read_answer().body == "GET /" + std::to_string(i));
}

TEST_CASE("HEAD has the length of the body and no body") {
  const auto server = start_server(echo);
  TestClient client(server->port());
  client.send("HEAD /x HTTP/1.1\r\nhost: t\r\n\r\n");
  const auto head = client.read_head();
  CHECK(head.status == 200);
  CHECK(head.headers.at("content-length") == "7");
  client.get("/y");
  CHECK(client.read_answer().body == "GET /y");
}

TEST_CASE("a HEAD request of a stream gets only the head") {
  const auto server = start_server([](const std::shared_ptr<Exchange>& exchange) {
    exchange->begin_stream(200, {});
    exchange->write("never");
    exchange->finish();
  });
  TestClient client(server->port());
  client.send("HEAD /x HTTP/1.1\r\nhost: t\r\n\r\nGET /x HTTP/1.1\r\nhost: t\r\n\r\n");
  CHECK(client.read_head().status == 200);
  const auto answer = client.read_answer();
  CHECK(answer.status == 200);
  CHECK(answer.body == "never");
}

TEST_CASE("HTTP/1.0 closes after the answer unless it asked to keep the connection") {
  const auto server = start_server(echo);
  TestClient client(server->port());
  client.send("GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  const auto kept = client.read_answer();
  CHECK(kept.body == "GET /a");
  CHECK(kept.headers.at("connection") == "keep-alive");
  client.send("GET /b HTTP/1.0\r\n\r\n");
  const auto last = client.read_answer();
  CHECK(last.body == "GET /b");
  CHECK(last.headers.at("connection") == "close");
  CHECK(client.at_end());
}

TEST_CASE("a client or a handler that asks to close is obeyed after the answer") {
  const auto server = start_server([](const std::shared_ptr<Exchange>& exchange) {
    if (exchange->request().path != "/handler") return echo(exchange);
    exchange->respond({200, {{"Connection", "close"}}, "bye"});
  });
  TestClient client(server->port());
  client.get("/a", "Connection: close\r\n");
  auto answer = client.read_answer();
  CHECK(answer.body == "GET /a");
  CHECK(answer.headers["connection"] == "close");
  CHECK(client.at_end());
  TestClient other(server->port());
  other.get("/handler");
  CHECK(other.read_answer().body == "bye");
  CHECK(other.at_end());
}

TEST_CASE("a chunked upload arrives whole, at every cut, and its trailers are not headers") {
  const auto server = start_server([](const std::shared_ptr<Exchange>& exchange) {
    exchange->respond({200, {}, exchange->request().body + (exchange->request().header("late") ? "!" : "")});
  });
  const std::string text =
      "POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n"
      "5;ext=1\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nlate: yes\r\n\r\n";
  TestClient client(server->port());
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    client.send(text.substr(0, cut));
    client.send(text.substr(cut));
    CHECK(client.read_answer().body == "hello world");
  }
}

TEST_CASE("a body of 64 MiB is accepted") {
  const auto server = start_server([](const std::shared_ptr<Exchange>& exchange) {
    exchange->respond({200, {}, std::to_string(exchange->request().body.size())});
  });
  TestClient client(server->port());
  client.post("/", std::string(64ULL * 1024 * 1024, 'x'));
  CHECK(client.read_answer().body == "67108864");
}

TEST_CASE("a body one byte over 64 MiB is refused with a 413 that a client can read after sending it all") {
  const auto server = start_server(echo);
  TestClient client(server->port());
  CHECK(client.post("/", std::string(64ULL * 1024 * 1024 + 1, 'x')));
  const auto answer = client.read_answer();
  CHECK(answer.status == 413);
  CHECK(answer.complete);
  CHECK(answer.headers.at("connection") == "close");
  CHECK(client.at_end());
}

TEST_CASE("the 413 comes before the body is sent, and instead of the 100 that was asked for") {
  const auto server = start_server(echo, {.body_bytes_max = 100});
  TestClient client(server->port());
  client.send("POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 101\r\nexpect: 100-continue\r\n\r\n");
  CHECK(client.read_answer().status == 413);
}

TEST_CASE("a chunked body over the limit is a 413 too") {
  const auto server = start_server(echo, {.body_bytes_max = 100});
  TestClient client(server->port());
  client.send("POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n40\r\n" + std::string(64, 'a') +
              "\r\n40\r\n" + std::string(64, 'a') + "\r\n0\r\n\r\n");
  CHECK(client.read_answer().status == 413);
}

TEST_CASE("all bodies together have a bound: who would go over it hears 503, and finds room when another is done") {
  const auto server = start_server(echo, {.bodies_bytes_max = 100});
  TestClient slow(server->port());
  slow.send("POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 80\r\n\r\n" + std::string(60, 'a'));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // until it is read
  TestClient refused(server->port());
  refused.post("/", std::string(60, 'b'));
  const auto answer = refused.read_answer();
  CHECK(answer.status == 503);
  CHECK(answer.complete);
  slow.send(std::string(20, 'a'));
  CHECK(slow.read_answer().body == std::string(60, 'a') + std::string(20, 'a'));
  // A body counts until its handler lets go of it, which may be a moment after the answer.
  const auto is_taken = [&] {
    for (int tries = 0; tries < 1000; ++tries) {
      TestClient again(server->port());
      again.post("/", std::string(60, 'c'));
      if (again.read_answer().status == 200) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  };
  for (int i = 0; i < 5; ++i) CHECK(is_taken());  // nothing of it stays counted
}

TEST_CASE("Expect: 100-continue is answered before the body") {
  const auto server = start_server(echo);
  TestClient client(server->port());
  client.send("POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n");
  CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("ok");
  CHECK(client.read_answer().body == "ok");
}

TEST_CASE("headers over the limit are a 431") {
  const auto server = start_server(echo, {.header_bytes_max = 1000});
  TestClient client(server->port());
  client.get("/", "a: " + std::string(2000, 'x') + "\r\n");
  CHECK(client.read_answer().status == 431);
  CHECK(client.at_end());
}

TEST_CASE("what is not a sound HTTP/1.1 request is refused and the connection ends") {
  struct Case {
    const char* what;
    std::string bytes;
    int status;
  };
  using namespace std::string_literals;
  const std::string kPost = "POST / HTTP/1.1\r\nhost: a\r\n";
  const Case cases[] = {
      {"garbage", "hello\r\n\r\n", 400},
      {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"s, 400},
      {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"HTTP/0.9", "GET /\r\n\r\n", 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400},
      {"two lengths", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx", 400},
      {"a list of lengths", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\nx", 400},
      {"length and chunked", kPost + "content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked and length", kPost + "transfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n0\r\n\r\n", 400},
      {"gzip", kPost + "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
      {"identity", kPost + "transfer-encoding: identity\r\n\r\n", 400},
      {"chunked twice", kPost + "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"length -1", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400},
      {"length +1", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\nx", 400},
      {"length in hex", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x1\r\n\r\nx", 400},
      {"length over 64 bits", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n", 400},
      {"chunk size over 64 bits", kPost + "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400},
      {"chunk size no number", kPost + "transfer-encoding: chunked\r\n\r\nzz\r\n\r\n", 400},
      {"chunk without its end", kPost + "transfer-encoding: chunked\r\n\r\n1\r\nabc\r\n", 400},
      {"NUL in a value", "GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n"s, 400},
      {"NUL in the target", "GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n"s, 400},
      {"bell in a value", "GET / HTTP/1.1\r\nhost: a\r\nx: \x07\r\n\r\n", 400},
      {"space in a name", "GET / HTTP/1.1\r\nhost: a\r\nx y: 1\r\n\r\n", 400},
      {"space before the colon", "GET / HTTP/1.1\r\nhost: a\r\ncontent-length : 1\r\n\r\nx", 400},
      {"no colon", "GET / HTTP/1.1\r\nhost: a\r\nnocolon\r\n\r\n", 400},
      {"bare line feeds", "GET / HTTP/1.1\nhost: a\n\n\r\n\r\n", 400},
      {"bare carriage return", "GET / HTTP/1.1\r\nhost: a\rx: b\r\n\r\n", 400},
      {"space in the target", "GET /a b HTTP/1.1\r\nhost: a\r\n\r\n", 400},
      {"a target that is no path", "GET a HTTP/1.1\r\nhost: a\r\n\r\n", 400},
      {"an odd Expect", "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\nexpect: tea\r\n\r\nx", 417},
  };
  const auto server = start_server(echo);
  for (const Case& c : cases) {
    CAPTURE(c.what);
    TestClient client(server->port());
    client.send(c.bytes);
    auto answer = client.read_answer();
    CHECK(answer.status == c.status);
    CHECK(answer.complete);
    CHECK(answer.headers["connection"] == "close");
    CHECK(client.at_end());
  }
  TestClient after(server->port());
  after.get("/still");
  CHECK(after.read_answer().body == "GET /still");
}

TEST_CASE("empty lines before a request are forgiven") {
  const auto server = start_server(echo);
  TestClient client(server->port());
  client.send("\r\n");
  client.get("/a");
  CHECK(client.read_answer().body == "GET /a");
}

TEST_CASE("a request head that drips in for too long is closed with a 408") {
  const auto server = start_server(echo, {.header_timeout_ms = 100});
  TestClient client(server->port());
  client.send("GET / HTTP/1.1\r\nhost: ");
  CHECK(client.read_answer().status == 408);
  CHECK(client.at_end());
}

TEST_CASE("a connection that never says anything is closed") {
  const auto server = start_server(echo, {.header_timeout_ms = 50});
  TestClient client(server->port());
  CHECK(client.at_end());
}

TEST_CASE("a connection that is idle for too long after an answer is closed") {
  const auto server = start_server(echo, {.idle_timeout_ms = 50});
  TestClient client(server->port());
  client.get("/a");
  CHECK(client.read_answer().status == 200);
  CHECK(client.at_end());
}

TEST_CASE("a body that stalls is a 408") {
  const auto server = start_server(echo, {.body_stall_timeout_ms = 50});
  TestClient client(server->port());
  client.send("POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 10\r\n\r\nabc");
  CHECK(client.read_answer().status == 408);
}

TEST_CASE("a body that takes too long altogether is a 408 though it never stalls") {
  const auto server = start_server(echo, {.body_stall_timeout_ms = 10'000, .body_timeout_ms = 100});
  TestClient client(server->port());
  client.send("POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 1000000\r\n\r\n");
  std::jthread drip([&](const std::stop_token& stop) {
    while (!stop.stop_requested() && client.send("x")) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  });
  CHECK(client.read_answer().status == 408);
}

TEST_CASE("a body whose head is refused is never held: the handler answers without it, and the connection ends") {
  std::atomic<std::size_t> most_bytes{0};
  const auto refuse = [&](const std::shared_ptr<Exchange>& exchange) {
    most_bytes = std::max(most_bytes.load(), exchange->request().body.size());
    const bool has_key = exchange->request().header("x-api-key") != nullptr;
    exchange->respond({has_key ? 200 : 401, {}, has_key ? exchange->request().body : "no key"});
  };
  Limits limits;
  limits.bodies_bytes_max = 100;  // of which what is refused takes nothing
  const auto server =
      start_server(refuse, limits, [](const Request& head) { return head.header("x-api-key") != nullptr; });
  const std::string body(3 << 20, 'x');
  for (int i = 0; i < 3; ++i) {
    TestClient client(server->port());
    client.post("/", body);
    const auto answer = client.read_answer();
    CHECK((answer.status == 401 && answer.body == "no key"));
    CHECK(answer.headers.at("connection") == "close");
    CHECK(client.at_end());
  }
  CHECK(most_bytes == 0);
  TestClient slow(server->port());  // which sends nothing of it before it is answered
  slow.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 1000000\r\n\r\n");
  CHECK(slow.read_answer().status == 401);
  TestClient chunked(server->port());
  chunked.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
  CHECK(chunked.read_answer().status == 401);
  TestClient friendly(server->port());
  friendly.send("POST / HTTP/1.1\r\nhost: a\r\nx-api-key: k\r\ncontent-length: 5\r\n\r\nhello");
  CHECK(friendly.read_answer().body == "hello");
}

TEST_CASE("a connection over the limit hears 503 with retry-after and is closed; a place that frees up is used") {
  const auto server = start_server(echo, {.connections_max = 1});
  {
    TestClient first(server->port());
    first.get("/a");
    CHECK(first.read_answer().status == 200);
    TestClient second(server->port());
    second.get("/b");
    const auto answer = second.read_answer();
    CHECK(answer.status == 503);
    CHECK(answer.headers.contains("retry-after"));
    CHECK(second.at_end());
    first.get("/c");
    CHECK(first.read_answer().status == 200);
  }
  for (int attempt = 0; attempt < 1000; ++attempt) {
    TestClient third(server->port());
    third.get("/d");
    if (third.read_answer().status == 200) return;
  }
  FAIL("the freed place was never given");
}

}  // namespace
}  // namespace hearth::http
