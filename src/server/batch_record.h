// BatchRecord: what is known of a batch without its requests: the card that clients see and the state that lies on disk both
// follow from it (docs/batch-format.md). Values and pure functions, but for read_batch_record().
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/batch_store.h"
#include "wire/anthropic_batches.h"

namespace hearth::server {

// Whose a batch is, as the hall sees a request of it.
struct BatchOwner {
  std::uint64_t owner = 0;
  std::string cache_salt;
};

// Keeping: its result is known and being written.
enum class BatchItem : std::uint8_t { Waiting, Running, Keeping, Succeeded, Errored, Canceled, Expired };

struct BatchRecord {
  std::string id;
  BatchOwner owner;
  std::uint64_t number = 0;  // in the order they came
  std::int64_t created_unix_s = 0;
  std::optional<std::int64_t> cancel_unix_s, ended_unix_s;
  std::size_t bytes = 0;         // of its requests
  std::size_t result_bytes = 0;  // of the results that are kept
  std::vector<BatchItem> items;
  std::map<std::size_t, int> starts;  // of those that were running when a server ended otherwise than in order
};

inline constexpr const char* kBatchRequestsFile = "requests";
inline constexpr const char* kBatchStateFile = "state";
[[nodiscard]] std::string batch_result_file(std::size_t index, bool succeeded);
// An empty file that is there while the request runs for the so-manieth time.
[[nodiscard]] std::string batch_start_file(std::size_t index, int start);

[[nodiscard]] Result<void> write_batch_state(BatchStore& store, const BatchRecord& record);
// Io: it cannot be read now. NotFound: it was never whole. Any other error: it is not what was written.
[[nodiscard]] Result<BatchRecord> read_batch_record(const BatchStore& store, const std::string& id);

// Waiting, Running or Keeping.
[[nodiscard]] bool is_open(BatchItem item);
[[nodiscard]] bool is_done(const BatchRecord& record);
[[nodiscard]] wire::BatchCard batch_card(const BatchRecord& record, std::int64_t expires_after_s);

}  // namespace hearth::server
