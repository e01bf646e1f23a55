// Turns: which waiting job starts next, and which running one gives up its place for it. Pure functions of a few values per job, and
// the account of what each owner got.
//
//   1  the most urgent class; who waits long counts as more urgent, so that none starves
//   2  of that class a job that had run and found no room for its next tokens
//   3  else the owner who got least of the machine's time: teammates share it evenly, however much each asks for
//   4  of that owner's kEqualsMax oldest jobs the one whose prompt is known best (the caller looks), which keeps prefixes warm;
//      after kOverdue_ms simply the oldest
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "link/messages.h"

namespace hearth::sched {

inline constexpr std::int64_t kSideAgedMs = 5'000;     // a title may come late, but it comes
inline constexpr std::int64_t kBatchAgedMs = 300'000;  // then batch work has its turn among the others
inline constexpr std::int64_t kOverdueMs = 10'000;
inline constexpr std::size_t kEqualsMax = 8;  // each is looked up in the cache, at 0.1 ms
// Before a job is set aside for another owner's the one has run and the other waited so long.
inline constexpr std::int64_t kTurnMs = 10'000;
inline constexpr std::size_t kOwnersMax = 4096;  // remembered without jobs
inline constexpr double kCreditMostUs = 10e6;

// How urgent a job is that has waited so long, all together; the time for which it ran is none of that.
[[nodiscard]] link::Priority urgency(link::Priority asked, std::int64_t waited_ms);

// What each owner got, in microseconds of steps. Who comes new, or back after a while, starts level with those who are there. And who
// was there all the time but asked for little is not owed all that the others took: at most kCreditMost_us of it.
class OwnerAccounts {
 public:
  void opened(std::uint64_t owner);  // a job of it came
  void closed(std::uint64_t owner);  // and ended
  void charge(std::uint64_t owner, double used_us);
  [[nodiscard]] double used_us(std::uint64_t owner) const;
  [[nodiscard]] std::size_t open_count() const { return open_count_; }  // owners with jobs
  void check_invariants() const;

 private:
  struct Account {
    double used_us = 0;
    std::uint32_t jobs = 0;
  };
  [[nodiscard]] double least_of_open() const;

  std::map<std::uint64_t, Account> accounts_;
  std::size_t open_count_ = 0;
  double most_us_ = 0;  // that any owner got
};

struct WaitingJob {
  link::JobId id = 0;
  link::Priority urgency = link::Priority::Interactive;
  std::uint64_t owner = 0;
  std::uint64_t arrival = 0;    // smaller came earlier
  std::int64_t waiting_ms = 0;  // since it came, or was set aside
  bool lost_room = false;       // had started, and no cells were left for it
};

// Those among which the one with the best known prompt may start, the oldest first. Empty when none waits.
[[nodiscard]] std::vector<link::JobId> next_turn(std::span<const WaitingJob> waiting, const OwnerAccounts& accounts);

struct RunningJob {
  link::JobId id = 0;
  link::Priority urgency = link::Priority::Interactive;
  std::uint64_t owner = 0;
  std::uint64_t arrival = 0;
  std::int64_t running_ms = 0;  // since it got its place
  bool paused = false;
  std::int64_t paused_ms = 0;
};

// Which of the running jobs, one on each of all places, gives up its place for `next`: one whose reader is slow; else batch work, for
// what is not; else (turns_allowed) the youngest job of an owner who has more than an even share, when next's owner has less.
[[nodiscard]] std::optional<link::JobId> gives_place(std::span<const RunningJob> running, const WaitingJob& next,
                                                     std::size_t owners, bool turns_allowed);

}  // namespace hearth::sched
