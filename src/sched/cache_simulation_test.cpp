// The prefix cache's seeded life on the fake engine: after every step the invariants hold, every job ends once with the answer
// that the model gives without any cache, and no job begins from state its tenant never had. $HEARTH_SIM_STEPS makes it
// longer. Also the lives' own code, which the simulation on the real library shares.
#include "sched/cache_simulation.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"

namespace hearth::sched {
namespace {

using link::EndReason;

constexpr std::uint32_t kKnownEvery = 16;
constexpr std::size_t kConversationsMax = 8;
constexpr std::size_t kEarlierMax = 16;
constexpr std::uint64_t kTrunks = 3;  // instructions that all tenants send alike
constexpr std::uint64_t kStepsOfOneLife = 500;

// The end of every prompt, as a template's line that opens the answer.
std::vector<Token> suffix(Token first) { return {first + 1, first + 2, first + 3}; }

}  // namespace

std::uint64_t simulation_steps(std::uint64_t short_form, std::uint64_t part) {
  const char* steps = std::getenv("HEARTH_SIM_STEPS");
  return steps == nullptr ? short_form : std::max<std::uint64_t>(1, std::strtoull(steps, nullptr, 10) / part);
}

std::vector<float> deficits_alone(engine::Engine& cold, const std::vector<Token>& prompt,
                                  const std::vector<Token>& said) {
  std::vector<float> result;
  const auto line = joined(prompt, said);
  cold.clear(0);
  // The last token's own logits say nothing about it.
  for (std::size_t begin = 0; begin + 1 < line.size();) {
    const std::size_t end = begin < prompt.size() ? std::min(prompt.size(), begin + kLifeChunkTokens) : begin + 1;
    std::vector<engine::Row> rows;
    for (std::size_t i = begin; i < end; ++i)
      rows.push_back({.token = line[i],
                      .position = static_cast<std::int32_t>(i),
                      .sequence = 0,
                      .wants_logits = i + 1 >= prompt.size()});
    REQUIRE(cold.decode(rows).value_or(engine::DecodeOutcome::NoRoom) == engine::DecodeOutcome::Done);
    begin = end;
    if (end < prompt.size() || end == line.size()) continue;
    const std::span<const float> logits = cold.logits(rows.size() - 1);
    const auto [least, most] = std::ranges::minmax(logits);
    result.push_back((most - logits[static_cast<std::size_t>(line[end])]) / (most - least));
  }
  return result;
}

std::vector<Token> AgentLife::random_tokens(std::uint64_t seed, std::size_t count) const {
  std::vector<Token> tokens(count);
  for (std::size_t i = 0; i < count; ++i)
    tokens[i] = shape_.token_first + static_cast<Token>(mix_u64(seed, i) % shape_.token_count);
  return tokens;
}

AgentLife::Conversation AgentLife::fresh() {
  const std::uint64_t trunk = draws_.below(kTrunks);
  Conversation one{.tokens = random_tokens(trunk, 100 + mix_u64(99, trunk) % shape_.trunk_tokens_max)};
  // Another folder: the same instructions with something else in their middle.
  if (draws_.chance(3)) one.tokens[draws_.below(one.tokens.size())] = shape_.token_first;
  one.boundaries.push_back(static_cast<std::uint32_t>(one.tokens.size()));
  return one;
}

void AgentLife::add_turn(Conversation& conversation) {
  // Few different texts, so that branches meet again.
  const auto turn = random_tokens(1000 + draws_.below(12), 1 + draws_.below(shape_.turn_tokens_max));
  conversation.tokens = joined(joined(conversation.tokens, turn), suffix(shape_.token_first));
  conversation.boundaries.push_back(static_cast<std::uint32_t>(conversation.tokens.size() - 3));
}

AgentLife::Conversation AgentLife::next_prompt(Tenant& tenant) {
  Conversation next = fresh();
  const std::uint64_t what = draws_.below(10);
  if (what >= 8 && !tenant.earlier.empty()) {
    // The same again, or only its beginning.
    const link::Job& job = tenant.earlier[draws_.below(tenant.earlier.size())];
    next = {.tokens = job.prompt, .boundaries = job.boundaries};
    if (what == 9) next.tokens.resize(1 + draws_.below(next.tokens.size()));
    std::erase_if(next.boundaries, [&](std::uint32_t boundary) { return boundary >= next.tokens.size(); });
    return next;
  }
  if (what >= 2 && !tenant.conversations.empty()) {
    next = tenant.conversations[draws_.below(tenant.conversations.size())];
    if (what == 6) next.tokens.resize(next.boundaries[draws_.below(next.boundaries.size())]);
    if (what == 7) next.tokens.resize(1 + draws_.below(next.tokens.size()));
    std::erase_if(next.boundaries, [&](std::uint32_t boundary) { return boundary > next.tokens.size(); });
  }
  add_turn(next);
  if (next.tokens.size() + shape_.answer_tokens_max >= shape_.context_tokens) {
    next = fresh();
    add_turn(next);
  }
  return next;
}

// Agents come in bursts; those that one parent starts together begin alike.
void AgentLife::arrive(LifeWorld& world) {
  const bool siblings = draws_.chance(2);
  const std::size_t parent = draws_.below(tenants_.size());
  const Conversation common = fresh();
  for (auto count = 1 + draws_.below(4); count > 0; --count) {
    const std::size_t owner = siblings ? parent : draws_.below(tenants_.size());
    Conversation conversation = siblings ? common : next_prompt(tenants_[owner]);
    if (siblings) add_turn(conversation);
    submit(world, owner, conversation);
  }
}

void AgentLife::submit(LifeWorld& world, std::size_t owner, const Conversation& conversation) {
  Tenant& tenant = tenants_[owner];
  link::Job job = greedy_job(++last_id_, conversation.tokens,
                             1 + static_cast<std::uint32_t>(draws_.below(shape_.answer_tokens_max)));
  job.sampling.repeat_penalty = 1.0F;
  job.boundaries = conversation.boundaries;
  job.cache_salt = std::to_string(owner);
  know(tenant, job.id, job.prompt);
  tenant.earlier.push_back(job);
  if (tenant.earlier.size() > kEarlierMax) tenant.earlier.erase(tenant.earlier.begin());
  open_[job.id] = job;
  tenant_of_[job.id] = owner;
  conversation_of_[job.id] = conversation;
  world.submit(std::move(job));
}

void AgentLife::know(Tenant& tenant, link::JobId job, const std::vector<Token>& tokens) const {
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    hash = mix_u64(hash, static_cast<std::uint64_t>(tokens[i]));
    if ((i + 1) % kKnownEvery != 0) continue;
    auto& [first, second] = tenant.known[hash];
    if (first == 0) first = job;
    if (first != job && second == 0) second = job;
  }
}

