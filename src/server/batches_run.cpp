// Batches at work: which request runs next, what becomes of it, and how a batch ends. See batches.h.
#include <algorithm>
#include <exception>
#include <utility>

#include "base/log.h"
#include "server/batches.h"

namespace hearth::server {
namespace {

constexpr std::int64_t kLookAround_ms = 1000;  // for what expires, and what may be tried again
// Until the next is tried when one found no place, doubled while one after the other finds none: each try renders a prompt.
constexpr std::int64_t kPause_ms = 100, kPauseMost_ms = 5000;
constexpr std::int64_t kClockTrusted_ms = 600'000;  // by then the network's time has been heard
// The wall clock was set. A machine that sleeps is ahead, too: clock_ stood still meanwhile.
constexpr std::int64_t kJumpBack_s = 60, kJumpAhead_s = 7L * 24 * 3600;
constexpr int kStartsMax = 3;                  // of one that was running each time when the server ended
constexpr std::int64_t kDiskRest_ms = 60'000;  // until a disk that took nothing is

// A server that is full, restarting or loading: the request is not to blame.
bool is_passing(int status) { return status == 429 || status == 503 || status == 529; }

Json api_error(const char* message) {
  return Json::object({{"type", "error"}, {"error", Json::object({{"type", "api_error"}, {"message", message}})}});
}
Json cut_short() { return api_error("the answer could not be completed"); }
Json ended_the_server() {
  return api_error("the server ended three times while this request ran; it is not run again");
}

}  // namespace

void Batches::look_around() {
  line_.after_ms(kLookAround_ms, [this] { look_around(); });
  watch_wall_clock();
  expire_and_forget();
  start_items();
}

void Batches::start_items() {
  while (!line_.stopping()) {
    std::string id;
    std::size_t index = 0;
    bool unread = false;
    {
      const std::lock_guard lock(mutex_);
      const auto next = next_item_locked();
      if (!next) return;
      id = next->batch->record.id;
      index = next->index;
      unread = next->batch->requests.empty();
    }
    if (unread)
      read_requests(id);
    else
      start_item(id, index);
  }
}

// By turns between the owners; of an owner the batches in the order they came, and their requests too.
std::optional<Batches::Choice> Batches::next_item_locked() {
  const std::int64_t now_ms = clock_.now_ms();
  if (running_count_ >= limits_.running_max || alone_ || now_ms < rest_until_ms_) return std::nullopt;
  std::optional<Choice> next;
  std::pair<std::uint64_t, std::uint64_t> next_turn;
  for (auto& [id, batch] : batches_) {
    if (!batch.made || batch.record.ended_unix_s || now_ms < batch.unread_until_ms) continue;
    const std::pair turn(turns_[batch.record.owner.owner], batch.record.number);
    if (next && next_turn < turn) continue;
    const auto index = batch.queue.due(batch.record.items, now_ms);
    if (!index) continue;
    next = Choice{.batch = &batch, .index = *index};
    next_turn = turn;
  }
  // It may have ended the server, and shall not take its neighbours along again.
  if (next && running_count_ > 0 && next->batch->record.starts.contains(next->index)) return std::nullopt;
  return next;
}

// One that was running when the server ended three times is not tried a fourth time.
void Batches::start_item(const std::string& id, std::size_t index) {
  BatchOwner owner;
  std::shared_ptr<BatchExchange> exchange;
  std::string custom_id;
  int starts = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto at = batches_.find(id);
    if (at == batches_.end() || at->second.record.items[index] != BatchItem::Waiting) return;  // canceled meanwhile
    Batch& batch = at->second;
    owner = batch.record.owner;
    turns_[owner.owner] = ++turn_;
    const auto started = batch.record.starts.find(index);
    starts = started == batch.record.starts.end() ? 0 : started->second;
    take_item_locked(batch, index);
    if (starts < kStartsMax) {
      exchange = open_exchange_locked(batch, index);
    } else {
      batch.record.items[index] = BatchItem::Keeping;
      custom_id = batch.requests.at(index).custom_id;
    }
  }
  if (exchange == nullptr) {
    const Json line = wire::batch_errored(custom_id, ended_the_server());
    return keep_result({.id = id, .index = index, .line = line.dump(), .starts = starts});
  }
  store_.mark(id, batch_start_file(index, starts + 1));
  try {
    answer_(std::move(exchange), owner);
  } catch (const std::exception& error) {
    log_error("server", "a request of the batch {} threw: {}", id, error.what());
    item_done(id, index, 500, "");
  }
}

