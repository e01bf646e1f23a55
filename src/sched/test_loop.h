// A Loop on a FakeEngine for the tests of this room: submits, runs to the end with invariants checked after every step,
// and remembers what was published per job.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/random.h"
#include "engine/fake_engine.h"
#include "engine/fake_tokenizer.h"
#include "sched/loop.h"

namespace hearth::sched {

using engine::MemoryKind;
using engine::Token;

inline engine::FakeOptions fake_options(MemoryKind kind = MemoryKind::Attention, std::uint32_t context_tokens = 4096,
                                        std::uint32_t sequences = 8) {
  engine::FakeOptions options;
  options.script.memory_kind = kind;
  options.script.context_tokens = context_tokens;
  options.script.sequences = sequences;
  return options;
}

inline std::vector<Token> tokens_of(std::string_view text) { return engine::FakeTokenizer().tokenize(text, true); }

// A prompt of `count` tokens that is the same for the same seed, and different from its first token on for another.
inline std::vector<Token> prompt_of(std::uint64_t seed, std::size_t count) {
  std::vector<Token> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<Token>('A' + mix_u64(seed, i) % 26);
  tokens[0] = static_cast<Token>(seed % 256);
  return tokens;
}

inline std::vector<Token> joined(std::vector<Token> a, const std::vector<Token>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Greedy, so that the answer is what the fake engine says it is.
inline link::Job greedy_job(link::JobId id, std::vector<Token> prompt, std::uint32_t tokens_max = 24) {
  link::Job job{.id = id, .prompt = std::move(prompt), .tokens_max = tokens_max};
  job.sampling.temperature = 0.0F;
  job.sampling.seed = 1;
  return job;
}

struct JobRecord {
  std::vector<Token> tokens;
  std::string text;
  std::uint32_t started_count = 0;
  std::uint32_t cached_tokens = 0, ram_tokens = 0, disk_tokens = 0;
  std::vector<std::uint32_t> progress;
  std::vector<link::JobQueued> queued;
  std::uint32_t end_count = 0;
  link::JobEnd end;
};

class TestLoop {
 public:
  explicit TestLoop(engine::FakeOptions options = fake_options(), LoopOptions loop_options = {},
                    std::unique_ptr<cache::DiskTier> disk = nullptr)
      : fake(std::move(options)),
        loop(
            fake, clock, loop_options, [this](const link::EngineMessage& message) { hear(message); }, std::move(disk)) {
  }

  void submit(link::Job job) { loop.submit(std::move(job)); }
  bool step() {
    clock.advance_ms(10);
    const bool more = loop.step();
    loop.check_invariants();
    return more;
  }
  void run() {
    for (int i = 0; step(); ++i) REQUIRE(i < 1'000'000);
    REQUIRE(!loop.has_jobs());
  }
  const JobRecord& run_one(link::Job job) {
    const link::JobId id = job.id;
    submit(std::move(job));
    run();
    return jobs[id];
  }
  std::uint64_t counter(const std::string& name) const { return loop.counters().at(name); }

  // What a greedy job with this prompt must say, computed without any loop or cache.
  std::vector<Token> expected(std::vector<Token> prompt, std::uint32_t tokens_max) const {
    std::vector<Token> answer;
    while (answer.size() < tokens_max && prompt.size() < fake.info().context_limit_tokens) {
      const auto next = fake.expected_next(prompt);
      if (!next) break;
      answer.push_back(*next);
      prompt.push_back(*next);
    }
    return answer;
  }

  ManualClock clock;
  engine::FakeEngine fake;
  std::map<link::JobId, JobRecord> jobs;
  Loop loop;

 private:
  void hear(const link::EngineMessage& message) {
    if (const auto* queued = std::get_if<link::JobQueued>(&message)) {
      jobs[queued->job].queued.push_back(*queued);
    } else if (const auto* started = std::get_if<link::JobStarted>(&message)) {
      ++jobs[started->job].started_count;
      jobs[started->job].cached_tokens = started->cached_tokens;
      jobs[started->job].ram_tokens = started->ram_tokens;
      jobs[started->job].disk_tokens = started->disk_tokens;
    } else if (const auto* progress = std::get_if<link::JobProgress>(&message)) {
      jobs[progress->job].progress.push_back(progress->prefilled_tokens);
    } else if (const auto* event = std::get_if<link::TokenEvent>(&message)) {
      JobRecord& job = jobs[event->job];
      CHECK(job.started_count == 1);
      CHECK(job.end_count == 0);
      for (const auto& sampled : event->tokens) {
        job.tokens.push_back(sampled.token);
        job.text += sampled.piece;
      }
    } else if (const auto* end = std::get_if<link::JobEnd>(&message)) {
      ++jobs[end->job].end_count;
      jobs[end->job].end = *end;
    }
  }
};

}  // namespace hearth::sched
