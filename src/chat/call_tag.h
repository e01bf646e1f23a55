// One XML-like tag as models write them in tool calls: <function=Read>, <invoke name="Read">, <parameter=path>,
// </｜DSML｜parameter>, ]<]minimax[>[<path>, and what goes wrong with them. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "chat/call_tags.h"

namespace hearth::chat {

struct CallTag {
  std::string_view word;        // without the family's own prefix and suffix: "parameter", "path"
  std::string_view attributes;  // what stands behind it: =path or name="path" string="true"
  std::size_t bytes = 0;        // of the whole tag
  bool closing = false;
  bool self_closing = false;
  bool complete = true;  // false: a line ended before the tag did
};

// The tag at the beginning of `text`. Maybe: it goes on behind the text's end; `tag.word` is then what is there of it.
[[nodiscard]] Match read_call_tag(std::string_view text, CallTag& tag);

// The name in =N, name="N", name=N, also with the quotes broken.
[[nodiscard]] std::string_view tag_name(const CallTag& tag);
// The value of `key` in key="value"; empty when there is none.
[[nodiscard]] std::string_view tag_attribute(const CallTag& tag, std::string_view key);

// All key="value" and key='value' of a tag.
struct TagAttributes {
  struct One {
    std::string_view key;
    std::string_view value;
  };
  std::vector<One> all;
  bool whole = true;  // false: something else stands behind them; a value may have ended at a quote of its own
};
[[nodiscard]] TagAttributes tag_attributes(const CallTag& tag);

// A parameter's opening that lost a quote or its end, or in which the value itself stands: <parameter name="command value=ls.
struct GarbledOpening {
  std::string_view name;     // empty: it is not garbled so
  std::string_view value;    // what of the value stands in the tag
  std::string_view closing;  // the closing tag that stands in it too, without its last byte
  bool has_value = false;
  bool is_quoted = false;  // the value, and so it is over
};
[[nodiscard]] GarbledOpening read_garbled_opening(const CallTag& tag);

[[nodiscard]] bool is_function_word(std::string_view word);   // function, invoke
[[nodiscard]] bool is_parameter_word(std::string_view word);  // parameter, param
[[nodiscard]] bool is_wrapper_word(std::string_view word);    // tool_call, function_calls, arguments, ...
// `word` is the beginning of one of those, or of arg_key or arg_value.
[[nodiscard]] bool may_be_call_word(std::string_view word);

}  // namespace hearth::chat