void Batches::take_item_locked(Batch& batch, std::size_t index) {
  batch.queue.taken(index);
  batch.record.items[index] = BatchItem::Running;
  ++running_count_;
  alone_ = batch.record.starts.contains(index);
}

// REQUIRES: the requests are read.
std::shared_ptr<BatchExchange> Batches::open_exchange_locked(Batch& batch, std::size_t index) {
  http::Request request;
  request.method = "POST";
  request.path = "/v1/messages";
  request.body = batch.requests.at(index).params;
  request.received_us = clock_.now_us();
  auto exchange = std::make_shared<BatchExchange>(
      std::move(request), line_,
      [this, id = batch.record.id, index](int status, const std::string& body) { item_done(id, index, status, body); });
  batch.running[index] = exchange;
  return exchange;
}

// Many batches may wait for an engine that is gone for long. What is more than one may be, and none of runs, lies on the disk until
// it is due again.
void Batches::let_idle_requests_go_locked(const Batch& kept) {
  std::size_t held_bytes = 0;
  for (const auto& [id, batch] : batches_) held_bytes += batch.requests.empty() ? 0 : batch.record.bytes;
  for (auto& [id, batch] : batches_) {
    if (held_bytes <= limits_.text_bytes_max) return;
    if (&batch == &kept || !batch.running.empty() || batch.requests.empty()) continue;
    held_bytes -= batch.record.bytes;
    std::vector<wire::BatchRequest>().swap(batch.requests);
  }
}

void Batches::send_back_locked(Batch& batch, std::size_t index) {
  const std::int64_t now_ms = clock_.now_ms();
  batch.queue.sent_back(index, now_ms);
  batch.record.items[index] = BatchItem::Waiting;
  let_idle_requests_go_locked(batch);
  const std::int64_t pause_ms = std::min(kPause_ms << std::min(sent_back_in_a_row_++, 6), kPauseMost_ms);
  rest_until_ms_ = now_ms + pause_ms;
  line_.after_ms(pause_ms, [this] { start_items(); });
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
  // A disk that does not answer now may do so later; what is damaged stays so.
  const bool later = !text && text.error().kind == ErrorKind::Io;
  if (!later && end_rest(id, BatchItem::Expired)) return;
  const std::lock_guard lock(mutex_);
  if (const auto at = batches_.find(id); at != batches_.end())
    at->second.unread_until_ms = clock_.now_ms() + kDiskRest_ms;
}

void Batches::item_done(const std::string& id, std::size_t index, int status, const std::string& body) {
  ItemResult result{.id = id, .index = index};
  std::string custom_id;
  bool sent_back = false;
  {
    const std::lock_guard lock(mutex_);
    const auto at = batches_.find(id);
    if (at == batches_.end()) return;
    Batch& batch = at->second;
    batch.running.erase(index);
    if (batch.record.items[index] != BatchItem::Running) return;  // canceled meanwhile
    sent_back = is_passing(status);
    if (const auto started = batch.record.starts.find(index); started != batch.record.starts.end())
      result.starts = started->second;
    if (sent_back) {
      --running_count_;
      alone_ = false;
      send_back_locked(batch, index);
    } else {
      sent_back_in_a_row_ = 0;
      batch.queue.done(index);
      batch.record.items[index] = BatchItem::Keeping;
      custom_id = batch.requests.at(index).custom_id;
    }
  }
  if (sent_back) return store_.unmark(id, batch_start_file(index, result.starts + 1));
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
  if (auto written = write_result(result); !written) {
    log_error("server", "a result of the batch {} cannot be kept: {}", result.id, written.error().message);
    return keep_later(result);
  }
  {
    const std::lock_guard lock(mutex_);
    --running_count_;
    alone_ = false;
    Batch& batch = batches_.at(result.id);
    batch.record.items[result.index] = result.state;
    batch.record.result_bytes += result.line.size();
    batch.record.starts.erase(result.index);
  }
  end_if_done(result.id);
  line_.post([this] { start_items(); });
}

