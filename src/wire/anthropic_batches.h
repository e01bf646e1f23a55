// The Message Batches wire: the body that creates a batch, and what is said of batches and their results.
// Pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hearth::wire {

inline constexpr std::size_t kBatchRequestsMax = 10'000;  // a night of a small model; Anthropic's is 100,000
inline constexpr std::size_t kCustomIdBytesMax = 64;      // Anthropic's own

struct BatchRequest {
  std::string custom_id;
  // The body of POST /v1/messages, which never asks for a stream; what is wrong with it is that request's own result. Text,
  // because a list of small numbers is twenty times as large as values.
  std::string params;
};
// InvalidInput names the place: "requests.3.custom_id: ...".
[[nodiscard]] Result<std::vector<BatchRequest>> decode_batch(std::string_view body);
// All of them as decode_batch() reads them.
[[nodiscard]] std::string batch_requests_text(const std::vector<BatchRequest>& requests);

enum class BatchStatus { InProgress, Canceling, Ended };
struct BatchCounts {
  std::size_t processing = 0, succeeded = 0, errored = 0, canceled = 0, expired = 0;
};
struct BatchCard {
  std::string id;
  std::uint64_t number = 0;  // in the order they came; not shown
  BatchStatus status = BatchStatus::InProgress;
  BatchCounts counts;
  std::int64_t created_unix_s = 0, expires_unix_s = 0;
  std::optional<std::int64_t> ended_unix_s, cancel_unix_s;
  std::string results_url;  // shown when it has ended
};
[[nodiscard]] Json batch_json(const BatchCard& card);
[[nodiscard]] Json batch_list_json(const std::vector<BatchCard>& page, bool has_more);
[[nodiscard]] Json batch_deleted_json(std::string_view id);

// The lines of a batch's results.
[[nodiscard]] Json batch_succeeded(std::string_view custom_id, Json message);
[[nodiscard]] Json batch_errored(std::string_view custom_id, Json error_body);
[[nodiscard]] Json batch_not_run(std::string_view custom_id, std::string_view type);  // "canceled", "expired"

}  // namespace hearth::wire
