// The line of log that a request leaves, word by word: it is what a user reads when a turn was slow.
#include "server/request_log.h"

#include <doctest/doctest.h>

#include "base/test_log_lines.h"

namespace hearth::server {
namespace {

using hearth::testing::LogLines;

RequestRecord answered() {
  RequestRecord record{.request_id = "req_1", .method = "POST", .path = "/v1/messages", .status = 200};
  record.prompt_tokens = 24'600;
  record.cached_tokens = 24'576;
  record.output_tokens = 41;
  record.why = "stop";
  record.times = {.first_token_us = 310'000, .queue_us = 2'400, .decode_us = 2'000'000, .total_us = 2'345'000};
  return record;
}

std::string line_of(const RequestRecord& record) {
  const LogLines lines(LogLevel::Info);
  RequestLog log;
  log.begin(record.path);
  log.finish(record);
  REQUIRE(lines.all().size() == 1);
  return lines.all().front();
}

TEST_CASE("a request's line tells where its time went and from which tier its cached tokens came") {
  RequestRecord record = answered();
  record.ram_tokens = 1024;
  record.disk_tokens = 23'552;
  CHECK(
      line_of(record) ==
      "I server: POST /v1/messages 200 in 2345 ms, interactive, queued 2 ms, prompt 24600 tokens = 24576 cached (1024 "
      "from RAM, 23552 from disk) + 24 computed, first token 310 ms, answer 41 tokens at 20.0/s, stop: req_1");
}

TEST_CASE("a request's line names only the tiers that gave something, and none where all lay in the pool") {
  const auto cached = [](std::uint64_t ram_tokens, std::uint64_t disk_tokens) {
    RequestRecord record = answered();
    record.ram_tokens = ram_tokens;
    record.disk_tokens = disk_tokens;
    const std::string line = line_of(record);
    const std::size_t begin = line.find(" = ") + 3, end = line.find(" + 24 computed");
    REQUIRE(end != std::string::npos);
    return line.substr(begin, end - begin);
  };
  CHECK(cached(0, 0) == "24576 cached");
  CHECK(cached(512, 0) == "24576 cached (512 from RAM)");
  CHECK(cached(0, 24'576) == "24576 cached (24576 from disk)");
}

TEST_CASE("a request that never started, or only listened, says so") {
  RequestRecord record = answered();
  record.cached_tokens = record.output_tokens = 0;
  record.why = "abort";
  record.status = kStatusClientGone;
  record.kind = "side";
  record.attached = true;
  record.times = {.total_us = 9'000};
  CHECK(
      line_of(record) ==
      "I server: POST /v1/messages 499 in 9 ms, side (attached), never started, prompt 24600 tokens = 0 cached + 24600 "
      "computed, answer 0 tokens, abort: req_1");
}

TEST_CASE("what was mended of an answer that two requests hear counts once") {
  const LogLines quiet(LogLevel::Off);
  RequestLog log;
  RequestRecord first = answered();
  first.repairs.add(chat::Repair::LoopCut);
  RequestRecord second = first;
  second.attached = true;
  for (const RequestRecord& record : {first, second}) {
    log.begin(record.path);
    log.finish(record);
  }
  chat::RepairCounts once;
  once.add(chat::Repair::LoopCut);
  CHECK(log.repairs_json().dump() == chat::to_json(once).dump());
}

}  // namespace
}  // namespace hearth::server
