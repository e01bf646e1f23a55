// The exactness matrix on the real library: four kinds of model, f16 and q8_0 KV, one thread and two. The same tokens give
// the same logits bit for bit: computed from nothing, where something else lived, brought back, forked, cut, beside others.
#include "engine/exact_engine.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <functional>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "engine/test_llama.h"

namespace hearth::engine {
namespace {

using tiny_models::Kind;
using Steps = std::vector<std::vector<float>>;

constexpr std::size_t kPrompt = 700;  // two chunks of 256 and a last one of 188
constexpr std::size_t kEnd = kPrompt + 64;
constexpr std::size_t kKept = 512;  // where state is taken: the last multiple of the unit

EngineOptions exact_options(Kind kind, KvType type, int threads, std::uint32_t lanes = 3) {
  set_log_level(LogLevel::Warning);  // what exact costs is said at each start
  EngineOptions options = tiny_options(kind, type);
  options.exact = true;
  options.context_tokens = 1024;
  options.parallel_jobs = lanes;
  options.threads = threads;
  return options;
}

// The rest of a prompt, then row by row: all logits.
Steps go_on(Engine& engine, Sequence sequence, const std::vector<Token>& tokens, std::size_t begin,
            std::size_t end = kEnd) {
  Steps steps{feed_tokens(engine, sequence, tokens, begin, kPrompt)};
  for (auto& step : step_through(engine, sequence, tokens, kPrompt, end)) steps.push_back(std::move(step));
  return steps;
}

// Where only the beginning is compared: a machine with other work to do takes long for many small steps on two threads.
constexpr std::size_t kSoon = kPrompt + 8;
bool goes_on_as(const Steps& expected, Engine& engine, Sequence sequence, const std::vector<Token>& tokens,
                std::size_t begin) {
  const Steps steps = go_on(engine, sequence, tokens, begin, kSoon);
  return std::equal(steps.begin(), steps.end(), expected.begin(), same_bits);
}

// Something else lives in the lane for a while.
void disturb(Engine& engine, Sequence sequence, std::uint64_t seed) {
  const auto other = text_tokens(seed, 400 + seed % 300);
  feed_tokens(engine, sequence, other, 0, other.size() - 5);
  step_through(engine, sequence, other, other.size() - 5, other.size());
  engine.clear(sequence);
}

// Two threads wait for each other at every step, which takes long on a machine with other work to do: here with f16 only,
// everything where HEARTH_EXACT_MATRIX says "full".
void for_each_case(const std::function<void(Kind, KvType, int)>& run) {
  const char* wanted = std::getenv("HEARTH_EXACT_MATRIX");
  const bool full = wanted != nullptr && std::string_view(wanted) == "full";
  for (const Kind kind : kEveryKind)
    for (const KvType type : {KvType::F16, KvType::Q8_0})
      for (const int threads : {1, 2}) {
        if (threads == 2 && type != KvType::F16 && !full) continue;
        CAPTURE(tiny_models::kind_name(kind));
        CAPTURE(kv_type_name(type));
        CAPTURE(threads);
        run(kind, type, threads);
      }
}

}  // namespace

TEST_CASE("exact: computed, computed again, brought back, forked and cut, the same tokens have the same logits") {
  for_each_case([](Kind kind, KvType type, int threads) {
    const auto engine = load_tiny(exact_options(kind, type, threads));
    CHECK(engine->info().exact);
    CHECK(engine->info().prefill_unit == 256);
    CHECK(engine->info().sequences_max == 3);
    const auto tokens = text_tokens(3, kEnd);
    feed_tokens(*engine, 0, tokens, 0, kKept);
    const KeptState kept = keep_state(*engine, 0, kKept, 256);
    REQUIRE(engine->fork(0, 1, kKept));
    const Steps cold = go_on(*engine, 0, tokens, kKept);
    CHECK(goes_on_as(cold, *engine, 1, tokens, kKept));  // forked
    engine->clear(1);
    disturb(*engine, 1, 1);
    CHECK(goes_on_as(cold, *engine, 1, tokens, 0));  // again, where something else lived
    disturb(*engine, 2, 11);
    REQUIRE(bring_back(*engine, 2, kept, kKept));
    CHECK(same_steps(go_on(*engine, 2, tokens, kKept), cold));  // brought back
    // Once more, and a fork of that.
    engine->clear(1);
    engine->clear(2);
    disturb(*engine, 1, 205);
    REQUIRE(bring_back(*engine, 2, kept, kKept));
    REQUIRE(engine->fork(2, 1, kKept));
    CHECK(goes_on_as(cold, *engine, 1, tokens, kKept));
    engine->clear(1);
    REQUIRE(engine->share_cells(2, 1, 256));
    REQUIRE(engine->import_cells(1, 256, kept.cells[1], 256));
    REQUIRE(engine->finish_import(1, kKept, kept.snapshot));
    CHECK(goes_on_as(cold, *engine, 1, tokens, kKept));

    if (engine->info().memory_kind != MemoryKind::Attention) {
      CHECK(engine->usable_prefix(1, kSoon, kKept) == 0);
      return;
    }
    for (const std::uint32_t cut : {512U, 256U}) {
      REQUIRE(engine->usable_prefix(1, kSoon, cut) == cut);
      REQUIRE(engine->truncate(1, cut));
      CHECK(goes_on_as(cold, *engine, 1, tokens, cut));
    }
  });
}

TEST_CASE("exact: neighbours in a batch, and how many there may be, change nothing") {
  for_each_case([](Kind kind, KvType type, int threads) {
    if (threads == 2) return;  // lanes share no thread: the other test has them
    const auto tokens = text_tokens(3, kEnd);
    const auto other = text_tokens(4, 600);
    const auto alone = load_tiny(exact_options(kind, type, threads, 1));
    const Steps expected = go_on(*alone, 0, tokens, 0, kSoon);

    const auto engine = load_tiny(exact_options(kind, type, threads));
    feed_tokens(*engine, 1, other, 0, 100);
    Steps steps;
    std::size_t done = 0;
    for (std::int32_t round = 0; done < kSoon; ++round) {
      const std::size_t chunk = done < kPrompt ? std::min<std::size_t>(256, kPrompt - done) : 1;
      const auto row_of_other = [&](Sequence sequence, std::int32_t from) {
        return Row{other[static_cast<std::size_t>(round)], from + round, sequence, true};
      };
      std::vector<Row> rows{row_of_other(1, 100)};
      for (std::size_t i = done; i < done + chunk; ++i)
        rows.push_back({tokens[i], static_cast<std::int32_t>(i), 0, i + 1 == done + chunk});
      rows.push_back(row_of_other(2, 0));
      const auto outcome = engine->decode(rows);
      REQUIRE(outcome);
      REQUIRE(*outcome == DecodeOutcome::Done);
      done += chunk;
      const auto logits = engine->logits(rows.size() - 2);
      if (done >= kPrompt) steps.emplace_back(logits.begin(), logits.end());
      CHECK(engine->logits(0).size() == engine->info().vocabulary_count);
    }
    CHECK(same_steps(steps, expected));
  });
}

TEST_CASE("exact: rows in another shape are refused in words, and no room is an answer that changes nothing") {
  const auto engine = load_tiny(exact_options(Kind::Attention, KvType::F16, 1));
  const auto tokens = text_tokens(3, 1100);
  feed_tokens(*engine, 0, tokens, 0, 100);
  const auto rows_of = [&tokens](Sequence sequence, std::size_t begin, std::size_t end) {
    std::vector<Row> rows;
    for (std::size_t i = begin; i < end; ++i)
      rows.push_back({tokens[i], static_cast<std::int32_t>(i), sequence, i + 1 == end});
    return rows;
  };
  for (const auto& rows : {rows_of(0, 100, 102), rows_of(1, 0, 257), rows_of(3, 0, 5), rows_of(-1, 0, 5)}) {
    const auto outcome = engine->decode(rows);
    REQUIRE(!outcome);
    CHECK(outcome.error().kind == ErrorKind::InvalidInput);
  }
  feed_tokens(*engine, 1, tokens, 0, 1024);
  auto both = rows_of(0, 100, 101);
  both.push_back({tokens[0], 1024, 1, true});
  const auto outcome = engine->decode(both);
  REQUIRE(outcome);
  CHECK(*outcome == DecodeOutcome::NoRoom);
  const auto after = feed_tokens(*engine, 0, tokens, 100, 101);
  feed_tokens(*engine, 2, tokens, 0, 100);
  CHECK(same_bits(feed_tokens(*engine, 2, tokens, 100, 101), after));
}

TEST_CASE("exact: a window's state is taken at whole units only") {
  const auto engine = load_tiny(exact_options(Kind::Window, KvType::F16, 1));
  const auto tokens = text_tokens(3, 600);
  feed_tokens(*engine, 0, tokens, 0, 300);
  CHECK(engine->snapshot(0).empty());
  CHECK(!engine->fork(0, 1, 300));
  CHECK(engine->usable_prefix(0, 300, 300) == 300);
  CHECK(engine->usable_prefix(0, 300, 299) == 0);
  CHECK(engine->usable_prefix(1, 0, 0) == 0);
}

TEST_CASE("exact: a context too small for the check is refused with a reason") {
  EngineOptions options = exact_options(Kind::Attention, KvType::F16, 1);
  options.context_tokens = 256;
  const auto engine = load_engine(options, nullptr);
  REQUIRE(!engine);
  CHECK(engine.error().message.find("context") != std::string::npos);
}

TEST_CASE("exact: what cannot keep the promise is refused with a reason") {
  auto engine = load_tiny(tiny_options(Kind::Hybrid));
  auto* lane = dynamic_cast<LlamaEngine*>(engine.release());
  REQUIRE(lane != nullptr);
  std::vector<std::unique_ptr<LlamaEngine>> lanes;
  lanes.emplace_back(lane);
  ExactEngine exact(std::move(lanes));
  CHECK(check_exact(exact).has_value());
  lane->set_state_form(StateForm::Whole);
  const auto checked = check_exact(exact);
  REQUIRE(!checked);
  CHECK(checked.error().message.find("without --exact") != std::string::npos);
}

TEST_CASE("exact: what is computed in other parts or on other threads is called otherwise; elsewhere it need not be") {
  const auto version_of = [](bool exact, std::uint32_t ubatch_tokens, int threads, FlashAttention flash) {
    EngineOptions options = exact_options(Kind::Attention, KvType::F16, threads, 1);
    options.exact = exact;
    options.ubatch_tokens = ubatch_tokens;
    options.flash_attention = flash;
    return load_tiny(options)->info().state_version;
  };
  const std::string exact = version_of(true, 256, 1, FlashAttention::On);
  CHECK(exact == version_of(true, 512, 1, FlashAttention::On));  // a chunk has 256 rows
  CHECK(exact != version_of(true, 64, 1, FlashAttention::On));
  CHECK(exact != version_of(true, 256, 2, FlashAttention::On));
  CHECK(exact != version_of(true, 256, 1, FlashAttention::Off));
  CHECK(version_of(false, 256, 1, FlashAttention::On) == version_of(false, 64, 2, FlashAttention::On));
}

}  // namespace hearth::engine
