// The frame around a piece of state that left an engine: which positions it is for, and how many bytes follow. It is in the
// machine's own byte order, little-endian where it leaves the machine in a trunk file; what reads it trusts the payload but checks the frame.
// Pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

namespace hearth::engine {

enum class StatePart : std::uint32_t { Cells = 0x314C4348, Snapshot = 0x314E5348, Whole = 0x31574853 };

struct StateFrame {
  std::uint32_t part = 0;
  std::uint32_t begin = 0, end = 0;  // positions
  std::uint32_t reserved = 0;
  std::uint64_t payload_bytes = 0;
};
static_assert(sizeof(StateFrame) == 24);

// Room for the frame in front of a payload that is still to be written behind it.
inline std::vector<std::uint8_t> framed() { return std::vector<std::uint8_t>(sizeof(StateFrame)); }

inline void close_frame(std::vector<std::uint8_t>& bytes, StatePart part, std::uint32_t begin, std::uint32_t end) {
  const StateFrame frame{.part = static_cast<std::uint32_t>(part),
                         .begin = begin,
                         .end = end,
                         .payload_bytes = bytes.size() - sizeof(StateFrame)};
  std::memcpy(bytes.data(), &frame, sizeof(frame));
}

struct OpenFrame {
  std::uint32_t begin = 0, end = 0;
  std::span<const std::uint8_t> payload;
};

// Nothing when the bytes are not such a piece, whole.
inline std::optional<OpenFrame> open_frame(std::span<const std::uint8_t> bytes, StatePart part) {
  StateFrame frame;
  if (bytes.size() < sizeof(frame)) return std::nullopt;
  std::memcpy(&frame, bytes.data(), sizeof(frame));
  const std::span<const std::uint8_t> payload = bytes.subspan(sizeof(frame));
  if (frame.part != static_cast<std::uint32_t>(part) || frame.begin > frame.end ||
      frame.payload_bytes != payload.size())
    return std::nullopt;
  return OpenFrame{.begin = frame.begin, .end = frame.end, .payload = payload};
}

}  // namespace hearth::engine
