// Messages to frames and back: the header here, the fields of each message in link/fields.h. Pure functions.
#include "link/codec.h"

#include <format>

#include "base/check.h"
#include "link/byte_reader.h"
#include "link/byte_writer.h"
#include "link/fields.h"

namespace hearth::link {
namespace {

constexpr std::uint32_t kMagic = 0x31545248;  // "HRT1" as its bytes lie in the frame

template <class Variant>
std::string encode_frame(const Variant& message) {
  std::string frame;
  ByteWriter writer(frame);
  writer.put(kMagic);
  writer.put(kProtocolVersion);
  writer.put(static_cast<std::uint16_t>(message.index()));
  writer.put(std::uint32_t{0});  // the payload's length, known below
  std::visit([&](const auto& m) { writer.put(m); }, message);
  const std::size_t payload_bytes = frame.size() - kFrameHeaderBytes;
  CHECK(payload_bytes <= UINT32_MAX);
  for (std::size_t index = 0; index < 4; ++index)
    frame[8 + index] = static_cast<char>(static_cast<unsigned char>(payload_bytes >> (8 * index)));
  return frame;
}

// Reads the alternative with number `tag`. Folded over all of them, so a new message needs no new line here.
template <class Variant, std::size_t... Index>
Result<Variant> decode_payload(std::uint16_t tag, std::string_view payload, std::index_sequence<Index...>) {
  Result<Variant> message = fail(ErrorKind::InvalidInput, std::format("link: there is no message with tag {}", tag));
  const auto read = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
    ByteReader reader(payload);
    std::variant_alternative_t<I, Variant> value;
    reader.get(value);
    if (reader.ok() && reader.left() > 0) reader.reject("bytes follow the message's last field");
    if (reader.ok()) {
      message = Variant(std::in_place_index<I>, std::move(value));
    } else {
      message = fail(ErrorKind::InvalidInput, std::format("link: message {} is broken: {}", tag, reader.error()));
    }
  };
  ((tag == Index ? read(std::integral_constant<std::size_t, Index>{}) : void()), ...);
  return message;
}

}  // namespace

std::string encode(const FrontMessage& message) { return encode_frame(message); }
std::string encode(const EngineMessage& message) { return encode_frame(message); }

Result<FrameHeader> decode_header(std::string_view bytes) {
  CHECK(bytes.size() == kFrameHeaderBytes);
  ByteReader reader(bytes);
  std::uint32_t magic = 0;
  std::uint16_t version = 0;
  FrameHeader header;
  reader.get(magic);
  reader.get(version);
  reader.get(header.tag);
  reader.get(header.payload_bytes);
  if (magic != kMagic) return fail(ErrorKind::InvalidInput, "link: a frame does not begin with HRT1");
  if (version != kProtocolVersion) {
    return fail(
        ErrorKind::InvalidInput,
        std::format("link: the other side speaks protocol version {}, this side {}; hearth and hearth-engine must "
                    "come from the same build",
                    version, kProtocolVersion));
  }
  if (header.payload_bytes > kFrameBytesMax) {
    return fail(ErrorKind::InvalidInput,
                std::format("link: a frame of {} bytes is over the limit of {}", header.payload_bytes, kFrameBytesMax));
  }
  return header;
}

Result<FrontMessage> decode_front_message(std::uint16_t tag, std::string_view payload) {
  return decode_payload<FrontMessage>(tag, payload, std::make_index_sequence<std::variant_size_v<FrontMessage>>{});
}

Result<EngineMessage> decode_engine_message(std::uint16_t tag, std::string_view payload) {
  return decode_payload<EngineMessage>(tag, payload, std::make_index_sequence<std::variant_size_v<EngineMessage>>{});
}

}  // namespace hearth::link
