// Program: a grammar compiled to nodes over bytes and control tokens. Immutable, any thread.
//
// A node either consumes one symbol (a byte or a control token) or is a step without one: a split, the call of a rule,
// the return from it. Where a matcher stands is a node and the stack of nodes to return to (grammar/automaton.h).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hearth::grammar {

using Token = std::int32_t;

// A token without bytes of its own that a grammar may name by its text.
struct ControlToken {
  std::string text;
  Token token = 0;
};

inline constexpr std::uint32_t kNowhere = UINT32_MAX;
// A node is 12 bytes and an edge 4; what a client's schemas compile to stays under 200,000.
inline constexpr std::size_t kNodesMax = 2'000'000;
// All scans of one grammar; those of a client's three hundred tools take one or two MB.
inline constexpr std::size_t kScanBytesMax = 32U << 20U;
inline constexpr std::size_t kScanPatternBytesMax = 512U << 10U;

struct Node {
  enum class Op : std::uint8_t {
    Byte,     // a: the byte, b: the next node
    Bytes,    // a: which of byte_sets, b: the next node
    Control,  // a: the token, b: the next node
    Scan,     // a: which of scan_states
    Split,    // a: the first of edges, b: how many
    Call,     // a: the rule, b: where it returns to
    Each,     // a: which of each_sets, b: the next node
    Return,
  };
  Op op = Op::Return;
  std::uint32_t a = 0, b = 0;
};

using ScanRow = std::array<std::uint32_t, 256>;  // nodes by byte; kNowhere where the byte may not come

// A place in a scan. All but a few bytes lead where they lead from the scan's beginning: a whole row for each letter of a
// tool's name would be a kilobyte.
struct ScanState {
  std::uint32_t row = 0;                                      // which of scan_rows
  std::vector<std::pair<std::uint8_t, std::uint32_t>> other;  // what counts before the row, by ascending bytes
  std::vector<std::pair<Token, std::uint32_t>> controls;
  std::uint32_t other_control = kNowhere;
  bool may_stop = false;
};

// Items in any order. A frame on the stack holds which of them came (bits by their places here).
struct EachSet {
  std::vector<std::uint32_t> first;  // rules: an item that comes first
  std::vector<std::uint32_t> later;  // the same with the separator before it
  std::uint64_t required = 0;
  std::uint64_t repeated = 0;  // may come again
};

struct Program {
  std::vector<Node> nodes;
  std::vector<std::uint32_t> edges;
  std::vector<std::array<std::uint64_t, 4>> byte_sets;
  std::vector<ScanState> scan_states;
  std::vector<ScanRow> scan_rows;
  std::size_t scan_bytes = 0;  // of both
  std::vector<EachSet> each_sets;
  std::vector<std::uint32_t> rule_entries;  // node by rule
  std::uint32_t root = 0;                   // a rule

  [[nodiscard]] bool in_set(std::uint32_t set, std::uint8_t byte) const {
    return ((byte_sets[set][byte >> 6U] >> (byte & 63U)) & 1U) != 0;
  }
  // The node that `byte` leads to.
  [[nodiscard]] std::uint32_t after(const ScanState& state, std::uint8_t byte) const;
  [[nodiscard]] std::size_t bytes() const;
};

// InvalidInput names the line; TooLarge when it would need too many nodes or too much for its scans.
[[nodiscard]] Result<std::shared_ptr<const Program>> compile(std::string_view text,
                                                             std::span<const ControlToken> control_tokens);

}  // namespace hearth::grammar
