// See generated_calls.h.
#include "generated_calls.h"

#include <cctype>
#include <format>

#include "base/random.h"

namespace hearth::golden {
namespace {

using chat::CallWriting;
using chat::Dialect;

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : seed_(seed) {}
  std::size_t below(std::size_t sides) { return mix_u64(seed_, counter_++) % sides; }

 private:
  std::uint64_t seed_;
  std::uint64_t counter_ = 0;
};

std::string any_string(Dice& dice) {
  // What breaks careless readers, in pieces; none of them is a whole tag of any format.
  static constexpr std::string_view kPieces[] = {
      "word",  " ",  "two words", "\n",      "\t",      "\"",       "'",   "\\",   "\\n", "{",
      "}",     "[",  "]",         ",",       ":",       "=",        "<",   ">",    "</",  "<b>",
      "&amp;", "%s", "é",         "世界",    "🎉",      "`",        "```", "true", "12",  "-0.5",
      "/*",    "//", "C:\\new",   "\\d+",    "None",    "\"k\": 1", "|",   "(x)",  ";",   "<p id=\"1\">",
      "\r\n",  "#",  "$HOME",     "\\u0041", "e\u0301", "call:",    "name"};
  std::string out;
  for (std::size_t i = dice.below(9); i > 0; --i) out += kPieces[dice.below(std::size(kPieces))];
  // White space at the ends, and words that are values of other types, are cases of the corpus: their reading is a rule of
  // each format, not a property of all.
  while (!out.empty() && std::isspace(static_cast<unsigned char>(out.front())) != 0) out.erase(0, 1);
  while (!out.empty() && std::isspace(static_cast<unsigned char>(out.back())) != 0) out.pop_back();
  return "s" + out + (out.empty() || dice.below(2) == 0 ? "" : ".");
}

struct Typed {
  Json schema;
  Json value;
};

Json schema_of(std::string_view type) { return Json::object({{"type", type}}); }

Typed any_value(Dice& dice, int depth);

Typed any_object(Dice& dice, int depth) {
  static constexpr std::string_view kKeys[] = {"path", "limit",   "some_key", "camelCase",
                                               "x",    "content", "options",  "k2"};
  Json properties = Json::object();
  Json value = Json::object();
  const std::size_t first = dice.below(std::size(kKeys));
  for (std::size_t i = 0, count = dice.below(4) + 1; i < count; ++i) {
    const std::string_view key = kKeys[(first + i) % std::size(kKeys)];
    Typed member = any_value(dice, depth + 1);
    properties.set(key, std::move(member.schema));
    value.set(key, std::move(member.value));
  }
  Json schema = schema_of("object");
  schema.set("properties", std::move(properties));
  return {std::move(schema), std::move(value)};
}

Typed any_value(Dice& dice, int depth) {
  constexpr int kDepthMax = 3;
  switch (dice.below(depth < kDepthMax ? 8 : 5)) {
    case 0:
    case 1: return {schema_of("string"), any_string(dice)};
    case 2: return {schema_of("integer"), static_cast<std::int64_t>(dice.below(20'000)) - 10'000};
    case 3: return {schema_of("number"), (static_cast<double>(dice.below(4'000)) - 2'000.0) / 8.0};
    case 4: return {schema_of("boolean"), dice.below(2) == 0};
    case 5:
    case 6: {
      Json list = Json::array();
      const bool words = dice.below(2) == 0;
      for (std::size_t i = dice.below(4); i > 0; --i) {
        list.push(words ? Json(any_string(dice)) : Json(static_cast<std::int64_t>(dice.below(99))));
      }
      Json schema = schema_of("array");
      schema.set("items", schema_of(words ? "string" : "integer"));
      return {std::move(schema), std::move(list)};
    }
    default: return any_object(dice, depth);
  }
}

std::string in_python(const Json& value) {
  if (value.is_null()) return "None";
  if (value.is_boolean()) return value.as_boolean() ? "True" : "False";
  std::string out;
  if (value.is_array()) {
    for (const Json& item : value.as_array()) out += (out.empty() ? "" : ", ") + in_python(item);
    return "[" + out + "]";
  }
  if (value.is_object()) {
    for (const auto& [key, item] : value.as_object()) {
      out += (out.empty() ? "" : ", ") + Json(key).dump() + ": " + in_python(item);
    }
    return "{" + out + "}";
  }
  return value.dump();  // JSON's escapes are Python's
}

std::string in_gemma(const Json& value) {
  std::string out;
  if (value.is_string()) return "<|\"|>" + value.as_string() + "<|\"|>";
  if (value.is_array()) {
    for (const Json& item : value.as_array()) out += (out.empty() ? "" : ",") + in_gemma(item);
    return "[" + out + "]";
  }
  if (value.is_object()) {
    for (const auto& [key, item] : value.as_object()) out += (out.empty() ? "" : ",") + key + ":" + in_gemma(item);
    return "{" + out + "}";
  }
  return value.dump();
}

std::string json_call(const Dialect& dialect, const GeneratedCall& call) {
  const auto& words = dialect.words;
  if (words.name_key.empty()) return std::format("{{{}: {}}}", Json(call.name).dump(), call.arguments.dump());
  return std::format(R"({{"{}": {}, "{}": {}}})", words.name_key, Json(call.name).dump(), words.arguments_key,
                     call.arguments.dump());
}

std::string tagged_call(const Dialect& dialect, const GeneratedCall& call) {
  const auto& words = dialect.words;
  std::string out = std::format("{}{}{}", words.name_begin, call.name, words.name_end);
  for (const auto& [key, value] : call.arguments.as_object()) {
    const bool text = value.is_string();
    out += std::format("{}{}{}{}{}", words.key_begin, key, text ? words.key_end : words.key_end_json,
                       text ? value.as_string() : value.dump(), words.value_end);
    if (dialect.writing == CallWriting::Elements) out += std::format("{}{}", key, words.value_end_after_key);
  }
  return out += words.arguments_end;
}

std::string python_call(const GeneratedCall& call) {
  std::string out;
  for (const auto& [key, value] : call.arguments.as_object()) {
    out += std::format("{}{}={}", out.empty() ? "" : ", ", key, in_python(value));
  }
  return std::format("{}({})", call.name, out);
}

std::string write_call(const Dialect& dialect, const GeneratedCall& call) {
  const auto& words = dialect.words;
  switch (dialect.writing) {
    case CallWriting::Json:
    case CallWriting::JsonList: return json_call(dialect, call);
    case CallWriting::NamedJson:
    case CallWriting::Harmony:
      return std::format("{}{}{}{}{}", words.name_begin, call.name, words.name_end, call.arguments.dump(),
                         words.arguments_end);
    case CallWriting::Tagged:
    case CallWriting::Elements: return tagged_call(dialect, call);
    case CallWriting::Pythonic: return python_call(call);
    case CallWriting::Gemma: return std::format("{}{}{}", words.name_begin, call.name, in_gemma(call.arguments));
  }
  return {};
}

}  // namespace

std::vector<GeneratedCall> generate_calls(const Dialect& dialect, std::uint64_t seed) {
  static constexpr std::string_view kNames[] = {"read_file", "Bash", "mcp__server__do-it"};
  Dice dice(seed);
  std::vector<GeneratedCall> calls;
  for (std::size_t i = 0, count = dialect.parallel ? dice.below(3) + 1 : 1; i < count; ++i) {
    Typed made = any_object(dice, 0);
    // Names with a dash are no names in Python.
    const bool python = dialect.writing == CallWriting::Pythonic;
    calls.push_back(
        {python && i == 2 ? "third_tool" : std::string(kNames[i]), std::move(made.schema), std::move(made.value)});
  }
  return calls;
}

QuotingTurn generate_quoting(const Dialect& dialect, std::uint64_t seed) {
  Dice dice(seed);
  const auto text_call = [](std::string name, std::string key, std::string value) {
    Json schema = schema_of("object");
    schema.set("properties", Json::object({{key, schema_of("string")}}));
    return GeneratedCall{std::move(name), std::move(schema), Json::object({{key, std::move(value)}})};
  };
  constexpr std::string_view kQuotedValue = "rm -rf build";
  const std::string key = dice.below(2) == 0 ? "content" : "command";
  const std::string quoted = write_calls(dialect, {text_call("Bash", key, std::string(kQuotedValue))});
  const std::string end = quoted.substr(quoted.find(kQuotedValue) + kQuotedValue.size());
  std::string value = "first";
  for (std::size_t i = dice.below(5); i > 0; --i) {
    value += dice.below(3) == 0 ? " " : "\n";
    switch (dice.below(4)) {
      case 0: value += quoted; break;
      case 1: value += end; break;
      case 2: value += end.substr(0, std::min(end.size(), end.find('>', dice.below(end.size())) + 1)); break;
      default: value += "more words"; break;
    }
  }
  value += "\nlast";
  QuotingTurn turn;
  turn.calls.push_back(text_call("read_file", "content", value));
  const std::size_t behind = dice.below(3);
  if (behind == 1 && dialect.parallel) turn.calls.push_back(text_call("Bash", key, "ls"));
  turn.raw = write_calls(dialect, turn.calls);
  if (behind == 2) turn.text_behind = "That is all.";
  if (behind == 2) turn.raw += "\n\n" + turn.text_behind;
  return turn;
}

std::string generate_prose(std::uint64_t seed) {
  Dice dice(seed);
  std::string out = any_string(dice);
  for (std::size_t i = dice.below(6); i > 0; --i) out += (dice.below(2) == 0 ? "\n" : " ") + any_string(dice);
  return out;
}

std::string write_calls(const Dialect& dialect, const std::vector<GeneratedCall>& calls) {
  const auto& words = dialect.words;
  const bool list = dialect.writing == CallWriting::JsonList || dialect.writing == CallWriting::Pythonic;
  std::string out(words.section_begin);
  if (list) out += "[";
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (i > 0) out += words.call_join;
    out += std::format("{}{}{}", words.call_begin, write_call(dialect, calls[i]), words.call_end);
  }
  if (list) out += "]";
  return out += words.section_end;
}

}  // namespace hearth::golden
