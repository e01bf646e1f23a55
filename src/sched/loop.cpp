// The rounds of the loop. Admission is loop_admit.cpp, places and room loop_turns.cpp, the choice of rows plan.cpp and pace.cpp,
// the cache's slices loop_cache.cpp.
#include "sched/loop.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace hearth::sched {
namespace {

constexpr std::int64_t kProgressEveryMs = 200;  // a progress line is for people
constexpr std::uint64_t kQueueBounds_ms[] = {1,    10,   50,     100,    250,    500,    1000,
                                             2500, 5000, 10'000, 30'000, 60'000, 300'000};
constexpr std::uint64_t kGapBounds_us[] = {1000,    2000,    5000,    10'000,    20'000,   50'000,
                                           100'000, 200'000, 500'000, 1'000'000, 5'000'000};

LoopOptions bounded(LoopOptions options, const engine::EngineInfo& info) {
  options.parallel_jobs = std::clamp<std::uint32_t>(options.parallel_jobs, 1, info.sequences_max);
  // An exact engine takes whole units, whatever was asked for.
  const std::uint32_t least = std::clamp<std::uint32_t>(info.prefill_unit, 1, info.batch_tokens_max);
  options.ubatch_tokens = std::clamp<std::uint32_t>(options.ubatch_tokens, least, info.batch_tokens_max);
  return options;
}

}  // namespace

Loop::Loop(engine::Engine& engine, const Clock& clock, LoopOptions options, Publish publish,
           std::unique_ptr<cache::DiskTier> disk)
    : engine_(engine),
      clock_(clock),
      info_(engine.info()),
      options_(bounded(options, info_)),
      publish_(std::move(publish)),
      tokenizer_(engine.tokenizer()),
      constraints_(tokenizer_, info_.vocabulary_count),
      cache_(engine, clock, options.cache, std::move(disk)),
      growth_{.ram_budget_bytes = options.cache.ram_bytes_max},
      rows_max_(info_.batch_tokens_max),
      queue_ms_(kQueueBounds_ms),
      stream_gap_us_(kGapBounds_us) {}

bool Loop::step() {
  set_aside_paused();
  admit();
  tell_queue();
  import_slices();
  remove_ended();  // some end as they start or as their import does: they hold no place when room is looked for
  build_batch();
  if (rows_.empty()) {
    remove_ended();
    return demote_slice() || has_work();
  }
  waits_ = false;
  const std::int64_t began_us = clock_.now_us();
  const auto outcome = engine_.decode(rows_);
  ++totals_.decode_calls;
  if (!outcome) {
    fail_batch(outcome.error());
  } else if (*outcome == engine::DecodeOutcome::NoRoom) {
    make_room();
  } else if (*outcome == engine::DecodeOutcome::Done) {
    rows_max_ = info_.batch_tokens_max;
    after_decode(clock_.now_us() - began_us);
  }
  remove_ended();
  return demote_slice() || has_work();
}

void Loop::cancel(link::JobId id) {
  const auto same = [&](const JobPointer& job) { return job->id == id; };
  if (const auto job = std::ranges::find_if(waiting_, same); job != waiting_.end()) {
    end(**job, link::EndReason::Cancelled);
    waiting_.erase(job);
  } else if (const auto active = std::ranges::find_if(running_, same); active != running_.end()) {
    end(**active, link::EndReason::Cancelled);
    remove_ended();
  }  // else it has ended by itself: its JobEnd is on the way
}

// Without streams a chunk takes about step_target_ms, in whole ubatches: the library cuts a batch into those anyway, so the
// sums are the same however many go into one call. Beside streams their pace decides.
PlanLimits Loop::limits() {
  const std::uint32_t unit = options_.ubatch_tokens;
  std::uint32_t chunk = unit;
  if (const double unit_us = costs_.prefill_us(unit); unit_us > 0) {
    const double units = static_cast<double>(options_.step_target_ms) * 1000.0 / unit_us;
    const std::uint32_t units_max = std::max<std::uint32_t>(info_.batch_tokens_max / unit, 1);
    chunk = unit * static_cast<std::uint32_t>(std::clamp(units, 1.0, static_cast<double>(units_max)));
  }
  PlanLimits limits{.batch_tokens = rows_max_, .prefill_tokens = chunk, .prefill_tokens_beside = unit};
  // The plan gives its rows to batch work last: that counts only where there is no other prompt.
  std::uint32_t shortest = std::numeric_limits<std::uint32_t>::max();
  for (const bool last : {false, true}) {
    for (const PlanJob& job : plan_jobs_)
      if (is_prefill(job) && job.last == last) shortest = std::min(shortest, job.pending);
    if (shortest != std::numeric_limits<std::uint32_t>::max()) break;
  }
  // Nobody watches batch work: it is no stream that a prompt would have to wait for.
  const bool streams = std::ranges::any_of(plan_jobs_, [](const PlanJob& job) { return is_stream(job) && !job.last; });
  prefill_held_ = false;
  if (!streams || shortest == std::numeric_limits<std::uint32_t>::max()) return limits;
  limits.prefill_tokens_beside = prefill_rows_beside(
      costs_, pace_, {.rows_min = std::max<std::uint32_t>(info_.prefill_unit, 1), .rows_max = chunk}, shortest);
  prefill_held_ = limits.prefill_tokens_beside == 0;
  return limits;
}

// Batch work, unless somebody more urgent waits for the prefix that it computes.
bool Loop::comes_last(const JobState& job, std::int64_t now_ms) const {
  const auto is_batch = [&](const JobState& any) {
    return urgency(any.priority, any.waited_ms(now_ms)) == link::Priority::Batch;
  };
  return is_batch(job) && std::ranges::none_of(waiting_, [&](const JobPointer& waiting) {
           return waiting->joined_job == job.id && !is_batch(*waiting);
         });
}

void Loop::build_batch() {
  rows_.clear();
  plan_.clear();
  plan_jobs_.clear();
  const std::int64_t now_ms = clock_.now_ms();
  for (const JobPointer& job : running_)
    plan_jobs_.push_back({.pending = job->importing || job->ended || job->paused ? 0 : job->pending(),
                          .until_stop = job->until_stop(),
                          .chunk = job->chunk(info_.prefill_unit),
                          .last = comes_last(*job, now_ms),
                          .arrival = job->arrival});
  if (std::ranges::all_of(plan_jobs_, [](const PlanJob& job) { return job.pending == 0; })) return;
  plan_ = plan_batch(plan_jobs_, limits(), prefill_turn_);
  for (const PlannedRows& part : plan_) {
    const JobState& job = *running_[part.job_index];
    for (std::uint32_t i = job.computed; i < job.computed + part.count; ++i)
      rows_.push_back({.token = job.tokens[i],
                       .position = static_cast<std::int32_t>(i),
                       .sequence = *job.sequence,
                       .wants_logits = i + 1 == job.token_count()});
  }
  CHECK(!rows_.empty() && rows_.size() <= info_.batch_tokens_max);
}

// What the step cost is learned, and charged to those for whom it was.
void Loop::account(std::int64_t decode_us) {
  const auto step_us = static_cast<double>(decode_us);
  std::uint32_t stream_rows = 0;
  for (const PlannedRows& part : plan_) {
    if (is_stream(plan_jobs_[part.job_index])) ++stream_rows;
    accounts_.charge(running_[part.job_index]->owner, step_us * part.count / static_cast<double>(rows_.size()));
  }
  const std::uint32_t prefill_rows = static_cast<std::uint32_t>(rows_.size()) - stream_rows;
  costs_.learn(stream_rows, prefill_rows, step_us);
  pace_ = paced(pace_, costs_, stream_rows, prefill_rows, prefill_held_, step_us);
  if (prefill_rows > 0) {
    ++prefill_turn_;
    if (stream_rows > 0) ++totals_.chunks_beside;
    cache_.set_prefill_cost(costs_.prefill_us(options_.ubatch_tokens) / options_.ubatch_tokens);
  }
  if (prefill_held_) ++totals_.chunks_held;
  // A long chunk beside streams earns the cache no long pause after it.
  const bool chunk_beside = stream_rows > 0 && prefill_rows > 0 && costs_.streams_us() > 0;
  earn_credit(chunk_beside ? std::min(step_us, costs_.streams_us()) : step_us);
}

void Loop::after_decode(std::int64_t decode_us) {
  totals_.decode_us += static_cast<std::uint64_t>(decode_us);
  account(decode_us);
  for (const PlannedRows& part : plan_) {
    JobState& job = *running_[part.job_index];
    if (job.computed < job.prompt_tokens || part.count > 1) totals_.tokens_prefilled += part.count;
    cache_.append(*job.sequence, std::span(job.tokens).subspan(job.computed, part.count));
    job.computed += part.count;
  }

  // Tokens go out before anything else is done with the state.
  const std::int64_t sampling_began_us = clock_.now_us();
  std::size_t row_index = 0;
  for (const PlannedRows& part : plan_) {
    row_index += part.count;
    JobState& job = *running_[part.job_index];
    if (job.pending() > 0) continue;
    const std::span<const float> logits = engine_.logits(row_index - 1);
    if (job.sampled() == 0) cache_.keep_logits(*job.sequence, logits);
    sample(job, logits);
  }
  totals_.sample_us += static_cast<std::uint64_t>(clock_.now_us() - sampling_began_us);

  for (const PlannedRows& part : plan_) {
    JobState& job = *running_[part.job_index];
    if (job.ended) continue;
    if (part.count > 1) cache_.keep_blocks(*job.sequence);
    keep_anchor(job);
    if (job.pending() > 1) tell_progress(job);
  }
}

// The token that the budget of thoughts writes, else the one the sampler draws; where the grammar refuses that one, the one
// it draws with the same random number from what the grammar allows. Nothing when it allows nothing.
std::optional<engine::Token> Loop::draw(JobState& job, std::span<const float> logits) {
  if (const auto forced = job.thought.forced()) {
    ++totals_.tokens_forced;
    return forced;
  }
  if (const auto banned = job.thought.banned()) {
    unbanned_.assign(logits.begin(), logits.end());
    unbanned_[static_cast<std::size_t>(*banned)] = -std::numeric_limits<float>::infinity();
    logits = unbanned_;
  }
  const engine::Token token = job.sampler.sample(logits, job.tokens, job.sampled());
  if (job.constraint == nullptr || job.constraint->allows(token)) return token;
  ++totals_.tokens_redrawn;
  const std::span<const float> allowed = job.constraint->masked(logits);
  if (allowed.empty()) return std::nullopt;
  const engine::Token again = job.sampler.sample(allowed, job.tokens, job.sampled());
  if (!std::isfinite(allowed[static_cast<std::size_t>(again)])) return std::nullopt;
  return again;
}

void Loop::sample(JobState& job, std::span<const float> logits) {
  const std::optional<engine::Token> drawn = draw(job, logits);
  if (!drawn)
    return fail_job(job,
                    {ErrorKind::Internal, "the model's vocabulary cannot write what this request's grammar asks for"});
  const engine::Token token = *drawn;
  ++totals_.tokens_sampled;
  // The sampler passes over NaN, so this is a row of nothing else, or one that overflowed: an answer from it would be noise
  // up to the job's limit, which looks like a model that means it.
  if (!std::isfinite(logits[static_cast<std::size_t>(token)])) {
    log_error("sched", "job {}: the model's output is not a number", job.id);
    return fail_job(job,
                    {ErrorKind::Internal,
                     "the model's output is not a number: its file is damaged, or this device computes it wrongly"});
  }
  if (tokenizer_->is_end_of_generation(token)) return end(job, link::EndReason::EndOfTurn, 1);
  if (std::ranges::contains(job.stop_tokens, token)) return end(job, link::EndReason::StopToken, 1);
  job.tokens.push_back(token);
  shape_with(job, token);
  link::TokenEvent event{.job = job.id};
  const bool shows = std::ranges::contains(job.shown_controls, token);
  event.tokens.push_back({.token = token, .piece = shows ? tokenizer_->shown(token) : tokenizer_->piece(token)});
  publish_(std::move(event));
  const std::int64_t now_us = clock_.now_us();
  if (job.token_us != 0) stream_gap_us_.add(static_cast<std::uint64_t>(now_us - job.token_us));
  job.token_us = now_us;
  if (job.tokens_max != 0 && job.sampled() >= job.tokens_max) return end(job, link::EndReason::TokensMax);
  if (job.token_count() >= info_.context_limit_tokens) return end(job, link::EndReason::ContextFull);
}

void Loop::tell_progress(JobState& job) {
  const std::int64_t now_ms = clock_.now_ms();
  if (now_ms - job.progress_told_ms < kProgressEveryMs) return;
  job.progress_told_ms = now_ms;
  publish_(link::JobProgress{.job = job.id, .prefilled_tokens = std::min(job.computed, job.prompt_tokens)});
}

// What the engine holds of these jobs is unknown now. The others go on.
void Loop::fail_batch(const Error& error) {
  log_error("sched", "a batch failed: {}", error.message);
  for (const PlannedRows& part : plan_) fail_job(*running_[part.job_index], error);
}

// Its sequence, if it has one, may hold anything: nothing of it is kept.
void Loop::fail_job(JobState& job, const Error& error) {
  CHECK(!job.ended);
  job.ended = true;
  learn_run(job);
  if (job.sequence) cache_.drop(*job.sequence);
  job.sequence.reset();
  ++totals_.jobs_failed;
  publish_end(job, {.reason = link::EndReason::Failed,
                    .error_kind = static_cast<std::uint8_t>(error.kind),
                    .message = error.message});
}

void Loop::end(JobState& job, link::EndReason reason, std::uint32_t ending_tokens) {
  CHECK(!job.ended);
  job.ended = true;
  learn_run(job);
  if (job.sequence) {
    cache_.release(*job.sequence);
    job.sequence.reset();
  }
  if (reason == link::EndReason::Cancelled) ++totals_.jobs_cancelled;
  publish_end(job, {.reason = reason, .sampled_tokens = ending_tokens});
}

// Fills in the counts; end.sampled_tokens holds the ending tokens, which are not among job.tokens.
void Loop::publish_end(const JobState& job, link::JobEnd end) {
  ++totals_.jobs_ended;
  accounts_.closed(job.owner);
  end.job = job.id;
  end.prompt_tokens = job.prompt_tokens;
  end.cached_tokens = job.cached_tokens;
  end.sampled_tokens += job.sampled();
  publish_(std::move(end));
}

void Loop::remove_ended() {
  std::erase_if(running_, [](const JobPointer& job) { return job->ended; });
}

}  // namespace hearth::sched