bool AgentLife::others_knew(const Tenant& tenant, const link::Job& job, std::uint32_t count) const {
  const std::size_t checked = count / kKnownEvery * kKnownEvery;
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < checked; ++i) hash = mix_u64(hash, static_cast<std::uint64_t>(job.prompt[i]));
  if (checked == 0) return true;
  const auto found = tenant.known.find(hash);
  return found != tenant.known.end() && (found->second[0] != job.id || found->second[1] != 0);
}

void AgentLife::settle(LifeWorld& world) {
  for (auto it = open_.begin(); it != open_.end();) {
    const JobRecord& record = world.record(it->first);
    if (record.end_count == 0) {
      ++it;
      continue;
    }
    judge(world, it->second, record);
    tenant_of_.erase(it->first);
    conversation_of_.erase(it->first);
    it = open_.erase(it);
  }
}

void AgentLife::judge(LifeWorld& world, const link::Job& job, const JobRecord& record) {
  const EndReason reason = record.end.reason;
  REQUIRE(record.end_count == 1);
  REQUIRE((reason != EndReason::Cancelled || cancelled_.contains(job.id)));
  REQUIRE(record.end.cached_tokens <= job.prompt.size());
  // A pool that is too small for one prompt ends its answer early.
  const bool whole = reason != EndReason::Failed && reason != EndReason::Cancelled && reason != EndReason::ContextFull;
  world.judge(job, record.tokens, whole);
  Tenant& tenant = tenants_[tenant_of_[job.id]];
  REQUIRE(others_knew(tenant, job, record.cached_tokens));
  const auto line = joined(job.prompt, record.tokens);
  know(tenant, job.id, line);
  if (!whole) return;
  Conversation conversation = conversation_of_[job.id];
  conversation.tokens = line;
  if (conversation.boundaries.empty()) return;
  tenant.conversations.push_back(std::move(conversation));
  if (tenant.conversations.size() > kConversationsMax) tenant.conversations.erase(tenant.conversations.begin());
}

