// The SSD tier under a whole loop: restarts, crashes and faults on a disk in memory, and what the next turn finds.
#include <doctest/doctest.h>

#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>

#include "base/test_log.h"
#include "sched/test_loop.h"
#include "store/fake_disk.h"

namespace hearth::sched {
namespace {

using hearth::testing::Quiet;
using store::Crash;
using store::FakeDisk;

struct TierWorld {
  std::uint64_t bytes_max = std::uint64_t{1} << 30;
  std::function<std::uint64_t()> steady_ms = [] { return std::uint64_t{1'000'000}; };
};

std::unique_ptr<cache::DiskTier> tier_on(std::unique_ptr<store::Disk> disk, MemoryKind kind, std::uint64_t seed,
                                         store::Workers workers = store::Workers::Caller,
                                         const TierWorld& around = {}) {
  auto opened =
      store::Store::open(std::move(disk), {.unix_ms = [] { return std::uint64_t{1'000'000}; }, .id_seed = seed});
  REQUIRE(opened);
  return std::make_unique<cache::DiskTier>(std::move(*opened),
                                           cache::DiskTierOptions{.bytes_max = around.bytes_max,
                                                                  .needs_snapshots = kind != MemoryKind::Attention,
                                                                  .unix_ms = [] { return std::uint64_t{1'000'000}; },
                                                                  .steady_ms = around.steady_ms,
                                                                  .workers = workers});
}

// Time passes and nobody asks anything.
void rest(TestLoop& world) {
  for (int i = 0; i < 40; ++i) {
    world.clock.advance_ms(500);
    world.step();
  }
}

// What it must say: an engine that knows nothing says it too.
std::vector<Token> said_cold(const engine::FakeOptions& options, const link::Job& job) {
  return TestLoop(options).run_one(job).tokens;
}

link::Job turn_of(link::JobId id, const std::vector<Token>& prompt, std::uint32_t trunk) {
  link::Job job = greedy_job(id, prompt, 20);
  job.boundaries = {trunk, static_cast<std::uint32_t>(prompt.size() - 1)};
  return job;
}

TEST_CASE("the next turn after an orderly restart begins where the last one ended") {
  const Quiet quiet;
  for (const MemoryKind kind : {MemoryKind::Attention, MemoryKind::Hybrid, MemoryKind::Recurrent, MemoryKind::Window}) {
    for (const bool exact : {false, true}) {
      CAPTURE(static_cast<int>(kind));
      CAPTURE(exact);
      engine::FakeOptions options = fake_options(kind);
      options.exact = exact;
      auto folder = FakeDisk().folder();
      std::vector<Token> conversation = prompt_of(1, 1500);
      {
        TestLoop world(options, {}, tier_on(std::make_unique<FakeDisk>(folder, 1), kind, 1));
        const JobRecord& record = world.run_one(turn_of(1, conversation, 600));
        conversation = joined(conversation, record.tokens);
        world.loop.cache().save_all(std::chrono::seconds(5));
      }
      conversation = joined(conversation, prompt_of(2, 300));
      folder = FakeDisk::restarted(*folder, Crash::Power, 1);
      TestLoop world(options, {}, tier_on(std::make_unique<FakeDisk>(folder, 2), kind, 2));
      const JobRecord& record = world.run_one(turn_of(2, conversation, 600));
      CHECK(record.tokens == said_cold(options, turn_of(3, conversation, 600)));
      CHECK(record.cached_tokens >= (exact ? 1280 : 1490));
      CHECK(record.disk_tokens == record.cached_tokens);
      CHECK(record.ram_tokens == 0);
      CHECK(world.counter("disk_hits") == 1);
      CHECK(world.counter("disk_rejected") == 0);
    }
  }
}

TEST_CASE("what was in a folder that is removed under the process is there again after an orderly restart") {
  const Quiet quiet;
  for (const MemoryKind kind : {MemoryKind::Attention, MemoryKind::Hybrid}) {
    for (const bool asks_again : {false, true}) {
      CAPTURE(static_cast<int>(kind));
      CAPTURE(asks_again);
      auto folder = FakeDisk().folder();
      const std::vector<Token> before = prompt_of(1, 1500);
      {
        TestLoop world(fake_options(kind), {}, tier_on(std::make_unique<FakeDisk>(folder, 1), kind, 1));
        world.run_one(turn_of(1, before, 600));
        rest(world);
        REQUIRE(world.counter("disk_records_written") > 0);
        FakeDisk(folder, 1).remove_folder();
        // Without it the first to hear of the removal is the last save of all.
        if (asks_again) world.run_one(turn_of(2, prompt_of(2, 700), 600));
        if (!asks_again) world.run_one(greedy_job(2, prompt_of(3, 300), 1));
        world.loop.cache().save_all(std::chrono::seconds(5));
      }
      folder = FakeDisk::restarted(*folder, Crash::Power, 1);
      TestLoop world(fake_options(kind), {}, tier_on(std::make_unique<FakeDisk>(folder, 2), kind, 2));
      const JobRecord& record = world.run_one(turn_of(4, before, 600));
      CHECK(record.tokens == world.expected(before, 20));
      CHECK(record.disk_tokens >= 1490);
    }
  }
}

TEST_CASE("the rest of a conversation comes from the disk also where RAM's part of it ends within a block") {
  const Quiet quiet;
  for (const MemoryKind kind : {MemoryKind::Attention, MemoryKind::Hybrid, MemoryKind::Window}) {
    CAPTURE(static_cast<int>(kind));
    auto folder = FakeDisk().folder();
    const std::vector<Token> whole = prompt_of(1, 1500);
    {
      TestLoop world(fake_options(kind), {}, tier_on(std::make_unique<FakeDisk>(folder, 1), kind, 1));
      world.run_one(turn_of(1, whole, 600));
      world.loop.cache().save_all(std::chrono::seconds(5));
    }
    TestLoop world(fake_options(kind), {}, tier_on(std::make_unique<FakeDisk>(folder, 2), kind, 2));
    const std::vector<Token> beginning(whole.begin(), whole.begin() + 700);
    const JobRecord& first =
        world.run_one(greedy_job(2, beginning, 1));  // what rests holds these 700 tokens and none more
    world.loop.cache().vacate();
    const JobRecord& record = world.run_one(turn_of(3, whole, 600));
    CHECK(record.tokens == world.expected(whole, 20));
    CHECK(record.cached_tokens >= 1490);
    CHECK(record.ram_tokens >= 512);  // whole blocks of what RAM had
    CHECK(record.ram_tokens + record.disk_tokens == record.cached_tokens);
    world.loop.cache().vacate();
    link::Job resumed = turn_of(4, whole, 600);
    resumed.resumed_count = 200;  // the last of them were answered before a crash
    resumed.tokens_max = 220;
    const JobRecord& again = world.run_one(resumed);
    CHECK(again.cached_tokens == 1300);
    CHECK(again.ram_tokens + again.disk_tokens == 1300);
    CHECK(world.counter("tokens_from_ram") == first.ram_tokens + record.ram_tokens + again.ram_tokens);
    CHECK(world.counter("tokens_from_disk") == first.disk_tokens + record.disk_tokens + again.disk_tokens);
  }
}

TEST_CASE("after a crash the next turn finds what was written while the conversation rested") {
  const Quiet quiet;
  for (const MemoryKind kind : {MemoryKind::Attention, MemoryKind::Hybrid, MemoryKind::Window}) {
    CAPTURE(static_cast<int>(kind));
    auto folder = FakeDisk().folder();
    std::vector<Token> conversation = prompt_of(1, 1500);
    {
      TestLoop world(fake_options(kind), {}, tier_on(std::make_unique<FakeDisk>(folder, 1), kind, 1));
      conversation = joined(conversation, world.run_one(turn_of(1, conversation, 600)).tokens);
      rest(world);
    }
    conversation = joined(conversation, prompt_of(2, 300));
    folder = FakeDisk::restarted(*folder, Crash::Power, 1);
    TestLoop world(fake_options(kind), {}, tier_on(std::make_unique<FakeDisk>(folder, 2), kind, 2));
    const JobRecord& record = world.run_one(turn_of(2, conversation, 600));
    CHECK(record.tokens == world.expected(conversation, 20));
    CHECK(record.cached_tokens >= 1280);
  }
}

TEST_CASE("keys do not share what is on the disk, and each finds its own again") {
  const Quiet quiet;
  auto folder = FakeDisk().folder();
  const std::vector<Token> prompt = prompt_of(1, 1000);
  const auto job_of = [&](link::JobId id, const std::string& salt) {
    link::Job job = greedy_job(id, prompt, 4);
    job.cache_salt = salt;
    return job;
  };
  {
    TestLoop world(fake_options(), {}, tier_on(std::make_unique<FakeDisk>(folder, 1), MemoryKind::Attention, 1));
    world.run_one(job_of(1, "a"));
    world.loop.cache().save_all(std::chrono::seconds(5));
  }
  TestLoop world(fake_options(), {}, tier_on(std::make_unique<FakeDisk>(folder, 1), MemoryKind::Attention, 2));
  CHECK(world.run_one(job_of(2, "b")).cached_tokens == 0);
  CHECK(world.run_one(job_of(3, "")).cached_tokens == 0);
  CHECK(world.run_one(job_of(4, "a")).cached_tokens > 900);
}

TEST_CASE("another model finds nothing in the folder") {
  const Quiet quiet;
  auto folder = FakeDisk().folder();
  const std::vector<Token> prompt = prompt_of(1, 1000);
  {
    TestLoop world(fake_options(), {}, tier_on(std::make_unique<FakeDisk>(folder, 1), MemoryKind::Attention, 1));
    world.run_one(greedy_job(1, prompt));
    world.loop.cache().save_all(std::chrono::seconds(5));
  }
  engine::FakeOptions other = fake_options();
  other.script.name = "another";
  TestLoop world(other, {}, tier_on(std::make_unique<FakeDisk>(folder, 1), MemoryKind::Attention, 2));
  CHECK(world.run_one(greedy_job(2, prompt)).cached_tokens == 0);
}

TEST_CASE("what each part of a prompt would come from can be asked") {
  const Quiet quiet;
  auto folder = FakeDisk().folder();
  const std::vector<Token> prompt = prompt_of(1, 1000);
  {
    TestLoop world(fake_options(), {}, tier_on(std::make_unique<FakeDisk>(folder, 1), MemoryKind::Attention, 1));
    world.run_one(greedy_job(1, prompt));
    world.loop.cache().save_all(std::chrono::seconds(5));
  }
  const SteadyClock clock;
  engine::FakeEngine fake(fake_options());
  cache::PrefixCache cache(fake, clock, {}, tier_on(std::make_unique<FakeDisk>(folder, 1), MemoryKind::Attention, 2));
  const auto spans = cache.tiers(cache.root_of(""), joined(prompt, prompt_of(2, 100)));
  REQUIRE(spans.size() == 2);
  CHECK(spans[0] == cache::TierSpan{.range = {0, 1000}, .tier = cache::Tier::Disk});
  CHECK(spans[1] == cache::TierSpan{.range = {1000, 1100}, .tier = cache::Tier::None});
}

// A disk that does not answer before it is told to.
class GatedDisk final : public store::Disk {
 public:
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool is_open = true;
    void set(bool open) {
      const std::lock_guard lock(mutex);
      is_open = open;
      changed.notify_all();
    }
    void pass() {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return is_open; });
    }
  };
  class GatedFile final : public store::ReadFile {
   public:
    GatedFile(std::unique_ptr<store::ReadFile> file, std::shared_ptr<Gate> gate)
        : file_(std::move(file)), gate_(std::move(gate)) {}
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> to) const override {
      gate_->pass();
      return file_->read_at(offset, to);
    }
    void will_need(std::uint64_t offset, std::uint64_t bytes) const override { file_->will_need(offset, bytes); }

   private:
    const std::unique_ptr<store::ReadFile> file_;
    const std::shared_ptr<Gate> gate_;
  };
  GatedDisk(std::unique_ptr<FakeDisk> disk, std::shared_ptr<Gate> gate)
      : disk_(std::move(disk)), gate_(std::move(gate)) {}
  Result<std::vector<store::FileInfo>> list() override { return disk_->list(); }
  Result<std::unique_ptr<store::ReadFile>> open(const std::string& name) override {
    gate_->pass();
    TRY_ASSIGN(auto file, disk_->open(name));
    return std::make_unique<GatedFile>(std::move(file), gate_);
  }
  Result<std::unique_ptr<store::WriteFile>> create(const std::string& name) override { return disk_->create(name); }
  Result<void> rename(const std::string& from, const std::string& to) override { return disk_->rename(from, to); }
  Result<void> remove(const std::string& name) override { return disk_->remove(name); }
  Result<void> sync_names() override { return disk_->sync_names(); }
  Result<bool> punch(const std::string& name, std::uint64_t offset, std::uint64_t bytes) override {
    return disk_->punch(name, offset, bytes);
  }
  Result<std::uint64_t> free_bytes() override { return disk_->free_bytes(); }
  bool lock() override { return disk_->lock(); }
  std::string where() const override { return disk_->where(); }

 private:
  const std::unique_ptr<FakeDisk> disk_;
  const std::shared_ptr<Gate> gate_;
};

