// Metrics: what GET /metrics counts of the front, per served model: tokens, ends and the times that a user feels. Names are
// vLLM's where it has the thing, because that is what dashboards know (docs/metrics.md lists them all). Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "server/histogram.h"

namespace hearth::server {

struct RequestRecord;

// What the engine did for one job, however many requests heard it. -1: it did not come to that.
struct JobTotals {
  std::string_view model;
  std::uint64_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0;
  std::int64_t queue_us = -1;    // submitted -> started; the cache was asked then
  std::int64_t prefill_us = -1;  // from there -> its first token
};

class Metrics {
 public:
  // A request of a model is over; -1 in its times are steps that it did not come to.
  void request_ended(const RequestRecord& record);
  // Nobody hears the job any more: once, when the last of its requests is over.
  void job_ended(const JobTotals& job);
  // A burst of so many tokens came so long after the one before.
  void tokens_after(std::string_view model, std::int64_t gap_us, std::uint64_t count);
  void paused(std::string_view model);    // a slow reader's job was paused
  void attached(std::string_view model);  // a repeated request joined the running one
  void refused(std::string_view model);   // the queue was full

  // Of all models, in the text format of Prometheus, in the order of their names.
  [[nodiscard]] std::string prometheus() const;

 private:
  struct Series {
    std::uint64_t prompt_tokens = 0, generation_tokens = 0, prefix_queries = 0, prefix_hits = 0;
    std::uint64_t paused = 0, attached = 0, refused = 0;
    std::map<std::string, std::uint64_t, std::less<>> ends;  // by finished_reason
    Histogram first_token, inter_token, end_to_end, queue, prefill;
  };
  Series& series_of(std::string_view model);

  mutable std::mutex mutex_;
  std::map<std::string, Series, std::less<>> series_;  // guarded by mutex_; served models only, so a handful
};

// One line's name and value in that format: name{model_name="...",more} value. For what others know.
[[nodiscard]] std::string metric_line(std::string_view name, std::string_view model, double value,
                                      std::string_view more = "");
// "# HELP" and "# TYPE".
[[nodiscard]] std::string metric_head(std::string_view name, std::string_view type, std::string_view help);

}  // namespace hearth::server
