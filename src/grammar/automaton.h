// Automaton: walks a Program. A state is a set of (node, stack of returns); states and the steps between them are
// computed when they are first taken and remembered, so that a step costs a table look-up after that. A return to items in
// any order holds which of them came. One thread.
//
// State numbers hold until keep_only(), which forgets everything but the states it is given and numbers those anew.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/program.h"

namespace hearth::grammar {

using State = std::uint32_t;
inline constexpr State kDead = 0;  // no text continues here

class Automaton {
 public:
  explicit Automaton(std::shared_ptr<const Program> program);

  [[nodiscard]] State start() const { return start_; }
  [[nodiscard]] State step(State from, std::uint8_t byte) {
    const std::uint32_t known = states_[from].next ? (*states_[from].next)[byte] : kUnknown;
    return known != kUnknown ? known : compute_step(from, byte);
  }
  [[nodiscard]] State step_all(State from, std::string_view bytes);
  // In free text any control token may come; `named_only`: but not this one.
  enum class Controls : std::uint8_t { Any, NamedOnly };
  [[nodiscard]] State step_control(State from, Token token, Controls controls = Controls::Any);
  // The control tokens that the grammar names here, allowed or not, each once.
  [[nodiscard]] std::vector<Token> named_controls(State state) const;
  // Whether control tokens that it does not name may come.
  [[nodiscard]] bool allows_other_controls(State state) const;
  // Whether the text may be over here.
  [[nodiscard]] bool accepts(State state) const { return states_[state].accepts; }
  // The text may be over here, and nothing else may come.
  [[nodiscard]] bool only_accepts(State state) const {
    return states_[state].accepts && states_[state].configurations.empty();
  }

  // Too many states, or one that stands at too many places at once: steps lead to kDead from here on.
  [[nodiscard]] bool overflowed() const { return overflowed_; }
  [[nodiscard]] std::size_t bytes() const;
  void keep_only(std::span<State* const> kept);

 private:
  static constexpr std::uint32_t kUnknown = UINT32_MAX;
  using Table = std::array<std::uint32_t, 256>;
  struct Configuration {
    std::uint32_t node;
    std::uint32_t stack;
    friend auto operator<=>(const Configuration&, const Configuration&) = default;
  };
  struct StateData {
    std::vector<Configuration> configurations;  // each at a node that consumes something; ascending
    std::unique_ptr<Table> next;
    bool accepts = false;
  };
  struct Frame {
    std::uint32_t node;
    std::uint32_t below;
    std::uint64_t seen = 0;  // at an Each: its items that came, and kAnySeen
    friend bool operator==(const Frame&, const Frame&) = default;
  };
  struct FrameHash {
    std::size_t operator()(const Frame& frame) const;
  };
  static constexpr std::uint64_t kAnySeen = std::uint64_t{1} << 63U;

  void begin();
  State compute_step(State from, std::uint8_t byte);
  void enter(std::uint32_t node, std::uint32_t stack);
  void close();
  void enter_each(std::uint32_t node, std::uint32_t stack, std::uint64_t seen);
  std::uint32_t push(std::uint32_t node, std::uint32_t stack, std::uint64_t seen = 0);
  [[nodiscard]] std::uint32_t target(const Node& node, std::uint8_t byte) const;
  State intern();

  const std::shared_ptr<const Program> program_;
  State start_ = kDead;
  bool overflowed_ = false;
  std::vector<StateData> states_;
  std::unordered_multimap<std::uint64_t, State> by_hash_;
  std::vector<Frame> frames_;  // 0 is the empty stack
  std::unordered_map<Frame, std::uint32_t, FrameHash> frame_numbers_;
  std::size_t configuration_total_ = 0, table_count_ = 0;

  // Scratch of one step.
  std::vector<Configuration> work_, reached_;
  std::unordered_map<std::uint64_t, char> seen_;
  bool accepts_ = false;
};

}  // namespace hearth::grammar
