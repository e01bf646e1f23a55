// See metrics.h.
#include "server/metrics.h"

#include <cmath>
#include <format>
#include <utility>

#include "server/request_log.h"

namespace hearth::server {
namespace {

// Label values: backslash, quote and line feed are escaped, nothing else means anything.
std::string label(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string number(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15 ? std::format("{:.0f}", value) : std::format("{}", value);
}

void write_histogram(std::string& out, std::string_view name, std::string_view model, const Histogram& histogram) {
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kBucketBounds_s.size(); ++i) {
    seen += histogram.counts[i];
    out += std::format("{}_bucket{{model_name=\"{}\",le=\"{}\"}} {}\n", name, label(model), kBucketBounds_s[i], seen);
  }
  out += std::format("{}_bucket{{model_name=\"{}\",le=\"+Inf\"}} {}\n", name, label(model), histogram.count);
  out += std::format("{}_sum{{model_name=\"{}\"}} {}\n", name, label(model), histogram.sum_s);
  out += std::format("{}_count{{model_name=\"{}\"}} {}\n", name, label(model), histogram.count);
}

}  // namespace

std::string metric_line(std::string_view name, std::string_view model, double value, std::string_view more) {
  return std::format("{}{{model_name=\"{}\"{}{}}} {}\n", name, label(model), more.empty() ? "" : ",", more,
                     number(value));
}

std::string metric_head(std::string_view name, std::string_view type, std::string_view help) {
  return std::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

Metrics::Series& Metrics::series_of(std::string_view model) {
  const auto at = series_.find(model);
  return at != series_.end() ? at->second : series_[std::string(model)];
}

void Metrics::request_ended(const RequestRecord& record) {
  if (record.served_model.empty()) return;
  const std::lock_guard lock(mutex_);
  Series& series = series_of(record.served_model);
  if (!record.why.empty()) ++series.ends[std::string(record.why)];
  if (record.prompt_tokens == 0) return;
  const StepTimes& times = record.times;
  if (times.first_token_us >= 0) series.first_token.add(times.first_token_us);
  if (times.total_us >= 0) series.end_to_end.add(times.total_us);
}

void Metrics::job_ended(const JobTotals& job) {
  const std::lock_guard lock(mutex_);
  Series& series = series_of(job.model);
  series.prompt_tokens += job.prompt_tokens;
  series.generation_tokens += job.output_tokens;
  if (job.prefill_us >= 0) series.prefill.add(job.prefill_us);
  if (job.queue_us < 0) return;
  series.queue.add(job.queue_us);
  series.prefix_queries += job.prompt_tokens;
  series.prefix_hits += job.cached_tokens;
}

void Metrics::tokens_after(std::string_view model, std::int64_t gap_us, std::uint64_t count) {
  if (count == 0) return;
  const std::lock_guard lock(mutex_);
  series_of(model).inter_token.add(gap_us / static_cast<std::int64_t>(count), count);
}

void Metrics::paused(std::string_view model) {
  const std::lock_guard lock(mutex_);
  ++series_of(model).paused;
}

void Metrics::attached(std::string_view model) {
  const std::lock_guard lock(mutex_);
  ++series_of(model).attached;
}

void Metrics::refused(std::string_view model) {
  const std::lock_guard lock(mutex_);
  ++series_of(model).refused;
}

std::string Metrics::prometheus() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t Series::* member) {
    out += metric_head(name, "counter", help);
    for (const auto& [model, series] : series_) out += metric_line(name, model, static_cast<double>(series.*member));
  };
  const auto histogram = [&](std::string_view name, std::string_view help, Histogram Series::* member) {
    out += metric_head(name, "histogram", help);
    for (const auto& [model, series] : series_) write_histogram(out, name, model, series.*member);
  };
  counter("vllm:prompt_tokens_total", "Prompt tokens of all requests.", &Series::prompt_tokens);
  counter("vllm:generation_tokens_total", "Tokens generated.", &Series::generation_tokens);
  counter("vllm:prefix_cache_queries_total", "Prompt tokens looked for in the cache.", &Series::prefix_queries);
  counter("vllm:prefix_cache_hits_total", "Prompt tokens found in the cache.", &Series::prefix_hits);
  out += metric_head("vllm:request_success_total", "counter", "Requests that ended, by the reason.");
  for (const auto& [model, series] : series_)
    for (const auto& [why, count] : series.ends)
      out += std::format("vllm:request_success_total{{model_name=\"{}\",finished_reason=\"{}\"}} {}\n", label(model),
                         label(why), count);
  histogram("vllm:time_to_first_token_seconds", "From the request's last byte to its first token.",
            &Series::first_token);
  histogram("vllm:inter_token_latency_seconds", "Between two tokens of a stream.", &Series::inter_token);
  histogram("vllm:e2e_request_latency_seconds", "From the request's last byte to the answer's.", &Series::end_to_end);
  histogram("vllm:request_queue_time_seconds", "From the job's submission to its start.", &Series::queue);
  histogram("vllm:request_prefill_time_seconds", "From the job's start to its first token.", &Series::prefill);
  counter("hearth_jobs_paused_total", "Times that a job was paused for its slow reader.", &Series::paused);
  counter("hearth_requests_attached_total", "Repeated requests that joined the running one.", &Series::attached);
  counter("hearth_requests_refused_total", "Requests refused because the queue was full.", &Series::refused);
  return out;
}

}  // namespace hearth::server
