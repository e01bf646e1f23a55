// One of every message with edge values, for the tests of the codec and of the channel.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "link/messages.h"

namespace hearth::link {

inline Sampling full_sampling() {
  Sampling sampling;
  sampling.temperature = 0.0F;
  sampling.top_k = -1;
  sampling.top_p = 1.0F;
  sampling.min_p = std::numeric_limits<float>::denorm_min();
  sampling.repeat_penalty = std::numeric_limits<float>::max();
  sampling.frequency_penalty = -2.0F;
  sampling.presence_penalty = 2.0F;
  sampling.penalty_last_count = std::numeric_limits<std::int32_t>::min();
  sampling.seed = std::numeric_limits<std::uint64_t>::max();
  sampling.logit_bias = {{7, -std::numeric_limits<float>::infinity()}, {-1, 0.5F}};
  return sampling;
}

inline std::vector<FrontMessage> every_front_message() {
  const Token last = std::numeric_limits<Token>::max();
  const std::string odd_text("a\0b\xff\xfe", 5);  // bytes are bytes: NUL and invalid UTF-8 pass
  return {
      TokenizeRequest{},
      TokenizeRequest{.id = 1ULL << 63, .segments = {{odd_text, true}, {"", false, {last, 0, -1}}}, .count_only = true},
      Job{},
      Job{.id = 9,
          .prompt = {0, -1, last},
          .resumed_count = 2,
          .boundaries = {1, 2},
          .tokens_max = 4096,
          .sampling = full_sampling(),
          .cache_salt = odd_text,
          .priority = Priority::Batch,
          .owner = std::numeric_limits<std::uint64_t>::max(),
          .stop_tokens = {5},
          .grammar = "root ::= \"a\"\n",
          .thought = {.tokens_max = std::numeric_limits<std::uint32_t>::max(),
                      .opened = true,
                      .open_text = "<think>",
                      .close_text = "</think>",
                      .closing = odd_text},
          .shown_controls = {"<|channel|>", ""}},
      Cancel{.job = 9},
      Pause{.job = 9},
      Resume{.job = std::numeric_limits<JobId>::max()},
      Probe{.id = 3, .cache_salt = odd_text, .tokens = {1, 2, 3}},
      CacheRequest{},
      CacheRequest{.id = 5,
                   .action = CacheAction::Import,
                   .cache_salt = "key",
                   .every_key = true,
                   .line = "0123",
                   .offset = 1ULL << 40,
                   .bytes = odd_text},
      StatsRequest{.id = 4},
      CacheBudget{.automatic = false, .ram_bytes = std::uint64_t{1} << 40},
      Shutdown{}};
}

inline Explanation full_explanation() {
  const std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
  return {.known_tokens = most,
          .line_tokens = 2,
          .beyond = Beyond::Differs,
          .lost = Lost::NotKept,
          .gone = Gone{.position = 3,
                       .ms_ago = 1ULL << 50,
                       .what_for = GoneFor::Budget,
                       .thinned = true,
                       .for_same_key = true,
                       .for_tokens = most},
          .before = "a",
          .was = "\xff",
          .is = ""};
}

inline std::vector<EngineMessage> every_engine_message() {
  const std::uint32_t most = std::numeric_limits<std::uint32_t>::max();
  Hello hello;
  hello.name = "tiny";
  hello.architecture = "qwen3";
  hello.description = "0.6B Q8_0";
  hello.chat_template = "{{ messages }}\n";
  hello.context_tokens = most;
  hello.live_context_tokens = 32768;
  hello.trained_context_tokens = 40960;
  hello.parallel_jobs = 4;
  hello.parameter_count = 1ULL << 40;
  hello.weights_bytes = 1ULL << 41;
  hello.bos_text = "<s>";
  hello.eos_text = "</s>";
  hello.adds_bos = true;
  hello.special_texts = {"<|im_start|>", "<|im_end|>", ""};
  hello.sampling_defaults = full_sampling();
  hello.memory_kind = "hybrid";
  hello.backend = "CPU";
  hello.kv_types = "f16/f16";
  hello.content_digest = "00ff";
  return {
      LoadProgress{.fraction = 0.5F},
      LoadFailed{.kind = 9, .message = "no memory"},
      Hello{},
      hello,
      TokenizeReply{.id = 1, .count = 3, .tokens = {1, 2, 3}, .segment_ends = {1, 3}, .pieces = {"<s>", "\xff", ""}},
      JobQueued{.job = 9, .jobs_before = 3, .wait_ms = most},
      JobStarted{.job = 9, .cached_tokens = most, .explanation = {}},
      JobStarted{.job = 9, .cached_tokens = 3, .ram_tokens = 2, .disk_tokens = 1, .explanation = full_explanation()},
      JobProgress{.job = 9, .prefilled_tokens = 100},
      TokenEvent{.job = 9, .tokens = {{1, "\xf0\x9f"}, {2, ""}, {-1, std::string(1, '\0')}}},
      JobEnd{.job = 9,
             .reason = EndReason::Failed,
             .prompt_tokens = 1,
             .cached_tokens = 2,
             .sampled_tokens = 3,
             .error_kind = 11,
             .message = "why",
             .retry_after_ms = most},
      ProbeReply{.id = 3, .cached_tokens = 2, .spans = {{1, Tier::Live}, {most, Tier::None}}},
      CacheReply{},
      CacheReply{.id = 5,
                 .failed = true,
                 .error_kind = 1,
                 .message = "no",
                 .lines = {{.id = "0123",
                            .own = true,
                            .pinned = true,
                            .tokens = most,
                            .uses = 1,
                            .used_ms_ago = 2,
                            .spans = {{most, Tier::Disk}}}},
                 .numbers = {{"bytes", 1}},
                 .bytes = std::string(3, '\0')},
      StatsReply{.id = 4, .counters = {{"", 0}, {"tokens_total", std::numeric_limits<std::uint64_t>::max()}}},
      ContextChanged{.context_tokens = most, .live_context_tokens = 65536}};
}

}  // namespace hearth::link
