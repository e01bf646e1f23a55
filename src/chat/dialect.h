// A dialect: how one model family writes thoughts, tool calls and the end of its turn. Data only; the StreamParser reads
// by it, the grammar writes by it. The table is constant: pointers and views into it live for ever. Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::chat {

// How a call is written. N its name, ARGS its arguments as a JSON object, K and V one argument; the capitals in
// brackets are the texts of CallWords. What stands around a call (call_begin, call_end, section) is not repeated here.
enum class CallWriting : std::uint8_t {
  Json,       // {"[name_key]": "N", "[arguments_key]": ARGS}; with name_key "" it is {"N": ARGS}
  JsonList,   // [{...}, {...}]: one list for all calls of the turn, each item as in Json
  NamedJson,  // [name_begin]N[name_end]ARGS[arguments_end]
  Tagged,     // [name_begin]N[name_end] ([key_begin]K[key_end]V[value_end])* [arguments_end]
  Elements,   // as Tagged, with K in the closing tag too: [key_begin]K[key_end]V[value_end]K[value_end_after_key]
  Pythonic,   // [N(K=V, K=V), N(...)]: one list for all calls, values in Python's notation
  Gemma,      // call:N{K:V,K:V}: keys bare, strings between <|"|>, the rest as in JSON
  Harmony,    // <|channel|>commentary to=functions.N <|constrain|>json<|message|>ARGS<|call|>
};

// The texts around the parts of a call, exactly as the family's template writes them, white space included: the grammar
// writes them so. The parser takes any white space where one of them begins or ends with white space, or none.
struct CallWords {
  std::string_view section_begin;  // before the first call of a turn; may be empty
  std::string_view section_end;
  std::string_view call_begin;
  std::string_view call_end;
  std::string_view call_join;  // between two calls
  std::string_view name_key = "name";
  std::string_view arguments_key = "arguments";
  std::string_view name_begin;
  std::string_view name_end;
  std::string_view arguments_end;
  std::string_view key_begin;
  std::string_view key_end;       // of an argument that is a string
  std::string_view key_end_json;  // of any other
  std::string_view value_end;
  std::string_view value_end_after_key;  // Elements only
};

// What opens a call for certain, even inside a thought that was never closed: control tokens of the vocabulary, which no
// prose spells. Where the opening is spelled like prose (<tool_call>), a call in a thought counts only when the message
// ends with it.
enum class OpeningKind : std::uint8_t { ControlToken, Spelled };

struct ThoughtMarks {
  std::string_view open;  // without white space
  std::string_view close;
};

struct Dialect {
  std::string_view name;
  std::string_view about;  // for people: families and the shape of a call
  std::vector<std::string_view> aliases;
  std::string_view think_open;  // without white space; both empty: the family writes no thoughts
  std::string_view think_close;
  // What else may open a thought at the beginning of the answer: no family's own.
  std::vector<ThoughtMarks> other_thoughts;
  // The template's own closing of a thought that went over its budget, white space included, up to the answer's first
  // character.
  std::string_view think_close_written;
  CallWriting writing = CallWriting::Json;
  CallWords words;
  OpeningKind opening = OpeningKind::Spelled;
  // What the generation prompt ends with that is the answer's own: the model goes on behind it.
  std::string_view prompt_begins_answer;
  bool parallel = true;  // several calls in a turn are part of the format
  // Control texts around parts of an answer that say nothing to the reader, as <|START_RESPONSE|>.
  std::vector<std::string_view> silent;
  // How a turn ends; mostly a token that the engine never shows.
  std::vector<std::string_view> turn_ends;
};

// All of them, generic last.
[[nodiscard]] std::span<const Dialect> all_dialects();
// By name or alias, without regard to case; nullptr when there is none.
[[nodiscard]] const Dialect* find_dialect(std::string_view name);
// For a model whose family is not known: reads every common shape.
[[nodiscard]] const Dialect& generic_dialect();
// The dialect of a model by its chat template and the texts of its vocabulary's control tokens; generic when neither says.
[[nodiscard]] const Dialect& choose_dialect(std::string_view template_text, std::span<const std::string> special_texts);
// "qwen3, qwen3-coder, ...": for messages about an unknown name.
[[nodiscard]] std::string dialect_names();

}  // namespace hearth::chat
