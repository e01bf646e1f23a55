// The way back into the pool from the disk, through a whole cache on the fake engine: what cannot be read or is refused costs
// time, is looked for elsewhere, and leaves only when it never can be used.
#include "cache/importer.h"

#include <doctest/doctest.h>

#include "base/test_log.h"
#include "cache/prefix_cache.h"
#include "cache/test_disk.h"
#include "engine/fake_engine.h"
#include "store/fake_disk.h"

namespace hearth::cache {
namespace {

using engine::MemoryKind;
using store::FakeDisk;
using testing::joined;
using testing::letters;
using testing::numbers;

constexpr MemoryKind kKinds[] = {MemoryKind::Attention, MemoryKind::Hybrid, MemoryKind::Window};

// A process over a folder that outlives it.
struct Process {
  Process(MemoryKind kind, const std::shared_ptr<FakeDisk::Folder>& folder,
          store::Workers workers = store::Workers::Caller)
      : fake(options(kind)) {
    auto made = std::make_unique<FakeDisk>(folder, 1);
    disk = made.get();
    static std::uint64_t starts = 0;
    auto opened =
        store::Store::open(std::move(made), {.unix_ms = [] { return std::uint64_t{1}; }, .id_seed = ++starts});
    REQUIRE(opened);
    cache = std::make_unique<PrefixCache>(
        fake, clock, CacheLimits{.ram_bytes_max = 1U << 20},
        std::make_unique<DiskTier>(std::move(*opened), DiskTierOptions{.bytes_max = 1U << 20,
                                                                       .needs_snapshots = kind != MemoryKind::Attention,
                                                                       .unix_ms = [] { return std::uint64_t{1}; },
                                                                       .steady_ms = [this] { return steady_ms(); },
                                                                       .workers = workers}));
  }
  static engine::FakeOptions options(MemoryKind kind) {
    engine::FakeOptions options;
    options.script.memory_kind = kind;
    options.script.context_tokens = 8192;
    options.script.sequences = 3;
    options.batch_tokens_max = 8192;
    return options;
  }
  // A job with this prompt and no answer; how many tokens of it came back.
  std::uint32_t run(const std::vector<Token>& prompt) {
    clock.advance_ms(1000);
    const auto placed = cache->place("", prompt);
    REQUIRE(placed);
    if (placed->importing)
      while (cache->import_step(placed->sequence, 0) != ImportStep::Ready) cache->check_invariants();
    const std::uint32_t came = cache->length(placed->sequence);
    std::vector<engine::Row> rows;
    for (std::uint32_t i = came; i < prompt.size(); ++i)
      rows.push_back({.token = prompt[i], .position = static_cast<std::int32_t>(i), .sequence = placed->sequence});
    REQUIRE((rows.empty() || fake.decode(rows) == engine::DecodeOutcome::Done));
    cache->append(placed->sequence, std::span(prompt).subspan(came));
    REQUIRE(fake.tokens_of(placed->sequence) == prompt);
    cache->release(placed->sequence);
    cache->check_invariants();
    return came;
  }
  void forget_pool() { cache->drop(engine::Sequence{0}); }
  [[nodiscard]] std::uint64_t steady_ms() const { return static_cast<std::uint64_t>(clock.now_ms()); }

