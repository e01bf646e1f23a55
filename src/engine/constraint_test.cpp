// Constraints over the fake tokenizer's vocabulary: what is allowed, what a refused draw may become, the endings, and
// states that are forgotten while jobs stand at some of them.
#include "engine/constraint.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "engine/fake_tokenizer.h"

using namespace hearth;
using namespace hearth::engine;

namespace {

struct Fixture {
  std::shared_ptr<const FakeTokenizer> tokenizer = std::make_shared<FakeTokenizer>();
  Constraints constraints{tokenizer, kFakeVocabularyCount};

  std::unique_ptr<Constraint> make(const std::string& text, std::vector<Token> stops = {}) {
    auto made = constraints.make(text, std::move(stops));
    REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message));
    return std::move(*made);
  }
};

bool take_all(Constraint& constraint, std::string_view text) {
  return std::ranges::all_of(text, [&](char c) { return constraint.take(static_cast<unsigned char>(c)); });
}

// Everything that is allowed next, as text; endings as $.
std::string allowed(Constraint& constraint) {
  const std::vector<float> logits(kFakeVocabularyCount, 0.0F);
  const auto row = constraint.masked(logits);
  std::string out;
  for (Token token = 0; token < static_cast<Token>(row.size()); ++token) {
    const bool in_row = std::isfinite(row[static_cast<std::size_t>(token)]);
    CHECK(in_row == constraint.allows(token));
    if (in_row) out += FakeTokenizer().is_end_of_generation(token) ? "$" : FakeTokenizer().shown(token);
  }
  return out;
}

}  // namespace

TEST_CASE("what may come next is the same whether one token is asked for or all") {
  Fixture fixture;
  const auto constraint = fixture.make("root ::= [a-c] (\"<think>\" | \"d\")? \"<|im_start|>\"?\n");
  CHECK(allowed(*constraint) == "abc");
  CHECK(constraint->take('b'));
  CHECK(allowed(*constraint) == "<d$$<think>");  // in the order of the tokens; < alone begins two of them
  CHECK(constraint->take(kFakeThinkOpen));
  CHECK(allowed(*constraint) == "<$$");
  CHECK_FALSE(constraint->allows(kFakeTurnStart));  // a plain literal is its bytes
  CHECK_FALSE(constraint->take('x'));
  CHECK(allowed(*constraint).empty());
}

TEST_CASE(
    "control tokens come where a marked literal or free text lets them, endings only where the text may be over") {
  Fixture fixture;
  const auto marked = fixture.make("root ::= @\"<|im_start|>a<|im_end|>\" \"b\"?\n");
  CHECK(allowed(*marked) == "<|im_start|>");
  CHECK(marked->take(kFakeTurnStart));
  CHECK(marked->take('a'));
  CHECK(allowed(*marked) == "$");  // the one that is named
  CHECK_FALSE(marked->allows(kFakeEndOfText));
  const auto free = fixture.make("root ::= @until{\"</think>\" !end} \"x\"\n");
  CHECK(free->allows(kFakeTurnStart));
  CHECK_FALSE(free->allows(kFakeTurnEnd));
  CHECK(free->take('a'));
  CHECK(free->take(kFakeThinkClose));
  CHECK(allowed(*free) == "x");
}

TEST_CASE("a stop token of the job ends it where the grammar may end, and nowhere else") {
  Fixture fixture;
  const auto constraint = fixture.make("root ::= \"ab\"\n", {'a', 'z'});
  CHECK_FALSE(constraint->allows('z'));
  CHECK(allowed(*constraint).empty());  // 'a' is what the grammar wants, and it stops the job
  const auto other = fixture.make("root ::= \"ab\"\n", {'z'});
  CHECK(take_all(*other, "ab"));
  CHECK(allowed(*other) == "z$$");
}

TEST_CASE("a random walk over allowed tokens stays inside the grammar") {
  Fixture fixture;
  const std::string text =
      "root ::= \"{\" (pair (\",\" pair)*)? \"}\"\npair ::= \"\\\"\" [a-z]{1,5} \"\\\":\" [0-9]+\n";
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto constraint = fixture.make(text);
    const auto twin = fixture.make(text);
    std::string out;
    for (std::uint64_t n = 0; n < 200; ++n) {
      std::vector<float> logits;
      for (std::uint64_t i = 0; i < kFakeVocabularyCount; ++i)
        logits.push_back(static_cast<float>(mix_u64(seed * 1'000 + n, i) % 1'000));
      const auto row = constraint->masked(logits);
      REQUIRE(!row.empty());
      const auto token = static_cast<Token>(std::ranges::max_element(row) - row.begin());
      if (fixture.tokenizer->is_end_of_generation(token)) break;
      CHECK(twin->allows(token));
      REQUIRE(constraint->take(token));
      REQUIRE(twin->take(token));
      out += fixture.tokenizer->piece(token);
    }
    CHECK((out.starts_with("{\"") || out == "{}"));
  }
  CHECK(fixture.constraints.counts().compiled == 1);
  CHECK(fixture.constraints.counts().reused == 39);
}

TEST_CASE("a grammar that outgrows its limits forgets its states and keeps the places of its jobs") {
  auto vocabulary = std::make_shared<VocabularyIndex>(FakeTokenizer(), kFakeVocabularyCount);
  auto program = grammar::compile("root ::= \"a\"{50000} \"b\"\n", vocabulary->control_texts());
  REQUIRE(program.has_value());
  const auto compiled = std::make_shared<CompiledGrammar>(vocabulary, *program);
  Constraint constraint(compiled, {});
  Constraint other(compiled, {});
  CHECK(take_all(other, "aaa"));
  for (int i = 0; i < 50'000; ++i) {
    const bool is_allowed = constraint.allows('a');
    const bool is_taken = constraint.take('a');
    REQUIRE((is_allowed && is_taken));
  }
  CHECK(compiled->bytes() > (*program)->bytes());
  CHECK(compiled->bytes() < 40U << 20U);
  CHECK(allowed(constraint) == "b");
  CHECK(allowed(other) == "a");
}

TEST_CASE("grammars that cannot be used are refused, and the latest ones are kept") {
  Fixture fixture;
  CHECK(fixture.constraints.make("root ::= (\n", {}).error().kind == ErrorKind::InvalidInput);
  CHECK(fixture.constraints.make("root ::= root \"a\"\n", {}).error().kind == ErrorKind::InvalidInput);
  for (int i = 0; i < 40; ++i) (void)fixture.make("root ::= \"" + std::to_string(i) + "\"\n");
  (void)fixture.make("root ::= \"39\"\n");
  CHECK(fixture.constraints.counts().reused == 1);
  (void)fixture.make("root ::= \"1\"\n");
  CHECK(fixture.constraints.counts().reused == 1);
}
