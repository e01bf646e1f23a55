// State out of and into the fake engine, which must be as strict as the real one (llama_state_test.cpp).
#include <doctest/doctest.h>

#include <string_view>

#include "engine/fake_engine.h"
#include "engine/fake_tokenizer.h"

namespace hearth::engine {
namespace {

constexpr std::string_view kText = "the quick brown fox jumps over the lazy dog";  // 43 tokens

FakeEngine state_engine(MemoryKind kind, std::uint32_t cells = 100, StateForm form = StateForm::Cells) {
  FakeOptions options;
  options.script.memory_kind = kind;
  options.script.context_tokens = 100;
  options.script.window_tokens = 10;
  options.script.sequences = 4;
  options.cells = cells;
  options.state_form = form;
  return FakeEngine(std::move(options));
}

void feed_text(FakeEngine& engine, Sequence sequence, std::string_view text) {
  std::vector<Row> rows;
  auto position = static_cast<std::int32_t>(engine.tokens_of(sequence).size());
  for (const Token token : FakeTokenizer().tokenize(text, true)) rows.push_back({token, position++, sequence, false});
  const auto outcome = engine.decode(rows);
  REQUIRE(outcome);
  REQUIRE(*outcome == DecodeOutcome::Done);
}

}  // namespace

TEST_CASE("every kind of the fake engine's memory leaves and comes back in pieces") {
  for (const auto kind : {MemoryKind::Attention, MemoryKind::Recurrent, MemoryKind::Hybrid, MemoryKind::Window}) {
    CAPTURE(memory_kind_name(kind));
    auto engine = state_engine(kind);
    feed_text(engine, 0, kText);
    const auto first = engine.export_cells(0, 0, 30);
    const auto second = engine.export_cells(0, 30, 43);
    const auto state = engine.snapshot(0);
    CHECK(state.empty() == (kind == MemoryKind::Attention));
    CHECK(engine.export_cells(0, 30, 44).empty());
    CHECK(engine.cells_used() == 43);
    REQUIRE(engine.import_cells(1, 0, first, 30));
    REQUIRE(engine.import_cells(1, 30, second, 13));
    REQUIRE(engine.finish_import(1, 43, state));
    CHECK(engine.tokens_of(1) == engine.tokens_of(0));
    CHECK(engine.cells_used() == 86);
    feed_text(engine, 1, "!");
    // What came back is cut only where it is attention alone; what grew after it as its kind allows.
    CHECK(engine.usable_prefix(1, 44, 42) == (kind == MemoryKind::Attention ? 42 : 0));
    const bool can_cut = kind == MemoryKind::Attention || kind == MemoryKind::Window;
    CHECK(engine.usable_prefix(1, 44, 43) == (can_cut ? 43 : 0));
  }
}

TEST_CASE("the fake engine keeps the leading part of a piece and refuses what does not fit") {
  auto engine = state_engine(MemoryKind::Hybrid);
  feed_text(engine, 0, kText.substr(0, 20));
  const auto at_20 = engine.snapshot(0);
  feed_text(engine, 0, kText.substr(20));
  const auto first = engine.export_cells(0, 0, 30);
  const auto second = engine.export_cells(0, 30, 43);
  const auto at_43 = engine.snapshot(0);
  REQUIRE(engine.import_cells(1, 0, first, 20));
  REQUIRE(engine.finish_import(1, 20, at_20));
  CHECK(engine.tokens_of(1) == FakeTokenizer().tokenize(kText.substr(0, 20), true));
  engine.clear(1);

  const auto refused = [&engine](bool taken) {
    CHECK(!taken);
    CHECK(engine.tokens_of(1).empty());
    CHECK(engine.cells_used() == 43);
  };
  const auto import_first = [&] { return engine.import_cells(1, 0, first, 30); };
  refused(engine.import_cells(1, 0, second, 13));
  refused(engine.import_cells(1, 30, second, 13));
  refused(import_first() && engine.import_cells(1, 0, first, 30));
  refused(import_first() && engine.import_cells(1, 30, second, 14));
  refused(engine.import_cells(1, 0, first, 0));
  refused(engine.import_cells(1, 0, std::span(first).first(first.size() - 1), 30));
  refused(import_first() && engine.finish_import(1, 30, at_43));
  refused(import_first() && engine.finish_import(1, 30, {}));
  refused(import_first() && engine.finish_import(1, 43, at_43));
  refused(engine.finish_import(1, 43, at_43));
  engine.refuse_state_changes(true);
  refused(import_first());
  engine.refuse_state_changes(false);

  auto small = state_engine(MemoryKind::Attention, 43 + 29);
  feed_text(small, 0, kText);
  CHECK(!small.import_cells(1, 0, small.export_cells(0, 0, 30), 10));  // room for the whole piece is needed
  CHECK(small.cells_used() == 43);
}

TEST_CASE("the fake engine can be told to know less of state") {
  auto whole = state_engine(MemoryKind::Attention, 100, StateForm::Whole);
  feed_text(whole, 0, kText);
  CHECK(whole.export_cells(0, 0, 10).empty());
  CHECK(whole.snapshot(0).empty());
  const auto state = whole.save(0);
  CHECK(!whole.restore(1, state, 42));
  CHECK(whole.restore(1, state, 43));
  auto none = state_engine(MemoryKind::Attention, 100, StateForm::None);
  feed_text(none, 0, kText);
  CHECK(none.save(0).empty());
  CHECK(!none.restore(1, state, 43));
}

TEST_CASE("an exact fake engine's logits tell in which shape a prefix was computed") {
  FakeOptions options;
  options.script.context_tokens = 4096;
  options.exact = true;
  FakeEngine engine(std::move(options));
  CHECK(engine.info().exact);
  CHECK(engine.info().prefill_unit == 256);
  const auto feed = [&engine](Sequence sequence, std::int32_t begin, std::int32_t end) {
    std::vector<Row> rows;
    for (std::int32_t i = begin; i < end; ++i) rows.push_back({'a', i, sequence, i + 1 == end});
    const auto outcome = engine.decode(rows);
    REQUIRE(outcome);
    REQUIRE(*outcome == DecodeOutcome::Done);
    const auto logits = engine.logits(rows.size() - 1);
    return std::vector<float>(logits.begin(), logits.end());
  };
  feed(0, 0, 256);
  const auto whole = feed(0, 256, 512);
  feed(1, 0, 256);
  CHECK(feed(1, 256, 512) == whole);
  feed(2, 0, 256);
  REQUIRE(engine.import_cells(3, 0, engine.export_cells(2, 0, 256), 256));
  REQUIRE(engine.finish_import(3, 256, {}));
  CHECK(feed(3, 256, 512) == whole);
  for (std::int32_t i = 256; i < 511; ++i) feed(2, i, i + 1);
  CHECK(feed(2, 511, 512) != whole);
}

}  // namespace hearth::engine
