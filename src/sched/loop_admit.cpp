// From a link::Job to a running JobState: what is refused, what waits, and with which prefix a job begins.
#include <algorithm>
#include <cmath>
#include <format>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"
#include "sched/loop.h"

namespace hearth::sched {
namespace {

// A branch point nearer to what is cached already saves less than a copy of the state costs.
constexpr std::uint32_t kBranchTokensMin = 64;
// Each stop cuts a chunk short and takes a copy of the state: waiting jobs may not ask for more of them than this.
constexpr std::size_t kStopsMax = 16;
// Instructions shorter than this are computed again in the time that bringing back some of them takes.
constexpr std::uint32_t kPartsTokensMin = 2048;

template <class T>
T chosen(const std::optional<T>& asked, T model_default, T built_in) {
  if (asked) return *asked;
  if constexpr (std::is_floating_point_v<T>)
    return std::isnan(model_default) ? built_in : model_default;
  else
    return model_default == std::numeric_limits<T>::min() ? built_in : model_default;
}

// Of a resumed job more comes back than its prompt has. A line is pool, RAM, disk in this order.
cache::Brought without_end(cache::Brought brought, std::uint32_t end_tokens) {
  const std::uint32_t of_disk = std::min(end_tokens, brought.disk);
  brought.disk -= of_disk;
  brought.ram -= std::min(end_tokens - of_disk, brought.ram);
  return brought;
}

}  // namespace

engine::SamplingSettings Loop::settings_for(const link::Sampling& asked) const {
  const engine::SamplingSettings built_in;
  const engine::SamplingDefaults& model = info_.sampling_defaults;
  engine::SamplingSettings settings;
  settings.temperature = chosen(asked.temperature, model.temperature, built_in.temperature);
  settings.top_k = chosen(asked.top_k, model.top_k, built_in.top_k);
  settings.top_p = chosen(asked.top_p, model.top_p, built_in.top_p);
  settings.min_p = chosen(asked.min_p, model.min_p, built_in.min_p);
  settings.repeat_penalty = chosen(asked.repeat_penalty, model.repeat_penalty, built_in.repeat_penalty);
  settings.frequency_penalty = asked.frequency_penalty.value_or(built_in.frequency_penalty);
  settings.presence_penalty = asked.presence_penalty.value_or(built_in.presence_penalty);
  settings.penalty_last_count = chosen(asked.penalty_last_count, model.penalty_last_count, built_in.penalty_last_count);
  settings.seed = asked.seed ? *asked.seed : random_u64();
  settings.logit_bias = asked.logit_bias;
  return settings;
}

Result<Loop::JobPointer> Loop::accept(link::Job&& job) {
  const auto vocabulary = static_cast<engine::Token>(info_.vocabulary_count);
  if (job.prompt.empty() || job.resumed_count >= job.prompt.size())
    return fail(ErrorKind::InvalidInput, "the prompt is empty");
  if (std::ranges::any_of(job.prompt, [&](engine::Token token) { return token < 0 || token >= vocabulary; }))
    return fail(ErrorKind::InvalidInput, "the prompt holds a token that the model's vocabulary does not have");
  const auto prompt_tokens = static_cast<std::uint32_t>(job.prompt.size() - job.resumed_count);
  // One token is left for the answer. The words are the wire's: clients compact on them (wire/anthropic_events.h). The
  // front refuses first; what comes here was submitted while an engine with a smaller context took over.
  if (prompt_tokens >= info_.context_limit_tokens)
    return fail(ErrorKind::PromptTooLong, std::format("prompt is too long: {} tokens > {} maximum", prompt_tokens,
                                                      info_.context_limit_tokens - 1));
  // Those that run count too, or an engine that takes over for another would refuse some of what that one had accepted.
  if (waiting_.size() + running_.size() >= options_.waiting_jobs_max + options_.parallel_jobs)
    return fail(ErrorKind::Overloaded,
                std::format("{} requests are waiting already; try again later", waiting_.size()));

  auto state = std::make_unique<JobState>(settings_for(job.sampling));
  state->id = job.id;
  state->arrival = ++arrivals_;
  state->priority = job.priority;
  state->owner = job.owner;
  state->arrived_ms = state->waiting_since_ms = clock_.now_ms();
  state->prompt_tokens = prompt_tokens;
  state->tokens = std::move(job.prompt);
  state->stop_tokens = std::move(job.stop_tokens);
  state->tokens_max = job.tokens_max;
  state->cache_salt = std::move(job.cache_salt);
  TRY(shape_answer(*state, job));
  for (const std::uint32_t boundary : job.boundaries) {
    const std::uint32_t last = state->boundaries.empty() ? 0 : state->boundaries.back();
    if (boundary > last && boundary < state->prompt_tokens) state->boundaries.push_back(boundary);
  }
  return state;
}

// The grammar of the answer and the budget of its thoughts. Both follow from the tokens: a resumed job's are taken again.
Result<void> Loop::shape_answer(JobState& state, const link::Job& job) {
  if (!job.grammar.empty() && info_.follows_grammars) {
    TRY_ASSIGN(state.constraint, constraints_.make(job.grammar, state.stop_tokens));
  }
  state.thought = ThoughtBudget(job.thought, *tokenizer_);
  for (const std::string& text : job.shown_controls) {
    const auto tokens = tokenizer_->tokenize(text, /*parse_special=*/true);
    if (tokens.size() == 1 && tokenizer_->piece(tokens.front()).empty()) state.shown_controls.push_back(tokens.front());
  }
  for (const engine::Token token : std::span(state.tokens).subspan(state.prompt_tokens)) shape_with(state, token);
  return {};
}

void Loop::shape_with(JobState& job, engine::Token token) {
  job.thought.take(token, *tokenizer_);
  if (job.constraint == nullptr || job.constraint->take(token)) return;
  // What was written for the model, or before a crash, is not what this grammar knows: the parser's repair is left.
  log_error("sched", "job {}: token {} does not follow its grammar; the rest is not held to it", job.id, token);
  job.constraint.reset();
  ++totals_.constraints_lost;
}

void Loop::submit(link::Job job) {
  const auto same = [&](const JobPointer& other) { return other != nullptr && other->id == job.id; };
  if (std::ranges::any_of(waiting_, same) || std::ranges::any_of(running_, same)) {
    log_error("sched", "job {} was submitted twice; the second one is ignored", job.id);
    return;
  }
  const link::JobId id = job.id;
  const auto prompt_tokens =
      static_cast<std::uint32_t>(job.prompt.size() - std::min<std::size_t>(job.resumed_count, job.prompt.size()));
  auto state = accept(std::move(job));
  if (!state) {
    ++totals_.jobs_refused;
    publish_(link::JobEnd{.job = id,
                          .reason = link::EndReason::Failed,
                          .prompt_tokens = prompt_tokens,
                          .error_kind = static_cast<std::uint8_t>(state.error().kind),
                          .message = state.error().message,
                          .retry_after_ms = state.error().kind == ErrorKind::Overloaded ? expected_wait_ms(0) : 0});
    return;
  }
  ++totals_.jobs_accepted;
  JobState& accepted = **state;
  accounts_.opened(accepted.owner);
  // A resumed job may have been at its end already when the engine died.
  if (accepted.tokens_max != 0 && accepted.sampled() >= accepted.tokens_max)
    return end(accepted, link::EndReason::TokensMax);
  if (accepted.token_count() >= info_.context_limit_tokens) return end(accepted, link::EndReason::ContextFull);
  // It will have to wait for a place: what it needs of the disk can come meanwhile.
  if (running_.size() >= options_.parallel_jobs) cache_.expect(accepted.cache_salt, accepted.tokens);
  waiting_.push_back(std::move(*state));
  queue_grew_ = true;
}

// Several agents that begin with the same instructions at the same moment: the first one computes them, the others wait
// and begin from its state. Prompts are compared when a job could start and again when the one it waited for is there;
// not per step.
bool Loop::still_joined(const JobState& job) const {
  return job.joined_job && std::ranges::any_of(running_, [&](const JobPointer& other) {
           return other->id == *job.joined_job && !other->paused && other->computed < job.joined_tokens;
         });
}

bool Loop::waits_for_prefix(JobState& job) {
  job.joined_job.reset();
  std::uint32_t usable = 0;
  bool usable_known = false;
  for (const JobPointer& other : running_) {
    if (other->paused || other->pending() <= 1 || other->cache_salt != job.cache_salt) continue;
    std::uint32_t common = std::min(cache::common_prefix(other->tokens, job.tokens), job.token_count() - 1);
    if (other->importing) {
      // What it gets back is shared once it is there; to bring it back twice would cost the pool twice.
      if (common < options_.join_tokens_min) continue;
      if (cache_.usable_tokens(job.cache_salt, job.tokens) >= common + options_.join_tokens_min) continue;
      job.joined_job = other->id;
      job.joined_tokens = 1;
      return true;
    }
    if (cache_.keeps_anchors()) {
      // Only what is kept at a stop can be begun from: where the two part is one, from now on.
      if (!usable_known) usable = cache_.usable_tokens(job.cache_salt, job.tokens);
      usable_known = true;
      if (common >= usable + options_.join_tokens_min) add_stop(*other, common);
      const auto after = std::ranges::upper_bound(other->stops, common);
      common = after == other->stops.begin() ? 0 : *std::prev(after);
    }
    if (common <= other->computed) continue;
    if (!usable_known) usable = cache_.usable_tokens(job.cache_salt, job.tokens);
    usable_known = true;
    if (common < usable + options_.join_tokens_min) continue;
    job.joined_job = other->id;
    job.joined_tokens = common;
    ++totals_.jobs_joined;
    return true;
  }
  return false;
}

// A further place where a running prefill keeps its state, when it saves more than the place before would.
void Loop::add_stop(JobState& job, std::uint32_t position) const {
  const std::uint32_t unit = std::max<std::uint32_t>(info_.prefill_unit, 1);
  position = position / unit * unit;
  const auto after = std::ranges::upper_bound(job.stops, position);
  const std::uint32_t before = after == job.stops.begin() ? 0 : *std::prev(after);
  if (job.stops.size() < kStopsMax && position > job.computed && position < job.token_count() &&
      position >= before + options_.join_tokens_min)
    job.stops.insert(after, position);
}

bool Loop::start(JobState& job) {
  auto placement = cache_.place(job.cache_salt, job.tokens);
  if (!placement) return false;
  job.sequence = placement->sequence;
  job.importing = placement->importing;
  job.branch_point = placement->branch_point;
  job.first_logits = std::move(placement->logits);
  job.computed = 0;
  if (!job.importing) begin_computing(job, placement->cached_tokens);
  return true;
}

// The sequence holds what it begins with; only now it is certain how much that is.
void Loop::begin_computing(JobState& job, std::uint32_t cached_tokens) {
  job.importing = false;
  job.computed = cached_tokens;
  choose_stops(job);
  job.progress_told_ms = clock_.now_ms();
  if (!job.started) {
    job.started = true;
    job.cached_tokens = std::min(cached_tokens, job.prompt_tokens);
    totals_.tokens_cached += job.cached_tokens;
    queue_ms_.add(static_cast<std::uint64_t>(clock_.now_ms() - job.arrived_ms));
    const cache::Brought brought = without_end(cache_.brought(*job.sequence), cached_tokens - job.cached_tokens);
    totals_.tokens_from_ram += brought.ram;
    totals_.tokens_from_disk += brought.disk;
    publish_(link::JobStarted{.job = job.id,
                              .cached_tokens = job.cached_tokens,
                              .ram_tokens = brought.ram,
                              .disk_tokens = brought.disk,
                              .explanation = explanation_of(job)});
  }
  // The very tokens that were computed before: what follows them was kept, and no pass is needed for the next one.
  const std::vector<float> logits = std::exchange(job.first_logits, {});
  if (job.pending() == 0) sample(job, logits);
}

// Where state that cannot be cut is kept: the end of the instructions (every conversation of this agent begins there),
// the end of the last turn before this one (where the user goes back to, or another agent branches off), the start of the
// answer (the next turn, when it renders this answer differently from how it was sampled), and the point where earlier
// prompts branched off.
void Loop::choose_stops(JobState& job) const {
  job.stops.clear();
  if (!cache_.keeps_anchors()) return;
  std::vector<std::uint32_t> stops;
  if (!job.boundaries.empty()) stops = {job.boundaries.front(), job.boundaries.back()};
  if (job.boundaries.size() > 2) stops.push_back(job.boundaries[job.boundaries.size() - 2]);
  if (job.branch_point >= job.computed + kBranchTokensMin) stops.push_back(job.branch_point);
  // Instructions seen for the first time: another project's may leave them anywhere. With anchors at these parts it computes at
  // most half of what it shares again, once; after that the branch point has an anchor of its own.
  if (!job.boundaries.empty() && job.computed == 0 && job.boundaries.front() >= kPartsTokensMin)
    for (const std::uint32_t eighths : {1U, 2U, 4U, 6U}) stops.push_back(job.boundaries.front() / 8 * eighths);
  const std::uint32_t unit = std::max<std::uint32_t>(info_.prefill_unit, 1);
  for (std::uint32_t& stop : stops) stop = stop / unit * unit;
  std::ranges::sort(stops);
  stops.erase(std::ranges::unique(stops).begin(), stops.end());
  std::erase_if(stops, [&](std::uint32_t stop) { return stop <= job.computed || stop >= job.token_count(); });
  job.stops = std::move(stops);
}

}  // namespace hearth::sched
