// Batches: what lies on disk and how it changes (docs/batch-format.md). Everything here needs the mutex.
#include <algorithm>
#include <charconv>
#include <format>
#include <utility>

#include "base/log.h"
#include "server/batches.h"

namespace hearth::server {
namespace {

constexpr const char* kStateFile = "state";
constexpr std::string_view kSucceeded = "done-", kErrored = "fail-";

Json time_or_null(std::optional<std::int64_t> unix_s) { return unix_s ? Json(*unix_s) : Json(); }

std::optional<std::int64_t> integer_at(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value == nullptr || !value->is_integer()) return std::nullopt;
  return value->as_integer();
}

// "done-00012" -> 12
std::optional<std::size_t> index_of(std::string_view name, std::string_view prefix, std::size_t count) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  std::size_t index = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), index);
  const bool whole = read.ec == std::errc{} && read.ptr == name.data() + name.size();
  return whole && index < count ? std::optional(index) : std::nullopt;
}

std::string result_file(std::size_t index, bool succeeded) {
  return std::format("{}{:05}", succeeded ? kSucceeded : kErrored, index);
}

}  // namespace

// False: it is not what we wrote.
bool Batches::load_locked(const std::string& id) {
  auto text = store_.read(id, kStateFile);
  if (!text) return false;
  const auto state = Json::parse(*text);
  if (!state || !state->is_object()) return false;
  const auto created = integer_at(*state, "created"), count = integer_at(*state, "count"),
             bytes = integer_at(*state, "bytes"), number = integer_at(*state, "number");
  const Json* owner = state->find("owner");
  if (!created || !count || !bytes || !number || *number < 0 || owner == nullptr || !owner->is_string()) return false;
  if (*count < 1 || *count > static_cast<std::int64_t>(wire::kBatchRequestsMax) || *bytes < 0) return false;
  std::uint64_t owner_number = 0;
  const std::string& hex = owner->as_string();
  const auto read = std::from_chars(hex.data(), hex.data() + hex.size(), owner_number, 16);
  if (read.ec != std::errc{} || read.ptr != hex.data() + hex.size()) return false;

  Batch batch{.id = id, .owner = {.owner = owner_number, .cache_salt = state->string_at("salt")}};
  batch.created_unix_s = *created;
  batch.cancel_unix_s = integer_at(*state, "cancel");
  batch.ended_unix_s = integer_at(*state, "ended");
  batch.bytes = static_cast<std::size_t>(*bytes);
  batch.number = static_cast<std::uint64_t>(*number);
  const std::string rest = state->string_at("rest");
  const ItemState others = rest == "canceled"  ? ItemState::Canceled
                           : rest == "expired" ? ItemState::Expired
                                               : ItemState::Waiting;
  batch.items.assign(static_cast<std::size_t>(*count), others);
  for (const std::string& name : store_.names(id)) {
    if (const auto done = index_of(name, kSucceeded, batch.items.size())) batch.items[*done] = ItemState::Succeeded;
    if (const auto failed = index_of(name, kErrored, batch.items.size())) batch.items[*failed] = ItemState::Errored;
  }
  batches_.insert_or_assign(id, std::move(batch));
  return true;
}

Result<void> Batches::write_state_locked(const Batch& batch) {
  const bool canceled = std::ranges::contains(batch.items, ItemState::Canceled);
  const bool expired = std::ranges::contains(batch.items, ItemState::Expired);
  const Json state = Json::object({{"owner", std::format("{:x}", batch.owner.owner)},
                                   {"salt", batch.owner.cache_salt},
                                   {"number", batch.number},
                                   {"created", batch.created_unix_s},
                                   {"cancel", time_or_null(batch.cancel_unix_s)},
                                   {"ended", time_or_null(batch.ended_unix_s)},
                                   {"count", batch.items.size()},
                                   {"bytes", batch.bytes},
                                   {"rest", canceled  ? "canceled"
                                            : expired ? "expired"
                                                      : ""}});
  return store_.write(batch.id, kStateFile, state.dump());
}

