// See automaton.h. A step: every configuration that takes the symbol moves on, then all that can be reached without a
// symbol is added; the result is looked up among the known states.
#include "grammar/automaton.h"

#include <algorithm>
#include <utility>

#include "base/random.h"

namespace hearth::grammar {
namespace {

// Places looked at for one state: thirty thousand members that may each come first are that many calls and literals.
constexpr std::size_t kConfigurationsMax = 400'000;
// All of one automaton's; together with its tables some 64 MiB.
constexpr std::size_t kStatesMax = 40'000;
constexpr std::size_t kConfigurationTotalMax = 2'000'000;
constexpr std::size_t kFramesMax = 1'000'000;

std::uint64_t pair_key(std::uint32_t high, std::uint32_t low) { return (std::uint64_t{high} << 32U) | low; }

}  // namespace

Automaton::Automaton(std::shared_ptr<const Program> program) : program_(std::move(program)) { begin(); }

void Automaton::begin() {
  states_.clear();
  by_hash_.clear();
  frames_.assign(1, {kNowhere, 0});
  frame_numbers_.clear();
  configuration_total_ = table_count_ = 0;
  overflowed_ = false;
  states_.emplace_back();  // kDead
  states_.front().next = std::make_unique<Table>();
  states_.front().next->fill(kDead);
  reached_.clear();
  seen_.clear();
  accepts_ = false;
  enter(program_->rule_entries[program_->root], 0);
  close();
  start_ = intern();
}

void Automaton::keep_only(std::span<State* const> kept) {
  const std::vector<StateData> states = std::exchange(states_, {});
  const std::vector<Frame> frames = std::exchange(frames_, {});
  begin();
  std::vector<Frame> chain;
  for (State* const state : kept) {
    reached_.clear();
    for (Configuration c : states[*state].configurations) {
      chain.clear();
      for (std::uint32_t at = c.stack; at != 0; at = frames[at].below) chain.push_back(frames[at]);
      c.stack = 0;
      for (std::size_t i = chain.size(); i-- > 0;) c.stack = push(chain[i].node, c.stack, chain[i].seen);
      reached_.push_back(c);
    }
    accepts_ = states[*state].accepts;
    *state = intern();
  }
}

std::size_t Automaton::bytes() const {
  return states_.size() * (sizeof(StateData) + 32) + table_count_ * sizeof(Table) +
         configuration_total_ * sizeof(Configuration) + frames_.size() * 80;
}

std::size_t Automaton::FrameHash::operator()(const Frame& frame) const {
  return mix_u64(pair_key(frame.node, frame.below), frame.seen);
}

std::uint32_t Automaton::push(std::uint32_t node, std::uint32_t stack, std::uint64_t seen) {
  const Frame frame{node, stack, seen};
  const auto [place, is_new] = frame_numbers_.try_emplace(frame, static_cast<std::uint32_t>(frames_.size()));
  if (is_new) frames_.push_back(frame);
  return place->second;
}

// What may come behind the items that came: one of the others, or what follows them all.
void Automaton::enter_each(std::uint32_t node, std::uint32_t stack, std::uint64_t seen) {
  const Node& each = program_->nodes[node];
  const EachSet& set = program_->each_sets[each.a];
  if ((seen & set.required) == set.required) work_.push_back({each.b, stack});
  const std::vector<std::uint32_t>& rules = seen == 0 ? set.first : set.later;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    if ((seen & bit) != 0) continue;
    const std::uint64_t now = seen | kAnySeen | ((set.repeated & bit) != 0 ? 0 : bit);
    work_.push_back({program_->rule_entries[rules[i]], push(node, stack, now)});
  }
}

void Automaton::enter(std::uint32_t node, std::uint32_t stack) {
  if (node == kNowhere) return;
  work_.push_back({node, stack});
}

