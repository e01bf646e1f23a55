// Fuzzes the frame decoder: any bytes are either a message or an error, and what was decoded encodes to the same bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "link/codec.h"

namespace {

// A NaN keeps its bits on every machine we build for, so equality of bytes is exact.
template <class Message>
void check_same_bytes(const hearth::Result<Message>& decoded, std::string_view payload) {
  if (!decoded) return;
  const std::string frame = hearth::link::encode(*decoded);
  if (std::string_view(frame).substr(hearth::link::kFrameHeaderBytes) != payload) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::link;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.size() < kFrameHeaderBytes) return 0;
  // The header may refuse; the payload decoders are given the tag either way, or most inputs would end at the magic.
  (void)decode_header(bytes.substr(0, kFrameHeaderBytes));
  const auto tag = static_cast<std::uint16_t>(data[6] | data[7] << 8);
  const std::string_view payload = bytes.substr(kFrameHeaderBytes);
  check_same_bytes(decode_front_message(tag, payload), payload);
  check_same_bytes(decode_engine_message(tag, payload), payload);
  return 0;
}
