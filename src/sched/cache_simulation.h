// Agents' lives for the simulations of the prefix cache: whose prompts grow by turns, share instructions, branch at any token and
// come again, of several tenants, with cancels and changing budgets. The world they live in is a Loop on some engine and
// judges the answers. Everything follows from a seed. For tests; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "sched/test_loop.h"

namespace hearth::sched {

struct LifeDraws {
  std::uint64_t seed = 0;
  std::uint64_t count = 0;
  std::uint64_t below(std::uint64_t limit) { return mix_u64(seed, count++) % limit; }
  bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
};

struct LifeShape {
  std::uint32_t context_tokens = 0;  // prompts stay below it
  Token token_first = 0;             // prompts are made of token_count tokens from here on
  std::uint32_t token_count = 26;
  std::uint32_t trunk_tokens_max = 900;
  std::uint32_t turn_tokens_max = 300;
  std::uint32_t answer_tokens_max = 30;
  std::uint32_t tenants = 3;
  std::uint64_t budget_bytes_max = std::uint64_t{1} << 20U;
  std::uint32_t arrival_one_in = 20;  // steps from burst to burst, on average
};

// What lives are lived in.
class LifeWorld {
 public:
  virtual ~LifeWorld() = default;
  [[nodiscard]] virtual Loop& loop() = 0;
  virtual void submit(link::Job job) = 0;
  virtual bool step() = 0;  // of the loop, with its invariants checked
  [[nodiscard]] virtual const JobRecord& record(link::JobId id) = 0;
  virtual void mischief(LifeDraws& draws) = 0;
  // REQUIREs that an engine which knows nothing says this. `whole`: the answer was not cut short.
  virtual void judge(const link::Job& job, const std::vector<Token>& said, bool whole) = 0;
};

class AgentLife {
 public:
  AgentLife(std::uint64_t seed, LifeShape shape) : draws_{.seed = seed}, shape_(shape), tenants_(shape.tenants) {}
  void live(LifeWorld& world, std::uint64_t steps);
  [[nodiscard]] std::uint64_t jobs() const { return last_id_; }

 private:
  struct Conversation {
    std::vector<Token> tokens;
    std::vector<std::uint32_t> boundaries;  // trunk's end, turns' ends
  };
  struct Tenant {
    std::vector<Conversation> conversations;
    std::vector<link::Job> earlier;
    // Hashes of everything this tenant's jobs ever held, at every kKnownEvery-th token, with the first two jobs that held
    // it: what the cache may answer another job of this tenant with.
    std::unordered_map<std::uint64_t, std::array<link::JobId, 2>> known;
  };

  [[nodiscard]] Conversation next_prompt(Tenant& tenant);
  [[nodiscard]] Conversation fresh();
  void add_turn(Conversation& conversation);
  void arrive(LifeWorld& world);
  void submit(LifeWorld& world, std::size_t owner, const Conversation& conversation);
  void settle(LifeWorld& world);
  void judge(LifeWorld& world, const link::Job& job, const JobRecord& record);
  void know(Tenant& tenant, link::JobId job, const std::vector<Token>& tokens) const;
  // Whether another job of the tenant than this one held its first `count` tokens.
  [[nodiscard]] bool others_knew(const Tenant& tenant, const link::Job& job, std::uint32_t count) const;
  [[nodiscard]] std::vector<Token> random_tokens(std::uint64_t seed, std::size_t count) const;

  LifeDraws draws_;
  const LifeShape shape_;
  std::vector<Tenant> tenants_;
  link::JobId last_id_ = 0;
  std::map<link::JobId, link::Job> open_;
  std::map<link::JobId, std::size_t> tenant_of_;
  std::map<link::JobId, Conversation> conversation_of_;
  std::set<link::JobId> cancelled_;
};

// Chunks in which a prompt is computed alone; what an exact engine asks for.
inline constexpr std::uint32_t kLifeChunkTokens = 256;
// For each token of an answer: how far its logit is below the largest, as a part of the spread of all logits, when `cold`
// computes the prompt in chunks and then the answer in single rows, as an engine does that has nothing else to do.
[[nodiscard]] std::vector<float> deficits_alone(engine::Engine& cold, const std::vector<Token>& prompt,
                                                const std::vector<Token>& said);

// Steps for all lives together: $HEARTH_SIM_STEPS / `part` when it is set (`make check`), else the short form.
[[nodiscard]] std::uint64_t simulation_steps(std::uint64_t short_form, std::uint64_t part = 1);

}  // namespace hearth::sched
