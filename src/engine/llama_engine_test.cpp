// LlamaEngine on the real library, with tiny generated models of each kind of memory.
#include "engine/llama_engine.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tiny_models.h"

namespace hearth::engine {
namespace {

using tiny_models::Kind;
constexpr Kind kKinds[] = {Kind::Attention, Kind::Hybrid, Kind::Moe, Kind::Window};

EngineOptions small_options(const std::string& path) {
  EngineOptions options;
  options.model_path = path;
  options.context_tokens = 4096;
  options.parallel_jobs = 3;
  options.ubatch_tokens = 256;
  options.batch_tokens = 512;
  options.threads = 1;  // two would spin against each other on a busy machine
  return options;
}

std::unique_ptr<Engine> load(Kind kind) {
  const auto path = tiny_models::path(kind);
  REQUIRE(path);
  auto engine = load_llama_engine(small_options(*path), nullptr);
  if (!engine) FAIL(engine.error().message);
  return std::move(*engine);
}

// Deterministic text tokens, never special ones.
std::vector<Token> some_tokens(std::size_t count, std::uint32_t seed = 7) {
  std::vector<Token> tokens;
  std::uint32_t state = seed;
  for (std::size_t i = 0; i < count; ++i)
    tokens.push_back(static_cast<Token>(((state = state * 1664525U + 1013904223U) >> 16U) % 2000U));
  return tokens;
}

// Feeds tokens[begin, end) in batches; the logits after the last one.
std::vector<float> feed(Engine& engine, Sequence sequence, const std::vector<Token>& tokens, std::size_t begin = 0) {
  std::vector<float> last;
  while (begin < tokens.size()) {
    const std::size_t end = std::min<std::size_t>(tokens.size(), begin + engine.info().batch_tokens_max);
    std::vector<Row> rows;
    for (std::size_t i = begin; i < end; ++i)
      rows.push_back({tokens[i], static_cast<std::int32_t>(i), sequence, i + 1 == tokens.size()});
    const auto outcome = engine.decode(rows);
    REQUIRE(outcome);
    REQUIRE(*outcome == DecodeOutcome::Done);
    if (end == tokens.size()) {
      const auto logits = engine.logits(rows.size() - 1);
      last.assign(logits.begin(), logits.end());
    }
    begin = end;
  }
  return last;
}

Token highest(const std::vector<float>& logits) {
  return static_cast<Token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Appends `count` greedy tokens to `tokens`, whose state is in `sequence`.
std::vector<Token> continue_greedily(Engine& engine, Sequence sequence, std::vector<Token> tokens,
                                     std::vector<float> logits, int count) {
  std::vector<Token> sampled;
  for (int i = 0; i < count; ++i) {
    sampled.push_back(highest(logits));
    tokens.push_back(sampled.back());
    logits = feed(engine, sequence, tokens, tokens.size() - 1);
  }
  return sampled;
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  float largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace

TEST_CASE("every kind of model loads, says what it is, and computes") {
  for (const Kind kind : kKinds) {
    CAPTURE(kind_name(kind));
    const auto engine = load(kind);
    const EngineInfo& info = engine->info();
    CHECK(info.name == "Hearth tiny " + std::string(tiny_models::kind_name(kind)));
    CHECK(info.context_tokens == 4096);
    CHECK(info.trained_context_tokens == 131072);
    CHECK_MESSAGE(info.description.contains("M "), info.description);  // a size that has no name is counted
    CHECK_FALSE(info.description.contains('?'));
    CHECK(info.batch_tokens_max == 512);
    CHECK(info.sequences_max >= 4);
    CHECK(info.backend.starts_with("CPU"));
    CHECK(info.kv_types == "f16/f16");
    CHECK(info.chat_template.find("<|im_start|>") != std::string::npos);
    CHECK(info.sampling_defaults.temperature == doctest::Approx(0.6));
    CHECK(info.sampling_defaults.top_k == 20);
    CHECK(info.sampling_defaults.top_p == doctest::Approx(0.95));
    CHECK(std::isnan(info.sampling_defaults.min_p));
    const auto expected = kind == Kind::Hybrid   ? MemoryKind::Hybrid
                          : kind == Kind::Window ? MemoryKind::Window
                                                 : MemoryKind::Attention;
    CHECK(info.memory_kind == expected);
    const auto logits = feed(*engine, 0, some_tokens(700));
    CHECK(logits.size() == info.vocabulary_count);
    CHECK(std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); }));
  }
}

TEST_CASE("progress goes from zero to one") {
  const auto path = tiny_models::path(Kind::Attention);
  REQUIRE(path);
  std::vector<float> heard;
  const auto engine = load_llama_engine(small_options(*path), [&heard](float fraction) { heard.push_back(fraction); });
  REQUIRE(engine);
  REQUIRE(!heard.empty());
  CHECK(std::ranges::is_sorted(heard));
  CHECK(heard.back() == 1.0F);
}

TEST_CASE("text survives tokenising, and control tokens are parsed only on request") {
  const auto engine = load(Kind::Attention);
  const auto tokenizer = engine->tokenizer();
  for (const std::string& text :
       {std::string("int main() { return 0; }\n"), std::string("tab\there\r\n  zwei  Wörter — 你好 🙂"),
        std::string("\0zero", 5), std::string("<|im_start|>user<|im_end|>"), std::string()}) {
    std::string joined;
    for (const Token token : tokenizer->tokenize(text, false)) joined += tokenizer->piece(token);
    CHECK(joined == text);
  }
  const auto parsed = tokenizer->tokenize("<|im_start|>user\nhi<|im_end|>", true);
  const auto plain = tokenizer->tokenize("<|im_start|>user\nhi<|im_end|>", false);
  CHECK(parsed.size() < plain.size());
  CHECK(tokenizer->piece(parsed.front()).empty());
  CHECK(tokenizer->is_end_of_generation(parsed.back()));
  CHECK(!tokenizer->is_end_of_generation(parsed.front()));
  CHECK(!tokenizer->is_end_of_generation(-1));
  CHECK(tokenizer->piece(1 << 30).empty());
  CHECK(tokenizer->piece(tokenizer->tokenize("<think>", true).front()) == "<think>");
  CHECK(tokenizer->eos_text() == "<|im_end|>");
  CHECK(!tokenizer->adds_bos());
  const auto specials = tokenizer->special_texts();
  CHECK(specials.front() == "</tool_response>");
  CHECK(std::ranges::find(specials, "<|im_start|>") != specials.end());
  const std::string code(200000, 'x');
  CHECK(!tokenizer->tokenize(code, false).empty());
}

TEST_CASE("a fork continues exactly as the same tokens computed alone") {
  for (const Kind kind : kKinds) {
    CAPTURE(kind_name(kind));
    const auto engine = load(kind);
    const auto prefix = some_tokens(600);
    auto whole = prefix;
    for (const Token token : some_tokens(150, 99)) whole.push_back(token);
    feed(*engine, 0, prefix);
    REQUIRE(engine->usable_prefix(0, 600, 600) == 600);
    REQUIRE(engine->fork(0, 1, 600));
    const auto forked = feed(*engine, 1, whole, 600);
    // The parent goes its own way and is not disturbed.
    auto other = prefix;
    for (const Token token : some_tokens(150, 5)) other.push_back(token);
    const auto parent = feed(*engine, 0, other, 600);
    const auto fork_text = continue_greedily(*engine, 1, whole, forked, 12);

    const auto alone = load(kind);
    feed(*alone, 0, prefix);
    const auto alone_logits = feed(*alone, 0, whole, 600);
    CHECK(largest_difference(forked, alone_logits) < 1e-4F);
    CHECK(fork_text == continue_greedily(*alone, 0, whole, alone_logits, 12));
    alone->clear(0);
    feed(*alone, 0, prefix);
    CHECK(largest_difference(parent, feed(*alone, 0, other, 600)) < 1e-4F);
  }
}

TEST_CASE("attention can be cut anywhere, and what follows equals a fresh computation") {
  for (const Kind kind : {Kind::Attention, Kind::Moe}) {
    const auto engine = load(kind);
    const auto tokens = some_tokens(700);
    feed(*engine, 0, tokens);
    CHECK(engine->usable_prefix(0, 700, 450) == 450);
    CHECK(engine->usable_prefix(0, 700, 0) == 0);
    CHECK(engine->usable_prefix(0, 699, 450) == 0);  // the caller's belief is wrong
    std::vector<Token> changed(tokens.begin(), tokens.begin() + 450);
    for (const Token token : some_tokens(100, 3)) changed.push_back(token);
    REQUIRE(engine->fork(0, 1, 450));
    const auto forked = feed(*engine, 1, changed, 450);
    REQUIRE(engine->truncate(0, 450));
    const auto cut = feed(*engine, 0, changed, 450);
    const auto fresh = load(kind);
    feed(*fresh, 0, {changed.begin(), changed.begin() + 450});
    const auto expected = feed(*fresh, 0, changed, 450);
    CHECK(largest_difference(cut, expected) < 1e-4F);
    CHECK(largest_difference(forked, expected) < 1e-4F);
  }
}

TEST_CASE("recurrent state is only extended: cuts are refused and change nothing") {
  const auto engine = load(Kind::Hybrid);
  const auto tokens = some_tokens(300);
  feed(*engine, 0, tokens);
  CHECK(engine->usable_prefix(0, 300, 299) == 0);
  CHECK(engine->usable_prefix(0, 300, 10) == 0);
  CHECK(engine->usable_prefix(0, 300, 300) == 300);
  CHECK(!engine->truncate(0, 200));
  CHECK(!engine->fork(0, 1, 200));
  CHECK(engine->truncate(0, 300));
  auto longer = tokens;
  longer.push_back(42);
  const auto after = feed(*engine, 0, longer, 300);
  const auto fresh = load(Kind::Hybrid);
  feed(*fresh, 0, tokens);
  CHECK(largest_difference(after, feed(*fresh, 0, longer, 300)) == 0);
  REQUIRE(engine->truncate(0, 0));
  CHECK(largest_difference(feed(*engine, 0, longer), feed(*load(Kind::Hybrid), 0, longer)) < 1e-4F);
}

// A window's cells lie in another order after every cut, so sums of f16 values differ by up to 0.006 (measured); a single
// missing cell changes the next token's logits by 0.27 and more.
constexpr float kWindowTolerance = 0.03F;

TEST_CASE("a sliding window is cut only while the cells before the cut are still held") {
  const auto engine = load(Kind::Window);
  // 64 tokens of window for each sequence and a ubatch beside: after thousands of tokens the first ones are overwritten.
  const auto tokens = some_tokens(3000);
  feed(*engine, 0, tokens);
  CHECK(engine->usable_prefix(0, 3000, 3000) == 3000);
  CHECK(engine->usable_prefix(0, 3000, 100) == 0);
  std::uint32_t first = 3000;
  for (std::uint32_t wanted = 1; wanted < 3000 && first == 3000; ++wanted)
    if (engine->usable_prefix(0, 3000, wanted) == wanted) first = wanted;
  REQUIRE(first < 2990);  // something can be cut
  for (const std::uint32_t wanted : {first, 2999U}) {
    CAPTURE(wanted);
    REQUIRE(engine->usable_prefix(0, 3000, wanted) == wanted);
    REQUIRE(engine->fork(0, 1, wanted));
    std::vector<Token> changed(tokens.begin(), tokens.begin() + wanted);
    const auto fresh = load(Kind::Window);
    feed(*fresh, 0, changed);
    changed.push_back(1234);
    const auto expected = feed(*fresh, 0, changed, wanted);
    CHECK(largest_difference(feed(*engine, 1, changed, wanted), expected) < kWindowTolerance);
    // The fork holds its own window and can be cut back to where it began.
    for (const Token token : some_tokens(90, 3)) changed.push_back(token);
    feed(*engine, 1, changed, wanted + 1);
    REQUIRE(engine->usable_prefix(1, wanted + 91, wanted) == wanted);
    REQUIRE(engine->truncate(1, wanted));
    changed.resize(wanted + 1);
    CHECK(largest_difference(feed(*engine, 1, changed, wanted), expected) < kWindowTolerance);
    engine->clear(1);
  }
  REQUIRE(engine->truncate(0, 2995));
  std::vector<Token> back(tokens.begin(), tokens.begin() + 2995);
  const auto fresh = load(Kind::Window);
  feed(*fresh, 0, back);
  back.push_back(17);
  CHECK(largest_difference(feed(*engine, 0, back, 2995), feed(*fresh, 0, back, 2995)) < kWindowTolerance);
}

TEST_CASE("forks of a window leave room for every sequence") {
  const auto engine = load(Kind::Window);
  auto tokens = some_tokens(900);
  feed(*engine, 0, tokens);
  const auto count = static_cast<Sequence>(engine->info().sequences_max);
  // 900 shared cells and 200 of each: within the 4,096 of the context.
  for (Sequence to = 1; to < count; ++to) REQUIRE(engine->fork(0, to, 900));
  for (const Token token : some_tokens(200, 1)) tokens.push_back(token);
  std::vector<float> first;
  for (Sequence sequence = 0; sequence < count; ++sequence) {
    CAPTURE(sequence);
    const auto logits = feed(*engine, sequence, tokens, 900);
    if (sequence == 0) first = logits;
    CHECK(largest_difference(first, logits) < kWindowTolerance);
  }
}

TEST_CASE("no room is an answer that changes nothing") {
  const auto path = tiny_models::path(Kind::Attention);
  REQUIRE(path);
  EngineOptions options = small_options(*path);
  options.context_tokens = 512;
  auto loaded = load_llama_engine(options, nullptr);
  REQUIRE(loaded);
  Engine& engine = **loaded;
  const auto tokens = some_tokens(400);
  feed(engine, 0, tokens);
  std::vector<Row> rows;
  for (int i = 0; i < 200; ++i) rows.push_back({tokens[static_cast<std::size_t>(i)], i, 1, i == 199});
  auto outcome = engine.decode(rows);
  REQUIRE(outcome);
  CHECK(*outcome == DecodeOutcome::NoRoom);
  CHECK(engine.usable_prefix(1, 0, 0) == 0);
  auto longer = tokens;
  longer.push_back(5);
  const auto after = feed(engine, 0, longer, 400);
  engine.clear(0);
  outcome = engine.decode(rows);
  REQUIRE(outcome);
  CHECK(*outcome == DecodeOutcome::Done);
  engine.clear(1);
  feed(engine, 2, tokens);
  CHECK(largest_difference(after, feed(engine, 2, longer, 400)) < 1e-4F);
}

TEST_CASE("several sequences decode in one batch, each as if alone") {
  for (const Kind kind : kKinds) {
    CAPTURE(kind_name(kind));
    const auto engine = load(kind);
    std::vector<std::vector<Token>> texts;
    std::vector<Row> rows;
    for (Sequence sequence = 0; sequence < 3; ++sequence) {
      texts.push_back(
          some_tokens(40 + 20 * static_cast<std::size_t>(sequence), 11 + static_cast<std::uint32_t>(sequence)));
      feed(*engine, sequence, texts.back());
      texts.back().push_back(100);
      rows.push_back({100, static_cast<std::int32_t>(texts.back().size()) - 1, sequence, true});
    }
    // One sequence is still in its prompt while the others decode.
    const auto prompt = some_tokens(60, 77);
    for (int i = 0; i < 60; ++i) rows.push_back({prompt[static_cast<std::size_t>(i)], i, 3, i == 59});
    const auto outcome = engine->decode(rows);
    REQUIRE(outcome);
    std::vector<std::vector<float>> together;
    for (const std::size_t row : {0UL, 1UL, 2UL, 62UL}) {
      const auto logits = engine->logits(row);
      together.emplace_back(logits.begin(), logits.end());
    }
    texts.push_back(prompt);
    const auto alone = load(kind);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      alone->clear(0);
      CHECK(largest_difference(together[i], feed(*alone, 0, texts[i])) < 0.05F);  // other kernels for other shapes
    }
  }
}

TEST_CASE("a refused batch is an error in words, and the engine lives on") {
  const auto engine = load(Kind::Attention);
  const auto refused = [&](std::vector<Row> rows) {
    const auto outcome = engine->decode(rows);
    REQUIRE(!outcome);
    CHECK(outcome.error().kind == ErrorKind::InvalidInput);
    CHECK(!outcome.error().message.empty());
  };
  refused({{1 << 20, 0, 0, true}});
  refused({{-5, 0, 0, true}});
  refused({{5, 0, 1 << 10, true}});
  refused({{5, 0, -1, true}});
  feed(*engine, 0, some_tokens(10));
  refused({{5, 3, 0, true}});  // the sequence holds 10
  std::vector<Row> loud;
  for (int i = 0; i < 200; ++i) loud.push_back({5, i, 1, true});
  refused(loud);
  engine->clear(0);
  CHECK(!feed(*engine, 0, some_tokens(20)).empty());
}

}  // namespace hearth::engine
