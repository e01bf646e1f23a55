// The state of a StreamParser. Internal to stream_parser.cpp (thoughts and text) and stream_parser_calls.cpp (calls).
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/call_opening.h"
#include "chat/call_trial.h"
#include "chat/fence_tracker.h"
#include "chat/harmony_header.h"
#include "chat/list_item.h"
#include "chat/stream_parser.h"
#include "chat/tool_call_scanner.h"

namespace hearth::chat {

[[nodiscard]] std::size_t white_space_prefix(std::string_view text);
[[nodiscard]] std::size_t without_trailing_white_space(std::string_view text);

class StreamParser::State {
 public:
  explicit State(StreamParserOptions options);

  std::vector<StreamEvent> push(std::string_view text);
  std::vector<StreamEvent> finish(TurnEnd turn) {
    last_ = true;
    turn_ = turn;
    return run();
  }
  [[nodiscard]] const RepairCounts& repairs() const { return repairs_; }

 private:
  enum class At {
    Start,          // of the message, or after a thought or a call: a thought may open here
    ThinkingStart,  // white space of a thought's beginning
    Thinking,
    Text,
    Call,       // a scanner reads
    AfterCall,  // closing texts, if the model wrote them
    Trial,      // a call that what follows it decides on
    OtherItem,  // of a list of calls: none of a declared tool
    BehindOtherItem,
  };
  enum class Kind { Nothing, Thinking, Text, Call };  // of the last event
  enum class Look { Wait, Took, Plain };              // at a candidate: taken, or a byte like any other

  std::vector<StreamEvent> run();
  // True: something was decided, look again. False: nothing more can be known now.
  bool step();
  [[nodiscard]] std::string_view rest() const { return std::string_view(buffer_).substr(consumed_); }
  [[nodiscard]] TextEnd text_end() const { return last_ ? TextEnd::Here : TextEnd::Later; }
  [[nodiscard]] bool seeks_calls() const { return !options_.tool_names.empty() && long_failures_ < kLongFailuresMax; }
  [[nodiscard]] bool waits(Match match) const { return match == Match::Maybe && !last_; }
  void take_text(std::size_t count);
  void take_thinking(std::size_t count);
  void begin_thought(std::size_t bytes);
  bool step_start();
  [[nodiscard]] Match thought_opens_at(std::string_view word);
  bool begin_channel(const HarmonyHeader& header, std::size_t blank);
  bool step_thinking_start();
  [[nodiscard]] std::size_t find_candidate(std::string_view text) const;
  bool step_thinking();
  Look look_in_thought(std::string_view tag, std::size_t blank);
  Look end_thought(std::size_t bytes);
  // An opening tag in code, or right behind a quote, is spoken of. So is the closing tag of the same code or quotes.
  void speak_of_thought(const FenceTracker& ahead, std::size_t blank);
  [[nodiscard]] Match closes_spoken_thought(std::string_view behind, const FenceTracker& ahead) const;
  // Behind a tag whose front stands right behind a quote: the same quote follows.
  [[nodiscard]] Match is_quoted(std::string_view behind, std::size_t blank) const;
  Look look_at_call_in_thought(std::string_view tag, std::size_t blank);
  bool step_text();
  Look look_in_text(std::string_view tag, std::size_t blank);
  // No prose writes the control tokens of its own vocabulary: they count in code too, unless it goes on behind the call.
  Look look_at_call_in_code(std::string_view tag, std::size_t blank);
  Look drop_empty_calls(std::size_t bytes);
  // What was written of a call before its name, when generation was stopped there, is shown to nobody.
  Look drop_if_cut(const CallOpening& opening);
  Look look_at_thought(std::string_view tag, std::size_t blank, bool line_start);
  // The turn's own end is no part of the answer.
  Look look_at_turn_end(std::string_view tag, std::size_t blank);
  // `blank`: white space before the opening, which is not shown when there is a call.
  bool begin_call(const CallOpening& opening, std::size_t blank, At return_to);
  // While the call is undecided its bytes stay in the buffer: they may have to come out as text.
  bool step_call();
  // Of a call that was cut before its name was complete: no prose begins so.
  [[nodiscard]] bool call_was_meant() const;
  void end_calls(At at);
  // How the call was written, where the dialect would have written it otherwise.
  void count_form();
  bool reject_call();
  bool step_after_call();
  bool begin_other_item();
  bool step_other_item();
  bool step_behind_other_item();
  void begin_trial(CallTrial::Place place, const CallOpening& opening, std::size_t blank);
  bool step_trial();

  const StreamParserOptions options_;
  const Dialect& dialect_;
  RepairCounts repairs_;
  bool turn_is_read_ = false;
  const CallContext context_;
  const bool harmony_;
  std::string_view think_open_;  // of the thought in hand
  std::string_view think_close_;
  std::array<bool, 256> candidate_{};  // bytes at which something other than text may begin
  At at_;
  bool begun_ = false, last_ = false;
  TurnEnd turn_ = TurnEnd::Cut;  // once last_
  bool thought_opened_twice_ = false;
  int tags_spoken_of_ = 0;  // opening tags of thoughts that were text: as many closing ones are
  struct Spoken {
    std::size_t code = 0;  // in which code; 0: between quotes
    std::size_t line = 0;
    char quote = 0;
    int count = 0;  // not closed yet
  };
  Spoken spoken_;             // opening tags of thoughts that the thought in hand quotes
  bool drops_blank_ = false;  // white space that follows is not shown: a thought or a call has ended
  bool separate_thought_ = false, separate_text_ = false;
  bool text_begins_ = false;      // behind a header: white space is not shown
  bool channel_thought_ = false;  // of Harmony: a header ends it, no tag
  std::size_t injected_ = 0;      // bytes at the front of buffer_ that the prompt holds
  Kind last_kind_ = Kind::Nothing;
  char last_byte_ = 0;  // of the last text or thought
  FenceTracker fence_;  // of the text or thought in hand
  std::string buffer_;
  std::size_t consumed_ = 0;  // of buffer_: [0, consumed_) is done with and goes at the end of run()
  CallOpening opening_;       // of the call in hand
  std::unique_ptr<CallScanner> scanner_;
  std::size_t scanner_bytes_ = 0;  // that it was given
  int long_failures_ = 0;          // what looked like a call over a long text and was none
  At return_to_ = At::Text;        // when it is no call
  std::size_t call_opening_bytes_ = 0, call_scanned_bytes_ = 0;  // of the buffer
  ListItem item_;
  bool called_in_list_ = false;  // before it
  std::optional<CallTrial> trial_;
  std::size_t trial_blank_ = 0;
  std::vector<StreamEvent> events_;
};

}  // namespace hearth::chat
