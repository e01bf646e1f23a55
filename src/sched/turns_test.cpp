// Whose turn it is, as a table: classes, ageing, owners, and who gives up a place.
#include "sched/turns.h"

#include <doctest/doctest.h>

namespace hearth::sched {
namespace {

using link::Priority;
using Ids = std::vector<link::JobId>;

OwnerAccounts accounts_of(std::initializer_list<std::pair<std::uint64_t, double>> used) {
  OwnerAccounts accounts;
  for (const auto& [owner, us] : used) accounts.opened(owner);
  for (const auto& [owner, us] : used) accounts.charge(owner, us);
  return accounts;
}

TEST_CASE("the more urgent class goes first, whoever came earlier") {
  const auto accounts = accounts_of({{0, 0}});
  CHECK(next_turn(std::vector<WaitingJob>{{.id = 1, .urgency = Priority::Batch, .arrival = 1},
                                          {.id = 2, .urgency = Priority::Side, .arrival = 2},
                                          {.id = 3, .urgency = Priority::Interactive, .arrival = 3}},
                  accounts) == Ids{3});
}

TEST_CASE("who waits long counts as more urgent") {
  CHECK(urgency(Priority::Side, kSideAgedMs - 1) == Priority::Side);
  CHECK(urgency(Priority::Side, kSideAgedMs) == Priority::Interactive);
  CHECK(urgency(Priority::Batch, kBatchAgedMs - 1) == Priority::Batch);
  CHECK(urgency(Priority::Batch, kBatchAgedMs) == Priority::Interactive);
}

TEST_CASE("the owner who got least goes first, however many jobs another has") {
  const auto accounts = accounts_of({{7, 100}, {8, 20}});
  CHECK(next_turn(std::vector<WaitingJob>{{.id = 1, .owner = 7, .arrival = 1},
                                          {.id = 2, .owner = 7, .arrival = 2},
                                          {.id = 3, .owner = 8, .arrival = 3}},
                  accounts) == Ids{3});
}

TEST_CASE("the oldest jobs of one owner are equals, at most so many") {
  std::vector<WaitingJob> waiting;
  for (link::JobId id = 20; id > 0; --id) waiting.push_back({.id = id, .arrival = id});
  CHECK(next_turn(waiting, accounts_of({{0, 0}})) == Ids{1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("after a while the oldest has no equals") {
  const auto accounts = accounts_of({{0, 0}});
  CHECK(next_turn(std::vector<WaitingJob>{{.id = 1, .arrival = 1, .waiting_ms = kOverdueMs}, {.id = 2, .arrival = 2}},
                  accounts) == Ids{1});
}

TEST_CASE("a job that lost its room goes before its class and not before a more urgent one") {
  const auto accounts = accounts_of({{0, 0}, {1, 50}});
  const WaitingJob lost{.id = 1, .owner = 1, .arrival = 9, .lost_room = true};
  CHECK(next_turn(std::vector<WaitingJob>{{.id = 2, .arrival = 1}, lost}, accounts) == Ids{1});
  WaitingJob batch = lost;
  batch.urgency = Priority::Batch;
  CHECK(next_turn(std::vector<WaitingJob>{batch, {.id = 2, .arrival = 1}}, accounts) == Ids{2});
}

TEST_CASE("who asked for little beside one that asked for much has its turn first, for so long and no longer") {
  OwnerAccounts accounts;
  accounts.opened(1);
  accounts.opened(2);
  accounts.charge(1, 600e6);
  double got_us = 0;
  while (accounts.used_us(2) < accounts.used_us(1)) {
    accounts.charge(2, 0.5e6);
    got_us += 0.5e6;
  }
  CHECK(got_us == kCreditMostUs);
}

TEST_CASE("nobody waiting is nobody's turn") { CHECK(next_turn({}, OwnerAccounts{}).empty()); }

TEST_CASE("an owner who comes new or back starts level with those who are there, and keeps what it took too much") {
  OwnerAccounts accounts;
  accounts.opened(1);
  accounts.opened(2);
  accounts.charge(1, 100);
  accounts.charge(2, 40);
  accounts.opened(3);
  CHECK(accounts.used_us(3) == 40);
  accounts.closed(1);
  accounts.opened(1);
  CHECK(accounts.used_us(1) == 100);
  accounts.closed(3);
  accounts.charge(2, 500);
  accounts.opened(3);
  CHECK(accounts.used_us(3) == 100);
  CHECK(accounts.open_count() == 3);
  accounts.check_invariants();
}

TEST_CASE("owners without jobs are forgotten when there are too many of them") {
  OwnerAccounts accounts;
  accounts.opened(0);
  for (std::uint64_t owner = 1; owner < 3 * kOwnersMax; ++owner) {
    accounts.opened(owner);
    accounts.charge(owner, static_cast<double>(owner));
    accounts.closed(owner);
  }
  CHECK(accounts.open_count() == 1);
  CHECK(accounts.used_us(3 * kOwnersMax - 1) == 0);
  accounts.check_invariants();
}

// ---- who gives up a place ---------------------------------------------------------------------------------------------

const WaitingJob kNext{.id = 9, .owner = 2, .arrival = 9, .waiting_ms = kTurnMs};

TEST_CASE("of interactive jobs of one owner none gives up its place") {
  const std::vector<RunningJob> running{{.id = 1, .owner = 2, .running_ms = 1'000'000},
                                        {.id = 2, .owner = 2, .running_ms = 1'000'000}};
  CHECK_FALSE(gives_place(running, kNext, 1, true));
}

TEST_CASE("the job that is paused longest gives up its place before batch work does") {
  const std::vector<RunningJob> running{{.id = 1, .urgency = Priority::Batch, .arrival = 8},
                                        {.id = 2, .arrival = 1, .paused = true, .paused_ms = 10},
                                        {.id = 3, .arrival = 2, .paused = true, .paused_ms = 20}};
  CHECK(gives_place(running, kNext, 1, false) == 3);
}

TEST_CASE("the youngest batch job gives up its place, and not for another batch job") {
  const std::vector<RunningJob> running{{.id = 1, .urgency = Priority::Batch, .arrival = 1},
                                        {.id = 2, .urgency = Priority::Batch, .arrival = 2},
                                        {.id = 3, .arrival = 3}};
  CHECK(gives_place(running, kNext, 1, false) == 2);
  WaitingJob batch = kNext;
  batch.urgency = Priority::Batch;
  CHECK_FALSE(gives_place(running, batch, 1, false));
}

TEST_CASE("an owner with more than its share gives a place to one with less, after both had their time") {
  std::vector<RunningJob> running(4, {.owner = 1, .running_ms = kTurnMs});
  for (std::size_t i = 0; i < running.size(); ++i) running[i].id = running[i].arrival = i + 1;
  CHECK(gives_place(running, kNext, 2, true) == 4);
  CHECK_FALSE(gives_place(running, kNext, 2, false));
  running[3].running_ms = kTurnMs - 1;
  CHECK(gives_place(running, kNext, 2, true) == 3);
  WaitingJob early = kNext;
  early.waiting_ms = kTurnMs - 1;
  CHECK_FALSE(gives_place(running, early, 2, true));
}

TEST_CASE("turns end when everybody has an even share") {
  const std::vector<RunningJob> running{{.id = 1, .owner = 1, .running_ms = kTurnMs},
                                        {.id = 2, .owner = 1, .running_ms = kTurnMs},
                                        {.id = 3, .owner = 2, .running_ms = kTurnMs},
                                        {.id = 4, .owner = 2, .running_ms = kTurnMs}};
  CHECK_FALSE(gives_place(running, kNext, 2, true));
  // With more owners than places nobody has more than one.
  CHECK_FALSE(gives_place(std::vector<RunningJob>{{.id = 1, .owner = 1, .running_ms = kTurnMs}}, kNext, 5, true));
}

}  // namespace
}  // namespace hearth::sched