bool Batches::read_requests_locked(Batch& batch) {
  auto text = store_.read(batch.id, kRequestsFile);
  auto requests = text ? wire::decode_batch(*text) : std::unexpected(text.error());
  if (requests && requests->size() == batch.items.size()) {
    batch.requests = std::move(*requests);
    return true;
  }
  log_error("server", "the requests of the batch {} cannot be read: {}", batch.id,
            requests ? "there are fewer than were accepted" : requests.error().message);
  end_rest_locked(batch, ItemState::Expired);
  return false;
}

// What cannot be kept is run again later, when there may be room on the disk.
void Batches::set_result_locked(Batch& batch, std::size_t index, ItemState state, const Json& line) {
  auto written = store_.write(batch.id, result_file(index, state == ItemState::Succeeded), line.dump());
  if (written) {
    batch.items[index] = state;
    return;
  }
  log_error("server", "a result of the batch {} cannot be kept: {}", batch.id, written.error().message);
  batch.items[index] = ItemState::Waiting;
  rest_until_ms_ = clock_.now_ms() + 12 * kRest_ms;
}

void Batches::end_rest_locked(Batch& batch, ItemState state) {
  for (ItemState& item : batch.items)
    if (item == ItemState::Waiting || item == ItemState::Running) item = state;
  running_count_ -= batch.running.size();
  for (auto& [index, running] : std::exchange(batch.running, {}))
    tasks_.push_back([running] {
      if (const auto exchange = running.lock()) exchange->disconnect();
    });
  end_if_done_locked(batch);
  changed_.notify_all();
}

void Batches::end_if_done_locked(Batch& batch) {
  const auto open = [](ItemState item) { return item == ItemState::Waiting || item == ItemState::Running; };
  if (batch.ended_unix_s || std::ranges::any_of(batch.items, open)) return;
  batch.ended_unix_s = now_unix_s_();
  std::vector<wire::BatchRequest>().swap(batch.requests);
  if (auto written = write_state_locked(batch); !written)
    log_error("server", "the end of the batch {} cannot be kept: {}", batch.id, written.error().message);
}

wire::BatchCard Batches::card_locked(const Batch& batch) const {
  wire::BatchCard card{.id = batch.id, .number = batch.number, .created_unix_s = batch.created_unix_s};
  card.expires_unix_s = batch.created_unix_s + limits_.expires_after_s;
  card.ended_unix_s = batch.ended_unix_s;
  card.cancel_unix_s = batch.cancel_unix_s;
  card.status = batch.ended_unix_s    ? wire::BatchStatus::Ended
                : batch.cancel_unix_s ? wire::BatchStatus::Canceling
                                      : wire::BatchStatus::InProgress;
  for (const ItemState item : batch.items) {
    switch (item) {
      case ItemState::Waiting:
      case ItemState::Running: ++card.counts.processing; break;
      case ItemState::Succeeded: ++card.counts.succeeded; break;
      case ItemState::Errored: ++card.counts.errored; break;
      case ItemState::Canceled: ++card.counts.canceled; break;
      case ItemState::Expired: ++card.counts.expired; break;
    }
  }
  return card;
}

// Everything that was not run has no file: its line follows from the batch.
Result<std::string> Batches::results(const BatchOwner& owner, const std::string& id) const {
  const std::lock_guard lock(mutex_);
  TRY_ASSIGN(const Batch* found, owned_locked(owner, id));
  const Batch& batch = *found;
  if (!batch.ended_unix_s)
    return fail(ErrorKind::InvalidInput, "the batch has no results yet: its processing has not ended");
  TRY_ASSIGN(const std::string text, store_.read(id, kRequestsFile));
  TRY_ASSIGN(const auto requests, wire::decode_batch(text));
  std::string lines;
  for (std::size_t i = 0; i < std::min(batch.items.size(), requests.size()); ++i) {
    const ItemState state = batch.items[i];
    if (state == ItemState::Canceled || state == ItemState::Expired) {
      lines += wire::batch_not_run(requests[i].custom_id, state == ItemState::Canceled ? "canceled" : "expired").dump();
    } else {
      TRY_ASSIGN(const std::string line, store_.read(id, result_file(i, state == ItemState::Succeeded)));
      lines += line;
    }
    lines += '\n';
  }
  return lines;
}

}  // namespace hearth::server
