// The compiler from a grammar's tree to nodes, backwards: each expression is compiled with the node that follows it.
#include "grammar/program.h"

#include <algorithm>
#include <map>
#include <utility>

#include "grammar/scan.h"
#include "grammar/syntax.h"
#include "grammar/utf8_ranges.h"
#include "grammar/without.h"

namespace hearth::grammar {
namespace {

using Ranges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

class Compiler {
 public:
  Compiler(const Syntax& syntax, std::span<const ControlToken> controls) : syntax_(syntax), controls_(controls) {}

  Result<std::shared_ptr<const Program>> run() {
    program_.nodes.push_back({});  // the Return that every rule ends with
    program_.rule_entries.resize(syntax_.rules.size(), 0);
    program_.root = syntax_.root;
    for (std::size_t rule = 0; rule < syntax_.rules.size() && !full(); ++rule)
      program_.rule_entries[rule] = compile(syntax_.rules[rule], kReturn);
    if (has_too_many_nodes()) return fail(ErrorKind::TooLarge, "the grammar needs too many nodes");
    if (full()) return fail(ErrorKind::TooLarge, "the grammar looks for too many texts");
    return std::make_shared<const Program>(std::move(program_));
  }

 private:
  static constexpr std::uint32_t kReturn = 0;

  [[nodiscard]] bool has_too_many_nodes() const { return program_.nodes.size() + program_.edges.size() > kNodesMax; }
  [[nodiscard]] bool full() const {
    return has_too_many_nodes() || scan_pattern_bytes_ > kScanPatternBytesMax || program_.scan_bytes > kScanBytesMax;
  }

  std::uint32_t add(Node node) {
    program_.nodes.push_back(node);
    return static_cast<std::uint32_t>(program_.nodes.size() - 1);
  }
  std::uint32_t add_split(std::span<const std::uint32_t> targets) {
    const auto first = static_cast<std::uint32_t>(program_.edges.size());
    program_.edges.insert(program_.edges.end(), targets.begin(), targets.end());
    return add({Node::Op::Split, first, static_cast<std::uint32_t>(targets.size())});
  }
  // A rule without a name: `body` is called with the node it is to end with.
  template <class Body>
  std::uint32_t add_rule(Body body) {
    const auto rule = static_cast<std::uint32_t>(program_.rule_entries.size());
    program_.rule_entries.push_back(kReturn);
    const std::uint32_t entry = body(kReturn);
    program_.rule_entries[rule] = entry;
    return rule;
  }

  std::uint32_t compile(const Expression& expression, std::uint32_t next) {
    if (full()) return kReturn;
    switch (expression.kind) {
      case Expression::Kind::Literal: return literal(expression.text, next);
      case Expression::Kind::Marked: return marked(expression.text, next);
      case Expression::Kind::Class: return character_class(expression.ranges, next);
      case Expression::Kind::Reference: return add({Node::Op::Call, expression.rule, next});
      case Expression::Kind::Repeat: return repeat(expression, next);
      case Expression::Kind::Scan: return scan(expression, next);
      case Expression::Kind::Each: return each(expression, next);
      case Expression::Kind::Without:
        return compile_without(expression, program_, next, [this](const Ranges& ranges, std::uint32_t after) {
          return character_class(ranges, after);
        });
      case Expression::Kind::Sequence:
        for (std::size_t i = expression.parts.size(); i-- > 0;) next = compile(expression.parts[i], next);
        return next;
      case Expression::Kind::Choice: break;
    }
    std::vector<std::uint32_t> targets;
    for (const Expression& part : expression.parts) targets.push_back(compile(part, next));
    return add_split(targets);
  }

  std::uint32_t literal(std::string_view text, std::uint32_t next) {
    for (std::size_t i = text.size(); i-- > 0;) next = add({Node::Op::Byte, static_cast<std::uint8_t>(text[i]), next});
    return next;
  }
  std::uint32_t marked(std::string_view text, std::uint32_t next) {
    const std::vector<std::uint32_t> symbols = symbols_of(text, controls_);
    for (std::size_t i = symbols.size(); i-- > 0;) {
      const std::uint32_t symbol = symbols[i];
      next = symbol < kControlBase ? add({Node::Op::Byte, symbol, next})
                                   : add({Node::Op::Control, symbol - kControlBase, next});
    }
    return next;
  }

  std::uint32_t byte_range(std::uint8_t low, std::uint8_t high, std::uint32_t next) {
    if (low == high) return add({Node::Op::Byte, low, next});
    std::array<std::uint64_t, 4> set{};
    for (unsigned byte = low; byte <= high; ++byte) set[byte >> 6U] |= std::uint64_t{1} << (byte & 63U);
    return byte_set(set, next);
  }
  std::uint32_t byte_set(const std::array<std::uint64_t, 4>& set, std::uint32_t next) {
    const auto [place, is_new] = set_numbers_.try_emplace(set, static_cast<std::uint32_t>(program_.byte_sets.size()));
    if (is_new) program_.byte_sets.push_back(set);
    return add({Node::Op::Bytes, place->second, next});
  }

