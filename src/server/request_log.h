// What became of each request: counts, sizes and times, never words of it. One line of log per request, and the last few
// kept for /v1/hearth/status (the benchmark of the front reads its steps there). Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "chat/repairs.h"
#include "link/messages.h"
#include "server/cache_verdict.h"
#include "server/metrics.h"

namespace hearth::server {

// Microseconds; -1 where the request never came to that step.
struct StepTimes {
  std::int64_t wait_us = -1;         // last byte read -> handler begins
  std::int64_t parse_us = -1;        // body -> conversation
  std::int64_t render_us = -1;       // conversation -> segments
  std::int64_t tokenize_us = -1;     // segments -> tokens, the way to the engine and back included
  std::int64_t submit_us = -1;       // tokens -> the job is on its way
  std::int64_t headers_us = -1;      // last byte read -> response headers handed to the socket
  std::int64_t first_token_us = -1;  // last byte read -> first token here
  std::int64_t first_event_us = -1;  // first token here -> its event handed to the socket
  std::int64_t queue_us = -1;        // the job was submitted -> the engine took it from its queue
  std::int64_t prefill_us = -1;      // from there -> its first token
  std::int64_t decode_us = -1;       // its first token -> its last
  std::int64_t total_us = -1;        // last byte read -> answer complete
};

struct RequestRecord {
  std::string request_id;
  std::string method;
  std::string path;
  std::string model;         // as it was asked for
  std::string served_model;  // whose answer it was
  int status = 0;            // 499: the client went away
  std::uint64_t owner = 0;   // whose it was (access.h); not shown
  std::string cache_salt;    // whose cache it used; not shown
  std::uint64_t body_bytes = 0;
  std::uint64_t message_count = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::uint64_t ram_tokens = 0, disk_tokens = 0;  // of the cached ones: brought back from there
  std::uint64_t output_tokens = 0;
  PromptPlaces places;
  std::optional<link::Explanation> explanation;  // when much was computed; holds words of the prompt
  std::string_view why = "abort";                // it ended: "stop", "length", "tool_calls", "error", "abort"
  std::string_view kind = "interactive";         // how it was treated (request_class.h)
  bool attached = false;                         // it heard another request's job
  chat::RepairCounts repairs;                    // of what the model wrote
  StepTimes times;
};

inline constexpr int kStatusClientGone = 499;

class RequestLog {
 public:
  void begin(std::string_view path);
  void finish(const RequestRecord& record);  // once for every begin()
  // Once for every job that was submitted, when the last of its requests is over.
  void finish_job(const JobTotals& job);
  [[nodiscard]] std::uint64_t active_count() const;
  [[nodiscard]] Json counters_json() const;
  // Requests ever begun, by what they asked for.
  [[nodiscard]] Json totals_json() const;
  // Those of one key; one that shares its cache with all sees all.
  [[nodiscard]] Json recent_json(std::string_view salt) const;
  // All of them, the newest last; who may see what of them is the caller's part.
  [[nodiscard]] std::vector<RequestRecord> recent() const;
  [[nodiscard]] Metrics& metrics() { return metrics_; }
  [[nodiscard]] const Metrics& metrics() const { return metrics_; }
  // How often what was mended, by name; docs/dialects.md says what each is.
  [[nodiscard]] Json repairs_json() const;

 private:
  Metrics metrics_;
  // 64: a benchmark's repetitions fit; some 20 KB, and 100 KB more of words around where prompts differ.
  static constexpr std::size_t kRecentMax = 64;
  mutable std::mutex mutex_;
  std::deque<RequestRecord> recent_;  // guarded by mutex_; model requests only
  std::uint64_t active_count_ = 0;    // guarded by mutex_, as all below
  std::uint64_t message_request_count_ = 0;
  std::uint64_t count_request_count_ = 0;
  std::uint64_t other_request_count_ = 0;
  std::uint64_t refused_count_ = 0;  // 4xx
  std::uint64_t failed_count_ = 0;   // 5xx, and errors inside a stream
  std::uint64_t client_gone_count_ = 0;
  std::uint64_t prompt_token_count_ = 0;
  std::uint64_t cached_token_count_ = 0;
  std::uint64_t output_token_count_ = 0;
  chat::RepairCounts repairs_;
};

}  // namespace hearth::server
