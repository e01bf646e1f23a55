// Parsing of scripts and the pure functions that choose and continue an answer.
#include "engine/fake_script.h"

#include <algorithm>
#include <array>
#include <format>

#include "base/json.h"
#include "engine/fake_tokenizer.h"

namespace hearth::engine {
namespace {

Result<std::vector<std::string>> strings_at(const Json& object, std::string_view key) {
  std::vector<std::string> strings;
  const Json* value = object.find(key);
  if (value == nullptr) return strings;
  if (value->is_string()) return std::vector{value->as_string()};
  if (!value->is_array()) return fail(ErrorKind::InvalidInput, std::format("fake script: {} is no list", key));
  for (const Json& item : value->as_array()) {
    if (!item.is_string()) return fail(ErrorKind::InvalidInput, std::format("fake script: {} holds no text", key));
    strings.push_back(item.as_string());
  }
  return strings;
}

Result<std::int64_t> integer_at(const Json& object, std::string_view key, std::int64_t otherwise, std::int64_t max) {
  const Json* value = object.find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_integer() || value->as_integer() < 0 || value->as_integer() > max)
    return fail(ErrorKind::InvalidInput, std::format("fake script: {} is no number in 0..{}", key, max));
  return value->as_integer();
}

constexpr std::int64_t kDelayMsMax = 3'600'000;  // an hour is a mistake, not a test
constexpr std::int64_t kTokensMax = 16'777'216;  // 64 MiB of cells
constexpr std::int64_t kRepeatMax = 1'000'000;

Result<FakeRule> parse_rule(const Json& json) {
  if (!json.is_object()) return fail(ErrorKind::InvalidInput, "fake script: a rule is an object");
  FakeRule rule;
  const Json nothing = Json::object();
  const Json* found = json.find("when");
  const Json& when = found == nullptr ? nothing : *found;
  TRY_ASSIGN(rule.last_user_contains, strings_at(when, "last_user_contains"));
  TRY_ASSIGN(rule.contains, strings_at(when, "contains"));
  TRY_ASSIGN(rule.not_contains, strings_at(when, "not_contains"));
  if (when.find("tool_results") != nullptr) {
    TRY_ASSIGN(const std::int64_t count, integer_at(when, "tool_results", 0, kTokensMax));
    rule.tool_results = static_cast<std::uint32_t>(count);
  }
  rule.say = json.string_at("say");
  const Json* echo = json.find("echo");
  rule.echo = echo != nullptr && echo->is_boolean() && echo->as_boolean();
  TRY_ASSIGN(const std::int64_t repeat, integer_at(json, "repeat", 1, kRepeatMax));
  rule.repeat = static_cast<std::uint32_t>(repeat);
  TRY_ASSIGN(rule.first_token_delay_ms, integer_at(json, "first_token_delay_ms", 0, kDelayMsMax));
  TRY_ASSIGN(rule.token_delay_ms, integer_at(json, "token_delay_ms", 0, kDelayMsMax));
  if (json.find("crash_after_tokens") != nullptr) {
    TRY_ASSIGN(const std::int64_t after, integer_at(json, "crash_after_tokens", 0, kTokensMax));
    rule.crash_after_tokens = static_cast<std::uint32_t>(after);
  }
  TRY_ASSIGN(const std::int64_t times, integer_at(json, "crash_times", 1, 1'000'000));
  rule.crash_times = static_cast<std::uint32_t>(times);
  return rule;
}

Result<MemoryKind> memory_kind_at(const Json& json) {
  const std::string name = json.string_at("memory_kind", "attention");
  for (const auto kind : {MemoryKind::Attention, MemoryKind::Recurrent, MemoryKind::Hybrid, MemoryKind::Window})
    if (name == memory_kind_name(kind)) return kind;
  return fail(ErrorKind::InvalidInput, std::format("fake script: no memory_kind \"{}\"", name));
}

// Removes every stretch from `open` to `close` (an unclosed one to the end).
std::string without_stretches(std::string_view text, std::string_view open, std::string_view close) {
  std::string rest;
  while (!text.empty()) {
    const auto begin = text.find(open);
    rest += text.substr(0, begin);
    if (begin == text.npos) break;
    const auto end = text.find(close, begin);
    text = end == text.npos ? std::string_view{} : text.substr(end + close.size());
  }
  return rest;
}

std::string text_of(std::span<const Token> tokens) {
  std::string text;
  text.reserve(tokens.size());
  char storage = 0;
  for (const Token token : tokens) text += fake_token_text(token, storage);
  return text;
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == text.npos; }

bool begins_with(std::span<const Token> tokens, std::span<const Token> start) {
  return tokens.size() >= start.size() && std::equal(start.begin(), start.end(), tokens.begin());
}

// The longest end of `said` that is a beginning of `answer` (Knuth, Morris, Pratt).
std::size_t overlap(std::span<const Token> answer, std::span<const Token> said) {
  std::vector<std::size_t> border(answer.size() + 1, 0);
  for (std::size_t i = 1, matched = 0; i < answer.size(); ++i) {
    while (matched > 0 && answer[i] != answer[matched]) matched = border[matched];
    if (answer[i] == answer[matched]) ++matched;
    border[i + 1] = matched;
  }
  std::size_t matched = 0;
  for (const Token token : said) {
    while (matched > 0 && (matched == answer.size() || token != answer[matched])) matched = border[matched];
    if (matched < answer.size() && token == answer[matched]) ++matched;
  }
  return matched;
}

constexpr std::array<Token, 6> kEmptyThought = {kFakeThinkOpen, '\n', '\n', kFakeThinkClose, '\n', '\n'};

// The answer as it continues what the template itself wrote: a thought it opened, or an empty one that says "do not think".
std::vector<Token> fit_to_template(std::span<const Token> answer, std::span<const Token> said) {
  std::vector<Token> fitted(answer.begin(), answer.end());
  if (begins_with(answer, said) || answer.empty() || answer[0] != kFakeThinkOpen) {
    if (begins_with(said, kEmptyThought) && !begins_with(answer, kEmptyThought))
      fitted.insert(fitted.begin(), kEmptyThought.begin(), kEmptyThought.end());
    return fitted;
  }
  if (begins_with(said, kEmptyThought)) {
    auto end = std::ranges::find(fitted, kFakeThinkClose);
    if (end != fitted.end()) ++end;
    while (end != fitted.end() && *end == '\n') ++end;
    fitted.erase(fitted.begin(), end);
    fitted.insert(fitted.begin(), kEmptyThought.begin(), kEmptyThought.end());
  } else if (said.size() >= 2 && said[0] == kFakeThinkOpen && said[1] == '\n' &&
             (answer.size() < 2 || answer[1] != '\n')) {
    fitted.insert(fitted.begin() + 1, '\n');
  }
  return fitted;
}

}  // namespace

