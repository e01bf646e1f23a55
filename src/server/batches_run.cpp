// Batches at work: which request runs next, what becomes of it, and how a batch ends. See batches.h.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "server/batches.h"

namespace hearth::server {
namespace {

constexpr std::int64_t kLookAround_ms = 1000;  // for what expires, and what may be tried again
constexpr std::int64_t kRest_ms = 5000;        // until a server that had no place is asked again
constexpr std::int64_t kDiskRest_ms = 60'000;  // until a disk that took nothing is

// A server that is full, restarting or loading: the request is not to blame.
bool is_passing(int status) { return status == 429 || status == 503 || status == 529; }

Json cut_short() {
  return Json::object(
      {{"type", "error"},
       {"error", Json::object({{"type", "api_error"}, {"message", "the answer could not be completed"}})}});
}

}  // namespace

void Batches::look_around() {
  line_.after_ms(kLookAround_ms, [this] { look_around(); });
  expire_and_forget();
  start_items();
}

void Batches::start_items() {
  while (!line_.stopping()) {
    std::string unread;
    BatchOwner owner;
    std::shared_ptr<BatchExchange> exchange;
    {
      const std::lock_guard lock(mutex_);
      if (running_count_ >= limits_.running_max) return;
      Batch* batch = next_batch_locked();
      if (batch == nullptr) return;
      owner = batch->record.owner;
      if (batch->requests.empty())
        unread = batch->record.id;
      else
        exchange = start_item_locked(*batch);
    }
    if (exchange == nullptr)
      read_requests(unread);
    else
      answer_(std::move(exchange), owner);
  }
}

// Batches in the order they came.
Batches::Batch* Batches::next_batch_locked() {
  if (clock_.now_ms() < rest_until_ms_) return nullptr;
  Batch* next = nullptr;
  for (auto& [id, batch] : batches_) {
    if (!batch.made || batch.record.ended_unix_s) continue;
    if (next != nullptr && next->record.number < batch.record.number) continue;
    if (std::ranges::contains(batch.record.items, BatchItem::Waiting)) next = &batch;
  }
  return next;
}

// REQUIRES: the requests are read, and one waits.
std::shared_ptr<BatchExchange> Batches::start_item_locked(Batch& batch) {
  const auto waiting = std::ranges::find(batch.record.items, BatchItem::Waiting);
  const auto index = static_cast<std::size_t>(waiting - batch.record.items.begin());
  http::Request request;
  request.method = "POST";
  request.path = "/v1/messages";
  request.body = batch.requests.at(index).params;
  request.received_us = clock_.now_us();
  *waiting = BatchItem::Running;
  ++running_count_;
  auto exchange = std::make_shared<BatchExchange>(
      std::move(request), line_,
      [this, id = batch.record.id, index](int status, const std::string& body) { item_done(id, index, status, body); });
  batch.running[index] = exchange;
  return exchange;
}

void Batches::read_requests(const std::string& id) {
  auto text = store_.read(id, kBatchRequestsFile);
  auto requests = text ? wire::decode_batch(*text) : std::unexpected(text.error());
  {
    const std::lock_guard lock(mutex_);
    const auto at = batches_.find(id);
    if (at == batches_.end() || at->second.record.ended_unix_s) return;
    if (requests && requests->size() == at->second.record.items.size()) {
      at->second.requests = std::move(*requests);
      return;
    }
  }
  log_error("server", "the requests of the batch {} cannot be read: {}", id,
            requests ? "there are fewer than were accepted" : requests.error().message);
  if (end_rest(id, BatchItem::Expired)) return;
  const std::lock_guard lock(mutex_);
  rest_until_ms_ = clock_.now_ms() + kDiskRest_ms;
}

void Batches::item_done(const std::string& id, std::size_t index, int status, const std::string& body) {
  ItemResult result{.id = id, .index = index};
  std::string custom_id;
  {
    const std::lock_guard lock(mutex_);
    const auto at = batches_.find(id);
    if (at == batches_.end()) return;
    Batch& batch = at->second;
    batch.running.erase(index);
    if (batch.record.items[index] != BatchItem::Running) return;  // canceled meanwhile
    if (is_passing(status)) {
      batch.record.items[index] = BatchItem::Waiting;
      --running_count_;
      rest_until_ms_ = clock_.now_ms() + kRest_ms;
      return;
    }
    batch.record.items[index] = BatchItem::Keeping;
    custom_id = batch.requests.at(index).custom_id;
  }
  auto answer = Json::parse(body);
  if (status == 200 && answer) {
    result.state = BatchItem::Succeeded;
    result.line = wire::batch_succeeded(custom_id, std::move(*answer)).dump();
  } else {
    result.line = wire::batch_errored(custom_id, answer ? std::move(*answer) : cut_short()).dump();
  }
  keep_result(result);
}

// What cannot be kept now is kept later, when there may be room on the disk. Until then it has its place among those that
// run, so that a full disk holds up the work instead of filling the memory.
void Batches::keep_result(const ItemResult& result) {
  const bool succeeded = result.state == BatchItem::Succeeded;
  const auto written = store_.write(result.id, batch_result_file(result.index, succeeded), result.line);
  if (!written) {
    log_error("server", "a result of the batch {} cannot be kept: {}", result.id, written.error().message);
    return line_.after_ms(kDiskRest_ms, [this, result] { keep_result(result); });
  }
  {
    const std::lock_guard lock(mutex_);
    --running_count_;
    batches_.at(result.id).record.items[result.index] = result.state;
  }
  end_if_done(result.id);
  start_items();
}

void Batches::end_if_done(const std::string& id) {
  const std::lock_guard state_lock(state_mutex_);
  end_if_done_held(id);
}

// An end that cannot be kept is one all the same: the next start finds it again.
void Batches::end_if_done_held(const std::string& id) {
  BatchRecord record;
  {
    const std::lock_guard lock(mutex_);
    const auto at = batches_.find(id);
    if (at == batches_.end() || at->second.record.ended_unix_s || !is_done(at->second.record)) return;
    record = at->second.record;
  }
  record.ended_unix_s = now_unix_s_();
  if (auto written = write_batch_state(store_, record); !written)
    log_error("server", "the end of the batch {} cannot be kept: {}", id, written.error().message);
  const std::lock_guard lock(mutex_);
  Batch& batch = batches_.at(id);  // only what has ended is removed
  batch.record.ended_unix_s = record.ended_unix_s;
  std::vector<wire::BatchRequest>().swap(batch.requests);
}

// A result that is being written is waited for: the batch ends with it.
Result<void> Batches::end_rest(const std::string& id, BatchItem rest) {
  const std::lock_guard state_lock(state_mutex_);
  const auto has_no_result = [](BatchItem item) { return item == BatchItem::Waiting || item == BatchItem::Running; };
  BatchRecord record;
  {
    const std::lock_guard lock(mutex_);
    const auto at = batches_.find(id);
    if (at == batches_.end() || at->second.record.ended_unix_s) return {};
    record = at->second.record;
  }
  if (rest == BatchItem::Canceled) record.cancel_unix_s = now_unix_s_();
  std::ranges::replace_if(record.items, has_no_result, rest);
  if (is_done(record)) record.ended_unix_s = now_unix_s_();
  TRY(write_batch_state(store_, record));
  {
    const std::lock_guard lock(mutex_);
    Batch& batch = batches_.at(id);
    batch.record.cancel_unix_s = record.cancel_unix_s;
    std::ranges::replace_if(batch.record.items, has_no_result, rest);
    running_count_ -= batch.running.size();
    for (auto& [index, running] : std::exchange(batch.running, {}))
      line_.post([running] {
        if (const auto exchange = running.lock()) exchange->disconnect();
      });
    if (is_done(batch.record) && record.ended_unix_s) {
      batch.record.ended_unix_s = record.ended_unix_s;
      std::vector<wire::BatchRequest>().swap(batch.requests);
    }
  }
  end_if_done_held(id);  // the last result came while the state was written
  return {};
}

void Batches::expire_and_forget() {
  std::vector<std::string> expired, forgotten;
  {
    const std::lock_guard lock(mutex_);
    const std::int64_t now_s = now_unix_s_();
    for (const auto& [id, batch] : batches_) {
      if (!batch.made) continue;
      const std::int64_t age_s = now_s - batch.record.created_unix_s;
      if (!batch.record.ended_unix_s && age_s >= limits_.expires_after_s) expired.push_back(id);
      if (batch.record.ended_unix_s && age_s >= limits_.kept_after_s) forgotten.push_back(id);
    }
    for (const std::string& id : forgotten) batches_.erase(id);
  }
  for (const std::string& id : forgotten) store_.remove(id);
  for (const std::string& id : expired) {
    if (auto ended = end_rest(id, BatchItem::Expired); !ended)
      log_error("server", "the batch {} is over its time, which cannot be kept: {}", id, ended.error().message);
  }
}

// The jobs of what runs end with their streams.
void Batches::cut_running() {
  std::vector<std::shared_ptr<BatchExchange>> cut;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, batch] : batches_)
      for (auto& [index, running] : std::exchange(batch.running, {}))
        if (auto exchange = running.lock()) cut.push_back(std::move(exchange));
  }
  for (const auto& exchange : cut) exchange->disconnect();
}

}  // namespace hearth::server
