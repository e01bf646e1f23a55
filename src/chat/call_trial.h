// CallTrial: calls that stand where they need not be meant as such (inside a thought, or as the whole of a code fence), read
// on trial. What follows decides: then all events come at once, or none. Owned by one StreamParser, one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "chat/call_opening.h"

namespace hearth::chat {

class CallTrial {
 public:
  enum class Place { Thought, Fence, Line, Code };  // Line: without any marker. Code: within code that may go on
  // `opening` is that of the first call, counted from the trial's first byte. What `context` points to outlives the trial.
  CallTrial(Place place, CallOpening opening, std::string_view think_close, const CallContext& context);

  enum class Verdict { Wait, Calls, NoCalls };
  // `text` begins at the trial's first byte each time, and has grown.
  [[nodiscard]] Verdict look(std::string_view text, TextEnd end, TurnEnd turn);
  [[nodiscard]] bool in_code() const { return place_ == Place::Code; }
  // After NoCalls in code: so much of the text is a call that the code quotes.
  [[nodiscard]] std::size_t quoted_bytes() const { return in_code() && scanner_ == nullptr ? at_ : 0; }
  // After NoCalls: much was read before that was known.
  [[nodiscard]] bool was_long() const { return (scanner_ != nullptr ? scanner_bytes_ : at_) > kLongFailureBytes; }
  // After Calls: how much of the text it was.
  [[nodiscard]] std::size_t bytes() const { return at_; }
  [[nodiscard]] std::vector<StreamEvent> take_events() { return std::move(events_); }
  [[nodiscard]] const RepairCounts& repairs() const { return repairs_; }

 private:
  void begin_next();
  [[nodiscard]] Verdict look_behind(std::string_view text, TextEnd end, TurnEnd turn);
  [[nodiscard]] Verdict behind_in_thought(std::string_view text, TextEnd end);
  [[nodiscard]] Verdict look_behind_on_line(std::string_view text, TextEnd end, TurnEnd turn);
  [[nodiscard]] Verdict behind_in_fence(std::string_view text, TextEnd end, TurnEnd turn);
  [[nodiscard]] Verdict behind_in_code(std::string_view text, TextEnd end) const;

  const Place place_;
  const std::string_view think_close_;
  RepairCounts repairs_;       // they count when these are calls
  const CallContext context_;  // without doubts: what follows the call is asked here
  CallOpening opening_;
  std::unique_ptr<CallScanner> scanner_;
  std::size_t scanner_bytes_ = 0;  // that it was given
  std::size_t at_;                 // read so far
  std::vector<StreamEvent> events_;
};

}  // namespace hearth::chat
