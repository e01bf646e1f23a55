// See turns.h.
#include "sched/turns.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "base/check.h"

namespace hearth::sched {

link::Priority urgency(link::Priority asked, std::int64_t waited_ms) {
  if (asked == link::Priority::Batch && waited_ms >= kBatchAgedMs) return link::Priority::Interactive;
  if (asked == link::Priority::Side && waited_ms >= kSideAgedMs) return link::Priority::Interactive;
  return asked;
}

double OwnerAccounts::least_of_open() const {
  double least = std::numeric_limits<double>::max();
  for (const auto& [owner, account] : accounts_)
    if (account.jobs > 0) least = std::min(least, account.used_us);
  return least;
}

// An owner's past counts only as long as it is ahead of the others: time in which it asked for nothing is not saved up.
void OwnerAccounts::opened(std::uint64_t owner) {
  const auto known = accounts_.find(owner);
  if (known == accounts_.end() || known->second.jobs == 0) {
    const double least = open_count_ == 0 ? 0 : least_of_open();
    if (open_count_ == 0) {  // nobody is there to be level with
      accounts_.clear();
      most_us_ = 0;
    }
    Account& account = accounts_[owner];
    account.used_us = std::max(account.used_us, least);
    ++open_count_;
  }
  ++accounts_[owner].jobs;
}

void OwnerAccounts::closed(std::uint64_t owner) {
  Account& account = accounts_[owner];
  CHECK(account.jobs > 0);
  if (--account.jobs > 0) return;
  --open_count_;
  if (accounts_.size() <= kOwnersMax) return;
  const double least = open_count_ == 0 ? 0 : least_of_open();
  std::erase_if(accounts_, [&](const auto& entry) { return entry.second.jobs == 0 && entry.second.used_us <= least; });
  if (accounts_.size() > kOwnersMax) accounts_.erase(owner);
}

void OwnerAccounts::charge(std::uint64_t owner, double used_us) {
  const auto known = accounts_.find(owner);
  CHECK(known != accounts_.end());
  double& used = known->second.used_us;
  used = std::max(used, most_us_ - kCreditMostUs) + used_us;
  most_us_ = std::max(most_us_, used);
}

double OwnerAccounts::used_us(std::uint64_t owner) const {
  const auto known = accounts_.find(owner);
  return known == accounts_.end() ? 0 : std::max(known->second.used_us, most_us_ - kCreditMostUs);
}

void OwnerAccounts::check_invariants() const {
  CHECK(static_cast<std::size_t>(
            std::ranges::count_if(accounts_, [](const auto& entry) { return entry.second.jobs > 0; })) == open_count_);
}

std::vector<link::JobId> next_turn(std::span<const WaitingJob> waiting, const OwnerAccounts& accounts) {
  if (waiting.empty()) return {};
  const auto order = [&](const WaitingJob& job) {
    return std::tuple(job.urgency, !job.lost_room, job.lost_room ? 0.0 : accounts.used_us(job.owner));
  };
  const WaitingJob& first = *std::ranges::min_element(
      waiting, {}, [&](const WaitingJob& job) { return std::tuple_cat(order(job), std::tuple(job.arrival)); });
  if (first.lost_room || first.waiting_ms >= kOverdueMs) return {first.id};
  std::vector<const WaitingJob*> equals;
  for (const WaitingJob& job : waiting)
    if (job.owner == first.owner && job.urgency == first.urgency && !job.lost_room) equals.push_back(&job);
  const std::size_t count = std::min(equals.size(), kEqualsMax);
  std::ranges::partial_sort(equals, equals.begin() + static_cast<std::ptrdiff_t>(count), {}, &WaitingJob::arrival);
  std::vector<link::JobId> ids(count);
  for (std::size_t i = 0; i < count; ++i) ids[i] = equals[i]->id;
  return ids;
}

std::optional<link::JobId> gives_place(std::span<const RunningJob> running, const WaitingJob& next, std::size_t owners,
                                       bool turns_allowed) {
  std::map<std::uint64_t, std::size_t> places;
  for (const RunningJob& job : running) ++places[job.owner];
  const std::size_t share = std::max<std::size_t>(running.size() / std::max<std::size_t>(owners, 1), 1);
  const auto share_of_next = places.find(next.owner);
  const bool next_is_short = share_of_next == places.end() || share_of_next->second < share;

  // The larger the more it should go; within one reason the youngest, for it has least to lose and waited least.
  enum class Reason : std::uint8_t { None, Turn, Batch, Paused };
  const RunningJob* gone = nullptr;
  std::tuple<Reason, std::int64_t, std::uint64_t> most{Reason::None, 0, 0};
  for (const RunningJob& job : running) {
    Reason reason = Reason::None;
    if (job.paused) {
      reason = Reason::Paused;
    } else if (job.urgency == link::Priority::Batch && next.urgency != link::Priority::Batch) {
      reason = Reason::Batch;
    } else if (turns_allowed && next_is_short && places[job.owner] > share && job.running_ms >= kTurnMs &&
               next.waiting_ms >= kTurnMs && next.urgency <= job.urgency) {
      reason = Reason::Turn;
    }
    const std::tuple one{reason, reason == Reason::Paused ? job.paused_ms : 0, job.arrival};
    if (reason != Reason::None && one > most) {
      most = one;
      gone = &job;
    }
  }
  if (gone == nullptr) return std::nullopt;
  return gone->id;
}

}  // namespace hearth::sched
