// The trunk file: what is written is read again however it is cut, and whatever is wrong is refused, byte by byte.
#include "cache/trunk_format.h"

#include <doctest/doctest.h>

#include <string>

#include "base/random.h"

namespace hearth::cache {
namespace {

struct File {
  TrunkHeader header;
  std::vector<std::vector<std::uint8_t>> contents;
  std::vector<std::uint8_t> bytes;
};

Hash identity_of(std::uint8_t first) {
  Hash hash{};
  hash[0] = first;
  return hash;
}

File make_file(std::uint32_t tokens, std::vector<std::uint32_t> anchors) {
  File file;
  file.header.identity = identity_of(7);
  for (std::uint32_t i = 0; i < tokens; ++i) file.header.tokens.push_back(static_cast<Token>(i * 3));
  for (std::uint32_t begin = 0; begin < tokens; begin += kBlockTokens)
    file.header.pieces.push_back(
        {.begin = begin, .end = std::min(tokens, begin + kBlockTokens), .bytes = 40 + begin % 7});
  for (const std::uint32_t at : anchors)
    file.header.pieces.push_back({.is_anchor = true, .kind = AnchorKind::Trunk, .end = at, .bytes = 9});
  const std::string head = encode_trunk_header(file.header);
  file.bytes.assign(head.begin(), head.end());
  for (std::size_t i = 0; i < file.header.pieces.size(); ++i) {
    std::vector<std::uint8_t> content(file.header.pieces[i].bytes);
    for (std::size_t k = 0; k < content.size(); ++k) content[k] = static_cast<std::uint8_t>(mix_u64(i, k));
    const Hash digest = content_hash(content);
    file.bytes.insert(file.bytes.end(), content.begin(), content.end());
    file.bytes.insert(file.bytes.end(), digest.begin(), digest.end());
    file.contents.push_back(std::move(content));
  }
  return file;
}

struct Reading {
  Result<void> result;
  std::vector<std::vector<std::uint8_t>> contents;
  std::vector<TrunkPiece> pieces;
  bool complete = false;
};

Reading read(const std::vector<std::uint8_t>& bytes, std::size_t part, std::uint64_t bytes_max = 1U << 20) {
  Reading reading;
  TrunkReader reader(
      identity_of(7), bytes_max,
      [&](const TrunkHeader&, const TrunkPiece& piece, std::vector<std::uint8_t>&& content) -> Result<void> {
        reading.pieces.push_back(piece);
        reading.contents.push_back(std::move(content));
        return {};
      });
  for (std::size_t at = 0; at < bytes.size() && reading.result; at += part)
    reading.result = reader.feed(std::span(bytes).subspan(at, std::min(part, bytes.size() - at)));
  reading.complete = reader.complete();
  return reading;
}

TEST_CASE("a trunk is read as it was written, however it is cut") {
  const File file = make_file(700, {256, 600, 700});
  CHECK(trunk_file_bytes(file.header) == file.bytes.size());
  for (const std::size_t part :
       {std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{1000}, file.bytes.size()}) {
    const Reading reading = read(file.bytes, part);
    CHECK(reading.result);
    CHECK(reading.complete);
    CHECK(reading.pieces == file.header.pieces);
    CHECK(reading.contents == file.contents);
  }
}

TEST_CASE("a trunk with any byte turned or missing gives no damaged piece, and never a whole") {
  const File file = make_file(300, {256});
  for (std::size_t at = 0; at < file.bytes.size(); ++at) {
    auto turned = file.bytes;
    turned[at] ^= 0x41;
    const Reading reading = read(turned, 33);
    CHECK_FALSE(reading.complete);  // refused, or, where a count became larger, waiting for what never comes
    for (std::size_t i = 0; i < reading.contents.size(); ++i) CHECK(reading.contents[i] == file.contents[i]);
    const Reading cut = read({file.bytes.begin(), file.bytes.begin() + static_cast<std::ptrdiff_t>(at)}, 50);
    CHECK_FALSE(cut.complete);
  }
  auto longer = file.bytes;
  longer.push_back(0);
  CHECK_FALSE(read(longer, 64).result);
}

TEST_CASE("a trunk of another model, of a newer version or larger than the cache is refused with the reason") {
  const File file = make_file(300, {});
  const auto message_of = [](const Reading& reading) { return reading.result ? "" : reading.result.error().message; };
  auto other = file.bytes;
  other[8] = 8;
  CHECK(message_of(read(other, 4096)).contains("another model file"));
  auto newer = file.bytes;
  newer[4] = 2;
  CHECK(message_of(read(newer, 4096)).contains("version is 2"));
  const Reading large = read(file.bytes, 4096, 10);
  CHECK(message_of(large).contains("room for 10"));
  CHECK(large.contents.empty());
}

TEST_CASE("pieces that do not fit together are refused though their checksums fit") {
  const auto refused = [](auto change) {
    File file = make_file(600, {256, 600});
    change(file.header);
    const std::string head = encode_trunk_header(file.header);
    return !read({head.begin(), head.end()}, 4096).result;
  };
  CHECK_FALSE(refused([](TrunkHeader&) {}));
  CHECK(refused([](TrunkHeader& header) { header.pieces[0].begin = 1; }));
  CHECK(refused([](TrunkHeader& header) { header.pieces[1].end = 500; }));
  CHECK(refused([](TrunkHeader& header) { header.pieces[2].end = 601; }));
  CHECK(refused([](TrunkHeader& header) { header.pieces.erase(header.pieces.begin()); }));
  CHECK(refused([](TrunkHeader& header) { std::swap(header.pieces[3], header.pieces[4]); }));
  CHECK(refused([](TrunkHeader& header) { std::swap(header.pieces[2], header.pieces[3]); }));
  CHECK(refused([](TrunkHeader& header) { header.pieces[0].bytes = 0; }));
  CHECK(refused([](TrunkHeader& header) { header.pieces[0].bytes = ~std::uint64_t{0}; }));
  CHECK(refused([](TrunkHeader& header) { header.pieces[3].begin = 5; }));
}

}  // namespace
}  // namespace hearth::cache
