// Crashes at any point of any write: what was promised is there afterwards, bit for bit, and nothing else is believed.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "store/test_records.h"

namespace hearth::store {
namespace {
using namespace testing;

// The short form takes a second; `make check` asks for 10,000.
std::uint64_t crash_points() {
  const char* asked = std::getenv("HEARTH_CRASH_POINTS");
  return asked != nullptr ? std::strtoull(asked, nullptr, 10) : 300;
}

struct Draws {
  std::uint64_t seed = 0, count = 0;
  std::uint64_t below(std::uint64_t limit) { return mix_u64(seed, count++) % limit; }
};

// What is written next: numbers that were never there, or one that was and is not any more.
std::vector<Write> next_batch(Draws& draws, const std::map<std::uint64_t, Entry>& committed,
                              std::uint64_t& next_number) {
  const std::uint64_t count = 1 + draws.below(4);
  const std::size_t bytes = 200 + draws.below(3000) / 16 * 16;
  if (const std::uint64_t known = draws.below(next_number); draws.below(3) == 0 && known > 0)
    if (!committed.contains(known)) return records(known, 1, bytes);
  next_number += count;
  return records(next_number - count, count, bytes);
}

// Some of what is there goes into one new file, and from where it was when that is committed, as the tier does it.
void gather_some(Store& store, Draws& draws, std::map<std::uint64_t, Entry>& committed) {
  std::vector<Entry> chosen;
  for (const auto& [number, entry] : committed)
    if (draws.below(2) == 0) chosen.push_back(entry);
  if (chosen.empty()) return;
  const auto gathered = store.gather(chosen);
  if (!gathered) return;
  REQUIRE(gathered->unreadable.empty());
  std::vector<Place> before;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    before.push_back(chosen[i].place);
    committed[number_of(chosen[i])].place = gathered->places[i];
  }
  store.drop(before);
}

// A process writes, drops, gathers and saves indexes until its disk stops. `committed` is what the store promised and nobody
// dropped.
void live(Store& store, FakeDisk& disk, Draws& draws, std::map<std::uint64_t, Entry>& committed,
          std::uint64_t& next_number) {
  for (int step = 0; step < 40 && !disk.crashed(); ++step) {
    const std::uint64_t what = draws.below(11);
    if (what == 10) {
      gather_some(store, draws, committed);
    } else if (what < 6) {
      const auto batch = next_batch(draws, committed, next_number);
      const auto places = store.write(batch);
      if (!places) continue;
      for (std::size_t i = 0; i < batch.size(); ++i)
        committed[number_of({batch[i].meta, {}})] = {.meta = batch[i].meta, .place = (*places)[i]};
    } else if (what < 9) {
      std::vector<Place> gone;
      for (auto at = committed.begin(); at != committed.end();)
        if (draws.below(4) == 0) {
          gone.push_back(at->second.place);
          at = committed.erase(at);
        } else {
          ++at;
        }
      store.drop(gone);
    } else {
      std::vector<Entry> all;
      for (const auto& [number, entry] : committed) all.push_back(entry);
      static_cast<void>(store.save_index(std::move(all)));
    }
  }
}

// True: every committed record is found, before any other of its name, and reads back as it was written.
bool all_there(Store& store, const std::map<std::uint64_t, Entry>& committed) {
  std::map<std::uint64_t, bool> first_is_there;
  for (const Entry& entry : store.take_entries()) {
    const auto bytes = store.read(entry.meta.key, entry.place);
    const std::uint64_t number = number_of(entry);
    first_is_there.emplace(number, bytes.has_value());
    if (bytes) REQUIRE(**bytes == *record(number, (*bytes)->size()).bytes);  // never a wrong byte
  }
  return std::ranges::all_of(committed, [&](const auto& one) {
    const auto found = first_is_there.find(one.first);
    return found != first_is_there.end() && found->second;
  });
}

TEST_CASE("after a crash at any point of any write everything that was promised is there") {
  const Quiet quiet;
  const std::uint64_t points = crash_points();
  std::uint64_t crashes = 0;
  for (std::uint64_t seed = 0; crashes < points; ++seed) {
    CAPTURE(seed);
    Draws draws{.seed = seed};
    std::map<std::uint64_t, Entry> committed;
    std::uint64_t next_number = 1;
    auto folder = FakeDisk(seed).folder();
    for (int process = 0; process < 4; ++process) {
      auto disk = std::make_unique<FakeDisk>(folder, draws.below(1U << 30));
      FakeDisk* raw = disk.get();
      raw->crash_at(1 + draws.below(120));
      const auto store = Store::open(
          std::move(disk), {.unix_ms = [] { return std::uint64_t{1}; }, .id_seed = 1 + draws.below(UINT64_MAX - 1)});
      REQUIRE(store);
      REQUIRE(all_there(**store, committed));
      live(**store, *raw, draws, committed, next_number);
      crashes += raw->crashed() ? 1 : 0;
      folder = FakeDisk::restarted(*folder, draws.below(2) == 0 ? Crash::Process : Crash::Power, draws.below(1U << 30));
    }
  }
  MESSAGE(crashes << " crashes, nothing lost");
}

}  // namespace
}  // namespace hearth::store
