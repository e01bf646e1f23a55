// TagValue: one argument between tags, to where it really ends, as JSON. A text streams as it comes, so does a list or an object where
// the schema wants one; any other value is read when it is complete. A file's text may hold closing tags itself: only one that the call goes on behind
// ends the value. Owned by one tagged call scanner, one thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/argument_schema.h"
#include "chat/bracket_count.h"
#include "chat/call_tag.h"
#include "chat/doubtful_end.h"
#include "chat/fence_tracker.h"
#include "chat/inner_calls.h"
#include "chat/json_mender.h"
#include "chat/tool_call_scanner.h"

namespace hearth::chat {

enum class LineEnd { Keep, Drop, DropIfFirst };

struct TagValueRules {
  std::string key;
  std::string open_word;                   // of the tag that opened it
  LineEnd first_line_end = LineEnd::Keep;  // right behind the opening tag
  LineEnd last_line_end = LineEnd::Keep;   // right before the closing one
  std::string dsml_type;                   // DSML's string="true|false"
  std::string call_word;                   // of the element that is the call: <Bash>...</Bash>
  ArgumentsIn arguments_in = ArgumentsIn::Tags;
};

class TagValue {
 public:
  // `keys`: those of the call so far, this one included. `keys` and `context` outlive the value.
  TagValue(TagValueRules rules, ArgumentSchema tool, const std::vector<std::string>& keys, const CallContext& context);

  enum class Step { Wait, Ended, Broken };  // Broken: it ended, and what was sent of it is no JSON
  // Takes from the front of `pending` what is certain.
  Step read(std::string& pending, TextEnd end, CallWriter& writer, std::vector<StreamEvent>& events);
  // The model ended its turn: an outer closing tag at the very end is one.
  void turn_is_over() { turn_is_over_ = true; }
  // Once Ended: it had no closing tag, another argument's opening ended it.
  [[nodiscard]] bool ended_by_next_key() const { return ended_by_next_key_; }
  // The turn is over inside the value: all of it, as it is.
  void flush(std::string& pending, CallWriter& writer, std::vector<StreamEvent>& events);

 private:
  struct End {
    Match match = Match::No;
    std::size_t bytes = 0;  // of the closing tag
    bool malformed = false;
  };
  void look_on(std::string_view text, std::size_t bytes);
  bool begin(std::string& pending, TextEnd end, CallWriter& writer, std::vector<StreamEvent>& events);
  bool choose_mender(std::string& pending, TextEnd end);
  void send_certain(std::string& pending, std::size_t tag, CallWriter& writer, std::vector<StreamEvent>& events);
  Step finish_value(std::string_view value, CallWriter& writer, std::vector<StreamEvent>& events);
  [[nodiscard]] End end_at(std::string_view text, bool line_start, TextEnd end);
  [[nodiscard]] End doubted(End found, std::string_view text, std::size_t tag, TextEnd end);
  [[nodiscard]] bool argument_follows(std::string_view text) const;
  [[nodiscard]] End settle_doubt(std::string_view text, TextEnd end);
  [[nodiscard]] End closing_at(std::string_view text, const CallTag& tag, bool line_start, TextEnd end);
  [[nodiscard]] Match next_key_at(std::string_view text, const CallTag& tag, bool line_start, TextEnd end) const;
  [[nodiscard]] Match turn_ends_at(std::string_view text, TextEnd end) const;
  [[nodiscard]] bool may_be_own(std::string_view word) const;
  [[nodiscard]] Match goes_on_at(std::string_view text, TextEnd end) const;
  [[nodiscard]] static std::size_t without_line_end(std::string_view text);
  [[nodiscard]] static std::size_t without_cdata_end(std::string_view text);
  void send(std::string_view text, CallWriter& writer, std::vector<StreamEvent>& events) const;
  [[nodiscard]] std::string typed(std::string text);

  const TagValueRules rules_;
  const ArgumentSchema tool_;
  const ArgumentSchema schema_;
  const std::vector<std::string>& keys_;
  const CallContext& context_;
  RepairCounts& repairs_;
  bool is_text_ = false;
  bool is_word_ = false;  // by its schema a number, a boolean or null
  bool begun_ = false;
  bool chosen_ = false;               // whether the value streams as JSON
  std::optional<JsonMender> mender_;  // it does
  bool cdata_ = false;
  bool turn_is_over_ = false;
  bool ended_by_next_key_ = false;
  InnerCalls inner_;
  FenceTracker code_;                 // of the value up to looked_
  std::optional<DoubtfulEnd> doubt_;  // about the tag at looked_
  bool doubt_malformed_ = false;
  BracketCount brackets_;  // of a value that is JSON
  int nested_ = 0;         // elements of the value's own name inside it
  bool drop_last_ = false;
  bool line_start_ = true;  // the front of `pending` begins a line
  std::size_t looked_ = 0;  // tags before this place in `pending` are the value's
};

}  // namespace hearth::chat