Result<FakeScript> parse_fake_script(std::string_view json_text) {
  TRY_ASSIGN(const Json json, Json::parse(json_text));
  if (!json.is_object()) return fail(ErrorKind::InvalidInput, "fake script: the file is no JSON object");
  FakeScript script;
  script.name = json.string_at("name", script.name);
  script.architecture = json.string_at("architecture", script.architecture);
  script.chat_template = json.string_at("chat_template", fake_chat_template());
  TRY_ASSIGN(script.memory_kind, memory_kind_at(json));
  const Json* grammar = json.find("grammar");
  script.grammar = grammar != nullptr && *grammar == Json(true);
  TRY_ASSIGN(const std::int64_t context, integer_at(json, "context_tokens", script.context_tokens, kTokensMax));
  script.context_tokens = std::max<std::uint32_t>(static_cast<std::uint32_t>(context), 2);
  TRY_ASSIGN(const std::int64_t limit, integer_at(json, "context_limit_tokens", 0, kTokensMax));
  script.context_limit_tokens = static_cast<std::uint32_t>(std::max<std::int64_t>(limit, 0));
  TRY_ASSIGN(const std::int64_t sequences, integer_at(json, "sequences", script.sequences, 256));
  script.sequences = std::max<std::uint32_t>(static_cast<std::uint32_t>(sequences), 1);
  TRY_ASSIGN(const std::int64_t window, integer_at(json, "window_tokens", script.window_tokens, kTokensMax));
  script.window_tokens = std::max<std::uint32_t>(static_cast<std::uint32_t>(window), 2);
  TRY_ASSIGN(script.prefill_us_per_token, integer_at(json, "prefill_us_per_token", 0, 10'000'000));
  TRY_ASSIGN(script.decode_ms_per_token, integer_at(json, "decode_ms_per_token", 0, kDelayMsMax));
  if (const Json* rules = json.find("rules"); rules != nullptr) {
    if (!rules->is_array()) return fail(ErrorKind::InvalidInput, "fake script: rules is no list");
    for (const Json& item : rules->as_array()) {
      TRY_ASSIGN(FakeRule rule, parse_rule(item));
      script.rules.push_back(std::move(rule));
    }
  }
  if (const Json* otherwise = json.find("otherwise"); otherwise != nullptr) {
    TRY_ASSIGN(FakeRule rule, parse_rule(otherwise->is_string() ? Json::object({{"say", *otherwise}}) : *otherwise));
    script.rules.push_back(std::move(rule));
  }
  return script;
}

