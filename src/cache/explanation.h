// Explanation: why tokens of a prompt are computed. Plain data, made by PrefixCache::explain().
//
//   [0 ......... cached) [cached ........... known) [known ............ prompt)
//    reused               computed before by this     never computed before: see Beyond
//                         key: why again, see Lost
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cache/gone_log.h"

namespace hearth::cache {

enum class Beyond : std::uint8_t {
  New,        // nothing like it is known
  Continues,  // the known line ended there: a conversation went on
  Differs,    // the known line goes on with other tokens
};

enum class Lost : std::uint8_t {
  Nothing,
  LastToken,   // its logits are needed
  ExactUnit,   // --exact uses whole units only
  NoAnchor,    // the state cannot be cut, and none was kept there
  AnchorGone,  // one was, and left: see `gone`
  BlocksGone,  // see `gone`
  TooLittle,   // bringing it back costs more than computing it
  Refused,     // the engine did not take it back
  NotKept,     // nothing of it was kept outside the pool
};

struct Explanation {
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, known_tokens = 0;
  std::uint32_t line_tokens = 0;  // of the known line
  Beyond beyond = Beyond::New;
  Lost lost = Lost::Nothing;
  std::optional<GoneEvent> gone;
  std::uint64_t gone_ms_ago = 0;
  // With Beyond::Differs: the last tokens that agree, and the first that do not, of the known line and of the prompt.
  std::vector<Token> before, was, is;
};

}  // namespace hearth::cache
