// See batch_record.h.
#include "server/batch_record.h"

#include <algorithm>
#include <charconv>
#include <format>
#include <utility>

#include "base/json.h"

namespace hearth::server {
namespace {

constexpr std::string_view kSucceeded = "done-", kErrored = "fail-", kStart = "try-";

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

// "try-00012-2" -> {12, 2}; {_, 0} for any other name.
std::pair<std::size_t, int> start_of(std::string_view name, std::size_t count) {
  const std::size_t hyphen = std::min(name.rfind('-'), name.size());
  const auto index = index_of(name.substr(0, hyphen), kStart, count);
  const std::string_view digit = name.substr(std::min(hyphen + 1, name.size()));
  if (!index || digit.size() != 1 || digit[0] < '1' || digit[0] > '9') return {0, 0};
  return {*index, digit[0] - '0'};
}

std::optional<BatchRecord> record_of(const std::string& id, const Json& state) {
  if (!state.is_object()) return std::nullopt;
  const auto created = integer_at(state, "created"), count = integer_at(state, "count"),
             bytes = integer_at(state, "bytes"), number = integer_at(state, "number");
  const Json* owner = state.find("owner");
  if (!created || !count || !bytes || !number || *number < 0 || owner == nullptr || !owner->is_string())
    return std::nullopt;
  if (*count < 1 || *count > static_cast<std::int64_t>(wire::kBatchRequestsMax) || *bytes < 0) return std::nullopt;
  std::uint64_t owner_number = 0;
  const std::string& hex = owner->as_string();
  const auto read = std::from_chars(hex.data(), hex.data() + hex.size(), owner_number, 16);
  if (read.ec != std::errc{} || read.ptr != hex.data() + hex.size()) return std::nullopt;

  BatchRecord record{.id = id, .owner = {.owner = owner_number, .cache_salt = state.string_at("salt")}};
  record.number = static_cast<std::uint64_t>(*number);
  record.created_unix_s = *created;
  record.cancel_unix_s = integer_at(state, "cancel");
  record.ended_unix_s = integer_at(state, "ended");
  record.bytes = static_cast<std::size_t>(*bytes);
  const std::string rest = state.string_at("rest");
  const BatchItem others = rest == "canceled"  ? BatchItem::Canceled
                           : rest == "expired" ? BatchItem::Expired
                                               : BatchItem::Waiting;
  record.items.assign(static_cast<std::size_t>(*count), others);
  return record;
}

}  // namespace

std::string batch_result_file(std::size_t index, bool succeeded) {
  return std::format("{}{:05}", succeeded ? kSucceeded : kErrored, index);
}

std::string batch_start_file(std::size_t index, int start) { return std::format("{}{:05}-{}", kStart, index, start); }

Result<void> write_batch_state(BatchStore& store, const BatchRecord& record) {
  const bool canceled = std::ranges::contains(record.items, BatchItem::Canceled);
  const bool expired = std::ranges::contains(record.items, BatchItem::Expired);
  const Json state = Json::object({{"owner", std::format("{:x}", record.owner.owner)},
                                   {"salt", record.owner.cache_salt},
                                   {"number", record.number},
                                   {"created", record.created_unix_s},
                                   {"cancel", time_or_null(record.cancel_unix_s)},
                                   {"ended", time_or_null(record.ended_unix_s)},
                                   {"count", record.items.size()},
                                   {"bytes", record.bytes},
                                   {"rest", canceled  ? "canceled"
                                            : expired ? "expired"
                                                      : ""}});
  return store.write(record.id, kBatchStateFile, state.dump());
}

Result<BatchRecord> read_batch_record(const BatchStore& store, const std::string& id) {
  TRY_ASSIGN(const std::string text, store.read(id, kBatchStateFile));
  const auto state = Json::parse(text);
  auto record = state ? record_of(id, *state) : std::nullopt;
  if (!record) return fail(ErrorKind::InvalidInput, "its state is none");
  TRY_ASSIGN(const std::vector<std::string> names, store.names(id));
  for (const std::string& name : names) {
    const auto done = index_of(name, kSucceeded, record->items.size());
    const auto failed = index_of(name, kErrored, record->items.size());
    if (done) record->items[*done] = BatchItem::Succeeded;
    if (failed) record->items[*failed] = BatchItem::Errored;
    if (done || failed) record->result_bytes += store.file_bytes(id, name);
    if (const auto [index, start] = start_of(name, record->items.size()); start > 0)
      record->starts[index] = std::max(record->starts[index], start);
  }
  // Of an ended batch a result that is gone is a result that cannot be read.
  if (record->ended_unix_s) std::ranges::replace_if(record->items, is_open, BatchItem::Errored);
  return std::move(*record);
}

bool is_open(BatchItem item) {
  return item == BatchItem::Waiting || item == BatchItem::Running || item == BatchItem::Keeping;
}

bool is_done(const BatchRecord& record) { return std::ranges::none_of(record.items, is_open); }

wire::BatchCard batch_card(const BatchRecord& record, std::int64_t expires_after_s) {
  wire::BatchCard card{.id = record.id, .number = record.number, .created_unix_s = record.created_unix_s};
  card.expires_unix_s = record.created_unix_s + expires_after_s;
  card.ended_unix_s = record.ended_unix_s;
  card.cancel_unix_s = record.cancel_unix_s;
  card.status = record.ended_unix_s    ? wire::BatchStatus::Ended
                : record.cancel_unix_s ? wire::BatchStatus::Canceling
                                       : wire::BatchStatus::InProgress;
  for (const BatchItem item : record.items) {
    switch (item) {
      case BatchItem::Waiting:
      case BatchItem::Running:
      case BatchItem::Keeping: ++card.counts.processing; break;
      case BatchItem::Succeeded: ++card.counts.succeeded; break;
      case BatchItem::Errored: ++card.counts.errored; break;
      case BatchItem::Canceled: ++card.counts.canceled; break;
      case BatchItem::Expired: ++card.counts.expired; break;
    }
  }
  return card;
}

}  // namespace hearth::server
