// Kinds of agents' work, made from a seed, replayed on a RAM tier at several budgets: what must be prefilled again under
// eviction by worth, beside LRU. Sizes are real ones divided by 256 (bytes per token, anchors, budgets).
// HEARTH_CACHE_TABLE=1 prints the table.
#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>

#include "base/random.h"
#include "cache/ram_tier.h"
#include "cache/test_lines.h"

namespace hearth::cache {
namespace {

using testing::Line;

constexpr std::uint64_t kSecond = 1000, kMinute = 60 * kSecond;
constexpr std::uint32_t kScale = 256;

struct Model {
  const char* name;
  std::uint32_t token_bytes;
  std::uint64_t snapshot_bytes;  // 0: attention only
  PrefillCost cost;
};
constexpr Model kModels[] = {
    {"attention 8B, 144 KiB/token", (144 << 10) / kScale, 0, {.token_us = 1000, .depth_us = 0.02}},
    {"hybrid 35B, 20 KiB/token + 62.8 MiB",
     (20 << 10) / kScale,
     (63ull << 20) / kScale,
     {.token_us = 1500, .depth_us = 0.005}},
};

struct Boundary {
  std::uint32_t position;
  AnchorKind kind;
};

struct Work {
  std::uint64_t at_ms;
  Line prompt;
  Line reply;
  std::vector<Boundary> boundaries;
  LineKind kind;
};

// One mix of work in the making.
class Maker {
 public:
  explicit Maker(std::uint64_t seed) : random_(seed) {}

  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + random_() % (high - low + 1); }
  bool chance(double probability) { return static_cast<double>(random_() % 10'000) < probability * 10'000; }

  // Text number `text`: the same tokens whenever it is asked for.
  static Line text(std::uint64_t number, std::uint64_t tokens) {
    Line line(tokens);
    for (std::size_t i = 0; i < line.size(); ++i) line[i] = static_cast<Token>(mix_u64(number, i) % 150'000);
    return line;
  }
  Line new_text(std::uint64_t low, std::uint64_t high) { return text(random_(), between(low, high)); }

  struct Session {
    Line line;
    std::vector<Boundary> boundaries;
    std::uint64_t at_ms = 0;
    int turns = 0;
  };

  Session begin(std::uint64_t at_ms, const Line& trunk) {
    return {
        .line = trunk, .boundaries = {{static_cast<std::uint32_t>(trunk.size()), AnchorKind::Trunk}}, .at_ms = at_ms};
  }

  // One request of a session: the user's or a tool's words, the reply, and the time until the next.
  void turn(Session& session, std::uint64_t low, std::uint64_t high, std::uint64_t pause_ms,
            LineKind first_kind = LineKind::Unknown) {
    session.line = testing::joined(session.line, new_text(low, high));
    const auto end = [&] { return static_cast<std::uint32_t>(session.line.size()); };
    session.boundaries.push_back({end(), AnchorKind::Turn});
    session.line.push_back(7);  // the generation suffix
    const Line reply = new_text(60, 700);
    work.push_back({session.at_ms, session.line, reply, session.boundaries,
                    session.turns > 0 ? LineKind::Conversation : first_kind});
    // Some clients render their history a little differently: what follows the change is new.
    session.line = testing::joined(session.line, chance(0.15) ? new_text(60, 700) : reply);
    session.at_ms += pause_ms + 2 * kSecond;
    ++session.turns;
  }

  void turns(Session& session, int count, std::uint64_t pause_low, std::uint64_t pause_high) {
    for (int i = 0; i < count; ++i) turn(session, 100, chance(0.2) ? 4000 : 1200, between(pause_low, pause_high));
  }

  std::vector<Work> finish() {
    std::ranges::stable_sort(work, {}, &Work::at_ms);
    return std::move(work);
  }

  std::vector<Work> work;

 private:
  std::mt19937_64 random_;
};

// Tools and system prompt: the first part is the client's, the same everywhere; the second names the folder.
Line trunk_of(std::uint64_t folder) {
  return testing::joined(Maker::text(1, 14'300), Maker::text(100 + folder, 3'900));
}

void agent(Maker& make, std::uint64_t at_ms, std::uint64_t folder, int turns) {
  Maker::Session main = make.begin(at_ms, trunk_of(folder));
  Maker::Session title = make.begin(at_ms + kSecond, Maker::text(2, 420));
  make.turn(title, 100, 400, 0, LineKind::OneShot);
  make.turns(main, turns / 2, kSecond, 20 * kSecond);
  for (int i = 0; i < 2; ++i) {  // subagents that share the trunk
    Maker::Session helper = make.begin(main.at_ms + i * kSecond, trunk_of(folder));
    make.turns(helper, 3, kSecond, 8 * kSecond);
  }
  main.at_ms += 60 * kSecond;
  make.turns(main, turns - turns / 2, kSecond, 40 * kSecond);
}

void flood(Maker& make, std::uint64_t at_ms, int count, std::uint64_t apart_ms, LineKind kind) {
  for (int i = 0; i < count; ++i) {
    Maker::Session job = make.begin(at_ms + i * apart_ms, Maker::text(3, 640));
    make.turn(job, 1500, 5000, 0, kind);
  }
}

struct Mix {
  const char* name;
  std::function<void(Maker&)> fill;
};

const Mix kMixes[] = {
    {"an agent, and a second one in another folder",
     [](Maker& make) {
       agent(make, 0, 1, 20);
       agent(make, 4 * kMinute, 2, 20);
     }},
    {"an agent whose user pauses while a batch floods",
     [](Maker& make) {
       for (int part = 0; part < 4; ++part) {
         flood(make, part * 20 * kMinute + 6 * kMinute, 70, 7 * kSecond,
               part % 2 == 0 ? LineKind::Unknown : LineKind::OneShot);
       }
       Maker::Session session = make.begin(0, trunk_of(1));
       for (int part = 0; part < 4; ++part) {
         session.at_ms = part * 20 * kMinute;
         make.turns(session, 8, kSecond, 20 * kSecond);
       }
     }},
    {"conversations resumed after an hour",
     [](Maker& make) {
       for (std::uint64_t folder = 0; folder < 8; ++folder) {
         Maker::Session session = make.begin(folder * 9 * kMinute, trunk_of(folder % 3));
         make.turns(session, 10, kSecond, 30 * kSecond);
         session.at_ms += 60 * kMinute;
         make.turns(session, 6, kSecond, 30 * kSecond);
       }
     }},
    {"eight agents at once",
     [](Maker& make) {
       for (std::uint64_t folder = 0; folder < 8; ++folder) agent(make, folder * 40 * kSecond, folder % 4, 14);
     }},
    {"short questions all day, an agent now and then",
     [](Maker& make) {
       for (int i = 0; i < 150; ++i) {
         Maker::Session chat = make.begin(i * 50 * kSecond, Maker::text(4, 900));
         make.turns(chat, make.chance(0.3) ? 4 : 1, 5 * kSecond, 60 * kSecond);
       }
       agent(make, 20 * kMinute, 1, 16);
       agent(make, 70 * kMinute, 1, 16);
     }},
    {"a user who goes back and tries again",
     [](Maker& make) {
       Maker::Session session = make.begin(0, trunk_of(1));
       std::vector<Maker::Session> saved;
       for (int i = 0; i < 40; ++i) {
         saved.push_back(session);
         make.turn(session, 100, 2500, make.between(kSecond, 60 * kSecond));
         if (!make.chance(0.2)) continue;
         const std::uint64_t at_ms = session.at_ms;
         session = saved[saved.size() - std::min<std::size_t>(saved.size(), make.between(1, 5))];
         session.at_ms = at_ms;
       }
     }},
};

double thousands(std::uint64_t count) { return static_cast<double>(count) / 1000; }

struct Outcome {
  std::uint64_t tokens = 0;  // prefilled
  double us = 0;
};

// What the scheduler does with the tier for each request.
Outcome replay(const std::vector<Work>& all, const Model& model, std::uint64_t budget, WorthFunction function) {
  RamTier tier(
      {.bytes_max = budget, .needs_snapshots = model.snapshot_bytes > 0, .cost = model.cost, .worth = function});
  const Root root = testing::root_named(model.name);
  Outcome outcome;
  for (const Work& work : all) {
    const auto length = static_cast<std::uint32_t>(work.prompt.size());
    const Match match = tier.find(root, work.prompt, length - 1);
    tier.pin(match);
    tier.touch(match, work.at_ms);
    outcome.tokens += length - match.tokens;
    outcome.us += prefill_us(model.cost, match.tokens, length);
    const Line line = testing::joined(work.prompt, work.reply);
    std::uint32_t from = 0;
    while (const std::optional<Range> range = tier.next_missing(root, line, from)) {
      std::vector<std::uint8_t> bytes((range->end - range->begin) * model.token_bytes);
      tier.put_block(root, line, *range, std::move(bytes), work.kind, work.at_ms);
      from = range->end;
    }
    if (model.snapshot_bytes > 0) {
      const auto put = [&](std::uint32_t position, AnchorKind kind) {
        if (position <= match.tokens) return;
        tier.put_anchor(root, line, position, std::vector<std::uint8_t>(model.snapshot_bytes), kind, work.at_ms);
      };
      for (const Boundary& boundary : work.boundaries) put(boundary.position, boundary.kind);
      if (match.attention_tokens < length - 1 && match.attention_tokens > match.tokens + 512) {
        put(match.attention_tokens, AnchorKind::Branch);
      }
      put(static_cast<std::uint32_t>(line.size()), AnchorKind::ReplyEnd);
    }
    tier.unpin(match);
  }
  tier.check_invariants();
  return outcome;
}

}  // namespace

// Where a single live conversation does not fit, any order loses and luck decides: there a few percent either way.
TEST_CASE("on traces of agents' work eviction by worth computes less again than LRU") {
  double all_worth_us = 0, all_lru_us = 0;
  const bool table = std::getenv("HEARTH_CACHE_TABLE") != nullptr;
  for (const Model& model : kModels) {
    if (table) std::printf("\n%s: prefill tokens and seconds, by worth | LRU, at budgets in GiB\n", model.name);
    for (const Mix& mix : kMixes) {
      Outcome sum_worth, sum_lru;
      std::string row;
      Maker make(11);
      mix.fill(make);
      const std::vector<Work> work = make.finish();
      for (const int gib : {4, 8, 16}) {
        const std::uint64_t budget = (1ull << 30) / kScale * gib / (model.snapshot_bytes > 0 ? 2 : 1);
        const Outcome by_worth = replay(work, model, budget, worth), by_lru = replay(work, model, budget, worth_lru);
        sum_worth.us += by_worth.us, sum_lru.us += by_lru.us;
        sum_worth.tokens += by_worth.tokens, sum_lru.tokens += by_lru.tokens;
        char cell[120];
        std::snprintf(cell, sizeof cell, "  %2d: %5.0fk %5.0f s | %5.0fk %5.0f s", gib, thousands(by_worth.tokens),
                      by_worth.us / 1e6, thousands(by_lru.tokens), by_lru.us / 1e6);
        row += cell;
      }
      if (table) {
        std::printf("%-50s %4zu jobs%s  all %.3f\n", mix.name, work.size(), row.c_str(), sum_worth.us / sum_lru.us);
      }
      INFO(model.name << ", " << mix.name);
      CHECK(sum_worth.us <= 1.05 * sum_lru.us);
      all_worth_us += sum_worth.us, all_lru_us += sum_lru.us;
    }
  }
  if (table) std::printf("all together: %.3f of LRU's prefill\n", all_worth_us / all_lru_us);
  CHECK(all_worth_us < 0.97 * all_lru_us);
}

}  // namespace hearth::cache
