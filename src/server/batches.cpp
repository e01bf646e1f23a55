// Batches as their callers see them: made, looked at, cancelled, deleted. batches_run.cpp works them off. See batches.h.
#include "server/batches.h"

#include <algorithm>
#include <format>
#include <functional>
#include <utility>

#include "base/log.h"
#include "base/random.h"

namespace hearth::server {
namespace {

constexpr std::int64_t kProgram_unix_s = 1'704'067'200;  // 2024-01-01: no batch is older

}  // namespace

Batches::Batches(std::string folder, Answer answer, const Clock& clock, UnixTime now_unix_s, BatchLimits limits)
    : answer_(std::move(answer)),
      clock_(clock),
      now_unix_s_(std::move(now_unix_s)),
      limits_(limits),
      store_(std::move(folder)),
      begun_ms_(clock.now_ms()),
      begun_offset_s_(wall_offset_s()),
      line_(clock),
      reading_(clock) {}

void Batches::start() {
  line_.post([this] { look_around(); });
  line_.start([this] { cut_running(); });
}

void Batches::load() {
  if (auto opened = store_.open(); !opened)
    log_warning("server", "message batches end with this server: {}", opened.error().message);
  const auto ids = store_.ids();
  if (!ids) log_error("server", "the message batches cannot be read: {}", ids.error().message);
  for (const std::string& id : ids.value_or(std::vector<std::string>())) {
    auto record = read_batch_record(store_, id);
    if (record) {
      // Made before this program was: the clock was not set then. Its time begins now.
      if (record->created_unix_s < kProgram_unix_s && now_unix_s_() >= kProgram_unix_s) {
        record->created_unix_s = now_unix_s_();
        if (auto written = write_batch_state(store_, *record); !written)
          log_warning("server", "when the batch {} was made cannot be kept: {}", id, written.error().message);
      }
      set_due(batches_.emplace(id, Batch{.record = std::move(*record), .made = true}).first->second);
      end_if_done(id);  // its last result was kept, and the process ended before its state was
    } else if (record.error().kind == ErrorKind::Io) {
      // Too many open files, a disk that answers no more: the batch may be as good as ever.
      log_error("server", "the batch {} waits for another start: {}", id, record.error().message);
    } else if (record.error().kind == ErrorKind::NotFound) {
      // Its state is written last: the process ended before the batch was answered.
      if (auto removed = store_.remove(id); !removed)
        log_error("server", "the beginning of a batch cannot be removed: {}", removed.error().message);
    } else {
      store_.set_aside(id);
      log_error("server", "the batch {} is damaged; its folder is now {}.bad: {}", id, id, record.error().message);
    }
  }
  if (!batches_.empty()) log_info("server", "{} message batches are kept", batches_.size());
  reading_.start();
}

Result<void> Batches::call_later(std::size_t body_bytes, std::function<void()> call) {
  // Given back with the task, whether it ran, threw or was dropped.
  const std::shared_ptr<void> place(nullptr, [this, body_bytes](void*) {
    --calls_waiting_;
    calls_bytes_ -= body_bytes;
  });
  const std::size_t bytes = calls_bytes_ += body_bytes;
  if (++calls_waiting_ > limits_.calls_max || (body_bytes > 0 && bytes > limits_.calls_bytes_max))
    return fail(ErrorKind::Overloaded, "the server's disk is slow and many calls wait for it; try again in a moment");
  reading_.post([place, call = std::move(call)] { call(); });
  return {};
}

void Batches::stop() {
  line_.stop();
  reading_.stop();
}

// The place is taken first, so that the books are free while the files are written.
Result<wire::BatchCard> Batches::create(const BatchOwner& owner, std::vector<wire::BatchRequest> requests) {
  const std::string text = wire::batch_requests_text(requests);
  // Numbers may be written longer than they came: 1e4 as 10000.0.
  if (text.size() > limits_.text_bytes_max)
    return fail(ErrorKind::TooLarge,
                std::format("the requests are {} bytes as they are stored, and may be {}; send them "
                            "as several batches",
                            text.size(), limits_.text_bytes_max));
  BatchRecord record{.id = random_id(kBatchPrefix), .owner = owner, .created_unix_s = now_unix_s_()};
  record.bytes = text.size();
  record.items.assign(requests.size(), BatchItem::Waiting);
  {
    const std::lock_guard lock(mutex_);
    TRY(check_room_locked(owner, text.size()));
    for (const auto& [id, other] : batches_) record.number = std::max(record.number, other.record.number + 1);
    set_due(batches_.emplace(record.id, Batch{.record = record}).first->second);
  }
  // The state last: a batch is there when it is there.
  Result<void> written = store_.write(record.id, kBatchRequestsFile, text);
  if (written) written = write_batch_state(store_, record);
  if (!written) static_cast<void>(store_.remove(record.id));  // without its state it goes at the next start
  {
    const std::lock_guard lock(mutex_);
    if (written) batches_.at(record.id).made = true;
    if (!written) batches_.erase(record.id);
  }
  if (!written) {
    log_error("server", "a batch cannot be kept: {}", written.error().message);
    return fail(ErrorKind::Io, "the batch cannot be kept on the server's disk now");
  }
  line_.post([this] { start_items(); });
  return batch_card(record, limits_.expires_after_s);
}

void Batches::set_due(Batch& batch) const {
  const std::int64_t created_ms = clock_.now_ms() + (batch.record.created_unix_s - now_unix_s_()) * 1000;
  batch.expires_ms = created_ms + limits_.expires_after_s * 1000;
  batch.forgotten_ms = created_ms + limits_.kept_after_s * 1000;
}

// A key has its own room, so that it takes none of the others'; together they have less than all of theirs.
Result<void> Batches::check_room_locked(const BatchOwner& owner, std::size_t bytes) const {
  std::size_t own_count = 0, own_bytes = bytes, all_bytes = bytes;
  for (const auto& [id, batch] : batches_) {
    const std::size_t kept_bytes = batch.record.bytes + batch.record.result_bytes;
    all_bytes += kept_bytes;
    if (batch.record.owner.owner != owner.owner) continue;
    ++own_count;
    own_bytes += kept_bytes;
  }
  if (own_count >= limits_.owner_batches_max || own_bytes > limits_.owner_bytes_max)
    return fail(ErrorKind::RateLimited,
                std::format("{} of your batches are kept already; delete those whose results were read", own_count));
  const std::size_t bytes_max = store_.in_memory() ? limits_.owner_bytes_max : limits_.bytes_max;
  if (batches_.size() >= limits_.batches_max || all_bytes > bytes_max)
    return fail(ErrorKind::RateLimited, "the batches of all keys together leave no room for another now");
  return {};
}

Result<const Batches::Batch*> Batches::owned_locked(const BatchOwner& owner, const std::string& id) const {
  const auto at = batches_.find(id);
  if (at == batches_.end() || !at->second.made || at->second.record.owner.owner != owner.owner)
    return fail(ErrorKind::NotFound, "there is no message batch of that id; GET /v1/messages/batches lists them");
  return &at->second;
}

Result<wire::BatchCard> Batches::find(const BatchOwner& owner, const std::string& id) const {
  const std::lock_guard lock(mutex_);
  TRY_ASSIGN(const Batch* batch, owned_locked(owner, id));
  return batch_card(batch->record, limits_.expires_after_s);
}

std::vector<wire::BatchCard> Batches::list(const BatchOwner& owner) const {
  std::vector<wire::BatchCard> cards;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, batch] : batches_)
      if (batch.made && batch.record.owner.owner == owner.owner)
        cards.push_back(batch_card(batch.record, limits_.expires_after_s));
  }
  std::ranges::sort(cards, std::greater(), &wire::BatchCard::number);
  return cards;
}