  // The characters of one byte are one set; the longer ones are a rule that every use of this class shares.
  std::uint32_t character_class(const Ranges& ranges, std::uint32_t next) {
    const bool is_ascii = std::ranges::all_of(ranges, [](const auto& range) { return range.second < 0x80; });
    if (is_ascii) return class_body(ranges, next);
    const auto known = class_rules_.find(ranges);
    if (known != class_rules_.end()) return add({Node::Op::Call, known->second, next});
    const std::uint32_t rule = add_rule([&](std::uint32_t end) { return class_body(ranges, end); });
    class_rules_.emplace(ranges, rule);
    return add({Node::Op::Call, rule, next});
  }
  std::uint32_t class_body(const Ranges& ranges, std::uint32_t next) {
    std::array<std::uint64_t, 4> ascii{};
    std::vector<std::uint32_t> targets;
    for (const auto& [low, high] : ranges) {
      for (std::uint32_t c = low; c <= std::min(high, 0x7FU); ++c) ascii[c >> 6U] |= std::uint64_t{1} << (c & 63U);
      for (const ByteRanges& sequence : utf8_ranges(std::max(low, 0x80U), high)) {
        std::uint32_t node = next;
        for (std::size_t i = sequence.size(); i-- > 0;) node = byte_range(sequence[i].first, sequence[i].second, node);
        targets.push_back(node);
      }
    }
    if (ascii[0] != 0 || ascii[1] != 0) targets.push_back(byte_set(ascii, next));
    return targets.size() == 1 ? targets.front() : add_split(targets);
  }

  // Whatever takes more than a node becomes a rule, so that a long repetition costs two nodes for each.
  std::uint32_t repeat(const Expression& expression, std::uint32_t next) {
    const Expression& part = expression.parts.front();
    Expression reference{.kind = Expression::Kind::Reference};
    const Expression* item = &part;
    const bool is_small = part.kind == Expression::Kind::Reference || part.kind == Expression::Kind::Class ||
                          (part.kind == Expression::Kind::Literal && part.text.size() == 1);
    if (!is_small && !(expression.least <= 1 && expression.most == 1)) {
      reference.rule = add_rule([&](std::uint32_t end) { return compile(part, end); });
      item = &reference;
    }
    std::uint32_t node = next;
    if (expression.most == kUnbounded) {
      node = add_split(std::array{kReturn, next});
      const std::uint32_t again = compile(*item, node);  // may grow `edges`
      program_.edges[program_.nodes[node].a] = again;
    } else {
      for (std::uint32_t i = expression.least; i < expression.most && !full(); ++i)
        node = add_split(std::array{compile(*item, node), next});
    }
    for (std::uint32_t i = 0; i < expression.least && !full(); ++i) node = compile(*item, node);
    return node;
  }

  std::uint32_t each(const Expression& expression, std::uint32_t next) {
    EachSet set;
    for (std::size_t i = 1; i < expression.parts.size() && !full(); ++i) {
      const Expression& item = expression.parts[i];
      set.first.push_back(add_rule([&](std::uint32_t end) { return compile(item, end); }));
      set.later.push_back(
          add_rule([&](std::uint32_t end) { return compile(expression.parts.front(), compile(item, end)); }));
      const std::uint64_t bit = std::uint64_t{1} << (i - 1);
      if (expression.counts[i - 1] == ItemCount::Required) set.required |= bit;
      if (expression.counts[i - 1] == ItemCount::Repeated) set.repeated |= bit;
    }
    program_.each_sets.push_back(std::move(set));
    return add({Node::Op::Each, static_cast<std::uint32_t>(program_.each_sets.size() - 1), next});
  }

  std::uint32_t scan(const Expression& expression, std::uint32_t next) {
    for (const ScanPattern& pattern : expression.patterns) scan_pattern_bytes_ += pattern.text.size();
    if (full()) return kReturn;
    const std::uint32_t rule = add_rule([&](std::uint32_t end) {
      return compile_scan(expression, controls_, program_, end, [&](Node node) { return add(node); });
    });
    return add({Node::Op::Call, rule, next});
  }

  const Syntax& syntax_;
  const std::span<const ControlToken> controls_;
  Program program_;
  std::size_t scan_pattern_bytes_ = 0;
  std::map<std::array<std::uint64_t, 4>, std::uint32_t> set_numbers_;
  std::map<Ranges, std::uint32_t> class_rules_;
};

}  // namespace

std::uint32_t Program::after(const ScanState& state, std::uint8_t byte) const {
  const auto own = std::ranges::lower_bound(state.other, byte, {}, &std::pair<std::uint8_t, std::uint32_t>::first);
  return own != state.other.end() && own->first == byte ? own->second : scan_rows[state.row][byte];
}

std::size_t Program::bytes() const {
  std::size_t items = 0;
  for (const EachSet& set : each_sets) items += set.first.size() + set.later.size();
  return nodes.size() * sizeof(Node) + (edges.size() + rule_entries.size() + items) * sizeof(std::uint32_t) +
         byte_sets.size() * sizeof(byte_sets.front()) + each_sets.size() * sizeof(EachSet) + scan_bytes;
}

Result<std::shared_ptr<const Program>> compile(std::string_view text, std::span<const ControlToken> control_tokens) {
  TRY_ASSIGN(const Syntax syntax, read_syntax(text));
  return Compiler(syntax, control_tokens).run();
}

}  // namespace hearth::grammar