void AgentLife::live(LifeWorld& world, std::uint64_t steps) {
  for (std::uint64_t i = 0; i < steps; ++i) {
    if (draws_.chance(shape_.arrival_one_in)) arrive(world);
    if (draws_.chance(60) && !open_.empty()) {
      const link::JobId id = std::next(open_.begin(), static_cast<std::ptrdiff_t>(draws_.below(open_.size())))->first;
      cancelled_.insert(id);
      world.loop().cancel(id);
    }
    if (draws_.chance(80)) world.loop().set_cache_budget(draws_.below(3) * draws_.below(shape_.budget_bytes_max));
    world.mischief(draws_);
    world.step();
    settle(world);
  }
  for (int i = 0; world.step(); ++i) REQUIRE(i < 100'000);
  settle(world);
  REQUIRE(open_.empty());
}

namespace {

class FakeWorld final : public LifeWorld {
 public:
  FakeWorld(const engine::FakeOptions& options, LifeDraws& draws)
      : exact_(options.exact),
        test_(options, {.parallel_jobs = static_cast<std::uint32_t>(1 + draws.below(5)),
                        .waiting_jobs_max = 12,
                        .ubatch_tokens = static_cast<std::uint32_t>(32 + draws.below(300))}),
        cold_(whole_context(options)) {
    if (draws.chance(2)) test_.fake.set_room(std::nullopt);
  }

  Loop& loop() override { return test_.loop; }
  void submit(link::Job job) override { test_.submit(std::move(job)); }
  bool step() override { return test_.step(); }
  const JobRecord& record(link::JobId id) override { return test_.jobs[id]; }
  void mischief(LifeDraws& draws) override {
    if (draws.chance(150)) test_.fake.fail_next_decode();
    if (draws.chance(100)) test_.fake.refuse_state_changes(draws.chance(3));
    // Memory for a larger context: none, a little of RAM for what moves, or plenty; now and then it was a mistake.
    if (draws.chance(100)) test_.fake.set_room(draws.chance(3) ? std::nullopt : std::optional(draws.below(3) << 18U));
    if (draws.chance(400)) test_.fake.fail_next_rebuild();
  }
  void judge(const link::Job& job, const std::vector<Token>& said, bool whole) override {
    if (exact_) {  // what it says depends on how every token before was computed
      for (const float deficit : deficits_alone(cold_, job.prompt, said)) REQUIRE(deficit == 0);
      return;
    }
    auto expected = test_.expected(job.prompt, job.tokens_max);
    if (!whole && said.size() < expected.size()) expected.resize(said.size());
    REQUIRE(said == expected);
  }

 private:
  static engine::FakeOptions whole_context(engine::FakeOptions options) {
    options.script.context_tokens = std::max(options.script.context_tokens, options.script.context_limit_tokens);
    return options;
  }

  const bool exact_;
  TestLoop test_;
  engine::FakeEngine cold_;
};

engine::FakeOptions life_options(MemoryKind kind, LifeDraws& draws) {
  auto options = fake_options(kind, 2600, static_cast<std::uint32_t>(6 + draws.below(12)));
  options.cells = static_cast<std::uint32_t>(2600 + draws.below(4000));
  options.batch_tokens_max = static_cast<std::uint32_t>(256 + draws.below(512));
  options.script.window_tokens = 100;
  options.exact = draws.chance(3);
  if (draws.chance(2)) {  // a context that grows
    options.script.context_limit_tokens = 2600;
    options.script.context_tokens = static_cast<std::uint32_t>(256 + draws.below(2000));
    options.cells = options.script.context_tokens + static_cast<std::uint32_t>(draws.below(500));
  }
  return options;
}

TEST_CASE("whatever agents, tenants, budgets and faults do, the cache never changes an answer") {
  set_log_level(LogLevel::Off);
  static constexpr MemoryKind kKinds[] = {MemoryKind::Attention, MemoryKind::Recurrent, MemoryKind::Hybrid,
                                          MemoryKind::Window};
  std::map<std::string, std::uint64_t> seen;
  const std::uint64_t steps = simulation_steps(4000);
  std::uint64_t jobs = 0;
  for (std::uint64_t life = 0; life * kStepsOfOneLife < steps; ++life) {
    const std::uint64_t seed = life + 1;
    const MemoryKind kind = kKinds[life % std::size(kKinds)];
    CAPTURE(seed);
    // Also on the output: a failed invariant of the loop ends the process.
    std::printf("cache simulation: seed %llu, %.*s\n", static_cast<unsigned long long>(seed),
                static_cast<int>(memory_kind_name(kind).size()), memory_kind_name(kind).data());
    std::fflush(stdout);
    LifeDraws draws{.seed = seed + 1'000'000};
    FakeWorld world(life_options(kind, draws), draws);
    AgentLife agents(seed, {.context_tokens = 2600, .token_first = 'A'});
    agents.live(world, std::min(kStepsOfOneLife, steps - life * kStepsOfOneLife));
    jobs += agents.jobs();
    for (const auto& [name, count] : world.loop().counters()) seen[name] += count;
  }
  set_log_level(LogLevel::Info);
  std::printf("cache simulation: %llu jobs\n", static_cast<unsigned long long>(jobs));
  for (const auto& [name, count] : seen)
    std::printf("  %-24s %llu\n", name.c_str(), static_cast<unsigned long long>(count));
  // A life in which something never happens proves nothing about it.
  for (const char* name :
       {"jobs_ended", "jobs_cancelled", "jobs_failed", "jobs_joined", "tokens_cached", "sequence_forks",
        "sequences_demoted", "sequences_evicted", "anchors_kept", "imports", "imports_failed", "tokens_imported",
        "ram_blocks_evicted", "ram_anchors_evicted", "contexts_grown", "growths_refused"}) {
    CAPTURE(name);
    CHECK(seen[name] > 0);
  }
}

}  // namespace
}  // namespace hearth::sched
