// BatchResults: the results of a batch that has ended, as JSON lines in the order of its requests, read from its files piece by
// piece: all of them together may be gigabytes. Such files never change; they may be deleted. One thread at a time.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/batch_record.h"
#include "server/batch_store.h"

namespace hearth::server {

class BatchResults {
 public:
  // `is_kept` tells whether the batch is still there. `store` outlives this.
  BatchResults(const BatchStore& store, BatchRecord record, std::function<bool()> is_kept)
      : store_(store), record_(std::move(record)), is_kept_(std::move(is_kept)) {}

  // At most so many bytes, which need not end with a line; empty after the last. NotFound: it was deleted meanwhile.
  [[nodiscard]] Result<std::string> next(std::size_t bytes_max);
  [[nodiscard]] bool at_end() const { return begun_.empty() && index_ == record_.items.size(); }

 private:
  [[nodiscard]] Result<std::string> line(std::size_t index);
  [[nodiscard]] std::string custom_id(std::size_t index);

  const BatchStore& store_;
  const BatchRecord record_;
  const std::function<bool()> is_kept_;
  std::size_t index_ = 0;                // of the next line
  std::string begun_;                    // what the last piece had no room for
  std::vector<std::string> custom_ids_;  // read when a line without a file needs its own
  bool custom_ids_read_ = false;
};

}  // namespace hearth::server
