// Writers that wait for slow readers: when_unsent_at_most and the counts of unsent bytes.
#include <atomic>
#include <functional>

#include <doctest/doctest.h>

#include "http/test_client.h"
#include "http/test_server.h"

namespace hearth::http {
namespace {

constexpr std::size_t kPiece_bytes = 256 * 1024;
constexpr int kPieces = 64;  // 16 MiB: far more than kernel and bound hold

// Writes its pieces one by one, each when what went before has left.
class PatientWriter : public std::enable_shared_from_this<PatientWriter> {
 public:
  PatientWriter(std::shared_ptr<Exchange> exchange, std::atomic<std::size_t>& most)
      : exchange_(std::move(exchange)), most_(most) {}
  void go_on() {
    if (written_ == kPieces) return exchange_->finish();
    exchange_->write(std::string(kPiece_bytes, static_cast<char>('a' + written_++ % 26)));
    most_ = std::max(most_.load(), exchange_->unsent_bytes());
    exchange_->when_unsent_at_most(kPiece_bytes / 4, [self = shared_from_this()] { self->go_on(); });
  }

 private:
  const std::shared_ptr<Exchange> exchange_;
  std::atomic<std::size_t>& most_;
  int written_ = 0;
};

}  // namespace

TEST_CASE("a writer that waits for space never holds more than its bound, and a slow reader gets everything") {
  std::atomic<std::size_t> most{0};
  std::shared_ptr<Exchange> seen;
  Counter begun;
  const auto server = start_server([&](const std::shared_ptr<Exchange>& exchange) {
    if (exchange->request().path != "/slow") return echo(exchange);
    seen = exchange;
    exchange->begin_stream(200, {});
    exchange->post([writer = std::make_shared<PatientWriter>(exchange, most)] { writer->go_on(); });
    begun.add();
  });
  TestClient slow(server->port(), 4096);
  slow.get("/slow");
  REQUIRE(begun.reaches(1));
  TestClient other(server->port());
  other.get("/quick");
  CHECK(other.read_answer().status == 200);
  const auto answer = slow.read_answer();
  CHECK(answer.complete);
  CHECK(answer.body.size() == kPiece_bytes * kPieces);
  CHECK(answer.body.back() == static_cast<char>('a' + (kPieces - 1) % 26));
  CHECK(most < 2 * kPiece_bytes);
  server->stop();
  CHECK(seen->unsent_bytes() == 0);
  CHECK(seen->unsent_bytes_of_all() == 0);
}

TEST_CASE("what a client that went away did not read is no longer counted") {
  std::shared_ptr<Exchange> seen;
  Counter gone;
  const auto server = start_server([&](const std::shared_ptr<Exchange>& exchange) {
    seen = exchange;
    exchange->on_disconnect([&] { gone.add(); });
    exchange->begin_stream(200, {});
    exchange->write(std::string(4 << 20, 'x'));
  });
  {
    TestClient client(server->port(), 4096);
    client.get("/");
    client.read_until("x");
  }
  REQUIRE(gone.reaches(1));
  seen->write("more");
  server->stop();
  CHECK(seen->unsent_bytes_of_all() == 0);
}

}  // namespace hearth::http
