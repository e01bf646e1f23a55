// What it costs to move state out of the engine's pool and back, in the slices in which the scheduler moves it: the prefill of a
// prompt, the export of its blocks, their import into another sequence, and the longest single slice of each.
//   state_bench MODEL.gguf [TOKENS [THREADS]]
// Targets: export at most 3 % of the prefill it saves; import of 4,096 tokens of a 0.6B model under 50 ms. Ends with 1 when the
// state that came back is not the one that left, bit for bit. (The logits may differ: sums over the pool's cells are split among
// threads by place, and the copy lies elsewhere.)
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "engine/load_engine.h"

namespace {
using namespace hearth;
using engine::Row;
using engine::Sequence;

constexpr std::uint32_t kBlockTokens = 256;
constexpr std::uint32_t kChunkTokens = 512;
constexpr int kRounds = 5;

double ms_since(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count();
}

struct Moves {
  double total_ms = 0, longest_ms = 0;
  std::uint64_t bytes = 0;
  void add(double ms, std::uint64_t size) {
    total_ms += ms;
    longest_ms = std::max(longest_ms, ms);
    bytes += size;
  }
};

class StateBench {
 public:
  StateBench(std::unique_ptr<engine::Engine> engine, std::uint32_t tokens)
      : engine_(std::move(engine)), tokens_(tokens) {}

  int run() {
    const double prefill_ms = prefill();
    std::vector<Moves> exports;
    std::vector<Moves> imports;
    for (int round = 0; round < kRounds; ++round) {
      exports.push_back(export_all());
      if (blocks_.empty()) return refused("export");
      if (!import_all(kCopy, imports.emplace_back())) return refused("import");
    }
    const Moves out = middle(exports);
    const Moves in = middle(imports);
    const double mib = static_cast<double>(out.bytes) / (1024 * 1024);
    std::printf("%s, %s, KV %s: %u tokens, %.0f MiB\n", engine_->info().description.c_str(),
                std::string(memory_kind_name(engine_->info().memory_kind)).c_str(), engine_->info().kv_types.c_str(),
                tokens_, mib);
    std::printf("  prefill  %9.1f ms\n", prefill_ms);
    std::printf("  export   %9.1f ms (%.2f %% of the prefill), longest of %zu slices %.2f ms   (target: 3 %%)\n",
                out.total_ms, 100 * out.total_ms / prefill_ms, blocks_.size(), out.longest_ms);
    std::printf(
        "  import   %9.1f ms (%.2f %% of the prefill), longest slice %.2f ms   (target: 50 ms for 4,096 tokens of a "
        "0.6B model)\n",
        in.total_ms, 100 * in.total_ms / prefill_ms, in.longest_ms);
    std::printf("  snapshot %zu bytes\n", snapshot_.size());
    std::printf("  largest difference of the next token's logits: %g\n", static_cast<double>(logits_difference()));
    const bool same = returns_the_same();
    std::puts(same ? "  what came back is what left, bit for bit" : "  WRONG: what came back is another state");
    return same ? 0 : 1;
  }

 private:
  static constexpr Sequence kOriginal = 0, kCopy = 1;

  static int refused(const char* what) {
    std::printf("  the engine refused an %s\n", what);
    return 1;
  }
  static Moves middle(std::vector<Moves> moves) {
    std::ranges::sort(moves, {}, &Moves::total_ms);
    return moves[moves.size() / 2];
  }

  double prefill() {
    const auto begun = std::chrono::steady_clock::now();
    for (std::uint32_t begin = 0; begin < tokens_; begin += kChunkTokens) {
      std::vector<Row> rows;
      for (std::uint32_t i = begin; i < std::min(tokens_, begin + kChunkTokens); ++i)
        rows.push_back({.token = static_cast<engine::Token>(mix_u64(1, i) % (engine_->info().vocabulary_count / 2)),
                        .position = static_cast<std::int32_t>(i),
                        .sequence = kOriginal,
                        .wants_logits = i + 1 == tokens_});
      decode(rows);
    }
    return ms_since(begun);
  }
  void decode(const std::vector<Row>& rows) {
    const auto outcome = engine_->decode(rows);
    if (outcome && *outcome == engine::DecodeOutcome::Done) return;
    std::puts("  the engine refused a batch");
    std::exit(1);
  }

  Moves export_all() {
    Moves moves;
    blocks_.clear();
    for (std::uint32_t begin = 0; begin < tokens_; begin += kBlockTokens) {
      const auto begun = std::chrono::steady_clock::now();
      auto bytes = engine_->export_cells(kOriginal, begin, std::min(tokens_, begin + kBlockTokens));
      if (bytes.empty()) return blocks_.clear(), moves;
      moves.add(ms_since(begun), bytes.size());
      blocks_.push_back(std::move(bytes));
    }
    const auto begun = std::chrono::steady_clock::now();
    snapshot_ = engine_->snapshot(kOriginal);
    moves.add(ms_since(begun), snapshot_.size());
    return moves;
  }

  bool import_all(Sequence to, Moves& moves) {
    engine_->clear(to);
    for (std::uint32_t i = 0; i < blocks_.size(); ++i) {
      const std::uint32_t begin = i * kBlockTokens;
      const auto begun = std::chrono::steady_clock::now();
      if (!engine_->import_cells(to, begin, blocks_[i], std::min(tokens_ - begin, kBlockTokens))) return false;
      moves.add(ms_since(begun), blocks_[i].size());
    }
    const auto begun = std::chrono::steady_clock::now();
    const bool finished = engine_->finish_import(to, tokens_, snapshot_);
    moves.add(ms_since(begun), snapshot_.size());
    return finished;
  }

  // Into the sequence that it came from, because a snapshot names its sequence.
  bool returns_the_same() {
    Moves unused;
    const auto snapshot = snapshot_;
    const auto blocks = blocks_;
    if (!import_all(kOriginal, unused)) return false;
    export_all();
    return blocks_ == blocks && snapshot_ == snapshot;
  }
  float logits_difference() {
    const auto original = next_logits(kOriginal);
    const auto copy = next_logits(kCopy);
    float most = 0;
    for (std::size_t i = 0; i < copy.size(); ++i) most = std::max(most, std::abs(copy[i] - original[i]));
    return most;
  }
  std::vector<float> next_logits(Sequence sequence) {
    decode({{.token = 5, .position = static_cast<std::int32_t>(tokens_), .sequence = sequence, .wants_logits = true}});
    const auto logits = engine_->logits(0);
    return {logits.begin(), logits.end()};
  }

  std::unique_ptr<engine::Engine> engine_;
  const std::uint32_t tokens_;
  std::vector<std::vector<std::uint8_t>> blocks_;
  std::vector<std::uint8_t> snapshot_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto tokens = static_cast<std::uint32_t>(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 4096);
  if (argc < 2 || tokens == 0) {
    std::fputs("usage: state_bench MODEL.gguf [TOKENS [THREADS]]\n", stderr);
    return 2;
  }
  set_log_level(LogLevel::Error);
  engine::EngineOptions options;
  options.model_path = argv[1];
  options.context_tokens = 2 * tokens + 1024;
  options.parallel_jobs = 2;
  options.batch_tokens = kChunkTokens;
  if (argc > 3) options.threads = static_cast<std::int32_t>(std::strtol(argv[3], nullptr, 10));
  auto loaded = engine::load_engine(options, nullptr);
  if (!loaded) {
    std::fprintf(stderr, "state_bench: %s\n", loaded.error().message.c_str());
    return 1;
  }
  return StateBench(std::move(*loaded), tokens).run();
}
