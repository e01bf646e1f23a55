// KnownLines: the tokens of the lines that were computed last, whatever became of their state: what a prompt that is computed
// again is compared with, and what can be named to people. A line that goes on takes the place of its beginning. Bounded;
// compared when a job is placed and when it ends, never per token. One thread.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <vector>

#include "cache/chain_hash.h"

namespace hearth::cache {

struct KnownLine {
  const Root* root = nullptr;  // never null; lives as long as its cache
  std::string id;              // 16 hexadecimal digits: for people, and to name it
  std::vector<Token> tokens;
  std::uint64_t used_ms = 0;
  std::uint32_t uses = 1;
  bool held = false;  // stays, however many come after it: people have named it
};

class KnownLines {
 public:
  // Conversations of an afternoon; 16 MiB of tokens.
  static constexpr std::size_t kLinesMax = 64;
  static constexpr std::size_t kTokensMax = std::size_t{4} << 20;

  void remember(const Root& root, std::span<const Token> tokens, std::uint64_t now_ms);

  struct Match {
    const KnownLine* line = nullptr;  // until the next remember()
    std::uint32_t common = 0;
  };
  // The line that agrees longest with the prompt; of equals one that ends there, then the one used last.
  [[nodiscard]] Match longest(const Root& root, std::span<const Token> prompt) const;
  [[nodiscard]] const std::list<KnownLine>& lines() const { return lines_; }  // the one used last in front
  void hold(const std::string& id, bool held);                                // REQUIRES: fewer are held than kLinesMax
  void forget(const Root* root);                                              // nullptr: all

 private:
  std::list<KnownLine> lines_;
  std::size_t tokens_ = 0;  // of all
};

}  // namespace hearth::cache