TEST_CASE("a stream goes on while another job waits for a disk that does not answer") {
  const Quiet quiet;
  auto folder = FakeDisk().folder();
  const std::vector<Token> prompt = prompt_of(1, 1000);
  {
    TestLoop world(fake_options(), {}, tier_on(std::make_unique<FakeDisk>(folder, 1), MemoryKind::Attention, 1));
    world.run_one(greedy_job(1, prompt));
    world.loop.cache().save_all(std::chrono::seconds(5));
  }
  const auto gate = std::make_shared<GatedDisk::Gate>();
  TestLoop world(fake_options(), {},
                 tier_on(std::make_unique<GatedDisk>(std::make_unique<FakeDisk>(folder, 1), gate),
                         MemoryKind::Attention, 2, store::Workers::Threads));
  gate->set(false);
  world.submit(greedy_job(2, prompt_of(7, 100), 200));
  world.step();
  world.submit(greedy_job(3, prompt));
  for (int i = 0; i < 300; ++i) world.step();
  CHECK(world.jobs[2].end_count == 1);
  CHECK(world.jobs[2].tokens == world.expected(prompt_of(7, 100), 200));
  CHECK(world.jobs[2].tokens.size() > 40);
  CHECK(world.jobs[3].started_count == 0);
  gate->set(true);
  while (world.step()) {
  }
  CHECK(world.jobs[3].tokens == world.expected(prompt, 24));
  CHECK(world.jobs[3].cached_tokens >= 990);
}

