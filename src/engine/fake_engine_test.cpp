// The fake engine keeps its word: cells are shared and run out, memory kinds refuse what they must, the script chooses
// answers from the tokens alone.
#include "engine/fake_engine.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "engine/fake_tokenizer.h"

namespace hearth::engine {
namespace {

FakeEngine small_engine(MemoryKind kind = MemoryKind::Attention, std::uint32_t cells = 100) {
  FakeOptions options;
  options.script.memory_kind = kind;
  options.script.context_tokens = 100;
  options.script.window_tokens = 10;
  options.script.sequences = 4;
  options.cells = cells;
  return FakeEngine(std::move(options));
}

std::vector<Token> tokens_of(std::string_view text) { return FakeTokenizer().tokenize(text, true); }

Result<DecodeOutcome> feed(FakeEngine& engine, Sequence sequence, std::string_view text) {
  std::vector<Row> rows;
  auto position = static_cast<std::int32_t>(engine.tokens_of(sequence).size());
  for (const Token token : tokens_of(text)) rows.push_back({token, position++, sequence, false});
  rows.back().wants_logits = true;
  return engine.decode(rows);
}

std::vector<float> last_logits(const FakeEngine& engine, std::size_t row) {
  const auto span = engine.logits(row);
  return {span.begin(), span.end()};
}

// What a script says to a prompt, token by token through the pure functions.
std::string say(const FakeScript& script, std::string_view prompt) {
  FakeOptions options{.script = script};
  options.script.context_tokens = 8192;
  const FakeEngine engine(std::move(options));
  auto tokens = tokens_of(prompt);
  std::string text;
  char storage = 0;
  while (const auto next = engine.expected_next(tokens)) {
    text += fake_token_text(*next, storage);
    tokens.push_back(*next);
  }
  return text;
}

TEST_CASE("logits depend on every token of the sequence and on nothing else") {
  auto engine = small_engine();
  REQUIRE(feed(engine, 0, "hello"));
  const auto first = last_logits(engine, 4);
  REQUIRE(feed(engine, 1, "hel"));
  REQUIRE(feed(engine, 1, "lo"));
  CHECK(last_logits(engine, 1) == first);
  REQUIRE(feed(engine, 2, "jello"));
  CHECK(last_logits(engine, 4) != first);
}

TEST_CASE("a fork shares its cells until both are gone") {
  auto engine = small_engine();
  REQUIRE(feed(engine, 0, "hello world"));
  CHECK(engine.cells_used() == 11);
  CHECK(engine.fork(0, 1, 5));
  CHECK(engine.cells_used() == 11);
  REQUIRE(feed(engine, 1, "!"));
  CHECK(engine.cells_used() == 12);
  engine.clear(0);
  CHECK(engine.cells_used() == 6);
  CHECK(engine.tokens_of(1) == tokens_of("hello!"));
  engine.clear(1);
  CHECK(engine.cells_used() == 0);
}

TEST_CASE("a batch without room changes nothing") {
  auto engine = small_engine(MemoryKind::Attention, 8);
  REQUIRE(feed(engine, 0, "12345"));
  const auto outcome = feed(engine, 1, "1234");
  REQUIRE(outcome);
  CHECK(*outcome == DecodeOutcome::NoRoom);
  CHECK(engine.tokens_of(1).empty());
  CHECK(*feed(engine, 1, "123") == DecodeOutcome::Done);
}

TEST_CASE("each kind of memory allows what it can") {
  const auto usable = [](MemoryKind kind, std::uint32_t wanted) {
    return small_engine(kind).usable_prefix(0, 50, wanted);
  };
  CHECK(usable(MemoryKind::Attention, 3) == 3);
  for (const auto kind : {MemoryKind::Recurrent, MemoryKind::Hybrid}) {
    CHECK(usable(kind, 50) == 50);
    CHECK(usable(kind, 49) == 0);
  }
  CHECK(usable(MemoryKind::Window, 50) == 50);
  CHECK(usable(MemoryKind::Window, 40) == 40);
  CHECK(usable(MemoryKind::Window, 39) == 0);
}

TEST_CASE("special texts become tokens only where they may") {
  const FakeTokenizer tokenizer;
  CHECK(tokenizer.tokenize("a<|im_end|>", true) == std::vector<Token>{'a', kFakeTurnEnd});
  CHECK(tokenizer.tokenize("<think>", false).size() == 7);
  CHECK(tokenizer.piece(kFakeTurnEnd).empty());
  CHECK(tokenizer.piece(kFakeToolCallOpen) == "<tool_call>");
  CHECK(tokenizer.piece(0xE2) == "\xE2");
  CHECK(tokenizer.special_texts().front() == "</tool_response>");
}

constexpr std::string_view kScript = R"({
  "name": "steps",
  "rules": [
    {"when": {"contains": "You are a helper"}, "say": "I helped."},
    {"when": {"last_user_contains": ["write"], "tool_results": 0},
     "say": "<think>\nFirst.\n</think>\n\n<tool_call>\n{}\n</tool_call>"},
    {"when": {"last_user_contains": ["write"], "tool_results": 1}, "say": "Done."},
    {"when": {"last_user_contains": ["parrot"]}, "echo": true},
    {"when": {"not_contains": ["secret"], "contains": ["many"]}, "say": "ab", "repeat": 3}
  ],
  "otherwise": "What?"
})";
constexpr std::string_view kAsked =
    "<|im_start|>system\nbe good<|im_end|>\n<|im_start|>user\nplease write it<|im_end|>\n";
