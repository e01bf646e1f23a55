// Memory for reading: used again, given back, never longer than what was read.
#include "store/read_buffers.h"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <vector>

namespace {
using hearth::store::Bytes;
using hearth::store::ReadBuffers;

constexpr std::size_t kBlockBytes = std::size_t{15} << 20;
}  // namespace

TEST_CASE("memory that a block was read into is used for the next one, and neither longer nor shorter than that one") {
  ReadBuffers buffers;
  std::shared_ptr<Bytes> first = buffers.take(kBlockBytes);
  CHECK(first->size() == kBlockBytes);
  const auto* const where = first->data();
  first.reset();
  CHECK(buffers.free_bytes() >= kBlockBytes);
  const auto shorter = buffers.take(kBlockBytes - 100);
  CHECK(shorter->data() == where);
  CHECK(shorter->size() == kBlockBytes - 100);
  CHECK(buffers.free_bytes() == 0);
  CHECK(buffers.take(kBlockBytes)->data() != where);  // somebody has it
}

TEST_CASE("little is not kept, and a large buffer is not held for something small") {
  ReadBuffers buffers;
  buffers.take(1000).reset();
  CHECK(buffers.free_bytes() == 0);
  buffers.take(kBlockBytes).reset();
  const auto small = buffers.take(std::size_t{2} << 20);
  CHECK(buffers.free_bytes() >= kBlockBytes);
}

TEST_CASE("of what nobody uses 64 MB are kept at most, and nothing once it is released") {
  ReadBuffers buffers;
  std::vector<std::shared_ptr<Bytes>> many;
  for (int i = 0; i < 8; ++i) many.push_back(buffers.take(kBlockBytes));
  many.clear();
  CHECK(buffers.free_bytes() >= 4 * kBlockBytes);
  CHECK(buffers.free_bytes() <= std::size_t{64} << 20);
  std::shared_ptr<Bytes> held = buffers.take(kBlockBytes);
  buffers.release();
  held.reset();
  CHECK(buffers.free_bytes() == 0);
  buffers.take(kBlockBytes).reset();
  CHECK(buffers.free_bytes() >= kBlockBytes);
}

TEST_CASE("a buffer outlives those it came from") {
  std::optional<ReadBuffers> buffers(std::in_place);
  const std::shared_ptr<Bytes> held = buffers->take(kBlockBytes);
  buffers.reset();
  held->back() = 7;
  CHECK(held->back() == 7);
}
