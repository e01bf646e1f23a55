// See anthropic_batches.h.
#include "wire/anthropic_batches.h"

#include <algorithm>
#include <chrono>
#include <format>
#include <ranges>
#include <set>
#include <utility>

#include "wire/json_object.h"

namespace hearth::wire {
namespace {

Json time_json(std::optional<std::int64_t> unix_s) {
  if (!unix_s) return {};
  return std::format("{:%FT%TZ}", std::chrono::sys_seconds(std::chrono::seconds(*unix_s)));
}

bool is_custom_id(std::string_view text) {
  return !text.empty() && text.size() <= kCustomIdBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
}

std::string_view status_name(BatchStatus status) {
  switch (status) {
    case BatchStatus::InProgress: return "in_progress";
    case BatchStatus::Canceling: return "canceling";
    case BatchStatus::Ended: return "ended";
  }
  return "in_progress";
}

// The last of doubled keys, as Json::find() has it.
Json* member_of(Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  for (auto& [name, value] : std::views::reverse(object.as_object()))
    if (name == key) return &value;
  return nullptr;
}

Json result_line(std::string_view custom_id, Json result) {
  return object_of("custom_id", custom_id, "result", std::move(result));
}

}  // namespace

Result<std::vector<BatchRequest>> decode_batch(std::string_view body) {
  auto parsed = Json::parse(body);
  if (!parsed && body.contains("\\u")) parsed = Json::parse(without_lone_surrogates(body));
  if (!parsed) return fail(ErrorKind::InvalidInput, "the body is no JSON: " + parsed.error().message);
  if (!parsed->is_object()) return fail(ErrorKind::InvalidInput, "the body must be an object");
  Json* list = member_of(*parsed, "requests");
  if (list == nullptr || !list->is_array() || list->as_array().empty())
    return fail(ErrorKind::InvalidInput, "requests: give a list of at least one request");
  if (list->as_array().size() > kBatchRequestsMax)
    return fail(ErrorKind::InvalidInput, std::format("requests: {} are more than the {} a batch may have",
                                                     list->as_array().size(), kBatchRequestsMax));
  std::vector<BatchRequest> requests;
  std::set<std::string> ids;
  requests.reserve(list->as_array().size());
  for (Json& one : list->as_array()) {
    const std::string place = std::format("requests.{}", requests.size());
    Json* params = member_of(one, "params");
    BatchRequest request{.custom_id = one.string_at("custom_id"), .params = {}};
    if (!is_custom_id(request.custom_id))
      return fail(ErrorKind::InvalidInput, place + ".custom_id: give 1 to 64 letters, digits, underscores and hyphens");
    if (!ids.insert(request.custom_id).second)
      return fail(ErrorKind::InvalidInput, place + ".custom_id: there is another request with the same one");
    if (params == nullptr || !params->is_object())
      return fail(ErrorKind::InvalidInput, place + ".params: give the parameters of a message");
    params->set("stream", false);
    request.params = params->dump();
    request.params.shrink_to_fit();
    one = {};  // the values of one request at a time give way to its text
    requests.push_back(std::move(request));
  }
  return requests;
}

std::string batch_requests_text(const std::vector<BatchRequest>& requests) {
  std::string text = R"({"requests":[)";
  for (const BatchRequest& request : requests) {
    if (&request != &requests.front()) text += ',';
    text += R"({"custom_id":)";
    append_json_string(text, request.custom_id);
    text += R"(,"params":)" + request.params + '}';
  }
  return text + "]}";
}

Json batch_json(const BatchCard& card) {
  const BatchCounts& counts = card.counts;
  const bool ended = card.status == BatchStatus::Ended;
  return object_of("id", card.id, "type", "message_batch", "processing_status", status_name(card.status),
                   "request_counts",
                   object_of("processing", counts.processing, "succeeded", counts.succeeded, "errored", counts.errored,
                             "canceled", counts.canceled, "expired", counts.expired),
                   "created_at", time_json(card.created_unix_s), "expires_at", time_json(card.expires_unix_s),
                   "ended_at", time_json(card.ended_unix_s), "cancel_initiated_at", time_json(card.cancel_unix_s),
                   "archived_at", Json(), "results_url", ended ? Json(card.results_url) : Json());
}

Json batch_list_json(const std::vector<BatchCard>& page, bool has_more) {
  Json::Array data;
  data.reserve(page.size());
  for (const BatchCard& card : page) data.push_back(batch_json(card));
  Json first = page.empty() ? Json() : Json(page.front().id);
  Json last = page.empty() ? Json() : Json(page.back().id);
  return object_of("data", std::move(data), "has_more", has_more, "first_id", std::move(first), "last_id",
                   std::move(last));
}

Json batch_deleted_json(std::string_view id) { return object_of("id", id, "type", "message_batch_deleted"); }

Json batch_succeeded(std::string_view custom_id, Json message) {
  return result_line(custom_id, object_of("type", "succeeded", "message", std::move(message)));
}

Json batch_errored(std::string_view custom_id, Json error_body) {
  return result_line(custom_id, object_of("type", "errored", "error", std::move(error_body)));
}

Json batch_not_run(std::string_view custom_id, std::string_view type) {
  return result_line(custom_id, object_of("type", type));
}

}  // namespace hearth::wire
