// The rules of JobTable; see its header for the idea.
#include "models/job_table.h"

#include <algorithm>
#include <format>
#include <utility>

#include "base/check.h"

namespace hearth::models {

using link::EndReason;
using link::JobEnd;
using link::JobId;

void JobTable::add(link::Job job, std::shared_ptr<JobListener> listener) {
  CHECK(!full());
  CHECK(jobs_.empty() || job.id > jobs_.rbegin()->first);
  const JobId id = job.id;
  jobs_.emplace_hint(jobs_.end(), id, LiveJob{.job = std::move(job), .listener = std::move(listener)});
  waiting_.insert(id);
}

link::Job JobTable::to_send(const LiveJob& live) {
  link::Job job = live.job;
  job.prompt.insert(job.prompt.end(), live.delivered.begin(), live.delivered.end());
  job.resumed_count += static_cast<std::uint32_t>(live.delivered.size());
  return job;
}

std::vector<link::Job> JobTable::admit() {
  std::vector<link::Job> sent;
  if (trial_ || waiting_.empty()) return sent;
  const auto board = [&](JobId id) {
    LiveJob& live = jobs_.at(id);
    live.aboard = true;
    live.queued = live.proven = false;
    waiting_.erase(id);
    sent.push_back(to_send(live));
  };
  for (const JobId id : waiting_) {
    if (jobs_.at(id).deaths < kTrialDeaths || jobs_.at(id).paused) continue;
    trial_ = id;
    board(id);
    return sent;
  }
  const std::set<JobId> all = waiting_;
  for (const JobId id : all)
    if (jobs_.at(id).deaths < kTrialDeaths) board(id);
  return sent;
}

std::shared_ptr<JobListener> JobTable::queued(const link::JobQueued& event) {
  const auto at = jobs_.find(event.job);
  if (at == jobs_.end()) return nullptr;
  at->second.queued = at->second.aboard;
  return at->second.listener;
}

std::shared_ptr<JobListener> JobTable::started(const link::JobStarted& event) {
  const auto at = jobs_.find(event.job);
  if (at == jobs_.end()) return nullptr;
  at->second.queued = false;
  if (!at->second.first_cached_tokens) at->second.first_cached_tokens = event.cached_tokens;
  return at->second.listener;
}

std::shared_ptr<JobListener> JobTable::listener(JobId id) const {
  const auto at = jobs_.find(id);
  return at == jobs_.end() ? nullptr : at->second.listener;
}

std::shared_ptr<JobListener> JobTable::delivered(const link::TokenEvent& event) {
  const auto at = jobs_.find(event.job);
  if (at == jobs_.end() || event.tokens.empty()) return nullptr;
  LiveJob& live = at->second;
  for (const link::SampledToken& sampled : event.tokens) live.delivered.push_back(sampled.token);
  live.deaths = 0;
  live.proven = true;
  live.queued = false;  // it may have been set aside
  if (trial_ == event.job) trial_.reset();
  return live.listener;
}

std::optional<EndedJob> JobTable::ended(JobEnd end) {
  const auto at = jobs_.find(end.job);
  if (at == jobs_.end()) return std::nullopt;
  // After a restart the new engine counts what it found in its own, empty cache; the client was told the first count.
  if (at->second.first_cached_tokens) end.cached_tokens = *at->second.first_cached_tokens;
  return remove(at, std::move(end));
}

JobTable::CancelStep JobTable::cancel(JobId id) {
  const auto at = jobs_.find(id);
  if (at == jobs_.end()) return {};
  if (at->second.aboard) return {.tell_engine = !std::exchange(at->second.cancelled, true)};
  return {.ended = remove(at, end_of(at->second, EndReason::Cancelled))};
}

bool JobTable::pause(JobId id) {
  const auto at = jobs_.find(id);
  if (at == jobs_.end() || std::exchange(at->second.paused, true)) return false;
  return at->second.aboard && trial_ != id;
}

bool JobTable::resume(JobId id) {
  const auto at = jobs_.find(id);
  return at != jobs_.end() && std::exchange(at->second.paused, false) && at->second.aboard && trial_ != id;
}

bool JobTable::paused(JobId id) const {
  const auto at = jobs_.find(id);
  return at != jobs_.end() && at->second.paused && trial_ != id;
}

bool JobTable::awaits_engine() const {
  return std::ranges::any_of(jobs_, [this](const auto& entry) {
    return entry.second.aboard && (!entry.second.paused || trial_ == entry.first);
  });
}

std::vector<EndedJob> JobTable::engine_died(std::string_view how) {
  std::vector<EndedJob> ended;
  const bool others_suspect = std::ranges::any_of(jobs_, [this](const auto& entry) {
    return entry.second.aboard && !entry.second.proven && entry.first != trial_;
  });
  trial_.reset();
  for (auto at = jobs_.begin(); at != jobs_.end();) {
    const auto here = at++;
    LiveJob& live = here->second;
    if (!live.aboard) continue;
    live.aboard = false;
    const bool on_trial_beside_others = live.deaths >= kTrialDeaths && others_suspect;
    if (!std::exchange(live.queued, false) && !on_trial_beside_others) ++live.deaths;
    waiting_.insert(here->first);
    if (live.cancelled) {
      ended.push_back(remove(here, end_of(live, EndReason::Cancelled)));
    } else if (live.job.tokens_max > 0 && live.job.resumed_count + live.delivered.size() >= live.job.tokens_max) {
      ended.push_back(remove(here, end_of(live, EndReason::TokensMax)));
    } else if (live.deaths >= kDeathsMax) {
      JobEnd end = end_of(live, EndReason::Failed);
      end.error_kind = static_cast<std::uint8_t>(ErrorKind::Internal);
      end.message = std::format(
          "the engine died {} times in a row on this request (last: {}), so it was given up; other requests go on. "
          "Send a shorter or different request, or see the server's log for the cause",
          live.deaths, how);
      ended.push_back(remove(here, std::move(end)));
    }
  }
  return ended;
}

std::vector<EndedJob> JobTable::end_those_that_fill(std::uint32_t context_tokens) {
  std::vector<EndedJob> ended;
  for (auto at = jobs_.begin(); at != jobs_.end();) {
    const auto here = at++;
    const LiveJob& live = here->second;
    // A first prompt that is too long gets the engine's own answer.
    if (live.aboard || live.delivered.empty()) continue;
    if (live.job.prompt.size() + live.delivered.size() < context_tokens) continue;
    ended.push_back(remove(here, end_of(live, EndReason::ContextFull)));
  }
  return ended;
}

std::vector<EndedJob> JobTable::end_all(const Error& reason) {
  std::vector<EndedJob> ended;
  while (!jobs_.empty()) {
    JobEnd end = end_of(jobs_.begin()->second, EndReason::Failed);
    end.error_kind = static_cast<std::uint8_t>(reason.kind);
    end.message = reason.message;
    ended.push_back(remove(jobs_.begin(), std::move(end)));
  }
  return ended;
}

JobEnd JobTable::end_of(const LiveJob& live, EndReason reason) {
  JobEnd end{.job = live.job.id, .reason = reason};
  end.prompt_tokens = static_cast<std::uint32_t>(live.job.prompt.size()) - live.job.resumed_count;
  end.cached_tokens = live.first_cached_tokens.value_or(0);
  end.sampled_tokens = live.job.resumed_count + static_cast<std::uint32_t>(live.delivered.size());
  return end;
}

EndedJob JobTable::remove(Jobs::iterator at, JobEnd end) {
  EndedJob ended{.listener = std::move(at->second.listener), .end = std::move(end)};
  waiting_.erase(at->first);
  if (trial_ == at->first) trial_.reset();
  jobs_.erase(at);
  return ended;
}

void JobTable::check_invariants() const {
  CHECK(jobs_.size() <= jobs_max_);
  std::size_t waiting = 0;
  for (const auto& [id, live] : jobs_) {
    CHECK(live.job.id == id);
    CHECK(live.listener != nullptr);
    CHECK(live.deaths < kDeathsMax);
    CHECK(live.aboard != waiting_.contains(id));
    waiting += live.aboard ? 0 : 1;
    // Aboard with enough deaths for a trial is only the one on trial.
    CHECK(!live.aboard || live.deaths < kTrialDeaths || trial_ == id);
  }
  CHECK(waiting == waiting_.size());
  CHECK(!trial_ || jobs_.contains(*trial_));
}

}  // namespace hearth::models
