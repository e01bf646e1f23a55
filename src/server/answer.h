// Answer: how a message reaches the client: as server-sent events while it is made, or folded into one JSON body at its
// end. Both carry exactly the same events. I/O thread only.
//
// An error before anything was sent has its proper HTTP status. The folded answer sends nothing for its first minute, so
// nearly all its errors have theirs too; from then on it opens with 200 and a space every ten seconds (white space may
// stand before JSON), because clients and proxies give up on silence; an error after that cuts the connection, which
// clients take for what it is: an answer to ask for again.
#pragma once

#include <memory>
#include <vector>

#include "server/call.h"
#include "wire/anthropic_events.h"

namespace hearth::server {

class Answer {
 public:
  virtual ~Answer() = default;
  [[nodiscard]] virtual bool wants_heartbeats() const = 0;
  // The headers, where this kind of answer sends them before its content. Idempotent.
  virtual void open() = 0;
  virtual void send(const std::vector<wire::WireEvent>& events) = 0;
  // True when a byte went out.
  virtual bool ping(std::int64_t waited_ms) = 0;
  // Both end the answer and close its record. Nothing may follow.
  virtual void finish() = 0;
  virtual void fail(const Error& error) = 0;
};

[[nodiscard]] std::unique_ptr<Answer> make_event_answer(std::shared_ptr<Call> call);
[[nodiscard]] std::unique_ptr<Answer> make_folded_answer(std::shared_ptr<Call> call);
// The same for a reader that waits on no connection: it has its status for ever.
[[nodiscard]] std::unique_ptr<Answer> make_kept_answer(std::shared_ptr<Call> call);

}  // namespace hearth::server
