// See scan.h. The automaton is Aho and Corasick's: one state per prefix of a pattern, each with the state of its longest
// proper suffix; of the patterns that end at the same place the longest one counts.
#include "grammar/scan.h"

#include <algorithm>
#include <map>
#include <optional>

namespace hearth::grammar {
namespace {

struct Prefix {
  std::map<std::uint32_t, std::uint32_t> next;  // by symbol
  std::uint32_t suffix = 0;
  std::optional<std::uint32_t> pattern;
};

std::vector<Prefix> prefixes_of(const Expression& scan, std::span<const ControlToken> controls) {
  std::vector<Prefix> prefixes(1);
  for (std::size_t i = 0; i < scan.patterns.size(); ++i) {
    const ScanPattern& pattern = scan.patterns[i];
    std::uint32_t at = 0;
    for (const std::uint32_t symbol :
         symbols_of(pattern.text, pattern.marked ? controls : std::span<const ControlToken>{})) {
      const auto [place, is_new] = prefixes[at].next.try_emplace(symbol, static_cast<std::uint32_t>(prefixes.size()));
      at = place->second;
      if (is_new) prefixes.emplace_back();
    }
    if (!prefixes[at].pattern) prefixes[at].pattern = static_cast<std::uint32_t>(i);
  }
  return prefixes;
}

// Where `symbol` leads from `at`, by way of shorter and shorter suffixes.
std::uint32_t follow(const std::vector<Prefix>& prefixes, std::uint32_t at, std::uint32_t symbol) {
  while (true) {
    const auto found = prefixes[at].next.find(symbol);
    if (found != prefixes[at].next.end()) return found->second;
    if (at == 0) return 0;
    at = prefixes[at].suffix;
  }
}

// Sets the suffixes; shorter prefixes come first in what is returned.
std::vector<std::uint32_t> link_suffixes(std::vector<Prefix>& prefixes) {
  std::vector<std::uint32_t> order{0};
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::uint32_t at = order[i];
    for (const auto& [symbol, child] : prefixes[at].next) {
      order.push_back(child);
      if (at != 0) prefixes[child].suffix = follow(prefixes, prefixes[at].suffix, symbol);
      if (!prefixes[child].pattern) prefixes[child].pattern = prefixes[prefixes[child].suffix].pattern;
    }
  }
  return order;
}

// The bytes that lead elsewhere from a prefix than from the empty one: those that go on in a pattern, and those that do so
// from its suffix.
using OtherBytes = std::vector<std::pair<std::uint8_t, std::uint32_t>>;
std::vector<OtherBytes> other_bytes_of(const std::vector<Prefix>& prefixes, std::span<const std::uint32_t> order) {
  std::vector<OtherBytes> others(prefixes.size());
  std::size_t total = 0;
  for (const std::uint32_t at : order.subspan(1)) {
    if (total * sizeof(OtherBytes::value_type) > kScanBytesMax) break;  // so the grammar is refused
    std::map<std::uint8_t, std::uint32_t> bytes;
    for (const auto& [symbol, child] : prefixes[at].next)
      if (symbol < kControlBase) bytes.emplace(static_cast<std::uint8_t>(symbol), child);
    const OtherBytes& shorter = others[prefixes[at].suffix];
    bytes.insert(shorter.begin(), shorter.end());
    others[at].assign(bytes.begin(), bytes.end());
    total += others[at].size();
  }
  return others;
}

std::vector<std::uint32_t> controls_of(const std::vector<Prefix>& prefixes) {
  std::vector<std::uint32_t> out;
  for (const Prefix& prefix : prefixes)
    for (const auto& [symbol, child] : prefix.next)
      if (symbol >= kControlBase) out.push_back(symbol);
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

}  // namespace

std::vector<std::uint32_t> symbols_of(std::string_view text, std::span<const ControlToken> controls) {
  std::vector<std::uint32_t> symbols;
  while (!text.empty()) {
    const ControlToken* longest = nullptr;
    for (const ControlToken& control : controls) {
      if (!control.text.empty() && text.starts_with(control.text) &&
          (longest == nullptr || control.text.size() > longest->text.size()))
        longest = &control;
    }
    if (longest != nullptr) {
      symbols.push_back(kControlBase + static_cast<std::uint32_t>(longest->token));
      text.remove_prefix(longest->text.size());
    } else {
      symbols.push_back(static_cast<std::uint8_t>(text.front()));
      text.remove_prefix(1);
    }
  }
  return symbols;
}

std::uint32_t compile_scan(const Expression& scan, std::span<const ControlToken> controls, Program& program,
                           std::uint32_t end, const std::function<std::uint32_t(Node)>& add_node) {
  std::vector<Prefix> prefixes = prefixes_of(scan, controls);
  const std::vector<OtherBytes> others = other_bytes_of(prefixes, link_suffixes(prefixes));
  const std::vector<std::uint32_t> symbols = controls_of(prefixes);
  const auto first_state = static_cast<std::uint32_t>(program.scan_states.size());
  program.scan_states.resize(program.scan_states.size() + prefixes.size());
  std::vector<std::uint32_t> nodes;
  for (std::uint32_t i = 0; i < prefixes.size(); ++i) nodes.push_back(add_node({Node::Op::Scan, first_state + i, 0}));
  std::vector<std::uint32_t> after_pattern;
  for (const ScanPattern& pattern : scan.patterns) {
    after_pattern.push_back(pattern.arm == ScanArm::End    ? end
                            : pattern.arm == ScanArm::Rule ? add_node({Node::Op::Call, pattern.rule, nodes[0]})
                                                           : kNowhere);
  }
  const auto target = [&](std::uint32_t prefix) {
    const auto& pattern = prefixes[prefix].pattern;
    if (!pattern || scan.patterns[*pattern].arm == ScanArm::Text) return nodes[prefix];
    return after_pattern[*pattern];
  };
  const auto row = static_cast<std::uint32_t>(program.scan_rows.size());
  program.scan_rows.emplace_back().fill(nodes[0]);
  for (const auto& [symbol, child] : prefixes.front().next)
    if (symbol < kControlBase) program.scan_rows.back()[symbol] = target(child);
  program.scan_bytes += sizeof(ScanRow);
  for (std::uint32_t i = 0; i < prefixes.size(); ++i) {
    ScanState& state = program.scan_states[first_state + i];
    state.row = row;
    state.other.reserve(others[i].size());
    for (const auto& [byte, prefix] : others[i]) state.other.emplace_back(byte, target(prefix));
    state.controls.reserve(symbols.size());
    for (const std::uint32_t symbol : symbols)
      state.controls.emplace_back(static_cast<Token>(symbol - kControlBase), target(follow(prefixes, i, symbol)));
    state.other_control = nodes[0];
    state.may_stop = scan.may_stop;
    program.scan_bytes += sizeof(ScanState) + state.other.size() * sizeof(state.other.front()) +
                          state.controls.size() * sizeof(state.controls.front());
  }
  return nodes[0];
}

}  // namespace hearth::grammar
