// The list of fields of every message, in the order in which they lie in a frame (docs/link-format.md).
// An edit here is an edit of that document and raises kProtocolVersion. Only codec.cpp needs this.
#pragma once

#include <concepts>
#include <tuple>
#include <type_traits>

#include "link/messages.h"

namespace hearth::link {

template <class T, class Struct>
concept Either = std::same_as<std::remove_const_t<T>, Struct>;  // const for writing, mutable for reading

auto fields(Either<Sampling> auto& m) {
  return std::tie(m.temperature, m.top_k, m.top_p, m.min_p, m.repeat_penalty, m.frequency_penalty, m.presence_penalty,
                  m.penalty_last_count, m.seed, m.logit_bias);
}
auto fields(Either<Segment> auto& m) { return std::tie(m.text, m.parse_special, m.tokens); }
auto fields(Either<SampledToken> auto& m) { return std::tie(m.token, m.piece); }

auto fields(Either<TokenizeRequest> auto& m) { return std::tie(m.id, m.segments, m.count_only, m.with_pieces); }
auto fields(Either<Thought> auto& m) { return std::tie(m.tokens_max, m.opened, m.open_text, m.close_text, m.closing); }
auto fields(Either<Job> auto& m) {
  return std::tie(m.id, m.prompt, m.resumed_count, m.boundaries, m.tokens_max, m.sampling, m.cache_salt, m.priority,
                  m.owner, m.stop_tokens, m.grammar, m.thought, m.shown_controls);
}
auto fields(Either<Cancel> auto& m) { return std::tie(m.job); }
auto fields(Either<Pause> auto& m) { return std::tie(m.job); }
auto fields(Either<Resume> auto& m) { return std::tie(m.job); }
auto fields(Either<Probe> auto& m) { return std::tie(m.id, m.cache_salt, m.tokens); }
auto fields(Either<CacheBudget> auto& m) { return std::tie(m.automatic, m.ram_bytes); }
auto fields(Either<StatsRequest> auto& m) { return std::tie(m.id); }
auto fields(Either<Shutdown> auto&) { return std::tie(); }

auto fields(Either<LoadProgress> auto& m) { return std::tie(m.fraction); }
auto fields(Either<LoadFailed> auto& m) { return std::tie(m.kind, m.message); }
auto fields(Either<Hello> auto& m) {
  return std::tie(m.protocol_version, m.name, m.architecture, m.description, m.chat_template, m.context_tokens,
                  m.live_context_tokens, m.trained_context_tokens, m.parallel_jobs, m.parameter_count, m.weights_bytes,
                  m.bos_text, m.eos_text, m.adds_bos, m.special_texts, m.sampling_defaults, m.memory_kind, m.backend,
                  m.kv_types, m.content_digest);
}
auto fields(Either<TokenizeReply> auto& m) { return std::tie(m.id, m.count, m.tokens, m.segment_ends, m.pieces); }
auto fields(Either<JobQueued> auto& m) { return std::tie(m.job, m.jobs_before, m.wait_ms); }
auto fields(Either<Gone> auto& m) {
  return std::tie(m.position, m.ms_ago, m.what_for, m.thinned, m.for_same_key, m.for_tokens);
}
auto fields(Either<Explanation> auto& m) {
  return std::tie(m.known_tokens, m.line_tokens, m.beyond, m.lost, m.gone, m.before, m.was, m.is);
}
auto fields(Either<JobStarted> auto& m) {
  return std::tie(m.job, m.cached_tokens, m.ram_tokens, m.disk_tokens, m.explanation);
}
auto fields(Either<JobProgress> auto& m) { return std::tie(m.job, m.prefilled_tokens); }
auto fields(Either<TokenEvent> auto& m) { return std::tie(m.job, m.tokens); }
auto fields(Either<JobEnd> auto& m) {
  return std::tie(m.job, m.reason, m.prompt_tokens, m.cached_tokens, m.sampled_tokens, m.error_kind, m.message,
                  m.retry_after_ms);
}
auto fields(Either<TierSpan> auto& m) { return std::tie(m.end, m.tier); }
auto fields(Either<ProbeReply> auto& m) { return std::tie(m.id, m.cached_tokens, m.spans); }
auto fields(Either<CacheRequest> auto& m) {
  return std::tie(m.id, m.action, m.cache_salt, m.every_key, m.line, m.offset, m.bytes);
}
auto fields(Either<CacheLine> auto& m) {
  return std::tie(m.id, m.own, m.pinned, m.tokens, m.uses, m.used_ms_ago, m.spans);
}
auto fields(Either<CacheReply> auto& m) {
  return std::tie(m.id, m.failed, m.error_kind, m.message, m.lines, m.numbers, m.bytes);
}
auto fields(Either<ContextChanged> auto& m) { return std::tie(m.context_tokens, m.live_context_tokens); }
auto fields(Either<StatsReply> auto& m) { return std::tie(m.id, m.counters); }

constexpr Priority last_value(Priority) { return Priority::Batch; }
constexpr EndReason last_value(EndReason) { return EndReason::Failed; }
constexpr Beyond last_value(Beyond) { return Beyond::Differs; }
constexpr Lost last_value(Lost) { return Lost::NotKept; }
constexpr GoneFor last_value(GoneFor) { return GoneFor::Budget; }
constexpr Tier last_value(Tier) { return Tier::None; }
constexpr CacheAction last_value(CacheAction) { return CacheAction::Import; }

}  // namespace hearth::link
