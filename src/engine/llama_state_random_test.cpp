// Thousands of random steps on the real library: sequences grow (also together in one batch), are cut, forked, cleared,
// kept and brought back, in a pool so small that it is often full. After each step a sequence is compared with its shadow:
// the bytes of every token's cell as they were when it was computed. Prints the seed of what fails.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>

#include "engine/test_llama.h"

namespace hearth::engine {
namespace {

using tiny_models::Kind;
using Bytes = std::vector<std::uint8_t>;

constexpr Sequence kSequences = 4;

// What a sequence holds, as it was computed.
struct Shadow {
  std::vector<Token> tokens;
  std::vector<std::shared_ptr<const Bytes>> cells;  // one for each token
  Bytes recurrent;                                  // MemoryKind::Hybrid: the snapshot at the end
  [[nodiscard]] std::uint32_t length() const { return static_cast<std::uint32_t>(tokens.size()); }
};

class Walk {
 public:
  Walk(Kind kind, KvType type, std::uint64_t seed) : seed_(seed) {
    EngineOptions options = tiny_options(kind, type);
    options.context_tokens = 256;
    engine_ = load_tiny(options);
  }
  void step() {
    switch (draw(8)) {
      case 0:
      case 1: return grow();
      case 2: return cut();
      case 3: return fork();
      case 4: return keep();
      case 5:
      case 6: return bring();
      case 7: return draw(3) == 0 ? clear(any()) : grow();
    }
  }
  void compare(Sequence sequence) {
    const Shadow& shadow = shadows_[sequence];
    for (std::uint32_t i = 0; i < shadow.length(); ++i)
      REQUIRE((engine_->export_cells(sequence, i, i + 1) == *shadow.cells[i]));
    REQUIRE(engine_->export_cells(sequence, 0, shadow.length() + 1).empty());
    if (engine_->info().memory_kind == MemoryKind::Hybrid && shadow.length() > 0)
      REQUIRE(same_state(engine_->snapshot(sequence), shadow.recurrent));
  }
  // But for those that are being brought back.
  Sequence any() {
    Sequence one = 0;
    do one = static_cast<Sequence>(draw(kSequences));
    while (imports_.contains(one));
    return one;
  }
  std::map<std::string, int> done;

 private:
  struct Kept {
    Shadow shadow;
    KeptState state;
  };
  std::uint32_t draw(std::uint32_t below) { return static_cast<std::uint32_t>(mix_u64(seed_, ++draws_) % below); }
  void clear(Sequence sequence) {
    engine_->clear(sequence);
    shadows_[sequence] = {};
  }

