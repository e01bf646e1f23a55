// See request_log.h.
#include "server/request_log.h"

#include <format>

#include "base/check.h"
#include "base/log.h"

namespace hearth::server {
namespace {

Json times_json(const StepTimes& times) {
  return Json::object({{"wait_us", times.wait_us},
                       {"parse_us", times.parse_us},
                       {"render_us", times.render_us},
                       {"tokenize_us", times.tokenize_us},
                       {"submit_us", times.submit_us},
                       {"headers_us", times.headers_us},
                       {"first_token_us", times.first_token_us},
                       {"first_event_us", times.first_event_us},
                       {"queue_us", times.queue_us},
                       {"prefill_us", times.prefill_us},
                       {"decode_us", times.decode_us},
                       {"total_us", times.total_us}});
}

Json record_json(const RequestRecord& record) {
  return Json::object({{"request_id", record.request_id},
                       {"path", record.path},
                       {"model", record.model},
                       {"kind", record.kind},
                       {"attached", record.attached},
                       {"why", record.why},
                       {"status", record.status},
                       {"body_bytes", record.body_bytes},
                       {"message_count", record.message_count},
                       {"prompt_tokens", record.prompt_tokens},
                       {"cached_tokens", record.cached_tokens},
                       {"ram_tokens", record.ram_tokens},
                       {"disk_tokens", record.disk_tokens},
                       {"output_tokens", record.output_tokens},
                       {"times", times_json(record.times)}});
}

// Numbers and settings only: the words that differ are for /v1/hearth/cache/why.
void log_verdict(const RequestRecord& record) {
  if (!record.explanation) return;
  const CacheVerdict verdict = judge(record.places, *record.explanation);
  if (!verdict.too_much) return;
  log_info("cache", "{}: {}{}{}", record.request_id, verdict.why, verdict.cure.empty() ? "" : "; cure: ", verdict.cure);
}

// " (1024 from RAM, 23552 from disk)"; nothing where all of it was in the live context.
std::string brought(const RequestRecord& record) {
  std::string text;
  const auto add = [&](std::uint64_t tokens, std::string_view tier) {
    if (tokens > 0) text += std::format("{}{} from {}", text.empty() ? " (" : ", ", tokens, tier);
  };
  add(record.ram_tokens, "RAM");
  add(record.disk_tokens, "disk");
  return text.empty() ? text : text + ")";
}

// Where the time went, in words: queued, cached, computed, first token, speed, end.
std::string told(const RequestRecord& record) {
  const StepTimes& times = record.times;
  std::string text = std::format("{}{}, ", record.kind, record.attached ? " (attached)" : "");
  text += times.queue_us < 0 ? "never started" : std::format("queued {} ms", times.queue_us / 1000);
  text += std::format(", prompt {} tokens = {} cached{} + {} computed", record.prompt_tokens, record.cached_tokens,
                      brought(record), record.prompt_tokens - record.cached_tokens);
  if (times.first_token_us >= 0) text += std::format(", first token {} ms", times.first_token_us / 1000);
  text += std::format(", answer {} tokens", record.output_tokens);
  if (times.decode_us > 0 && record.output_tokens > 1)
    text += std::format(" at {:.1f}/s",
                        static_cast<double>(record.output_tokens - 1) * 1e6 / static_cast<double>(times.decode_us));
  return text + std::format(", {}", record.why);
}

void log_record(const RequestRecord& record) {
  const std::int64_t total_ms = record.times.total_us / 1000;
  if (record.prompt_tokens == 0) {
    log_at(record.status >= 400 ? LogLevel::Info : LogLevel::Debug, "server", "{} {} {} in {} ms, {}", record.method,
           record.path, record.status, total_ms, record.request_id);
    return;
  }
  log_info("server", "{} {} {} in {} ms, {}: {}", record.method, record.path, record.status, total_ms, told(record),
           record.request_id);
  log_verdict(record);
  if (record.repairs.any()) {
    log_info("chat", "{}: the model's text was mended: {}", record.request_id, chat::to_json(record.repairs).dump());
  }
  const StepTimes& times = record.times;
  log_debug("server",
            "{}: wait {} parse {} render {} tokenize {} submit {} headers {} first token {} first event {} us",
            record.request_id, times.wait_us, times.parse_us, times.render_us, times.tokenize_us, times.submit_us,
            times.headers_us, times.first_token_us, times.first_event_us);
}

}  // namespace

void RequestLog::begin(std::string_view path) {
  const std::lock_guard lock(mutex_);
  ++active_count_;
  if (path.ends_with("/messages")) {
    ++message_request_count_;
  } else if (path.ends_with("/count_tokens")) {
    ++count_request_count_;
  } else {
    ++other_request_count_;
  }
}

void RequestLog::finish_job(const JobTotals& job) {
  metrics_.job_ended(job);
  const std::lock_guard lock(mutex_);
  prompt_token_count_ += job.prompt_tokens;
  cached_token_count_ += job.cached_tokens;
  output_token_count_ += job.output_tokens;
}

void RequestLog::finish(const RequestRecord& record) {
  log_record(record);
  metrics_.request_ended(record);
  const std::lock_guard lock(mutex_);
  DCHECK(active_count_ > 0);
  --active_count_;
  if (record.status == kStatusClientGone) {
    ++client_gone_count_;
  } else if (record.status >= 500) {
    ++failed_count_;
  } else if (record.status >= 400) {
    ++refused_count_;
  }
  if (!record.attached) repairs_.add(record.repairs);  // what the model wrote once counts once, however many heard it
  if (record.prompt_tokens == 0) return;
  if (recent_.size() == kRecentMax) recent_.pop_front();
  recent_.push_back(record);
}

std::uint64_t RequestLog::active_count() const {
  const std::lock_guard lock(mutex_);
  return active_count_;
}

Json RequestLog::counters_json() const {
  const std::lock_guard lock(mutex_);
  return Json::object({{"active", active_count_},
                       {"refused", refused_count_},
                       {"failed", failed_count_},
                       {"client_gone", client_gone_count_},
                       {"prompt_tokens", prompt_token_count_},
                       {"cached_tokens", cached_token_count_},
                       {"output_tokens", output_token_count_}});
}

Json RequestLog::totals_json() const {
  const std::lock_guard lock(mutex_);
  return Json::object(
      {{"messages", message_request_count_}, {"count_tokens", count_request_count_}, {"other", other_request_count_}});
}

Json RequestLog::repairs_json() const {
  const std::lock_guard lock(mutex_);
  return chat::to_json(repairs_);
}

std::vector<RequestRecord> RequestLog::recent() const {
  const std::lock_guard lock(mutex_);
  return {recent_.begin(), recent_.end()};
}

Json RequestLog::recent_json(std::string_view salt) const {
  const std::lock_guard lock(mutex_);
  Json list = Json::array();
  for (const auto& record : recent_)
    if (salt.empty() || record.cache_salt == salt) list.push(record_json(record));
  return list;
}

}  // namespace hearth::server
