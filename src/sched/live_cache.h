// LiveCache: which sequence of the engine holds which tokens, and the prefixes that a new job can begin from.
//
//   Free     holds nothing
//   Idle     holds a prefix nobody is working on: a finished job's, or a copy kept at a boundary. May be evicted.
//   Running  belongs to one job, from place() to release()
//
// A job's sequence becomes Idle when the job ends however it ends: prefill work is never thrown away while there is
// room. The token list of a sequence is what the engine was fed, exactly; that is the cache's whole truth.
// The loop's thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "sched/parked.h"

namespace hearth::sched {

using engine::Sequence;
using engine::Token;

class LiveCache {
 public:
  LiveCache(engine::Engine& engine, ParkLimits parking);

  struct Placement {
    Sequence sequence = 0;
    std::uint32_t cached_tokens = 0;  // held already, always less than the prompt
    // Where a prefix that could not be used (its state cannot be cut) ends: keeping the state there pays, because
    // prompts branch there. 0 = nowhere.
    std::uint32_t branch_point = 0;
  };
  // A sequence for a job with this prompt, beginning with the longest usable prefix. nullopt: every sequence runs.
  [[nodiscard]] std::optional<Placement> place(std::span<const Token> prompt);
  // How many leading tokens place() would find now. Changes nothing.
  [[nodiscard]] std::uint32_t usable_tokens(std::span<const Token> prompt) const;

  // The engine was just fed these. REQUIRES: a running sequence.
  void append(Sequence sequence, std::span<const Token> tokens);
  // Running to idle.
  void release(Sequence sequence);
  // Anything to free, in the engine too.
  void drop(Sequence sequence);
  // Keeps a copy of a running sequence as it stands, for memories that cannot be cut; does nothing when there is one
  // or no sequence can be had.
  void keep_copy(Sequence sequence);
  // Frees the idle sequence that was used longest ago; false when there is none.
  bool evict_one();

  [[nodiscard]] std::uint32_t length(Sequence sequence) const;
  [[nodiscard]] bool keeps_copies() const { return keeps_copies_; }
  struct Counts {
    std::uint32_t free = 0, idle = 0, running = 0;
    std::uint64_t tokens = 0;  // held, shared ones counted in each sequence
    std::uint64_t evicted_total = 0, copies_total = 0, forks_total = 0, parked_total = 0, unparked_total = 0;
    std::uint64_t parked = 0, parked_bytes = 0;  // in RAM
  };
  [[nodiscard]] Counts counts() const;
  void check_invariants() const;

 private:
  enum class State { Free, Idle, Running };
  struct Line {
    State state = State::Free;
    bool is_copy = false;         // idle and kept at a boundary: a trunk, forked rather than taken over
    std::uint64_t last_used = 0;  // by tick_
    std::vector<Token> tokens;
  };
  struct Match {
    std::optional<Sequence> sequence;
    std::uint32_t usable = 0;
    std::uint32_t longest = 0;  // common with any line, usable or not
  };

  [[nodiscard]] Match best_match(std::span<const Token> prompt) const;
  [[nodiscard]] std::optional<Placement> begin_from(Sequence source_sequence, std::uint32_t usable);
  [[nodiscard]] std::optional<Sequence> take_free(std::optional<Sequence> spare);
  [[nodiscard]] std::optional<Sequence> oldest_idle(std::optional<Sequence> spare) const;
  [[nodiscard]] std::optional<Parked::Match> parked_match(std::span<const Token> prompt,
                                                          std::uint32_t live_usable) const;
  void unpark_for(std::span<const Token> prompt);
  void park_idle();
  [[nodiscard]] bool shares_all_cells(const Line& idle) const;
  [[nodiscard]] bool take_over(Sequence sequence, std::uint32_t keep);
  Line& line(Sequence sequence) { return lines_[static_cast<std::size_t>(sequence)]; }
  [[nodiscard]] const Line& line(Sequence sequence) const { return lines_[static_cast<std::size_t>(sequence)]; }

  engine::Engine& engine_;
  const bool keeps_copies_;
  std::vector<Line> lines_;  // one per sequence
  std::uint64_t tick_ = 0;
  const ParkLimits parking_;
  Parked parked_;
  std::uint64_t evicted_total_ = 0, copies_total_ = 0, forks_total_ = 0, parked_total_ = 0, unparked_total_ = 0;
};

}  // namespace hearth::sched
