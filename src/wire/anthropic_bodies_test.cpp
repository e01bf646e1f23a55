// Errors and models of the Messages wire.
#include <doctest/doctest.h>

#include <string>

#include "wire/anthropic_events.h"

namespace hearth::wire {
namespace {

TEST_CASE("an error body has its type, its message and the request's id") {
  CHECK(
      error_body({ErrorKind::InvalidInput, "messages: must hold at least one message"}, "req_1").dump() ==
      R"({"type":"error","error":{"type":"invalid_request_error","message":"messages: must hold at least one message"},"request_id":"req_1"})");
}
TEST_CASE("an error in a stream is an event of its own") {
  CHECK(error_sse({ErrorKind::Internal, "gone"}, "req_2") ==
        "event: error\ndata: "
        "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"gone\"},\"request_id\":\"req_2\"}\n\n");
}
TEST_CASE("every kind of error has the status and type that clients act on") {
  struct Row {
    ErrorKind kind;
    int status;
    std::string_view type;
  };
  for (const Row& row :
       {Row{ErrorKind::InvalidInput, 400, "invalid_request_error"},
        Row{ErrorKind::Unauthorized, 401, "authentication_error"}, Row{ErrorKind::Forbidden, 403, "permission_error"},
        Row{ErrorKind::NotFound, 404, "not_found_error"}, Row{ErrorKind::TooLarge, 413, "request_too_large"},
        Row{ErrorKind::PromptTooLong, 400, "invalid_request_error"},
        Row{ErrorKind::RateLimited, 429, "rate_limit_error"}, Row{ErrorKind::Overloaded, 529, "overloaded_error"},
        Row{ErrorKind::Unavailable, 503, "api_error"}, Row{ErrorKind::NoMemory, 500, "api_error"},
        Row{ErrorKind::Io, 500, "api_error"}, Row{ErrorKind::Internal, 500, "api_error"}}) {
    CHECK(http_status(row.kind) == row.status);
    CHECK(error_type(row.kind) == row.type);
  }
}
TEST_CASE("an error whose words are no UTF-8 is still JSON") {
  CHECK(error_body({ErrorKind::Io, "bad \xff name"}, "r").find("error")->string_at("message") ==
        "bad \xEF\xBF\xBD name");
}
TEST_CASE("an over-long prompt is told in the words that make clients compact") {
  const Error error = prompt_too_long(210000, 200000);
  CHECK(error.kind == ErrorKind::PromptTooLong);
  CHECK(error.message == "prompt is too long: 210000 tokens > 200000 maximum");
}
const ModelCard kCard = {.id = "qwen", .display_name = "Qwen", .created_unix_s = 1750000000, .context_tokens = 65536};
TEST_CASE("a model has the members both dialects read") {
  CHECK(
      model_json(kCard).dump() ==
      R"({"type":"model","object":"model","id":"qwen","display_name":"Qwen","created_at":"2025-06-15T15:06:40Z","created":1750000000,)"
      R"("owned_by":"hearth","max_input_tokens":65536,"max_tokens":65536})");
}
TEST_CASE("a model list names its first and last id") {
  const Json list = model_list_json({kCard, {.id = "b", .display_name = "B"}});
  CHECK(list.string_at("object") == "list");
  CHECK(list.find("data")->as_array().size() == 2);
  CHECK(list.find("has_more")->as_boolean() == false);
  CHECK(list.string_at("first_id") == "qwen");
  CHECK(list.string_at("last_id") == "b");
}
TEST_CASE("an empty model list has no first and no last id") {
  CHECK(model_list_json({}).dump() == R"({"object":"list","data":[],"has_more":false,"first_id":null,"last_id":null})");
}

}  // namespace
}  // namespace hearth::wire
