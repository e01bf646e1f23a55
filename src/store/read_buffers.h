// ReadBuffers: memory that records are read into, used again and again. A conversation comes back in blocks of many megabytes; new
// memory for each costs more than the disk does: the system gives it page by page, filled with zeros. Any thread.
#pragma once

#include <cstddef>
#include <memory>

#include "store/record.h"

namespace hearth::store {

class ReadBuffers {
 public:
  ReadBuffers();
  // So many bytes that say anything. The memory comes back when the last owner lets go, even if that outlives this.
  // Throws std::bad_alloc.
  [[nodiscard]] std::shared_ptr<Bytes> take(std::size_t bytes);
  // What nobody uses goes back to the system, and so does what comes back before the next take().
  void release();
  [[nodiscard]] std::size_t free_bytes() const;

 private:
  struct Free;
  struct GiveBack;
  const std::shared_ptr<Free> free_;
};

}  // namespace hearth::store