constexpr std::string_view kCalled =
    "<|im_start|>assistant\n<tool_call>\n{}\n</tool_call><|im_end|>\n"
    "<|im_start|>user\n<tool_response>\nwritten\n</tool_response><|im_end|>\n";
constexpr std::string_view kGo = "<|im_start|>assistant\n";

TEST_CASE("rules know the steps of a tool loop and a helper from the main agent") {
  const auto script = parse_fake_script(kScript);
  REQUIRE(script);
  const std::string asked(kAsked);
  CHECK(say(*script, asked + std::string(kGo)).contains("<tool_call>"));
  CHECK(say(*script, asked + std::string(kCalled) + std::string(kGo)) == "Done.");
  CHECK(say(*script, "<|im_start|>system\nYou are a helper<|im_end|>\n" + asked + std::string(kGo)) == "I helped.");
  // Two results are one step too far for both rules.
  CHECK(say(*script, asked + std::string(kCalled) + std::string(kCalled) + std::string(kGo)) == "What?");
}

TEST_CASE("a system reminder beside a tool result is no new instruction") {
  const auto script = parse_fake_script(kScript);
  REQUIRE(script);
  const std::string reminded = "<|im_start|>user\n<system-reminder>\nbe brief\n</system-reminder><|im_end|>\n";
  CHECK(say(*script, std::string(kAsked) + std::string(kCalled) + reminded + std::string(kGo)) == "Done.");
  const std::string again = "<|im_start|>user\nwrite another<|im_end|>\n";
  CHECK(say(*script, std::string(kAsked) + std::string(kCalled) + again + std::string(kGo)).contains("<tool_call>"));
}

TEST_CASE("an echo says the last instruction and a repeat says it again") {
  const auto script = parse_fake_script(kScript);
  REQUIRE(script);
  CHECK(say(*script, "<|im_start|>user\nparrot, <b>go</b><|im_end|>\n<|im_start|>assistant\n") == "parrot, <b>go</b>");
  CHECK(say(*script, "<|im_start|>user\nmany<|im_end|>\n<|im_start|>assistant\n") == "ababab");
}