void Batches::keep_later(const ItemResult& result) {
  const std::pair place(result.id, result.index);
  unkept_.insert_or_assign(place, result);
  line_.after_ms(kDiskRest_ms, [this, place] {
    if (const auto unkept = unkept_.extract(place); !unkept.empty()) keep_result(unkept.mapped());
  });
}

Result<void> Batches::write_result(const ItemResult& result) {
  const bool succeeded = result.state == BatchItem::Succeeded;
  TRY(store_.write(result.id, batch_result_file(result.index, succeeded), result.line));
  for (int start = 1; start <= result.starts + 1; ++start)
    store_.unmark(result.id, batch_start_file(result.index, start));
  return {};
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
    if (running_count_ == 0) alone_ = false;
    batch.queue.clear();
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

// What expires or is forgotten is lost, and how old it is was reckoned by a clock that has turned out to be wrong: not in this run.
void Batches::watch_wall_clock() {
  const std::int64_t jump_s = wall_offset_s() - begun_offset_s_;
  if (wall_clock_jumped_ || (jump_s > -kJumpBack_s && jump_s < kJumpAhead_s)) return;
  wall_clock_jumped_ = true;
  log_warning("server", "the clock was set by {} s; no batch expires or is forgotten before the next start", jump_s);
}

void Batches::expire_and_forget() {
  std::vector<std::string> expired, forgotten;
  {
    const std::lock_guard lock(mutex_);
    const std::int64_t now_ms = clock_.now_ms();
    if (wall_clock_jumped_ || now_ms - begun_ms_ < kClockTrusted_ms) return;
    for (const auto& [id, batch] : batches_) {
      if (!batch.made) continue;
      if (!batch.record.ended_unix_s && now_ms >= batch.expires_ms) expired.push_back(id);
      if (batch.record.ended_unix_s && now_ms >= batch.forgotten_ms) forgotten.push_back(id);
    }
    for (const std::string& id : forgotten) batches_.erase(id);
  }
  for (const std::string& id : forgotten)
    if (auto removed = store_.remove(id); !removed)
      log_error("server", "the batch {} comes back with the next start: {}", id, removed.error().message);
  for (const std::string& id : expired) {
    const auto ended = end_rest(id, BatchItem::Expired);
    if (ended) continue;
    log_error("server", "the batch {} is over its time, which cannot be kept: {}", id, ended.error().message);
    const std::lock_guard lock(mutex_);
    if (const auto at = batches_.find(id); at != batches_.end()) at->second.expires_ms = clock_.now_ms() + kDiskRest_ms;
  }
}

// The jobs of what runs end with their streams. The server ends in order, so their starts do not count against them. What the disk
// did not take has its last chance; where that fails the request runs again, and its start does not count either.
void Batches::cut_running() {
  std::vector<std::shared_ptr<BatchExchange>> cut;
  std::vector<std::pair<std::string, std::string>> marks;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, batch] : batches_) {
      for (auto& [index, running] : std::exchange(batch.running, {})) {
        if (auto exchange = running.lock()) cut.push_back(std::move(exchange));
        const auto started = batch.record.starts.find(index);
        const int starts = started == batch.record.starts.end() ? 0 : started->second;
        marks.emplace_back(id, batch_start_file(index, starts + 1));
      }
    }
  }
  for (const auto& exchange : cut) exchange->disconnect();
  for (const auto& [id, name] : marks) store_.unmark(id, name);
  for (const auto& [place, result] : std::exchange(unkept_, {})) {
    if (auto written = write_result(result); written) continue;
    log_error("server", "a result of the batch {} is lost; its request runs again after the next start", result.id);
    store_.unmark(result.id, batch_start_file(result.index, result.starts + 1));
  }
}

}  // namespace hearth::server