  ManualClock clock;
  engine::FakeEngine fake;
  FakeDisk* disk = nullptr;
  std::unique_ptr<PrefixCache> cache;
};

std::shared_ptr<FakeDisk::Folder> folder_with(MemoryKind kind, const std::vector<Token>& line) {
  auto folder = FakeDisk().folder();
  Process first(kind, folder);
  first.run(line);
  first.cache->save_all(std::chrono::seconds(5));
  return folder;
}

TEST_CASE("a disk that refuses costs computing, and is asked again the next time") {
  const hearth::testing::Quiet quiet;
  for (const MemoryKind kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    const auto line = letters(1, 1000);
    const auto prompt = joined(line, letters(2, 50));
    Process process(kind, folder_with(kind, line));
    process.disk->set_faults({.read_error_one_in = 1});
    CHECK(process.run(prompt) == 0);
    process.forget_pool();
    process.disk->set_faults({});
    CHECK(process.run(prompt) == 1000);
    CHECK(process.cache->counters().at("disk_rejected") == 2);  // by the store, and by the tier
  }
}

TEST_CASE("a disk that does not answer is not waited for, forgets nothing, and is asked again when it does") {
  const hearth::testing::Quiet quiet;
  for (const MemoryKind kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    const auto line = letters(1, 1000);
    const auto prompt = joined(line, letters(2, 50));
    Process process(kind, folder_with(kind, line), store::Workers::Threads);
    process.disk->set_faults({.reads_hang = true});
    const auto steps_until_ready = [&] {
      const auto placed = process.cache->place("", prompt);
      REQUIRE(placed);
      int steps = 1;
      while (process.cache->import_step(placed->sequence, 0) != ImportStep::Ready && ++steps < 500)
        process.clock.advance_ms(100);
      CHECK(process.cache->length(placed->sequence) == 0);
      process.cache->drop(placed->sequence);
      return steps;
    };
    const int waited = steps_until_ready();
    CHECK(waited > 90);
    CHECK(waited < 120);
    CHECK(steps_until_ready() < 10);
    process.disk->set_faults({});
    process.clock.advance_ms(61'000);
    CHECK(process.run(prompt) == 1000);
  }
}

TEST_CASE("what RAM has of a prompt is used when the disk refuses the rest") {
  const hearth::testing::Quiet quiet;
  for (const MemoryKind kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    const auto line = letters(1, 1000);
    Process process(kind, folder_with(kind, line));
    const std::vector<Token> beginning(line.begin(), line.begin() + 600);
    process.run(beginning);
    process.cache->vacate();
    process.disk->set_faults({.read_error_one_in = 1});
    const std::uint32_t whole_blocks = 512;  // of attention models a block that RAM has a part of comes from the disk
    CHECK(process.run(joined(line, letters(2, 50))) == (kind == MemoryKind::Attention ? whole_blocks : 600));
  }
}

TEST_CASE("what the engine refuses though it has room for it is forgotten at the third time") {
  const hearth::testing::Quiet quiet;
  for (const MemoryKind kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    const auto line = letters(1, 1000);
    const auto prompt = joined(line, letters(2, 50));
    const std::string none;
    Process process(kind, folder_with(kind, line));
    for (int i = 0; i < 3; ++i) {
      CHECK(process.cache->usable_tokens(none, prompt) == 1000);
      process.fake.refuse_state_changes(true);
      CHECK(process.run(prompt) == 0);
      process.fake.refuse_state_changes(false);
      process.forget_pool();
    }
    CHECK(process.cache->usable_tokens(none, prompt) < 1000);
  }
}

TEST_CASE("an engine without room for what another job holds forgets nothing of the disk") {
  const hearth::testing::Quiet quiet;
  const auto line = letters(1, 1000);
  const std::string none;
  Process process(MemoryKind::Attention, folder_with(MemoryKind::Attention, line));
  const auto other = process.cache->place(none, letters(7, 100));
  REQUIRE(other);
  for (int i = 0; i < 4; ++i) {
    process.fake.refuse_state_changes(true);
    const auto placed = process.cache->place(none, joined(line, letters(2, 50)));
    REQUIRE(placed);
    while (process.cache->import_step(placed->sequence, 0) != ImportStep::Ready) {
    }
    CHECK(process.cache->length(placed->sequence) == 0);
    process.fake.refuse_state_changes(false);
    process.cache->drop(placed->sequence);
  }
  CHECK(process.cache->usable_tokens(none, joined(line, letters(2, 50))) == 1000);
}

// A bit of the only anchor's record.
void damage_anchor(const std::shared_ptr<FakeDisk::Folder>& folder) {
  const auto opened = *store::Store::open(std::make_unique<FakeDisk>(folder, 1), {});
  int anchors = 0;
  for (const store::Entry& entry : opened->take_entries()) {
    if (entry.meta.key.kind != store::RecordKind::Anchor) continue;
    ++anchors;
    store::Bytes& bytes = *FakeDisk(folder, 1).bytes_of(store::extent_name(entry.place.extent));
    bytes[entry.place.offset + store::kRecordHeaderBytes + 3] ^= 4;
  }
  REQUIRE(anchors == 1);
}

TEST_CASE("state that cannot be read is known before the blocks are brought in, and they are not read for nothing") {
  const hearth::testing::Quiet quiet;
  for (const MemoryKind kind : {MemoryKind::Hybrid, MemoryKind::Window}) {
    CAPTURE(static_cast<int>(kind));
    const auto line = letters(1, 1000);
    const auto folder = folder_with(kind, line);
    damage_anchor(folder);
    Process process(kind, folder);
    CHECK(process.run(joined(line, letters(2, 50))) == 0);
    CHECK(process.cache->counters().at("disk_rejected") == 2);  // by the store, and by the tier
    CHECK(process.cache->counters().at("disk_records_read") == 0);
    CHECK(process.cache->counters().at("tokens_imported") == 0);
  }
}

TEST_CASE("what a line in the pool has of a prompt is used when the state on the disk cannot be read") {
  const hearth::testing::Quiet quiet;
  for (const MemoryKind kind : {MemoryKind::Hybrid, MemoryKind::Window}) {
    CAPTURE(static_cast<int>(kind));
    const auto line = letters(1, 1000);
    const auto folder = folder_with(kind, line);
    damage_anchor(folder);
    Process process(kind, folder);
    CHECK(process.run({line.begin(), line.begin() + 600}) == 0);
    CHECK(process.run(joined(line, letters(2, 50))) == 600);
    CHECK(process.cache->counters().at("sequence_forks") == 1);
    CHECK(process.cache->counters().at("imports_failed") == 1);
    CHECK(process.run(line) >= 600);  // the line that was copied rests as it was
  }
}

TEST_CASE("all imports together read ahead so much and no more, and each asks for what it needs next") {
  testing::Stack stack(true);
  std::vector<testing::Line> lines;
  for (int i = 0; i < 3; ++i) {
    lines.push_back(numbers(256 * 4, 10'000 * i));
    testing::store(*stack.ram, stack.root, lines.back(), stack.now_ms, LineKind::Conversation);
    REQUIRE(stack.ram->put_anchor(stack.root, lines.back(), 1024, testing::snapshot_bytes(1024), AnchorKind::Trunk, 1));
  }
  stack.save();
  stack.restart();
  engine::FakeEngine engine(Process::options(MemoryKind::Hybrid));
  const auto begin_all = [&](Importer& importer) {
    std::vector<Import> imports;
    for (const testing::Line& line : lines) {
      const Match match = stack.tier->find(stack.root, line, 1024);
      REQUIRE(match.tokens == 1024);
      imports.push_back(
          importer.begin({.way = Start::Way::Import, .disk = match, .from_disk = true, .tokens = match.tokens}, line));
    }
    return imports;
  };
  Importer generous(engine, *stack.ram, stack.tier.get());
  std::vector<Import> imports = begin_all(generous);
  const std::uint64_t all = generous.fetched_bytes();
  CHECK(all > 3 * 4 * 1024);
  for (const Import& import : imports) CHECK(*import.anchor_ticket < *import.pieces.front().ticket);
  for (Import& import : imports) generous.drop(import);
  CHECK(generous.fetched_bytes() == 0);
  Importer frugal(engine, *stack.ram, stack.tier.get(), 1000);
  imports = begin_all(frugal);
  CHECK(frugal.fetched_bytes() < all / 3);
  for (const Import& import : imports) CHECK(import.fetched_bytes > 0);
  // One whose blocks the pool shares already lacks its state alone: that is what it needs next.
  const Match match = stack.tier->find(stack.root, lines[0], 1024);
  imports.push_back(frugal.begin(
      {.way = Start::Way::Import, .live_tokens = 1024, .disk = match, .from_disk = true, .tokens = match.tokens},
      lines[0]));
  CHECK(imports.back().anchor_ticket.has_value());
  for (Import& import : imports) frugal.drop(import);
  CHECK(frugal.fetched_bytes() == 0);
  stack.tier->check_invariants();
}

}  // namespace
}  // namespace hearth::cache
