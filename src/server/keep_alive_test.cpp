// The policy as a run of time: what is done in which second.
#include "server/keep_alive.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace hearth::server {
namespace {

struct Did {
  std::int64_t at_s;
  KeepAliveAction action;
  bool operator==(const Did&) const = default;
};

// Follows next_check_ms as the stream does; nothing comes from the engine.
std::vector<Did> silence(const KeepAliveRules& rules, std::int64_t until_s) {
  KeepAliveTimes times;
  std::vector<Did> done;
  for (std::int64_t now_ms = 0; now_ms <= until_s * 1000;) {
    const auto decision = decide_keep_alive(rules, times, now_ms);
    if (decision.action != KeepAliveAction::Nothing) done.push_back({now_ms / 1000, decision.action});
    if (decision.action == KeepAliveAction::Stalled) break;
    if (decision.action == KeepAliveAction::Ping) times.last_byte_ms = now_ms;
    if (decision.action == KeepAliveAction::Heartbeat) times.last_byte_ms = times.last_event_ms = now_ms;
    CHECK(decision.next_check_ms > 0);
    now_ms += decision.next_check_ms;
  }
  return done;
}

constexpr auto kPing = KeepAliveAction::Ping;
constexpr auto kHeartbeat = KeepAliveAction::Heartbeat;

}  // namespace

TEST_CASE("silence brings a ping every ten seconds and heartbeats from the first minute on") {
  const std::vector<Did> expected = {{10, kPing}, {20, kPing},       {30, kPing},  {40, kPing},
                                     {50, kPing}, {60, kHeartbeat},  {70, kPing},  {80, kHeartbeat},
                                     {90, kPing}, {100, kHeartbeat}, {110, kPing}, {120, kHeartbeat}};
  CHECK(silence({}, 120) == expected);
}

TEST_CASE("seven hundred silent seconds never hold 25 s without a real event after the first minute") {
  std::int64_t last_s = 60;
  for (const auto& did : silence({}, 700)) {
    if (did.action != kHeartbeat) continue;
    CHECK(did.at_s - last_s <= 25);
    last_s = did.at_s;
  }
  CHECK(last_s >= 680);
}

TEST_CASE("a token puts everything off") {
  const KeepAliveTimes times{
      .last_byte_ms = 95'000, .last_event_ms = 95'000, .last_token_ms = 95'000, .last_work_ms = 95'000};
  const auto decision = decide_keep_alive({}, times, 100'000);
  CHECK(decision.action == KeepAliveAction::Nothing);
  CHECK(decision.next_check_ms == 5'000);
}

TEST_CASE("a heartbeat is put off for a minute after a token, but pings go on") {
  const KeepAliveTimes times{.last_byte_ms = 100'000, .last_event_ms = 100'000, .last_token_ms = 100'000};
  CHECK(decide_keep_alive({}, times, 130'000).action == KeepAliveAction::Ping);
  CHECK(decide_keep_alive({}, times, 160'000).action == KeepAliveAction::Heartbeat);
}

TEST_CASE("no sign of work for the stall time-out ends the stream, and prefill steps are work") {
  const KeepAliveRules rules{.stall_timeout_ms = 90'000};
  CHECK(silence(rules, 200).back() == Did{90, KeepAliveAction::Stalled});
  CHECK(decide_keep_alive(rules, {.last_byte_ms = 85'000, .last_event_ms = 85'000, .last_work_ms = 50'000}, 90'000)
            .action == KeepAliveAction::Nothing);
}

}  // namespace hearth::server
