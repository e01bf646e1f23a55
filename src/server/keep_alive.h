// The keep-alive policy of a waiting stream, as a pure decision. Measured on real clients: Claude Code 2.1.197 and Codex
// give up after 300 s in which only pings or comments arrive, so from a minute on the stream carries real events that
// show nothing (heartbeats); message_start is held back until then, because an error before it is retried as a stream
// and one after it is not.
#pragma once

#include <cstdint>

namespace hearth::server {

struct KeepAliveRules {
  std::int64_t ping_ms = 10'000;  // a byte at least so often: proxies close silent connections after 30..60 s
  std::int64_t first_heartbeat_ms = 60'000;  // most prefills end before; then nothing was said too early
  std::int64_t heartbeat_ms = 20'000;        // far below every client's 300 s, so that one may be lost
  std::int64_t stall_timeout_ms = 0;         // no sign of work from the engine for so long ends the stream; 0 = never
};

// Times of one stream, all on the same steady clock.
struct KeepAliveTimes {
  std::int64_t last_byte_ms = 0;   // anything sent; at first: when the request began
  std::int64_t last_event_ms = 0;  // a real event sent, heartbeats included; at first: when the request began
  std::int64_t last_token_ms = 0;  // the model's last token; at first: when the request began
  std::int64_t last_work_ms = 0;   // a token or a step of prefill; at first: when the request began
};

enum class KeepAliveAction { Nothing, Ping, Heartbeat, Stalled };

struct KeepAliveDecision {
  KeepAliveAction action = KeepAliveAction::Nothing;
  std::int64_t next_check_ms = 0;  // from now, when the action has been taken; at least 1
};

[[nodiscard]] KeepAliveDecision decide_keep_alive(const KeepAliveRules& rules, const KeepAliveTimes& times,
                                                  std::int64_t now_ms);

}  // namespace hearth::server