TEST_CASE("the answer goes on from wherever it was left, also behind the template's own words") {
  const auto answer = tokens_of("<think>hm</think>\n\nYes.");
  const auto rest = [&](std::string_view said) {
    const FakeContinuation next = continue_fake_answer(answer, tokens_of(said));
    std::string text;
    char storage = 0;
    for (std::size_t i = next.said_tokens; i < next.text.size(); ++i) text += fake_token_text(next.text[i], storage);
    return text;
  };
  CHECK(rest("") == "<think>hm</think>\n\nYes.");
  CHECK(rest("<think>hm</think>") == "\n\nYes.");
  CHECK(rest("<think>\n") == "hm</think>\n\nYes.");  // the template opened the thought
  CHECK(rest("<think>\nh") == "m</think>\n\nYes.");
  CHECK(rest("<think>\n\n</think>\n\n") == "Yes.");  // the template forbade it
  CHECK(rest("<think>\n\n</think>\n\nYe") == "s.");
  CHECK(rest("My answer: ") == "<think>hm</think>\n\nYes.");  // a prefill
  CHECK(rest("My answer: <think>hm") == "</think>\n\nYes.");
  CHECK(rest("<think>hm</think>\n\nYes.").empty());
}

TEST_CASE("the engine says the whole answer token by token as the pure functions do") {
  auto script = parse_fake_script(kScript);
  REQUIRE(script);
  FakeEngine engine(FakeOptions{.script = *script});
  auto tokens = tokens_of(std::string(kAsked) + std::string(kGo));
  std::size_t fed = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<Row> rows;
    for (; fed < tokens.size(); ++fed)
      rows.push_back({tokens[fed], static_cast<std::int32_t>(fed), 0, fed + 1 == tokens.size()});
    REQUIRE(engine.decode(rows));
    const auto logits = engine.logits(rows.size() - 1);
    const auto best = static_cast<Token>(std::ranges::max_element(logits) - logits.begin());
    const auto expected = engine.expected_next(tokens);
    CHECK(best == expected.value_or(kFakeTurnEnd));
    if (!expected) return;
    tokens.push_back(best);
  }
  FAIL("the answer does not end");
}

TEST_CASE("without a rule words follow that end some time") {
  const FakeScript nothing;
  const std::string one = say(nothing, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  CHECK(one == say(nothing, "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"));
  CHECK(one != say(nothing, "<|im_start|>user\nho<|im_end|>\n<|im_start|>assistant\n"));
}

TEST_CASE("a scripted delay is asked for again and changes nothing meanwhile") {
  FakeScript script;
  script.rules.push_back({.say = "x", .first_token_delay_ms = 60});
  FakeEngine engine(FakeOptions{.script = script});
  int later = 0;
  while (true) {
    const auto outcome = feed(engine, 0, "<|im_start|>assistant\n");
    REQUIRE(outcome);
    if (*outcome == DecodeOutcome::Done) break;
    CHECK(*outcome == DecodeOutcome::Later);
    CHECK(engine.cells_used() == 0);
    ++later;
  }
  CHECK(later >= 1);
  CHECK(engine.tokens_of(0).size() == 11);
}

TEST_CASE("a script that is wrong is refused with a reason") {
  for (const char* text :
       {"", "[]", "{\"rules\": 3}", "{\"rules\": [3]}", "{\"memory_kind\": \"magnetic\"}", "{\"context_tokens\": -1}",
        "{\"rules\": [{\"when\": {\"contains\": [3]}}]}", "{\"rules\": [{\"first_token_delay_ms\": \"long\"}]}"}) {
    CAPTURE(text);
    const auto script = parse_fake_script(text);
    REQUIRE(!script);
    CHECK(script.error().kind == ErrorKind::InvalidInput);
    CHECK(!script.error().message.empty());
  }
}

TEST_CASE("a missing script is an error and no script is an engine without rules") {
  EngineOptions options;
  options.model_path = "fake:/no/such/script.json";
  CHECK(load_fake_engine(options).error().kind == ErrorKind::NotFound);
  options.model_path = "fake:";
  options.context_tokens = 1000;
  options.parallel_jobs = 40;
  const auto engine = load_fake_engine(options);
  REQUIRE(engine);
  CHECK((*engine)->info().context_tokens == 1000);
  CHECK((*engine)->info().sequences_max == 40);
}

}  // namespace
}  // namespace hearth::engine
