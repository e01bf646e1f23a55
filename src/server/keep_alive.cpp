// See keep_alive.h.
#include "server/keep_alive.h"

#include <algorithm>

namespace hearth::server {

KeepAliveDecision decide_keep_alive(const KeepAliveRules& rules, const KeepAliveTimes& times, std::int64_t now_ms) {
  KeepAliveTimes after = times;  // as it will be once the action is taken
  KeepAliveAction action = KeepAliveAction::Nothing;
  const auto heartbeat_due_ms = [&](const KeepAliveTimes& t) {
    return std::max(t.last_token_ms + rules.first_heartbeat_ms, t.last_event_ms + rules.heartbeat_ms);
  };
  if (rules.stall_timeout_ms > 0 && now_ms >= times.last_work_ms + rules.stall_timeout_ms) {
    return {.action = KeepAliveAction::Stalled, .next_check_ms = 1};
  }
  if (now_ms >= heartbeat_due_ms(times)) {
    action = KeepAliveAction::Heartbeat;
    after.last_byte_ms = after.last_event_ms = now_ms;
  } else if (now_ms >= times.last_byte_ms + rules.ping_ms) {
    action = KeepAliveAction::Ping;
    after.last_byte_ms = now_ms;
  }
  std::int64_t next_ms = std::min(after.last_byte_ms + rules.ping_ms, heartbeat_due_ms(after));
  if (rules.stall_timeout_ms > 0) next_ms = std::min(next_ms, times.last_work_ms + rules.stall_timeout_ms);
  return {.action = action, .next_check_ms = std::max<std::int64_t>(next_ms - now_ms, 1)};
}

}  // namespace hearth::server
