// Where a call begins: the markers before it and how it is written, told from its first bytes. And what lies between two
// calls. Pure; a scanner then reads the call itself.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "chat/call_tags.h"
#include "chat/tool_call_scanner.h"

namespace hearth::chat {

enum class CallBody { Json, Named, Tagged };

struct CallOpening {
  Match match = Match::No;
  std::size_t bytes = 0;  // before the scanner's first byte
  CallBody body = CallBody::Json;
  Announced announced = Announced::No;    // by a marker
  MarkerKind kind = MarkerKind::Spelled;  // of the markers
  bool list = false;                      // calls are items of a list
  bool fenced = false;                    // a code fence was opened behind the marker
  std::size_t fence_length = 0;           // a code fence of so many backticks stands around it all; 0: none
  bool printed = false;                   // the call is the argument of Python's print()
  bool meant = false;                     // so much of a call that no prose begins so
  bool ended_early = false;               // not (yet) a call, only because the text ends here
};

enum class LineStart { No, Yes };

// REQUIRES: text is not empty and begins with no white space.
[[nodiscard]] CallOpening call_opening_at(std::string_view text, LineStart line_start, TextEnd end,
                                          const CallContext& context);
[[nodiscard]] std::unique_ptr<CallScanner> make_call_scanner(const CallOpening& opening, const CallContext& context);

// What stands behind a call.
enum class BehindCall { Wait, NextItem, Other };
// Counts in `bytes` what is nothing: white space, closers, commas of a list, braces too many. `opening` is the one of the
// call that ended, and becomes the next item's.
[[nodiscard]] BehindCall skip_behind_call(std::string_view text, TextEnd end, CallOpening& opening, std::size_t& bytes);

// Openings with no call behind them: an empty list, or the closing text at once. Of the dialect's own control tokens only.
[[nodiscard]] MarkerMatch empty_calls_at(std::string_view text, const Dialect& dialect);
// The dialect's own opening of a section or of a call stands here, and it is a control token of the vocabulary.
[[nodiscard]] Match control_opening_at(std::string_view text, const Dialect& dialect);
// The text that opens the dialect's calls, without white space around it; may be empty.
[[nodiscard]] std::string_view written_opening(const Dialect& dialect);
// The same, where it is none of the markers that all dialects know.
[[nodiscard]] std::string_view own_marker(const Dialect& dialect);

}  // namespace hearth::chat
