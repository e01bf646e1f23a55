// See without.h. A node for each number of characters so far and each beginning of the text that they end with; behind the
// least number of an open count the nodes lead to each other.
#include "grammar/without.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>

namespace hearth::grammar {
namespace {

constexpr std::uint32_t kCodePointMax = 0x10FFFF;

class WithoutCompiler {
 public:
  WithoutCompiler(const Expression& without, Program& program, std::uint32_t next,
                  const std::function<std::uint32_t(const CharacterRanges&, std::uint32_t)>& add_class)
      : text_(without.text),
        least_(without.least),
        most_(without.most),
        program_(program),
        next_(next),
        add_class_(add_class) {
    letters_ = without.text;
    std::ranges::sort(letters_);
    letters_.erase(std::ranges::unique(letters_).begin(), letters_.end());
    std::uint32_t low = 0;
    for (const char letter : letters_) {
      const auto c = static_cast<std::uint32_t>(letter);
      if (c > low) others_.emplace_back(low, c - 1);
      low = c + 1;
    }
    others_.emplace_back(low, 0xD7FF);
    others_.emplace_back(0xE000, kCodePointMax);
  }

  std::uint32_t run() {
    const bool is_open = most_ == kUnbounded;
    std::vector<std::uint32_t> after = is_open ? open_end() : std::vector<std::uint32_t>(text_.size(), next_);
    for (std::uint32_t count = is_open ? least_ : most_; count-- > 0 && program_.nodes.size() < kNodesMax;) {
      std::vector<std::uint32_t> here;
      for (std::size_t prefix = 0; prefix < text_.size(); ++prefix)
        here.push_back(prefix <= count ? step(prefix, after, count >= least_) : after.front());
      after = std::move(here);
    }
    return after.front();
  }

 private:
  std::uint32_t add(Node node) {
    program_.nodes.push_back(node);
    return static_cast<std::uint32_t>(program_.nodes.size() - 1);
  }
  std::uint32_t add_split(const std::vector<std::uint32_t>& targets) {
    const auto first = static_cast<std::uint32_t>(program_.edges.size());
    program_.edges.insert(program_.edges.end(), targets.begin(), targets.end());
    return add({Node::Op::Split, first, static_cast<std::uint32_t>(targets.size())});
  }

  // The longest beginning of the text that text_[0, prefix) and then `c` end with.
  [[nodiscard]] std::size_t follow(std::size_t prefix, char c) const {
    const std::string read = std::string(text_.substr(0, prefix)) + c;
    std::size_t size = std::min(read.size(), text_.size());
    while (size > 0 && !read.ends_with(text_.substr(0, size))) --size;
    return size;
  }

  // One character more, behind that beginning; or the end.
  std::uint32_t step(std::size_t prefix, const std::vector<std::uint32_t>& after, bool may_end) {
    std::map<std::size_t, std::array<std::uint64_t, 4>> sets;  // by the beginning that the letter leads to
    for (const char letter : letters_) {
      const std::size_t to = follow(prefix, letter);
      const auto c = static_cast<unsigned char>(letter);
      if (to < text_.size()) sets[to][c >> 6U] |= std::uint64_t{1} << (c & 63U);
    }
    std::vector<std::uint32_t> targets{add_class_(others_, after.front())};
    for (const auto& [to, set] : sets) {
      const auto known = std::ranges::find(program_.byte_sets, set);
      const auto number = static_cast<std::uint32_t>(known - program_.byte_sets.begin());
      if (known == program_.byte_sets.end()) program_.byte_sets.push_back(set);
      targets.push_back(add({Node::Op::Bytes, number, after[to]}));
    }
    if (may_end) targets.push_back(next_);
    return add_split(targets);
  }

  // Any number more: splits whose edges are filled in when all of them are there.
  std::vector<std::uint32_t> open_end() {
    std::vector<std::uint32_t> entries;
    for (std::size_t prefix = 0; prefix < text_.size(); ++prefix) entries.push_back(add_split({next_}));
    for (const std::uint32_t entry : entries) {
      const std::size_t prefix = entry - entries.front();
      const std::uint32_t body = step(prefix, entries, true);
      program_.edges[program_.nodes[entry].a] = body;
    }
    return entries;
  }

  const std::string_view text_;
  const std::uint32_t least_, most_;
  Program& program_;
  const std::uint32_t next_;
  const std::function<std::uint32_t(const CharacterRanges&, std::uint32_t)>& add_class_;
  std::string letters_;  // of the text, each once
  CharacterRanges others_;
};

}  // namespace

std::uint32_t compile_without(const Expression& without, Program& program, std::uint32_t next,
                              const std::function<std::uint32_t(const CharacterRanges&, std::uint32_t)>& add_class) {
  return WithoutCompiler(without, program, next, add_class).run();
}

}  // namespace hearth::grammar