FakePrompt read_fake_prompt(std::span<const Token> tokens) {
  static constexpr std::string_view kUser = "user\n";
  FakePrompt prompt;
  prompt.text = text_of(tokens);
  // Turns from the last to the first, until one is an instruction.
  std::size_t end = tokens.size();
  while (end > 0) {
    std::size_t begin = end;
    while (begin > 0 && tokens[begin - 1] != kFakeTurnStart) --begin;
    if (begin == 0) break;
    const std::string turn = text_of(tokens.subspan(begin, end - begin));
    prompt.tool_results +=
        static_cast<std::uint32_t>(std::ranges::count(tokens.subspan(begin, end - begin), kFakeToolResponseOpen));
    if (turn.starts_with(kUser)) {
      std::string said = turn.substr(kUser.size());
      said = said.substr(0, said.rfind("<|im_end|>"));
      said = without_stretches(said, "<tool_response>", "</tool_response>");
      said = without_stretches(said, "<system-reminder>", "</system-reminder>");
      if (!is_blank(said)) {
        prompt.last_user = std::move(said);
        break;
      }
    }
    end = begin - 1;
  }
  return prompt;
}

const FakeRule* find_fake_rule(const FakeScript& script, const FakePrompt& prompt) {
  for (const FakeRule& rule : script.rules) {
    const auto in_last_user = [&](const std::string& text) { return prompt.last_user.contains(text); };
    const auto in_prompt = [&](const std::string& text) { return prompt.text.contains(text); };
    if (std::ranges::all_of(rule.last_user_contains, in_last_user) && std::ranges::all_of(rule.contains, in_prompt) &&
        std::ranges::none_of(rule.not_contains, in_prompt) &&
        (!rule.tool_results || *rule.tool_results == prompt.tool_results))
      return &rule;
  }
  return nullptr;
}

std::vector<Token> fake_answer(const FakeRule& rule, const FakePrompt& prompt) {
  // An echo is conversation text: it must not turn into control tokens.
  const std::vector<Token> once = FakeTokenizer().tokenize(rule.echo ? prompt.last_user : rule.say, !rule.echo);
  std::vector<Token> answer;
  answer.reserve(once.size() * rule.repeat);
  for (std::uint32_t i = 0; i < rule.repeat; ++i) answer.insert(answer.end(), once.begin(), once.end());
  return answer;
}

FakeContinuation continue_fake_answer(std::span<const Token> answer, std::span<const Token> said) {
  FakeContinuation continuation{.text = fit_to_template(answer, said)};
  const std::span<const Token> text = continuation.text;
  continuation.said_tokens = begins_with(text, said) ? said.size() : overlap(text, said);
  return continuation;
}

}  // namespace hearth::engine
