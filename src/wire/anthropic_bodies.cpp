// The Messages wire's plain bodies: errors and models.
#include <chrono>
#include <format>
#include <utility>

#include "base/check.h"
#include "base/utf8.h"
#include "wire/anthropic_events.h"
#include "wire/json_object.h"

namespace hearth::wire {
namespace {

struct KindRow {
  int status;
  std::string_view type;
};

// The status decides what a client does: Claude Code repeats 429, 500, 503 and 529 with growing pauses, ends on 403,
// and compacts on the one 400 whose text says that the prompt is too long.
KindRow row(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::InvalidInput: return {400, "invalid_request_error"};
    case ErrorKind::Unauthorized: return {401, "authentication_error"};
    case ErrorKind::Forbidden: return {403, "permission_error"};
    case ErrorKind::NotFound: return {404, "not_found_error"};
    case ErrorKind::TooLarge: return {413, "request_too_large"};
    case ErrorKind::PromptTooLong: return {400, "invalid_request_error"};
    case ErrorKind::RateLimited: return {429, "rate_limit_error"};
    case ErrorKind::Overloaded: return {529, "overloaded_error"};
    case ErrorKind::Unavailable: return {503, "api_error"};
    case ErrorKind::NoMemory: return {500, "api_error"};
    case ErrorKind::Io: return {500, "api_error"};
    case ErrorKind::Internal: return {500, "api_error"};
  }
  CHECK(false);
}

// The operating system's words inside a message need not be UTF-8; JSON must be.
std::string clean(const std::string& text) { return is_valid_utf8(text) ? text : replace_invalid_utf8(text); }

std::string rfc3339(std::int64_t unix_s) {
  return std::format("{:%FT%TZ}", std::chrono::sys_seconds(std::chrono::seconds(unix_s)));
}

}  // namespace

int http_status(ErrorKind kind) { return row(kind).status; }
std::string_view error_type(ErrorKind kind) { return row(kind).type; }

Json error_body(const Error& error, std::string_view request_id) {
  return object_of("type", "error", "error", object_of("type", error_type(error.kind), "message", clean(error.message)),
                   "request_id", request_id);
}

std::string error_sse(const Error& error, std::string_view request_id) {
  return to_sse({.name = "error", .data = error_body(error, request_id)});
}

Error prompt_too_long(std::uint64_t prompt_tokens, std::uint64_t context_tokens) {
  return {ErrorKind::PromptTooLong,
          std::format("prompt is too long: {} tokens > {} maximum", prompt_tokens, context_tokens)};
}

Json model_json(const ModelCard& card) {
  return object_of("type", "model", "object", "model", "id", card.id, "display_name", card.display_name,  //
                   "created_at", rfc3339(card.created_unix_s), "created", card.created_unix_s,            //
                   "owned_by", "hearth",                                                                  //
                   "max_input_tokens", card.context_tokens, "max_tokens", card.context_tokens);
}

Json model_list_json(const std::vector<ModelCard>& cards) {
  Json::Array data;
  data.reserve(cards.size());
  for (const ModelCard& card : cards) data.push_back(model_json(card));
  Json first = cards.empty() ? Json() : Json(cards.front().id);
  Json last = cards.empty() ? Json() : Json(cards.back().id);
  return object_of("object", "list", "data", std::move(data), "has_more", false, "first_id", std::move(first),
                   "last_id", std::move(last));
}

}  // namespace hearth::wire
