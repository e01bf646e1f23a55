// What a Loop is told when it is made, and what it has counted. Plain data.
#pragma once

#include <cstdint>

#include "cache/prefix_cache.h"
#include "sched/disk_cache.h"

namespace hearth::sched {

struct LoopOptions {
  std::uint32_t parallel_jobs = 4;
  std::uint32_t waiting_jobs_max = 1024;  // more are refused as Overloaded
  std::uint32_t ubatch_tokens = 512;      // a prefill chunk's unit, and its bound while others decode
  cache::CacheLimits cache;               // when idle prefixes leave the engine's pool for RAM, and how much of it
  bool cache_bytes_given = false;         // by the operator; otherwise the service measures what is free
  DiskCacheOptions disk;                  // for the service, which opens it
  std::int64_t step_target_ms = 250;      // prefill chunks grow to about so long: how late a cancel is heard
  // A prefix that another job computes right now is waited for when it saves at least so many tokens; less is computed
  // again, which costs about a step.
  std::uint32_t join_tokens_min = 256;
};

struct LoopTotals {
  std::uint64_t jobs_accepted = 0, jobs_refused = 0, jobs_ended = 0, jobs_failed = 0, jobs_cancelled = 0,
                jobs_preempted = 0, jobs_joined = 0, jobs_displaced = 0, pauses = 0;
  std::uint64_t tokens_prefilled = 0, tokens_cached = 0, tokens_sampled = 0;
  std::uint64_t tokens_from_ram = 0,
                tokens_from_disk = 0;  // of those cached: each job once, however often it comes back
  std::uint64_t decode_calls = 0, decode_us = 0, sample_us = 0;
  std::uint64_t chunks_beside = 0, chunks_held = 0;
  std::uint64_t contexts_grown = 0, growths_refused = 0, growth_us = 0;
  std::uint64_t tokens_redrawn = 0, tokens_forced = 0, constraints_lost = 0;
};

}  // namespace hearth::sched