TEST_CASE("a context that grows does not wait for the disk: who needs it waits, the others go on") {
  const Quiet quiet;
  auto folder = FakeDisk().folder();
  const std::vector<Token> prompt = prompt_of(1, 400);
  {
    TestLoop world(fake_options(), {}, tier_on(std::make_unique<FakeDisk>(folder, 1), MemoryKind::Attention, 1));
    world.run_one(greedy_job(1, prompt, 1));
    world.loop.cache().save_all(std::chrono::seconds(5));
  }
  const auto gate = std::make_shared<GatedDisk::Gate>();
  engine::FakeOptions options = fake_options(MemoryKind::Attention, 1024);
  options.script.context_limit_tokens = 4096;
  TestLoop world(options, {.cache = {.ram_bytes_max = 3000}},
                 tier_on(std::make_unique<GatedDisk>(std::make_unique<FakeDisk>(folder, 1), gate),
                         MemoryKind::Attention, 2, store::Workers::Threads));
  world.fake.set_room(3000);  // less than a block: nothing moves through RAM
  world.submit(greedy_job(2, prompt, 40));
  while (world.jobs[2].tokens.size() < 3) world.step();
  world.submit(greedy_job(3, prompt_of(7, 100), 60));
  while (world.jobs[3].tokens.size() < 3) world.step();
  gate->set(false);
  const std::size_t told = world.jobs[2].tokens.size();
  world.submit(greedy_job(4, prompt_of(8, 1500)));
  for (int i = 0; i < 300; ++i) world.step();
  CHECK(world.counter("contexts_grown") == 1);
  CHECK(world.jobs[3].end_count == 1);
  CHECK(world.jobs[2].tokens.size() <= told + 1);
  gate->set(true);
  while (world.step()) {
  }
  CHECK(world.jobs[2].tokens == world.expected(prompt, 40));
  CHECK(world.jobs[3].tokens == world.expected(prompt_of(7, 100), 60));
  CHECK(world.jobs[4].tokens == world.expected(prompt_of(8, 1500), 24));
}

