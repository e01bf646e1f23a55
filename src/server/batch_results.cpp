// See batch_results.h.
#include "server/batch_results.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "wire/anthropic_batches.h"

namespace hearth::server {
namespace {

Json unreadable() {
  return Json::object(
      {{"type", "error"},
       {"error", Json::object({{"type", "api_error"}, {"message", "the server could not read this result again"}})}});
}

}  // namespace

Result<std::string> BatchResults::next(std::size_t bytes_max) {
  std::string piece;
  while (piece.size() < bytes_max && !at_end()) {
    if (begun_.empty()) {
      TRY_ASSIGN(begun_, line(index_));
      begun_ += '\n';
      ++index_;
    }
    const std::size_t count = std::min(bytes_max - piece.size(), begun_.size());
    piece.append(begun_, 0, count);
    begun_.erase(0, count);
  }
  return piece;
}

// Everything that was not run has no file: its line follows from the batch. What lies there and cannot be read is told as that
// request's own misfortune, without the words of the operating system: they name our files.
Result<std::string> BatchResults::line(std::size_t index) {
  const BatchItem item = record_.items[index];
  if (item == BatchItem::Canceled) return wire::batch_not_run(custom_id(index), "canceled").dump();
  if (item == BatchItem::Expired) return wire::batch_not_run(custom_id(index), "expired").dump();
  auto read = store_.read(record_.id, batch_result_file(index, item == BatchItem::Succeeded));
  if (read) return read;
  if (!is_kept_()) return fail(ErrorKind::NotFound, "the batch was deleted while its results were read");
  log_error("server", "a result of the batch {} cannot be read: {}", record_.id, read.error().message);
  return wire::batch_errored(custom_id(index), unreadable()).dump();
}

std::string BatchResults::custom_id(std::size_t index) {
  if (!std::exchange(custom_ids_read_, true)) {
    auto text = store_.read(record_.id, kBatchRequestsFile);
    auto requests = text ? wire::decode_batch(*text) : std::unexpected(text.error());
    if (!requests)
      log_error("server", "the requests of the batch {} cannot be read: {}", record_.id, requests.error().message);
    else
      for (wire::BatchRequest& request : *requests) custom_ids_.push_back(std::move(request.custom_id));
  }
  return index < custom_ids_.size() ? custom_ids_[index] : std::string();
}

}  // namespace hearth::server
