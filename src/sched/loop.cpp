// The rounds of the loop. Admission is loop_admit.cpp, the choice of rows plan.cpp, the cache's slices loop_cache.cpp.
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

LoopOptions bounded(LoopOptions options, const engine::EngineInfo& info) {
  options.parallel_jobs = std::clamp<std::uint32_t>(options.parallel_jobs, 1, info.sequences_max);
  // An exact engine takes whole units, whatever was asked for.
  const std::uint32_t least = std::clamp<std::uint32_t>(info.prefill_unit, 1, info.batch_tokens_max);
  options.ubatch_tokens = std::clamp<std::uint32_t>(options.ubatch_tokens, least, info.batch_tokens_max);
  return options;
}

}  // namespace

Loop::Loop(engine::Engine& engine, const Clock& clock, LoopOptions options, Publish publish)
    : engine_(engine),
      clock_(clock),
      info_(engine.info()),
      options_(bounded(options, info_)),
      publish_(std::move(publish)),
      tokenizer_(engine.tokenizer()),
      constraints_(tokenizer_, info_.vocabulary_count),
      cache_(engine, clock, options.cache),
      rows_max_(info_.batch_tokens_max) {}

bool Loop::step() {
  admit();
  import_slices();
  build_batch();
  if (rows_.empty()) {
    remove_ended();
    demote_slice();
    return has_jobs();
  }
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
  demote_slice();
  return has_jobs();
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

// A chunk of prefill takes about step_target_ms, in whole ubatches: the library cuts a batch into those anyway, so the
// sums are the same however many go into one call.
PlanLimits Loop::limits() const {
  const std::uint32_t unit = options_.ubatch_tokens;
  std::uint32_t chunk = unit;
  if (prefill_us_per_token_ > 0) {
    const double units = static_cast<double>(options_.step_target_ms) * 1000.0 / (prefill_us_per_token_ * unit);
    const std::uint32_t units_max = std::max<std::uint32_t>(info_.batch_tokens_max / unit, 1);
    chunk = unit * static_cast<std::uint32_t>(std::clamp(units, 1.0, static_cast<double>(units_max)));
  }
  return {.batch_tokens = rows_max_, .prefill_tokens = chunk, .prefill_tokens_beside = unit};
}

void Loop::build_batch() {
  rows_.clear();
  plan_.clear();
  plan_jobs_.clear();
  for (const JobPointer& job : running_)
    plan_jobs_.push_back({.pending = job->importing || job->ended ? 0 : job->pending(),
                          .until_stop = job->until_stop(),
                          .chunk = job->chunk(info_.prefill_unit),
                          .arrival = job->arrival});
  if (std::ranges::all_of(plan_jobs_, [](const PlanJob& job) { return job.pending == 0; })) return;
  plan_ = plan_batch(plan_jobs_, limits(), turn_++);
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

void Loop::after_decode(std::int64_t decode_us) {
  totals_.decode_us += static_cast<std::uint64_t>(decode_us);
  earn_credit(decode_us);
  std::uint32_t prefilled = 0;
  for (const PlannedRows& part : plan_) {
    JobState& job = *running_[part.job_index];
    const bool was_prefill = job.computed < job.prompt_tokens || part.count > 1;
    cache_.append(*job.sequence, std::span(job.tokens).subspan(job.computed, part.count));
    job.computed += part.count;
    if (was_prefill) prefilled += part.count;
  }
  totals_.tokens_prefilled += prefilled;
  if (prefilled >= options_.ubatch_tokens) {
    // Decoding rows beside it are few: they do not blur the average much.
    const double measured = static_cast<double>(decode_us) / static_cast<double>(prefilled);
    prefill_us_per_token_ = prefill_us_per_token_ == 0 ? measured : 0.7 * prefill_us_per_token_ + 0.3 * measured;
    cache_.set_prefill_cost(prefill_us_per_token_);
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
  if (job.tokens_max != 0 && job.sampled() >= job.tokens_max) return end(job, link::EndReason::TokensMax);
  if (job.token_count() >= info_.context_tokens) return end(job, link::EndReason::ContextFull);
}

void Loop::tell_progress(JobState& job) {
  const std::int64_t now_ms = clock_.now_ms();
  if (now_ms - job.progress_told_ms < kProgressEveryMs) return;
  job.progress_told_ms = now_ms;
  publish_(link::JobProgress{.job = job.id, .prefilled_tokens = std::min(job.computed, job.prompt_tokens)});
}

// The batch found no cells. Idle prefixes go first, the oldest before the others; then the youngest job goes back to the
// queue, with what it has sampled. A job that is alone tries smaller batches; when there is no room for one row it has used
// up the context.
void Loop::make_room() {
  if (cache_.make_room()) return;
  if (running_.size() == 1) {
    const bool divisible = rows_.size() > 1 && info_.prefill_unit == 0;
    if (!divisible) return end(*running_.front(), link::EndReason::ContextFull);
    rows_max_ = static_cast<std::uint32_t>(rows_.size() / 2);
    return;
  }
  const auto youngest = std::ranges::max_element(running_, {}, [](const JobPointer& job) { return job->arrival; });
  JobState& job = **youngest;
  cache_.release(*job.sequence);
  job.sequence.reset();
  job.importing = false;
  job.computed = 0;
  job.preempted_at_end_count = totals_.jobs_ended;
  ++totals_.jobs_preempted;
  waiting_.push_front(std::move(*youngest));
  running_.erase(youngest);
}

// What the engine holds of these jobs is unknown now. The others go on.
void Loop::fail_batch(const Error& error) {
  log_error("sched", "a batch failed: {}", error.message);
  for (const PlannedRows& part : plan_) fail_job(*running_[part.job_index], error);
}

// Its sequence may hold anything: nothing of it is kept.
void Loop::fail_job(JobState& job, const Error& error) {
  CHECK(!job.ended);
  job.ended = true;
  cache_.drop(*job.sequence);
  job.sequence.reset();
  ++totals_.jobs_failed;
  publish_end(job, {.reason = link::EndReason::Failed,
                    .error_kind = static_cast<std::uint8_t>(error.kind),
                    .message = error.message});
}

void Loop::end(JobState& job, link::EndReason reason, std::uint32_t ending_tokens) {
  CHECK(!job.ended);
  job.ended = true;
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
  end.job = job.id;
  end.prompt_tokens = job.prompt_tokens;
  end.cached_tokens = job.cached_tokens;
  end.sampled_tokens += job.sampled();
  publish_(std::move(end));
}

void Loop::remove_ended() {
  std::erase_if(running_, [](const JobPointer& job) { return job->ended; });
}

std::uint32_t Loop::usable_tokens(std::span<const engine::Token> prompt, const std::string& salt) const {
  return cache_.usable_tokens(salt, prompt);
}

std::map<std::string, std::uint64_t> Loop::counters() const {
  std::map<std::string, std::uint64_t> all = cache_.counters();
  all.insert({
      {"jobs_accepted", totals_.jobs_accepted},
      {"jobs_refused", totals_.jobs_refused},
      {"jobs_ended", totals_.jobs_ended},
      {"jobs_failed", totals_.jobs_failed},
      {"jobs_cancelled", totals_.jobs_cancelled},
      {"jobs_preempted", totals_.jobs_preempted},
      {"jobs_joined", totals_.jobs_joined},
      {"jobs_running", running_.size()},
      {"jobs_waiting", waiting_.size()},
      {"tokens_prefilled", totals_.tokens_prefilled},
      {"tokens_cached", totals_.tokens_cached},
      {"tokens_sampled", totals_.tokens_sampled},
      {"decode_calls", totals_.decode_calls},
      {"decode_us", totals_.decode_us},
      {"sample_us", totals_.sample_us},
      {"tokens_redrawn", totals_.tokens_redrawn},
      {"tokens_forced", totals_.tokens_forced},
      {"grammars_compiled", constraints_.counts().compiled},
      {"grammars_reused", constraints_.counts().reused},
      {"grammars_bytes", constraints_.counts().bytes},
      {"constraints_lost", totals_.constraints_lost},
  });
  return all;
}

void Loop::check_invariants() const {
  cache_.check_invariants();
  CHECK(running_.size() <= options_.parallel_jobs);
  CHECK(waiting_.size() <= options_.waiting_jobs_max + options_.parallel_jobs);  // preempted ones come back
  CHECK(cache_.running_count() == running_.size());
  for (const JobPointer& job : running_) {
    CHECK(job->sequence && !job->ended && (job->started || job->importing));
    CHECK(job->pending() >= 1);
    CHECK(job->computed == cache_.length(*job->sequence));
    CHECK(job->token_count() < info_.context_tokens);
  }
  for (const JobPointer& job : waiting_) CHECK(!job->sequence && !job->ended && job->computed == 0);
}

}  // namespace hearth::sched
