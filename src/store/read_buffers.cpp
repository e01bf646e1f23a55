// See read_buffers.h.
#include "store/read_buffers.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <vector>

namespace hearth::store {
namespace {

// Smaller ones are not worth the trouble: the allocator has them at hand.
constexpr std::size_t kKeptBytesMin = std::size_t{1} << 20;
// Four blocks of a model with 64 KB a token: what two readers fill while the engine takes in what they have read.
constexpr std::size_t kFreeBytesMax = std::size_t{64} << 20;
constexpr std::size_t kFreeMax = kFreeBytesMax / kKeptBytesMin;

// REQUIRES: nothing was written there yet.
void ask_for_huge_pages([[maybe_unused]] Bytes& buffer) {
#ifdef MADV_HUGEPAGE
  constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;
  const auto begin = reinterpret_cast<std::uintptr_t>(buffer.data());
  const std::uintptr_t first = (begin + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  const std::uintptr_t end = (begin + buffer.capacity()) / kHugePageBytes * kHugePageBytes;
  if (first < end) ::madvise(buffer.data() + (first - begin), end - first, MADV_HUGEPAGE);  // a wish
#endif
}

std::unique_ptr<Bytes> make_buffer(std::size_t bytes) {
  auto buffer = std::make_unique<Bytes>();
  buffer->reserve(bytes);
  ask_for_huge_pages(*buffer);
  buffer->resize(bytes);
  return buffer;
}

}  // namespace

struct ReadBuffers::Free {
  std::mutex mutex;
  std::vector<std::unique_ptr<Bytes>> buffers;  // guarded by mutex, as the next
  std::size_t bytes = 0;
  bool is_quiet = false;  // nobody reads: what comes back is not kept
};

struct ReadBuffers::GiveBack {
  std::shared_ptr<Free> free;
  void operator()(Bytes* last) const {
    std::unique_ptr<Bytes> buffer(last);
    const std::lock_guard lock(free->mutex);
    if (free->is_quiet || free->bytes + buffer->capacity() > kFreeBytesMax) return;
    free->bytes += buffer->capacity();
    free->buffers.push_back(std::move(buffer));  // there is room: it does not throw
  }
};

ReadBuffers::ReadBuffers() : free_(std::make_shared<Free>()) { free_->buffers.reserve(kFreeMax); }

std::shared_ptr<Bytes> ReadBuffers::take(std::size_t bytes) {
  if (bytes < kKeptBytesMin) return std::make_shared<Bytes>(bytes);
  std::unique_ptr<Bytes> buffer;
  {
    const std::lock_guard lock(free_->mutex);
    free_->is_quiet = false;
    // Blocks of one model are of one size. A much larger buffer would be held for little.
    const auto fits = std::ranges::find_if(free_->buffers, [&](const std::unique_ptr<Bytes>& one) {
      return one->capacity() >= bytes && one->capacity() / 2 <= bytes;
    });
    if (fits != free_->buffers.end()) {
      buffer = std::move(*fits);
      free_->buffers.erase(fits);
      free_->bytes -= buffer->capacity();
    }
  }
  if (!buffer) buffer = make_buffer(bytes);
  buffer->resize(bytes);  // zeros are written only where the last one ended before
  return {buffer.release(), GiveBack{free_}};
}

void ReadBuffers::release() {
  std::vector<std::unique_ptr<Bytes>> buffers;  // freed after the lock
  buffers.reserve(kFreeMax);
  const std::lock_guard lock(free_->mutex);
  buffers.swap(free_->buffers);
  free_->bytes = 0;
  free_->is_quiet = true;
}

std::size_t ReadBuffers::free_bytes() const {
  const std::lock_guard lock(free_->mutex);
  return free_->bytes;
}

}  // namespace hearth::store
