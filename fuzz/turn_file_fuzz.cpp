// The reader of the saved turn memory (docs/turn-memory-format.md): any bytes end in an error or in turns, and turns that were read are
// the same after they were saved and read again. First byte: 0 a whole file as it is; else what stands behind the scope, with
// everything before it and the checksum made right.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "base/random.h"
#include "chat/turn_format.h"
#include "chat/turn_memory.h"

namespace {
using namespace hearth;
using namespace hearth::chat;

constexpr std::string_view kScope = "fuzz";

void demand(bool holds) {
  if (!holds) std::abort();
}

template <class T>
void put(std::string& to, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) to += static_cast<char>(value >> (8 * i) & 255U);
}

// As the document says it.
std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t sum = mix_u64(0, bytes.size()), word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    word = word << 8U | static_cast<unsigned char>(bytes[i]);
    if (i % 8 == 7) sum = mix_u64(sum ^ std::exchange(word, 0), i);
  }
  return mix_u64(sum ^ word, bytes.size());
}

std::string whole(std::string_view turns) {
  std::string file = "HTM1";
  put(file, std::uint16_t{1});
  put(file, static_cast<std::uint32_t>(kScope.size()));
  file += kScope;
  file += turns;
  put(file, checksum(file));
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string file = data[0] == 0 ? std::string(input) : whole(input);
  TurnMemory memory;
  const bool taken = memory.load(kScope, file).has_value();
  demand(taken == read_turns(kScope, file).has_value());
  if (!taken) return 0;
  const std::string saved = memory.save(kScope);
  TurnMemory again;
  demand(again.load(kScope, saved).has_value());
  demand(again.turn_count() == memory.turn_count());
  demand(again.save(kScope) == saved);
  return 0;
}
