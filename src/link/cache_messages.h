// What front and engine say about the prefix cache: questions and orders of people, and why a prompt was computed. Plain
// values, messages of messages.h or parts of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "link/job.h"

namespace hearth::link {

// Why tokens of a prompt were computed (cache/explanation.h says what each word means):
//   [0, cached) reused · [cached, known) computed before, and again: `lost` · [known, end) not computed before: `beyond`
enum class Beyond : std::uint8_t { New, Continues, Differs };
enum class Lost : std::uint8_t {
  Nothing,
  LastToken,
  ExactUnit,
  NoAnchor,
  AnchorGone,
  BlocksGone,
  TooLittle,
  Refused,
  NotKept
};
enum class GoneFor : std::uint8_t { Nothing, Line, Budget };
struct Gone {  // what was kept and left
  std::uint32_t position = 0;
  std::uint64_t ms_ago = 0;
  GoneFor what_for = GoneFor::Nothing;
  bool thinned = false;          // a line keeps only so many anchors
  bool for_same_key = false;     // the line that needed its room was the same key's
  std::uint32_t for_tokens = 0;  // how long that one was
};
// Of `before`, `was` and `is`: some words around a place.
inline constexpr std::size_t kExplanationTextBytesMax = 512;
struct Explanation {
  std::uint32_t known_tokens = 0;
  std::uint32_t line_tokens = 0;  // of the known line that agrees longest
  Beyond beyond = Beyond::New;
  Lost lost = Lost::Nothing;
  std::optional<Gone> gone;
  std::string before, was, is;  // with Differs: what both say, then what the known line says, and the prompt
};

enum class Tier : std::uint8_t { Live, Ram, Disk, None };  // None: it would be computed
struct TierSpan {
  std::uint32_t end = 0;  // begins where the one before it ends
  Tier tier = Tier::None;
};
// Where each part of these tokens would come from now.
struct Probe {
  std::uint64_t id = 0;
  std::string cache_salt;
  std::vector<Token> tokens;
};
struct ProbeReply {
  std::uint64_t id = 0;
  std::uint32_t cached_tokens = 0;
  std::vector<TierSpan> spans;
};

enum class CacheAction : std::uint8_t {
  List,    // the lines that are known
  Pin,     // `line`, or what `tokens` find: it stays in RAM
  Unpin,   // the same
  Clear,   // forget: of one key, or of all
  Export,  // a part of the file of `line` (docs/trunk-format.md), from `offset` on
  Import,  // a part of such a file, from `offset` on, one after the other from 0
};
inline constexpr std::size_t kTrunkPartBytesMax = 16U << 20;
struct CacheRequest {
  std::uint64_t id = 0;
  CacheAction action = CacheAction::List;
  std::string cache_salt;  // whose
  bool every_key = false;  // List, Clear: of all keys
  std::string line;        // its id, or a beginning of it that no other has
  std::uint64_t offset = 0;
  std::string bytes;  // Import
};
struct CacheLine {
  std::string id;
  bool own = false;  // of the key that asked
  bool pinned = false;
  std::uint32_t tokens = 0;
  std::uint32_t uses = 0;
  std::uint64_t used_ms_ago = 0;
  std::vector<TierSpan> spans;
};
struct CacheReply {
  std::uint64_t id = 0;
  bool failed = false;
  std::uint8_t error_kind = 0;  // ErrorKind as a number, when it failed
  std::string message;          // when it failed
  std::vector<CacheLine> lines;
  std::map<std::string, std::uint64_t> numbers;  // what was done; units are in the names
  std::string bytes;                             // Export
};

// The context grew.
struct ContextChanged {
  std::uint32_t context_tokens = 0, live_context_tokens = 0;  // as in Hello
};

}  // namespace hearth::link