// Follows what consumes nothing from everything in work_.
void Automaton::close() {
  const Program& program = *program_;
  while (!work_.empty()) {
    const Configuration at = work_.back();
    work_.pop_back();
    if (!seen_.try_emplace(pair_key(at.node, at.stack)).second) continue;
    // A rule that calls itself before it consumes anything would go on for ever.
    if (seen_.size() > kConfigurationsMax || frames_.size() > kFramesMax) {
      overflowed_ = true;
      work_.clear();
      reached_.clear();
      accepts_ = false;
      return;
    }
    const Node& node = program.nodes[at.node];
    switch (node.op) {
      case Node::Op::Split:
        for (std::uint32_t i = 0; i < node.b; ++i) work_.push_back({program.edges[node.a + i], at.stack});
        break;
      case Node::Op::Call: {
        // A call that is the last thing of its rule leaves nothing to return to.
        const bool is_last = program.nodes[node.b].op == Node::Op::Return;
        work_.push_back({program.rule_entries[node.a], is_last ? at.stack : push(node.b, at.stack)});
        break;
      }
      case Node::Op::Each: enter_each(at.node, at.stack, 0); break;
      case Node::Op::Return: {
        if (at.stack == 0) {
          accepts_ = true;
          break;
        }
        const Frame frame = frames_[at.stack];
        if (frame.seen == 0)
          work_.push_back({frame.node, frame.below});
        else
          enter_each(frame.node, frame.below, frame.seen);
        break;
      }
      case Node::Op::Scan:
        accepts_ = accepts_ || program.scan_states[node.a].may_stop;
        reached_.push_back(at);
        break;
      case Node::Op::Byte:
      case Node::Op::Bytes:
      case Node::Op::Control: reached_.push_back(at); break;
    }
  }
}

State Automaton::intern() {
  if (reached_.empty() && !accepts_) return kDead;
  std::ranges::sort(reached_);
  std::uint64_t hash = accepts_ ? 1 : 0;
  for (const Configuration& c : reached_) hash = mix_u64(hash, pair_key(c.node, c.stack));
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    const StateData& known = states_[at->second];
    if (known.accepts == accepts_ && known.configurations == reached_) return at->second;
  }
  if (states_.size() >= kStatesMax || configuration_total_ + reached_.size() > kConfigurationTotalMax) {
    overflowed_ = true;
    return kDead;
  }
  configuration_total_ += reached_.size();
  const auto state = static_cast<State>(states_.size());
  states_.push_back({.configurations = reached_, .next = nullptr, .accepts = accepts_});
  by_hash_.emplace(hash, state);
  return state;
}

std::uint32_t Automaton::target(const Node& node, std::uint8_t byte) const {
  switch (node.op) {
    case Node::Op::Byte: return node.a == byte ? node.b : kNowhere;
    case Node::Op::Bytes: return program_->in_set(node.a, byte) ? node.b : kNowhere;
    case Node::Op::Scan: return program_->after(program_->scan_states[node.a], byte);
    default: return kNowhere;
  }
}

State Automaton::compute_step(State from, std::uint8_t byte) {
  if (overflowed_) return kDead;
  reached_.clear();
  seen_.clear();
  accepts_ = false;
  for (const Configuration& c : states_[from].configurations) enter(target(program_->nodes[c.node], byte), c.stack);
  close();
  const State to = intern();
  if (overflowed_) return kDead;
  if (!states_[from].next) {
    states_[from].next = std::make_unique<Table>();
    states_[from].next->fill(kUnknown);
    ++table_count_;
  }
  (*states_[from].next)[byte] = to;
  return to;
}

State Automaton::step_all(State from, std::string_view bytes) {
  for (const char c : bytes) {
    from = step(from, static_cast<std::uint8_t>(c));
    if (from == kDead) break;
  }
  return from;
}

State Automaton::step_control(State from, Token token, Controls controls) {
  if (overflowed_) return kDead;
  reached_.clear();
  seen_.clear();
  accepts_ = false;
  for (const Configuration& c : states_[from].configurations) {
    const Node& node = program_->nodes[c.node];
    if (node.op == Node::Op::Control && node.a == static_cast<std::uint32_t>(token)) enter(node.b, c.stack);
    if (node.op != Node::Op::Scan) continue;
    const ScanState& scan = program_->scan_states[node.a];
    const auto known = std::ranges::find(scan.controls, token, &std::pair<Token, std::uint32_t>::first);
    if (known != scan.controls.end())
      enter(known->second, c.stack);
    else if (controls == Controls::Any)
      enter(scan.other_control, c.stack);
  }
  close();
  return intern();
}

std::vector<Token> Automaton::named_controls(State state) const {
  std::vector<Token> out;
  for (const Configuration& c : states_[state].configurations) {
    const Node& node = program_->nodes[c.node];
    if (node.op == Node::Op::Control) out.push_back(static_cast<Token>(node.a));
    if (node.op != Node::Op::Scan) continue;
    for (const auto& [token, next] : program_->scan_states[node.a].controls) out.push_back(token);
  }
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

bool Automaton::allows_other_controls(State state) const {
  return std::ranges::any_of(states_[state].configurations, [&](const Configuration& c) {
    const Node& node = program_->nodes[c.node];
    return node.op == Node::Op::Scan && program_->scan_states[node.a].other_control != kNowhere;
  });
}

}  // namespace hearth::grammar
