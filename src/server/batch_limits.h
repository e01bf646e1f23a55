// BatchLimits: how many message batches, how large, and for how long. The defaults are the program's; tests have their own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "server/batch_store.h"

namespace hearth::server {

struct BatchLimits {
  std::size_t owner_batches_max = 100;                   // of one key, ended ones included
  std::size_t owner_bytes_max = std::size_t{512} << 20;  // of their requests and results; only new ones are refused
  std::size_t text_bytes_max = kBatchTextBytesMax;  // of one batch's requests as stored, and of idle ones in memory
  std::size_t batches_max = 1000;                   // of all keys
  std::size_t bytes_max = std::size_t{2} << 30;     // and without a folder only owner_bytes_max: they lie in memory
  std::size_t running_max = 4;                      // requests at once
  std::size_t calls_max = 256;                      // that wait for the disk
  std::size_t calls_bytes_max = std::size_t{512} << 20;  // of their bodies, which may be 64 MiB each
  std::int64_t expires_after_s = 7L * 24 * 3600;         // not run by then: expired
  std::int64_t kept_after_s = 29L * 24 * 3600;           // then an ended batch is forgotten
};

}  // namespace hearth::server