// Lives of agents over processes that end in every way, on disks with every fault. The fake engine knows which tokens lie
// before each cell and CHECKs it; the answers are compared on top.
class CrashLife {
 public:
  CrashLife(std::uint64_t seed, MemoryKind kind, bool exact) : seed_(seed), kind_(kind), exact_(exact) {}

  void process() {
    engine::FakeOptions options = fake_options(kind_);
    options.exact = exact_;
    auto disk = std::make_unique<FakeDisk>(folder_, below(1U << 30));
    FakeDisk* raw = disk.get();
    if (below(3) > 0) raw->crash_at(below(90));
    if (below(3) == 0)
      raw->set_faults(
          {.read_error_one_in = 9, .read_flip_one_in = 9, .read_short_one_in = 9, .write_error_one_in = 20});
    if (below(6) == 0) raw->set_faults({.capacity_bytes = 40'000});
    {
      const TierWorld around{.bytes_max = below(16) == 0 ? 60'000U : 1U << 20,
                             .steady_ms = [this] { return steady_ms_; }};
      TestLoop world(options, {.cache = {.ram_bytes_max = below(4) == 0 ? 30'000U : 1U << 20}},
                     tier_on(std::move(disk), kind_, below(1U << 30), store::Workers::Caller, around));
      for (std::uint64_t turns = below(5) + 1; turns > 0; --turns) turn(world, options);
      if (below(2) == 0) world.loop.cache().save_all(std::chrono::seconds(5));
      cut_writes_ += raw->crashed() ? 1 : 0;
    }
    folder_ = FakeDisk::restarted(*folder_, below(2) == 0 ? Crash::Process : Crash::Power, below(1U << 30));
  }
  [[nodiscard]] std::uint64_t cached_tokens() const { return cached_tokens_; }
  [[nodiscard]] std::uint64_t cut_writes() const { return cut_writes_; }  // processes that ended within one

 private:
  std::uint64_t below(std::uint64_t limit) { return mix_u64(seed_, draws_++) % limit; }

  void turn(TestLoop& world, const engine::FakeOptions& options) {
    auto& conversation = conversations_[below(std::size(conversations_))];
    if (conversation.empty() || conversation.size() > 2500) conversation = prompt_of(seed_, 300);
    conversation = joined(conversation, prompt_of(below(1000), 1 + below(500)));
    const JobRecord& record = world.run_one(turn_of(++jobs_, conversation, 300));
    REQUIRE(record.tokens == said_cold(options, turn_of(1, conversation, 300)));
    cached_tokens_ += record.cached_tokens;
    conversation = joined(conversation, record.tokens);
    // Often long enough for an index, and for what is too much to leave.
    steady_ms_ += below(2) == 0 ? below(3'000) : 60'000 + below(300'000);
    if (below(2) == 0) rest(world);
  }

  const std::uint64_t seed_;
  const MemoryKind kind_;
  const bool exact_;
  std::uint64_t draws_ = 0, cached_tokens_ = 0, cut_writes_ = 0, steady_ms_ = 1'000'000;
  link::JobId jobs_ = 0;
  std::vector<Token> conversations_[8];
  std::shared_ptr<FakeDisk::Folder> folder_ = FakeDisk().folder();
};

TEST_CASE("no crash, fault or restart ever changes an answer") {
  const Quiet quiet;
  const char* asked = std::getenv("HEARTH_CRASH_POINTS");
  const std::uint64_t processes = asked != nullptr ? std::strtoull(asked, nullptr, 10) : 120;
  std::uint64_t ended = 0, cached = 0, cut_writes = 0;
  for (std::uint64_t seed = 0; ended < processes; ++seed)
    for (const MemoryKind kind : {MemoryKind::Attention, MemoryKind::Hybrid, MemoryKind::Window}) {
      CAPTURE(seed);
      CAPTURE(static_cast<int>(kind));
      CrashLife life(seed, kind, (seed + static_cast<std::uint64_t>(kind)) % 3 == 2);
      for (int i = 0; i < 40; ++i, ++ended) life.process();
      cached += life.cached_tokens();
      cut_writes += life.cut_writes();
    }
  CHECK(cached > ended * 100);
  MESSAGE(ended << " processes ended anywhere, " << cut_writes << " of them within a write; every token was right");
}

}  // namespace
}  // namespace hearth::sched
