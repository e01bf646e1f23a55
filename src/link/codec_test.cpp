// Round trips, the bytes the document promises, and every kind of broken frame.
#include "link/codec.h"

#include <doctest/doctest.h>

#include <random>

#include "link/test_messages.h"

namespace hearth::link {
namespace {

std::string_view payload_of(const std::string& frame) { return std::string_view(frame).substr(kFrameHeaderBytes); }
std::string_view header_of(const std::string& frame) { return std::string_view(frame).substr(0, kFrameHeaderBytes); }

Result<FrontMessage> decode_as(const FrontMessage&, std::uint16_t tag, std::string_view payload) {
  return decode_front_message(tag, payload);
}
Result<EngineMessage> decode_as(const EngineMessage&, std::uint16_t tag, std::string_view payload) {
  return decode_engine_message(tag, payload);
}

// Encoding is a function of the value, so equal bytes after decode and encode mean that no field was lost; the order
// and width of the fields are held by the byte-exact tests below.
template <class Message>
void check_round_trip(const Message& message) {
  const std::string frame = encode(message);
  const auto header = decode_header(header_of(frame));
  REQUIRE(header);
  CHECK_EQ(header->tag, message.index());
  REQUIRE_EQ(header->payload_bytes, frame.size() - kFrameHeaderBytes);
  const auto decoded = decode_as(message, header->tag, payload_of(frame));
  REQUIRE(decoded);
  CHECK_EQ(decoded->index(), message.index());
  CHECK(encode(*decoded) == frame);
}

template <class Message>
void check_truncations(const Message& message) {
  const std::string frame = encode(message);
  const std::string_view payload = payload_of(frame);
  for (std::size_t length = 0; length < payload.size(); ++length) {
    CAPTURE(length);
    const auto decoded = decode_as(message, static_cast<std::uint16_t>(message.index()), payload.substr(0, length));
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().kind == ErrorKind::InvalidInput);
  }
  CHECK_FALSE(decode_as(message, static_cast<std::uint16_t>(message.index()), std::string(payload) + '\0'));
}

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out.push_back(static_cast<char>(value));
  return out;
}

TEST_CASE("every message survives a round trip") {
  for (const FrontMessage& message : every_front_message()) check_round_trip(message);
  for (const EngineMessage& message : every_engine_message()) check_round_trip(message);
}

TEST_CASE("the tests hold one of every message") {
  std::vector<bool> front(std::variant_size_v<FrontMessage>);
  for (const FrontMessage& message : every_front_message()) front[message.index()] = true;
  std::vector<bool> engine(std::variant_size_v<EngineMessage>);
  for (const EngineMessage& message : every_engine_message()) engine[message.index()] = true;
  for (const bool seen : front) CHECK(seen);
  for (const bool seen : engine) CHECK(seen);
}

TEST_CASE("a job keeps every field") {
  const FrontMessage message = every_front_message()[3];
  const auto decoded = decode_front_message(1, payload_of(encode(message)));
  REQUIRE(decoded);
  const Job& before = std::get<Job>(message);
  const Job& after = std::get<Job>(*decoded);
  CHECK_EQ(after.id, before.id);
  CHECK(after.prompt == before.prompt);
  CHECK_EQ(after.resumed_count, before.resumed_count);
  CHECK(after.boundaries == before.boundaries);
  CHECK_EQ(after.tokens_max, before.tokens_max);
  CHECK_EQ(after.cache_salt, before.cache_salt);
  CHECK(after.priority == before.priority);
  CHECK_EQ(after.owner, before.owner);
  CHECK(after.stop_tokens == before.stop_tokens);
  CHECK(after.sampling.temperature == before.sampling.temperature);
  CHECK(after.sampling.top_k == before.sampling.top_k);
  CHECK(after.sampling.top_p == before.sampling.top_p);
  CHECK(after.sampling.min_p == before.sampling.min_p);
  CHECK(after.sampling.repeat_penalty == before.sampling.repeat_penalty);
  CHECK(after.sampling.frequency_penalty == before.sampling.frequency_penalty);
  CHECK(after.sampling.presence_penalty == before.sampling.presence_penalty);
  CHECK(after.sampling.penalty_last_count == before.sampling.penalty_last_count);
  CHECK(after.sampling.seed == before.sampling.seed);
  CHECK(after.sampling.logit_bias == before.sampling.logit_bias);
}

