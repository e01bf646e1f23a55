// See shared_job.h.
#include "server/shared_job.h"

#include <algorithm>
#include <format>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace hearth::server {

SharedJob::SharedJob(std::shared_ptr<Call> call, std::shared_ptr<const ServedModel> model, Ticket ticket,
                     Metrics& metrics)
    : call_(std::move(call)),
      model_(std::move(model)),
      metrics_(metrics),
      ticket_(std::move(ticket)),
      last_work_ms_(call_->clock().now_ms()) {}

bool SharedJob::reserve() {
  if (failed_) return false;
  int expected = expected_.load();
  while (expected > 0 && !expected_.compare_exchange_weak(expected, expected + 1)) {
  }
  return expected > 0;
}

void SharedJob::join(const std::shared_ptr<JobHearer>& hearer) {
  ears_.push_back({.hearer = hearer});
  pause_or_resume();
  if (plan_ || failure_) hearer->hear();
}

void SharedJob::leave(const JobHearer& hearer) {
  std::erase_if(ears_, [&](const Ear& ear) { return ear.hearer.get() == &hearer; });
  if (--expected_ > 0) return pause_or_resume();
  count();
  if (job_) return model_->engine->cancel(*std::exchange(job_, std::nullopt));
  if (!plan_) ticket_ = {};  // it will not be submitted any more
}

// What was done for all of its streams counts once, when none is left: one that goes on after the others may have much to come.
void SharedJob::count() const {
  if (!plan_) return;
  JobTotals totals{.model = model_->card.id, .prompt_tokens = plan_->prompt_tokens};
  totals.output_tokens = std::max<std::uint64_t>(tokens_.size(), end_ ? end_->sampled_tokens : 0);
  if (started_) {
    totals.cached_tokens = std::min(started_->cached_tokens, plan_->prompt_tokens);
    totals.queue_us = times_.started_us - times_.submitted_us;
    if (times_.first_token_us >= 0) totals.prefill_us = times_.first_token_us - times_.started_us;
  }
  call_->log().finish_job(totals);
}

void SharedJob::set_slow(const JobHearer& hearer, bool slow) {
  for (Ear& ear : ears_)
    if (ear.hearer.get() == &hearer) ear.slow = slow;
  pause_or_resume();
}

void SharedJob::pause_or_resume() {
  const bool all_slow = !ears_.empty() && std::ranges::all_of(ears_, [](const Ear& ear) { return ear.slow; });
  if (!job_ || all_slow == paused_) return;
  paused_ = all_slow;
  worked();
  if (paused_) {
    gap_broken_ = was_paused_ = true;
    metrics_.paused(model_->card.id);
    log_info("server", "{}: its reader is slow; the job pauses after {} tokens", call_->record.request_id,
             tokens_.size());
    return model_->engine->pause(*job_);
  }
  model_->engine->resume(*job_);
}

void SharedJob::run(AdmittedJob admitted) {
  CHECK(!plan_ && !failure_);
  const link::Job& job = admitted.job;
  AnswerPlan plan{.prompt_tokens = static_cast<std::uint32_t>(job.prompt.size()),
                  .last_boundary = job.boundaries.empty() ? 0 : job.boundaries.back(),
                  .tokens_max = job.tokens_max,
                  .places = places_of(job.boundaries, static_cast<std::uint32_t>(job.prompt.size())),
                  .parser = std::move(admitted.parser),
                  .turn = std::move(admitted.turn)};
  times_.submitted_us = call_->clock().now_us();
  auto submitted = model_->engine->submit(std::move(admitted.job), shared_from_this());
  if (!submitted) return fail(submitted.error());
  job_ = *submitted;
  plan_ = std::move(plan);
  worked();
  tell();
}

void SharedJob::fail(Error error) {
  CHECK(!plan_);
  failed_ = true;
  failure_ = std::move(error);
  ticket_ = {};
  tell();
}

// A stream may leave while it hears, and with it others' places in the list move.
void SharedJob::tell() {
  const std::vector<Ear> ears = ears_;
  for (const Ear& ear : ears) ear.hearer->hear();
}

SharedJob::Said SharedJob::said(std::size_t from, std::size_t count_max) const {
  CHECK(from < tokens_.size());
  const std::size_t to = std::min(tokens_.size(), from + count_max);
  const std::size_t begin = from == 0 ? 0 : ends_[from - 1];
  return {.tokens = {tokens_.begin() + static_cast<std::ptrdiff_t>(from),
                     tokens_.begin() + static_cast<std::ptrdiff_t>(to)},
          .bytes = std::string_view(bytes_).substr(begin, ends_[to - 1] - begin)};
}

void SharedJob::on_queued(const link::JobQueued& queued) {
  call_->exchange()->post([self = shared_from_this(), queued] {
    self->worked();
    const auto wait =
        queued.wait_ms == 0 ? std::string("some time") : std::format("about {} s", queued.wait_ms / 1000 + 1);
    const auto line = std::format("{}: waits behind {} others of {}, {}", self->call_->record.request_id,
                                  queued.jobs_before, self->model_->card.id, wait);
    if (!std::exchange(self->wait_told_, true))
      return log_info("server", "{}", line);  // hundreds may wait, and each moves up often
    log_debug("server", "{}", line);
  });
}

void SharedJob::on_started(const link::JobStarted& started) {
  call_->exchange()->post([self = shared_from_this(), started] {
    self->worked();
    if (self->started_) return;  // a restarted engine starts it again
    self->started_ = started;
    self->times_.started_us = self->call_->clock().now_us();
    self->ticket_.started(self->call_->clock().now_ms());
    self->tell();
  });
}

void SharedJob::on_progress(const link::JobProgress&) {
  call_->exchange()->post([self = shared_from_this()] { self->worked(); });
}

void SharedJob::on_tokens(const std::vector<link::SampledToken>& tokens) {
  const std::int64_t arrived_us = call_->clock().now_us();
  call_->exchange()->post([self = shared_from_this(), tokens, arrived_us] {
    if (tokens.empty()) return;
    self->worked();
    for (const link::SampledToken& token : tokens) {
      self->tokens_.push_back(token.token);
      self->bytes_ += token.piece;
      self->ends_.push_back(self->bytes_.size());
    }
    Times& times = self->times_;
    if (times.first_token_us < 0) {
      times.first_token_us = arrived_us;
    } else if (!self->paused_ && !std::exchange(self->gap_broken_, false)) {
      self->metrics_.tokens_after(self->model_->card.id, arrived_us - times.last_token_us, tokens.size());
    }
    times.last_token_us = arrived_us;
    self->tell();
  });
}

void SharedJob::on_end(const link::JobEnd& end) {
  const bool is_typical = end.reason != link::EndReason::Failed && end.reason != link::EndReason::Cancelled;
  if (!is_typical) failed_ = true;
  call_->exchange()->post([self = shared_from_this(), end, is_typical] {
    self->job_.reset();
    self->worked();
    self->end_ = end;
    if (is_typical && !self->was_paused_) self->ticket_.ended(self->call_->clock().now_ms());
    self->ticket_ = {};
    self->tell();
  });
}

}  // namespace hearth::server
