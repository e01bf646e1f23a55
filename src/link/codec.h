// Messages to bytes and back. The byte layout is docs/link-format.md; a message is one frame:
//   u32 magic "HRT1" · u16 protocol version · u16 message tag (index in its variant) · u32 payload bytes · payload
// Decoding trusts nothing: lengths are bounded by what is left, a bad frame is an Error and the link is dropped.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "link/messages.h"

namespace hearth::link {

inline constexpr std::size_t kFrameHeaderBytes = 12;

[[nodiscard]] std::string encode(const FrontMessage& message);
[[nodiscard]] std::string encode(const EngineMessage& message);

struct FrameHeader {
  std::uint16_t tag = 0;
  std::uint32_t payload_bytes = 0;
};
// REQUIRES: exactly kFrameHeaderBytes bytes. Wrong magic, version or size over kFrameBytesMax: an Error.
[[nodiscard]] Result<FrameHeader> decode_header(std::string_view bytes);
[[nodiscard]] Result<FrontMessage> decode_front_message(std::uint16_t tag, std::string_view payload);
[[nodiscard]] Result<EngineMessage> decode_engine_message(std::uint16_t tag, std::string_view payload);

}  // namespace hearth::link