TEST_CASE("the bytes of a cancel are those of the document") {
  CHECK(encode(FrontMessage(Cancel{.job = 0x0102030405060708})) ==
        bytes({'H', 'R', 'T', '1', 10, 0, 2, 0, 8, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1}));
}

TEST_CASE("the bytes of a token event are those of the document") {
  CHECK(encode(EngineMessage(TokenEvent{.job = 2, .tokens = {{-2, "hi"}}})) ==
        bytes({'H', 'R', 'T', '1', 10, 0, 6, 0, 22, 0, 0, 0,  //
               2,   0,   0,   0,   0,  0, 0, 0, 1,  0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 2, 0, 0, 0, 'h', 'i'}));
}

TEST_CASE("a payload cut at any byte, or one byte too long, is an error") {
  for (const FrontMessage& message : every_front_message()) check_truncations(message);
  for (const EngineMessage& message : every_engine_message()) check_truncations(message);
}

TEST_CASE("wrong magic, version and size are errors that name themselves") {
  const std::string frame = encode(FrontMessage(Shutdown{}));
  std::string wrong_magic(header_of(frame));
  wrong_magic[3] = '2';
  CHECK(decode_header(wrong_magic).error().message.contains("HRT1"));
  std::string wrong_version(header_of(frame));
  wrong_version[4] = 77;
  CHECK(decode_header(wrong_version).error().message.contains("version 77"));
  std::string too_long(header_of(frame));
  too_long[11] = 0x7f;
  CHECK(decode_header(too_long).error().message.contains("limit"));
}

TEST_CASE("an unknown tag is an error in both directions") {
  CHECK_FALSE(decode_front_message(std::variant_size_v<FrontMessage>, ""));
  CHECK_FALSE(decode_engine_message(std::variant_size_v<EngineMessage>, ""));
  CHECK_FALSE(decode_engine_message(0xffff, ""));
}

TEST_CASE("a count that the frame cannot hold is refused before it allocates") {
  // 4 G tokens are promised; taking the promise for granted would ask for 16 GiB (and std::string would throw).
  CHECK(decode_front_message(3, bytes({1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}))
            .error()
            .message.contains("count"));
  CHECK_FALSE(decode_engine_message(1, bytes({0, 0xff, 0xff, 0xff, 0xff, 'x'})));
  // Two strings of at least 4 bytes each are promised where 7 bytes are left.
  CHECK(decode_front_message(0, bytes({1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}))
            .error()
            .message.contains("count"));
}

TEST_CASE("flags, enumerations and map keys out of range are refused") {
  std::string job_end(payload_of(encode(EngineMessage(JobEnd{.reason = EndReason::Failed}))));
  job_end[8] = 6;
  CHECK(decode_engine_message(7, job_end).error().message.contains("enumeration"));
  std::string tokenize(payload_of(encode(FrontMessage(TokenizeRequest{}))));
  tokenize.back() = 2;
  CHECK(decode_front_message(0, tokenize).error().message.contains("flag"));
  std::string stats(payload_of(encode(EngineMessage(StatsReply{.counters = {{"a", 1}, {"b", 2}}}))));
  stats[8 + 4 + 4] = 'c';
  CHECK(decode_engine_message(9, stats).error().message.contains("ascending"));
}

TEST_CASE("no single changed byte does harm: it decodes to something or is an error") {
  std::mt19937 random(20);
  for (const EngineMessage& message : every_engine_message()) {
    const std::string frame = encode(message);
    for (std::size_t index = 0; index < payload_of(frame).size(); ++index) {
      std::string payload(payload_of(frame));
      payload[index] = static_cast<char>(random());
      const auto decoded = decode_engine_message(static_cast<std::uint16_t>(message.index()), payload);
      if (decoded) CHECK(encode(*decoded).size() == frame.size());
    }
  }
}

}  // namespace
}  // namespace hearth::link
