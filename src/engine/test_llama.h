// For the tests on the real library: tiny models loaded with one thread, text tokens, and feeding them. Tests only.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "engine/load_engine.h"
#include "engine/state_frame.h"
#include "tiny_models.h"

namespace hearth::engine {

constexpr tiny_models::Kind kEveryKind[] = {tiny_models::Kind::Attention, tiny_models::Kind::Hybrid,
                                            tiny_models::Kind::Moe, tiny_models::Kind::Window};

inline EngineOptions tiny_options(tiny_models::Kind kind, KvType kv_type = KvType::F16) {
  const auto path = tiny_models::path(kind);
  REQUIRE(path);
  EngineOptions options;
  options.model_path = *path;
  options.context_tokens = 4096;
  options.parallel_jobs = 3;
  options.ubatch_tokens = 256;
  options.batch_tokens = 512;
  options.threads = 1;  // several threads' sums depend on where in the pool the cells lie, and spin for each other
  options.kv_type_k = options.kv_type_v = kv_type;
  return options;
}

inline std::unique_ptr<Engine> load_tiny(const EngineOptions& options) {
  auto engine = load_engine(options, nullptr);
  if (!engine) FAIL(engine.error().message);
  return std::move(*engine);
}

inline std::vector<Token> text_tokens(std::uint64_t seed, std::size_t count) {
  std::vector<Token> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<Token>(mix_u64(seed, i) % 2000);
  return tokens;
}

// Feeds tokens[begin, end) in chunks of at most `chunk` that end at its multiples; the logits after the last one.
inline std::vector<float> feed_tokens(Engine& engine, Sequence sequence, const std::vector<Token>& tokens,
                                      std::size_t begin, std::size_t end, std::size_t chunk = 256) {
  std::vector<float> last;
  while (begin < end) {
    const std::size_t stop = std::min(end, begin / chunk * chunk + chunk);
    std::vector<Row> rows;
    for (std::size_t i = begin; i < stop; ++i)
      rows.push_back({tokens[i], static_cast<std::int32_t>(i), sequence, i + 1 == end});
    const auto outcome = engine.decode(rows);
    if (!outcome) FAIL(outcome.error().message);
    REQUIRE(*outcome == DecodeOutcome::Done);
    if (stop == end) {
      const auto logits = engine.logits(rows.size() - 1);
      last.assign(logits.begin(), logits.end());
    }
    begin = stop;
  }
  return last;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return !a.empty() && a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The logits after each of the tokens [begin, end), fed one by one.
inline std::vector<std::vector<float>> step_through(Engine& engine, Sequence sequence, const std::vector<Token>& tokens,
                                                    std::size_t begin, std::size_t end) {
  std::vector<std::vector<float>> steps;
  for (std::size_t i = begin; i < end; ++i) steps.push_back(feed_tokens(engine, sequence, tokens, i, i + 1));
  return steps;
}

inline bool same_steps(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
  return std::ranges::equal(a, b, same_bits);
}

// A sequence's state in pieces of `block` tokens, as a cache keeps it.
struct KeptState {
  std::uint32_t tokens = 0, block = 0;
  std::vector<std::vector<std::uint8_t>> cells;
  std::vector<std::uint8_t> snapshot;
};

inline KeptState keep_state(Engine& engine, Sequence from, std::uint32_t tokens, std::uint32_t block) {
  KeptState kept{.tokens = tokens, .block = block};
  for (std::uint32_t begin = 0; begin < tokens; begin += block) {
    kept.cells.push_back(engine.export_cells(from, begin, std::min(tokens, begin + block)));
    REQUIRE(!kept.cells.back().empty());
  }
  kept.snapshot = engine.snapshot(from);
  REQUIRE(kept.snapshot.empty() == (engine.info().memory_kind == MemoryKind::Attention));
  return kept;
}

// Back into an empty sequence, its first `tokens` (what has a snapshot only as a whole).
inline bool bring_back(Engine& engine, Sequence to, const KeptState& kept, std::uint32_t tokens) {
  for (std::uint32_t begin = 0; begin < tokens; begin += kept.block)
    if (!engine.import_cells(to, begin, kept.cells[begin / kept.block], std::min(kept.block, tokens - begin)))
      return false;
  return engine.finish_import(to, tokens, kept.snapshot);
}

// The library writes the sequence's own number into its header, behind our frame and its magic number.
inline bool same_state(std::vector<std::uint8_t> a, std::vector<std::uint8_t> b) {
  constexpr std::size_t kNumberAt = sizeof(StateFrame) + 4;
  if (a.size() < kNumberAt + 4 || a.size() != b.size()) return false;
  std::fill_n(a.begin() + kNumberAt, 4, 0);
  std::fill_n(b.begin() + kNumberAt, 4, 0);
  return a == b;
}

}  // namespace hearth::engine