Result<wire::BatchCard> Batches::cancel(const BatchOwner& owner, const std::string& id) {
  TRY_ASSIGN(const wire::BatchCard card, find(owner, id));
  if (card.ended_unix_s || card.cancel_unix_s) return card;
  if (auto ended = end_rest(id, BatchItem::Canceled); !ended) {
    log_error("server", "the batch {} is not cancelled: {}", id, ended.error().message);
    return fail(ErrorKind::Io, "the batch is not cancelled: that cannot be kept on the server's disk now");
  }
  line_.post([this] { start_items(); });
  return find(owner, id);
}

Result<void> Batches::remove(const BatchOwner& owner, const std::string& id) {
  {
    const std::lock_guard lock(mutex_);
    TRY_ASSIGN(const Batch* batch, owned_locked(owner, id));
    if (!batch->record.ended_unix_s)
      return fail(ErrorKind::InvalidInput, "the batch is still being processed; cancel it first");
    batches_.at(id).made = false;  // nobody finds it any more
  }
  const auto removed = store_.remove(id);
  if (!removed) log_error("server", "the batch {} is not deleted: {}", id, removed.error().message);
  const std::lock_guard lock(mutex_);
  if (removed)
    batches_.erase(id);
  else
    batches_.at(id).made = true;
  if (!removed) return fail(ErrorKind::Io, "the batch is not deleted: the server's disk does not let it go now");
  return {};
}

Result<std::unique_ptr<BatchResults>> Batches::results(const BatchOwner& owner, const std::string& id) const {
  const std::lock_guard lock(mutex_);
  TRY_ASSIGN(const Batch* batch, owned_locked(owner, id));
  if (!batch->record.ended_unix_s)
    return fail(ErrorKind::InvalidInput, "the batch has no results yet: its processing has not ended");
  return std::make_unique<BatchResults>(store_, batch->record,
                                        [this, owner, id] { return find(owner, id).has_value(); });
}

}  // namespace hearth::server
