// See batches.h.
#include "server/batches.h"

#include <algorithm>
#include <chrono>
#include <format>
#include <functional>
#include <ranges>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"

namespace hearth::server {
namespace {

constexpr std::int64_t kLookAround_ms = 1000;  // for what expires

// A server that is full, restarting or loading: the request is not to blame.
bool is_passing(int status) { return status == 429 || status == 503 || status == 529; }

}  // namespace

Batches::Batches(std::string folder, Answer answer, const Clock& clock, UnixTime now_unix_s, BatchLimits limits)
    : answer_(std::move(answer)),
      clock_(clock),
      now_unix_s_(std::move(now_unix_s)),
      limits_(limits),
      line_{.post = [this](std::function<void()> task) { post(std::move(task)); },
            .after_ms =
                [this](std::int64_t delay_ms, std::function<void()> task) {
                  const std::lock_guard lock(mutex_);
                  if (!stopping_) timers_.emplace(clock_.now_ms() + delay_ms, std::move(task));
                  changed_.notify_all();
                }},
      store_(std::move(folder)) {}

void Batches::start() {
  {
    const std::lock_guard lock(mutex_);
    if (auto opened = store_.open(); !opened)
      log_warning("server", "message batches end with this server: {}", opened.error().message);
    for (const std::string& id : store_.ids()) {
      if (load_locked(id)) continue;
      batches_.erase(id);
      store_.set_aside(id);
      log_warning("server", "the batch {} cannot be read; its folder is now {}.bad", id, id);
    }
    if (!batches_.empty()) log_info("server", "{} message batches are kept", batches_.size());
  }
  thread_ = std::thread([this] { run(); });
}

void Batches::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Batches::run() {
  while (auto task = next_task()) task();
  // The jobs of what runs end with their streams; their tasks must not outlive this thread's objects.
  std::vector<std::shared_ptr<BatchExchange>> cut;
  std::deque<std::function<void()>> tasks;
  std::multimap<std::int64_t, std::function<void()>> timers;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [id, batch] : batches_)
      for (auto& [index, running] : std::exchange(batch.running, {}))
        if (auto exchange = running.lock()) cut.push_back(std::move(exchange));
    tasks.swap(tasks_);
    timers.swap(timers_);
  }
  for (const auto& exchange : cut) exchange->disconnect();
}

// Waits for something to do; empty at the end.
std::function<void()> Batches::next_task() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::int64_t now_ms = clock_.now_ms();
    if (!tasks_.empty()) {
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      return task;
    }
    if (!timers_.empty() && timers_.begin()->first <= now_ms) {
      auto task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      return task;
    }
    const auto active = [](const auto& entry) { return !entry.second.ended_unix_s; };
    if (std::ranges::any_of(batches_, active)) {
      if (now_ms >= rest_until_ms_ && running_count_ < limits_.running_max &&
          std::ranges::any_of(
              batches_,
              [](const auto& entry) { return std::ranges::contains(entry.second.items, ItemState::Waiting); }))
        return [this] { start_items(); };
    }
    std::int64_t wait_ms = kLookAround_ms;
    if (!timers_.empty()) wait_ms = std::min(wait_ms, timers_.begin()->first - now_ms);
    const bool told = changed_.wait_for(lock, std::chrono::milliseconds(wait_ms)) == std::cv_status::no_timeout;
    if (!told && !stopping_) return [this] { expire_and_forget(); };
  }
  return nullptr;
}

void Batches::post(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  tasks_.push_back(std::move(task));
  changed_.notify_all();
}

// Batches in the order they came, their requests too.
void Batches::start_items() {
  std::vector<std::pair<BatchOwner, std::shared_ptr<BatchExchange>>> begun;
  {
    const std::lock_guard lock(mutex_);
    std::vector<Batch*> order;
    for (auto& [id, batch] : batches_)
      if (!batch.ended_unix_s) order.push_back(&batch);
    std::ranges::sort(order, {}, &Batch::number);
    for (Batch* batch : order) {
      for (std::size_t i = 0; i < batch->items.size() && running_count_ < limits_.running_max; ++i) {
        if (batch->items[i] != ItemState::Waiting) continue;
        if (batch->requests.empty() && !read_requests_locked(*batch)) break;
        begun.emplace_back(batch->owner, start_item(*batch, i));
      }
    }
  }
  for (auto& [owner, exchange] : begun) answer_(std::move(exchange), owner);
}

// REQUIRES: mutex_ is held, and the requests are read.
std::shared_ptr<BatchExchange> Batches::start_item(Batch& batch, std::size_t index) {
  http::Request request;
  request.method = "POST";
  request.path = "/v1/messages";
  Json params = batch.requests.at(index).params;
  params.set("stream", false);
  request.body = params.dump();
  request.received_us = clock_.now_us();
  batch.items[index] = ItemState::Running;
  ++running_count_;
  auto exchange = std::make_shared<BatchExchange>(
      std::move(request), line_,
      [this, id = batch.id, index](int status, const std::string& body) { item_done(id, index, status, body); });
  batch.running[index] = exchange;
  return exchange;
}

