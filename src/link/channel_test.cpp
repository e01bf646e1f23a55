// Both ends of a socket pair in one process.
#include "link/channel.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <thread>

#include "link/test_messages.h"

namespace hearth::link {
namespace {

struct Ends {
  std::unique_ptr<Channel> front, engine;
};
Ends open_pair() {
  auto ends = Channel::pair();
  REQUIRE(ends);
  return {std::move(ends->first), std::move(ends->second)};
}

void write_raw(const Channel& channel, std::string_view raw) {
  REQUIRE_EQ(::send(channel.descriptor(), raw.data(), raw.size(), 0), static_cast<ssize_t>(raw.size()));
}

TEST_CASE("every message arrives as it was sent, in order, in both directions") {
  const Ends ends = open_pair();
  for (const FrontMessage& message : every_front_message()) REQUIRE(ends.front->send(message));
  for (const EngineMessage& message : every_engine_message()) REQUIRE(ends.engine->send(message));
  for (const FrontMessage& message : every_front_message()) {
    const auto received = ends.engine->receive_front_message();
    REQUIRE(received);
    CHECK(encode(*received) == encode(message));
  }
  for (const EngineMessage& message : every_engine_message()) {
    const auto received = ends.front->receive_engine_message();
    REQUIRE(received);
    CHECK(encode(*received) == encode(message));
  }
}

TEST_CASE("a frame larger than the socket's buffer arrives whole") {
  const Ends ends = open_pair();
  Job job{.id = 1, .prompt = std::vector<Token>(2'000'000)};
  for (std::size_t index = 0; index < job.prompt.size(); ++index) job.prompt[index] = static_cast<Token>(index * 7);
  const std::jthread sender([&] {
    CHECK(ends.front->send(job));
    CHECK(ends.front->send(Cancel{.job = 1}));
  });
  const auto received = ends.engine->receive_front_message();
  REQUIRE(received);
  CHECK(std::get<Job>(*received).prompt == job.prompt);
  const auto cancel = ends.engine->receive_front_message();
  REQUIRE(cancel);
  CHECK(std::holds_alternative<Cancel>(*cancel));
}

TEST_CASE("frames of several senders never mix") {
  const Ends ends = open_pair();
  constexpr std::size_t kEach = 500;
  const auto send_many = [&](JobId job) {
    for (std::size_t index = 0; index < kEach; ++index)
      REQUIRE(
          ends.engine->send(TokenEvent{.job = job, .tokens = {{static_cast<Token>(index), std::string(100, 'x')}}}));
  };
  const std::jthread first([&] { send_many(0); });
  const std::jthread second([&] { send_many(1); });
  Token next[2] = {0, 0};
  for (std::size_t count = 0; count < 2 * kEach; ++count) {
    const auto received = ends.front->receive_engine_message();
    REQUIRE(received);
    const auto& event = std::get<TokenEvent>(*received);
    CHECK_EQ(event.tokens.at(0).token, next[event.job]++);
  }
}

TEST_CASE("a frame that arrives byte by byte is put together") {
  const Ends ends = open_pair();
  const std::string frame = encode(every_engine_message()[3]);
  const std::jthread sender([&] {
    for (const char byte : frame) write_raw(*ends.engine, {&byte, 1});
  });
  const auto received = ends.front->receive_engine_message();
  REQUIRE(received);
  CHECK(encode(*received) == frame);
}

TEST_CASE("the peer's end is Unavailable to receive and to send, and no signal") {
  Ends ends = open_pair();
  REQUIRE(ends.engine->send(LoadProgress{.fraction = 1}));
  ends.engine.reset();
  CHECK(ends.front->receive_engine_message());  // what was sent before the end still arrives
  const auto received = ends.front->receive_engine_message();
  REQUIRE_FALSE(received);
  CHECK(received.error().kind == ErrorKind::Unavailable);
  const auto sent = ends.front->send(Shutdown{});
  REQUIRE_FALSE(sent);
  CHECK(sent.error().kind == ErrorKind::Unavailable);
}

TEST_CASE("a peer that ends in the middle of a frame is Unavailable") {
  for (const std::size_t kept : {1, 11, 12, 15}) {
    Ends ends = open_pair();
    write_raw(*ends.engine, encode(EngineMessage(LoadFailed{.message = "reason"})).substr(0, kept));
    ends.engine.reset();
    const auto received = ends.front->receive_engine_message();
    REQUIRE_FALSE(received);
    CHECK(received.error().kind == ErrorKind::Unavailable);
  }
}

TEST_CASE("bytes that are no frame are InvalidInput") {
  const Ends ends = open_pair();
  write_raw(*ends.engine, "GET / HTTP/1.1\r\n");
  const auto received = ends.front->receive_engine_message();
  REQUIRE_FALSE(received);
  CHECK(received.error().kind == ErrorKind::InvalidInput);
}

TEST_CASE("shut_down wakes a receive that is waiting") {
  const Ends ends = open_pair();
  const std::jthread closer([&] { ends.front->shut_down(); });
  CHECK_FALSE(ends.front->receive_engine_message());
}

TEST_CASE("a message over the frame limit is refused and the link lives on") {
  const Ends ends = open_pair();
  const auto sent = ends.front->send(TokenizeRequest{.segments = {{std::string(kFrameBytesMax, 'x'), false}}});
  REQUIRE_FALSE(sent);
  CHECK(sent.error().kind == ErrorKind::TooLarge);
  REQUIRE(ends.front->send(Shutdown{}));
  CHECK(ends.engine->receive_front_message());
}

TEST_CASE("a channel's descriptor does not leak into other programs") {
  const Ends ends = open_pair();
  CHECK((::fcntl(ends.front->descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(ends.engine->descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
}

}  // namespace
}  // namespace hearth::link
