// Bodies of message batches: what is taken, what is refused and where, and how a batch is told.
#include "wire/anthropic_batches.h"

#include <doctest/doctest.h>

namespace hearth::wire {
namespace {

std::string refusal(std::string_view body) {
  const auto decoded = decode_batch(body);
  REQUIRE_FALSE(decoded);
  CHECK(decoded.error().kind == ErrorKind::InvalidInput);
  return decoded.error().message;
}

}  // namespace

TEST_CASE("a batch's requests keep their params as they are, and come back the same") {
  const auto decoded = decode_batch(
      R"({"requests":[{"custom_id":"A_1-b","params":{"z":1,"a":[1.5,"x"]},"more":1},{"custom_id":"2","params":{}}]})");
  REQUIRE(decoded);
  REQUIRE(decoded->size() == 2);
  CHECK(decoded->at(0).params == R"({"z":1,"a":[1.5,"x"],"stream":false})");
  const auto again = decode_batch(batch_requests_text(*decoded));
  REQUIRE(again);
  CHECK(again->at(1).custom_id == "2");
  CHECK(again->at(0).params == decoded->at(0).params);
}

TEST_CASE("no request of a batch streams, whatever its params say and how often") {
  const auto decoded = decode_batch(R"({"requests":[{"custom_id":"1","params":{"stream":true,"a":1,"stream":true}}]})");
  REQUIRE(decoded);
  CHECK_FALSE(Json::parse(decoded->at(0).params)->find("stream")->as_boolean());
}

TEST_CASE("a batch is kept as small as it came") {
  std::string body = R"({"requests":[{"custom_id":"1","params":{"x":[0)";
  for (int i = 0; i < 500'000; ++i) body += ",0";
  const auto decoded = decode_batch(body + "]}}]}");
  REQUIRE(decoded);
  CHECK(decoded->at(0).params.capacity() < body.size() + 100);
}

TEST_CASE("half a surrogate in a batch is a replacement character, and doubled keys mean the last") {
  const auto decoded = decode_batch(
      R"({"requests":[],"requests":[{"custom_id":"x","custom_id":"1","params":1,"params":{"t":"\ud800"}}]})");
  REQUIRE(decoded);
  CHECK(decoded->at(0).custom_id == "1");
  CHECK(decoded->at(0).params == "{\"t\":\"\xEF\xBF\xBD\",\"stream\":false}");
}

TEST_CASE("what is wrong with a batch is named with its place") {
  CHECK(refusal("{").contains("JSON"));
  CHECK(refusal("[]").contains("object"));
  CHECK(refusal("{}").starts_with("requests:"));
  CHECK(refusal(R"({"requests":[]})").starts_with("requests:"));
  CHECK(refusal(R"({"requests":[1]})").starts_with("requests.0.custom_id"));
  CHECK(refusal(R"({"requests":[{"custom_id":"a","params":{}},{"custom_id":"a","params":{}}]})")
            .starts_with("requests.1.custom_id"));
  CHECK(refusal(R"({"requests":[{"custom_id":"a","params":[]}]})").starts_with("requests.0.params"));
  for (const char* id : {"", "a b", "a/b", "é"})
    CHECK(refusal(std::string(R"({"requests":[{"custom_id":")") + id + R"(","params":{}}]})").contains("custom_id"));
  std::string many = R"({"requests":[)";
  for (std::size_t i = 0; i <= kBatchRequestsMax; ++i) many += "1,";
  CHECK(refusal(many + "1]}").contains("10000"));
}

TEST_CASE("a batch is told as the API tells it") {
  BatchCard card{.id = "msgbatch_1", .created_unix_s = 0, .expires_unix_s = 86'400};
  card.counts.processing = 2;
  card.results_url = "http://x/results";
  CHECK(batch_json(card).dump() ==
        R"({"id":"msgbatch_1","type":"message_batch","processing_status":"in_progress","request_counts":)"
        R"({"processing":2,"succeeded":0,"errored":0,"canceled":0,"expired":0},"created_at":"1970-01-01T00:00:00Z",)"
        R"("expires_at":"1970-01-02T00:00:00Z","ended_at":null,"cancel_initiated_at":null,"archived_at":null,)"
        R"("results_url":null})");
  card.status = BatchStatus::Ended;
  CHECK(batch_json(card).string_at("results_url") == "http://x/results");
  CHECK(batch_list_json({}, false).dump() == R"({"data":[],"has_more":false,"first_id":null,"last_id":null})");
}

}  // namespace hearth::wire
