// The reader of trunk files: any bytes, cut anywhere, end in an error or a file, and what is taken is what came. Random bytes do
// not get past a checksum, so half of the inputs are a table of any content whose checksums are made to fit.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "cache/trunk_format.h"

namespace {

using namespace hearth::cache;

template <class T>
T take(std::span<const std::uint8_t>& bytes) {
  T value{};
  const std::size_t size = std::min(sizeof value, bytes.size());
  std::memcpy(&value, bytes.data(), size);
  bytes = bytes.subspan(size);
  return value;
}

std::vector<std::uint8_t> with_checksums(std::span<const std::uint8_t> bytes) {
  TrunkHeader header;
  header.tokens.resize(take<std::uint16_t>(bytes) % 1024);
  const std::size_t pieces = take<std::uint8_t>(bytes) % 8;
  for (std::size_t i = 0; i < pieces; ++i)
    header.pieces.push_back({.is_anchor = take<std::uint8_t>(bytes) % 4 == 0,
                             .kind = static_cast<AnchorKind>(take<std::uint8_t>(bytes) % 8),
                             .begin = take<std::uint16_t>(bytes),
                             .end = take<std::uint16_t>(bytes),
                             .bytes = take<std::uint8_t>(bytes)});
  const std::string head = encode_trunk_header(header);
  std::vector<std::uint8_t> file(head.begin(), head.end());
  for (const TrunkPiece& piece : header.pieces) {
    const std::vector<std::uint8_t> content(piece.bytes, take<std::uint8_t>(bytes));
    const Hash digest = content_hash(content);
    file.insert(file.end(), content.begin(), content.end());
    file.insert(file.end(), digest.begin(), digest.end());
  }
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t part = data[0] + std::size_t{1};
  std::span<const std::uint8_t> rest(data + 2, size - 2);
  const std::vector<std::uint8_t> file =
      data[1] % 2 == 0 ? std::vector<std::uint8_t>(rest.begin(), rest.end()) : with_checksums(rest);
  std::uint64_t taken = 0;
  TrunkReader reader(Hash{}, 1U << 20,
                     [&](const TrunkHeader& header, const TrunkPiece& piece,
                         std::vector<std::uint8_t>&& bytes) -> hearth::Result<void> {
                       CHECK(bytes.size() == piece.bytes && piece.end <= header.tokens.size());
                       taken += bytes.size();
                       return {};
                     });
  for (std::size_t at = 0; at < file.size(); at += part)
    if (!reader.feed(std::span(file).subspan(at, std::min(part, file.size() - at)))) break;
  CHECK(taken <= file.size());
  if (reader.complete()) CHECK(trunk_file_bytes(reader.header()) == reader.bytes_taken());
  return 0;
}