void Batches::item_done(const std::string& id, std::size_t index, int status, const std::string& body) {
  const std::lock_guard lock(mutex_);
  const auto at = batches_.find(id);
  if (at == batches_.end()) return;
  Batch& batch = at->second;
  running_count_ -= batch.running.erase(index);
  if (batch.items[index] != ItemState::Running) return;  // canceled meanwhile
  if (is_passing(status)) {
    batch.items[index] = ItemState::Waiting;
    rest_until_ms_ = clock_.now_ms() + kRest_ms;
    return;
  }
  const std::string custom_id = batch.requests.at(index).custom_id;
  auto answer = Json::parse(body);
  if (status == 200 && answer) {
    set_result_locked(batch, index, ItemState::Succeeded, wire::batch_succeeded(custom_id, std::move(*answer)));
  } else {
    Json error =
        answer
            ? std::move(*answer)
            : Json::object(
                  {{"type", "error"},
                   {"error", Json::object({{"type", "api_error"}, {"message", "the answer could not be completed"}})}});
    set_result_locked(batch, index, ItemState::Errored, wire::batch_errored(custom_id, std::move(error)));
  }
  end_if_done_locked(batch);
}

void Batches::expire_and_forget() {
  const std::lock_guard lock(mutex_);
  const std::int64_t now_s = now_unix_s_();
  for (auto at = batches_.begin(); at != batches_.end();) {
    Batch& batch = (at++)->second;
    if (!batch.ended_unix_s && now_s >= batch.created_unix_s + limits_.expires_after_s)
      end_rest_locked(batch, ItemState::Expired);
    if (!batch.ended_unix_s || now_s < batch.created_unix_s + limits_.kept_after_s) continue;
    store_.remove(batch.id);
    batches_.erase(std::string(batch.id));
  }
}

Result<wire::BatchCard> Batches::create(const BatchOwner& owner, std::vector<wire::BatchRequest> requests) {
  const std::string text = wire::batch_requests_json(requests).dump();
  const std::lock_guard lock(mutex_);
  std::size_t bytes = text.size();
  for (const auto& [id, batch] : batches_) bytes += batch.bytes;
  if (batches_.size() >= limits_.batches_max || bytes > limits_.bytes_max)
    return fail(ErrorKind::RateLimited,
                std::format("{} batches are kept already; delete those whose results were read", batches_.size()));
  Batch batch{.id = random_id(kBatchPrefix), .owner = owner, .created_unix_s = now_unix_s_()};
  batch.bytes = text.size();
  for (const auto& [id, other] : batches_) batch.number = std::max(batch.number, other.number + 1);
  batch.items.assign(requests.size(), ItemState::Waiting);
  // The state last: a batch is there when it is there.
  Result<void> written = store_.write(batch.id, kRequestsFile, text);
  if (written) written = write_state_locked(batch);
  if (!written) {
    store_.remove(batch.id);
    return std::unexpected(written.error());
  }
  const auto at = batches_.emplace(batch.id, std::move(batch)).first;
  changed_.notify_all();
  return card_locked(at->second);
}

Result<const Batches::Batch*> Batches::owned_locked(const BatchOwner& owner, const std::string& id) const {
  const auto at = batches_.find(id);
  if (at == batches_.end() || at->second.owner.owner != owner.owner)
    return fail(ErrorKind::NotFound, "there is no message batch of that id; GET /v1/messages/batches lists them");
  return &at->second;
}

Result<wire::BatchCard> Batches::find(const BatchOwner& owner, const std::string& id) const {
  const std::lock_guard lock(mutex_);
  TRY_ASSIGN(const Batch* batch, owned_locked(owner, id));
  return card_locked(*batch);
}

std::vector<wire::BatchCard> Batches::list(const BatchOwner& owner) const {
  const std::lock_guard lock(mutex_);
  std::vector<wire::BatchCard> cards;
  for (const auto& [id, batch] : batches_)
    if (batch.owner.owner == owner.owner) cards.push_back(card_locked(batch));
  std::ranges::sort(cards, std::greater(), &wire::BatchCard::number);
  return cards;
}

Result<wire::BatchCard> Batches::cancel(const BatchOwner& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  TRY(owned_locked(owner, id));
  Batch& batch = batches_.at(id);
  if (batch.ended_unix_s) return card_locked(batch);
  if (!batch.cancel_unix_s) batch.cancel_unix_s = now_unix_s_();
  end_rest_locked(batch, ItemState::Canceled);
  return card_locked(batch);
}

Result<void> Batches::remove(const BatchOwner& owner, const std::string& id) {
  const std::lock_guard lock(mutex_);
  TRY_ASSIGN(const Batch* batch, owned_locked(owner, id));
  if (!batch->ended_unix_s) return fail(ErrorKind::InvalidInput, "the batch is still being processed; cancel it first");
  store_.remove(id);
  batches_.erase(id);
  return {};
}

}  // namespace hearth::server