  // One or two sequences get some tokens in one batch.
  void grow() {
    std::map<Sequence, std::vector<Token>> more;
    more[any()] = text_tokens(mix_u64(seed_, draws_), 1 + draw(60));
    if (draw(2) == 0) more[any()] = text_tokens(mix_u64(seed_, draws_), 1 + draw(4));
    std::vector<Row> rows;
    for (const auto& [sequence, tokens] : more)
      for (std::size_t i = 0; i < tokens.size(); ++i)
        rows.push_back({tokens[i], static_cast<std::int32_t>(shadows_[sequence].length() + i), sequence, false});
    const auto outcome = engine_->decode(rows);
    REQUIRE(outcome);
    if (*outcome == DecodeOutcome::NoRoom) {
      ++done["no room"];
      return clear(any());
    }
    for (const auto& [sequence, tokens] : more) {
      Shadow& shadow = shadows_[sequence];
      for (const Token token : tokens) {
        const std::uint32_t at = shadow.length();
        shadow.tokens.push_back(token);
        shadow.cells.push_back(std::make_shared<const Bytes>(engine_->export_cells(sequence, at, at + 1)));
        REQUIRE(!shadow.cells.back()->empty());
      }
      if (engine_->info().memory_kind == MemoryKind::Hybrid) shadow.recurrent = engine_->snapshot(sequence);
    }
    ++done["grown"];
  }
  void cut() {
    const Sequence sequence = any();
    Shadow& shadow = shadows_[sequence];
    if (shadow.length() == 0) return;
    const std::uint32_t keep = shadow.length() - std::min(shadow.length(), draw(40));
    if (keep > 0 && engine_->usable_prefix(sequence, shadow.length(), keep) != keep) return;
    REQUIRE(engine_->truncate(sequence, keep));
    if (keep == 0) return clear(sequence);
    shadow.tokens.resize(keep);
    shadow.cells.resize(keep);
    ++done["cut"];
  }
  void fork() {
    const Sequence from = any();
    const Sequence to = any();
    const Shadow& shadow = shadows_[from];
    if (from == to || shadow.length() == 0) return;
    const std::uint32_t count = draw(2) == 0 ? shadow.length() : 1 + draw(shadow.length());
    if (engine_->usable_prefix(from, shadow.length(), count) != count) return;
    clear(to);
    if (!engine_->fork(from, to, count)) return;  // a window without room for its own cells
    shadows_[to] = shadow;
    shadows_[to].tokens.resize(count);
    shadows_[to].cells.resize(count);
    ++done["forked"];
  }
  void keep() {
    const Sequence sequence = any();
    if (shadows_[sequence].length() == 0) return;
    const std::uint32_t block = 1 + draw(64);
    Kept kept{shadows_[sequence], keep_state(*engine_, sequence, shadows_[sequence].length(), block)};
    kept_[draw(6)] = std::move(kept);
    ++done["kept"];
  }
  struct Import {
    Kept kept;
    std::uint32_t count = 0, begin = 0;
  };
  // One or two states come back by turns, with other work between their pieces; some are given up.
  void bring() {
    if (kept_.empty()) return;
    for (std::uint32_t i = 0; i < 1 + draw(2); ++i) {
      Import import{.kept = std::next(kept_.begin(), draw(static_cast<std::uint32_t>(kept_.size())))->second};
      const Sequence to = any();
      clear(to);
      import.count = import.kept.shadow.length();
      if (engine_->info().memory_kind == MemoryKind::Attention && draw(2) == 0) import.count = 1 + draw(import.count);
      imports_[to] = std::move(import);
    }
    while (!imports_.empty()) {
      if (draw(4) == 0) between();
      bring_piece(std::next(imports_.begin(), draw(static_cast<std::uint32_t>(imports_.size())))->first);
    }
  }
  void between() {
    const Sequence other = any();
    switch (draw(3)) {
      case 0: return grow();
      case 1: return clear(other);
      default: return compare(other);
    }
  }
  void bring_piece(Sequence to) {
    Import& import = imports_[to];
    const std::uint32_t block = import.kept.state.block;
    const std::uint32_t end = std::min(import.begin + block, import.count);
    if (draw(12) == 0) return give_up(to, "given up");
    if (!engine_->import_cells(to, import.begin, import.kept.state.cells[import.begin / block], end - import.begin))
      return give_up(to, "import refused");
    import.begin = end;
    if (end < import.count) return;
    if (!engine_->finish_import(to, import.count, import.kept.state.snapshot)) return give_up(to, "import refused");
    shadows_[to] = std::move(import.kept.shadow);
    shadows_[to].tokens.resize(import.count);
    shadows_[to].cells.resize(import.count);
    imports_.erase(to);
    ++done["brought back"];
  }
  void give_up(Sequence to, const std::string& why) {
    clear(to);
    imports_.erase(to);
    REQUIRE(engine_->export_cells(to, 0, 1).empty());
    ++done[why];
  }

  const std::uint64_t seed_;
  std::uint64_t draws_ = 0;
  std::unique_ptr<Engine> engine_;
  std::map<Sequence, Shadow> shadows_;
  std::map<std::uint32_t, Kept> kept_;
  std::map<Sequence, Import> imports_;
};

}  // namespace

TEST_CASE("thousands of random steps leave every cell as it was computed") {
  const char* wanted = std::getenv("HEARTH_STATE_STEPS");  // more of them for a long run
  const int steps = wanted != nullptr ? std::atoi(wanted) : 250;
  for (const KvType type : {KvType::F16, KvType::Q8_0})
    for (const Kind kind : kEveryKind) {
      const std::uint64_t seed = 20 + static_cast<std::uint64_t>(kind);
      CAPTURE(tiny_models::kind_name(kind));
      CAPTURE(kv_type_name(type));
      CAPTURE(seed);
      Walk walk(kind, type, seed);
      for (int i = 0; i < steps; ++i) {
        CAPTURE(i);
        walk.step();
        walk.compare(walk.any());
      }
      for (Sequence sequence = 0; sequence < kSequences; ++sequence) walk.compare(sequence);
      for (const std::string what : {"no room", "grown", "forked", "kept", "brought back", "given up"}) {
        CAPTURE(what);
        CHECK(walk.done[what] > 0);
      }
    }
}

}  // namespace hearth::engine
