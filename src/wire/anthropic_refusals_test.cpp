// The Messages decoder on wrong bodies: each gives InvalidInput, names the place, and says what would be right.
#include <doctest/doctest.h>

#include <format>
#include <string>
#include <vector>

#include "wire/anthropic_request.h"

namespace hearth::wire {
namespace {

std::string refusal(const std::string& body) {
  const auto request = decode_messages(body);
  if (request) return "ACCEPTED";
  CHECK(request.error().kind == ErrorKind::InvalidInput);
  return request.error().message;
}
struct Row {
  std::string what;      // what the row puts into its frame
  std::string expected;  // how the message begins
};
// Each row's text stands in the frame at the first '@'.
void check_rows(const std::string& frame, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    std::string body = frame;
    body.replace(body.find('@'), 1, row.what);
    const std::string message = refusal(body);
    INFO(body);
    CHECK_MESSAGE(message.starts_with(row.expected), message);
  }
}

TEST_CASE("a body that is no JSON object is refused as a whole") {
  check_rows("@", {{"", "request body: is empty"},
                   {"{", "request body: not valid JSON"},
                   {"nonsense", "request body: not valid JSON"},
                   {"[]", "request body: must be a JSON object, got array"},
                   {"null", "request body: must be a JSON object, got null"},
                   {"\"x\"", "request body: must be a JSON object, got string"},
                   {"{}trailing", "request body: not valid JSON"},
                   {"{\"model\":\"m\",}", "request body: not valid JSON"}});
}
TEST_CASE("invalid UTF-8 in the body is refused") {
  CHECK(
      refusal("{\"model\":\"\xff\xfe\",\"max_tokens\":1,\"messages\":[]}").starts_with("request body: not valid JSON"));
  CHECK(refusal("{\"model\":\"\xed\xa0\x80\",\"max_tokens\":1,\"messages\":[]}")
            .starts_with("request body: not valid JSON"));
}
TEST_CASE("half of a surrogate pair is read as a replacement character, not refused") {
  const auto request =
      decode_messages(R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"cut \ud83d"}]})");
  REQUIRE(request);
  const auto& block = request->conversation.messages.at(0).blocks.at(0);
  CHECK(std::get<chat::TextBlock>(block).text == "cut \xEF\xBF\xBD");
}
TEST_CASE("a raw NUL byte in the body is refused") {
  CHECK(refusal(std::string("{\"model\":\"a\0b\"}", 15)).starts_with("request body: not valid JSON"));
}
TEST_CASE("nesting without end is refused before it costs anything") {
  CHECK(refusal(std::string(1'000'000, '[')) == "request body: JSON is nested deeper than 256 levels");
}
TEST_CASE("the model is a name") {
  check_rows(R"({@"max_tokens":1,"messages":[{"role":"user","content":"x"}]})",
             {{"", "model: is required"},
              {R"("model":null,)", "model: is required"},
              {R"("model":"",)", "model: must not be empty"},
              {R"("model":7,)", "model: must be a string, got number"},
              {R"("model":{},)", "model: must be a string, got object"},
              {std::format(R"("model":"{}",)", std::string(2000, 'x')), "model: is 2000 bytes long"}});
}
TEST_CASE("max_tokens is a whole number from 1 on") {
  check_rows(R"({"model":"m",@"messages":[{"role":"user","content":"x"}]})",
             {{"", "max_tokens: is required"},
              {R"("max_tokens":null,)", "max_tokens: is required"},
              {R"("max_tokens":0,)", "max_tokens: must be at least 1"},
              {R"("max_tokens":-5,)", "max_tokens: must be at least 1"},
              {R"("max_tokens":1.5,)", "max_tokens: must be an integer, got 1.5"},
              {R"("max_tokens":"16",)", "max_tokens: must be an integer, got string"},
              {R"("max_tokens":true,)", "max_tokens: must be an integer, got boolean"},
              {R"("max_tokens":9007199254740993,)", "max_tokens: must be at most 9007199254740992"},
              {R"("max_tokens":18446744073709551615,)", "max_tokens: must be between 1 and"},
              {R"("max_tokens":1e30,)", "max_tokens: must be between 1 and"},
              {R"("max_tokens":-1e30,)", "max_tokens: must be between 1 and"},
              {R"("max_tokens":-2.0,)", "max_tokens: must be at least 1"},
              {R"("max_tokens":1e999,)", "request body: not valid JSON"}});
}
const std::string kSettings = R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],@})";
TEST_CASE("sampling outside its range is refused") {
  check_rows(kSettings, {{R"("temperature":-0.1)", "temperature: must be between 0 and 2"},
                         {R"("temperature":2.1)", "temperature: must be between 0 and 2"},
                         {R"("temperature":"1")", "temperature: must be a number, got string"},
                         {R"("top_p":1.01)", "top_p: must be between 0 and 1"},
                         {R"("top_p":[])", "top_p: must be a number, got array"},
                         {R"("top_k":-1)", "top_k: must be at least 0"},
                         {R"("top_k":0.5)", "top_k: must be an integer"},
                         {R"("seed":-1)", "seed: must be at least 0"},
                         {R"("stream":"yes")", "stream: must be a boolean, got string"},
                         {R"("stream":1)", "stream: must be a boolean, got number"}});
}
TEST_CASE("stop sequences are non-empty strings, and not too many") {
  std::string many = R"("stop_sequences":[)";
  for (int i = 0; i < 65; ++i) many += i == 0 ? R"("a")" : R"(,"a")";
  check_rows(kSettings,
             {{R"("stop_sequences":"x")", "stop_sequences: must be an array of strings, got string"},
              {R"("stop_sequences":[1])", "stop_sequences.0: must be a string, got number"},
              {R"("stop_sequences":["a",""])", "stop_sequences.1: must not be empty"},
              {R"("stop_sequences":[null])", "stop_sequences.0: must be a string, got null"},
              {std::format(R"("stop_sequences":["{}"])", std::string(1025, 'x')), "stop_sequences.0: is 1025 bytes"},
              {many + "]", "stop_sequences: holds 65 sequences; at most 64"}});
}
TEST_CASE("thinking has a known type and a positive budget") {
  check_rows(
      kSettings,
      {{R"("thinking":true)", "thinking: must be an object, got boolean"},
       {R"("thinking":{})", "thinking.type: is required"},
       {R"("thinking":{"type":"hard"})", R"(thinking.type: must be "enabled", "adaptive" or "disabled", got "hard")"},
       {R"("thinking":{"type":"enabled","budget_tokens":0})", "thinking.budget_tokens: must be at least 1"},
       {R"("thinking":{"type":"enabled","budget_tokens":-1024})", "thinking.budget_tokens: must be at least 1"},
       {R"("thinking":{"type":"enabled","budget_tokens":"8"})",
        "thinking.budget_tokens: must be an integer, got string"}});
}
TEST_CASE("output_config has the types it should") {
  check_rows(kSettings,
             {{R"("output_config":[])", "output_config: must be an object, got array"},
              {R"("output_config":{"effort":3})", "output_config.effort: must be a string, got number"},
              {R"("output_config":{"format":"json"})", "output_config.format: must be an object, got string"},
              {R"("output_config":{"format":{}})", "output_config.format.type: is required"},
              {R"("output_config":{"format":{"type":"xml"}})",
               R"(output_config.format.type: must be "json_schema", got "xml")"},
              {R"("output_config":{"format":{"type":"json_schema"}})", "output_config.format.schema: is required"},
              {R"("output_config":{"format":{"type":"json_schema","schema":[]}})",
               "output_config.format.schema: must be an object, got array"}});
}
TEST_CASE("the system prompt is text and nothing else") {
  check_rows(kSettings, {{R"("system":5)", "system: must be a string or an array of text blocks, got number"},
                         {R"("system":["x"])", "system.0: must be a content block (an object), got string"},
                         {R"("system":[{"type":"text"}])", "system.0.text: is required"},
                         {R"("system":[{"type":"text","text":1}])", "system.0.text: must be a string, got number"},
                         {R"("system":[{"type":"image"}])", "system.0: images are not supported"},
                         {R"("system":[{"type":"tool_use","id":"a","name":"b"}])",
                          "system.0: `tool_use` blocks can only stand in assistant messages"}});
}
TEST_CASE("tools are objects with different names and a schema") {
  check_rows(
      kSettings,
      {{R"("tools":{})", "tools: must be an array of tools, got object"},
       {R"("tools":[1])", "tools.0: must be an object, got number"},
       {R"("tools":[{}])", "tools.0.name: is required"},
       {R"("tools":[{"name":""}])", "tools.0.name: must not be empty"},
       {R"("tools":[{"name":"f"}])", "tools.0.input_schema: is required"},
       {R"("tools":[{"name":"f","input_schema":true}])",
        "tools.0.input_schema: must be a JSON Schema object, got boolean"},
       {R"("tools":[{"name":"f","input_schema":{},"description":1}])", "tools.0.description: must be a string"},
       {R"("tools":[{"name":"f","input_schema":{},"defer_loading":"y"}])", "tools.0.defer_loading: must be a boolean"},
       {R"("tools":[{"name":"f","input_schema":{},"strict":1}])", "tools.0.strict: must be a boolean"},
       {R"("tools":[{"type":1,"name":"f"}])", "tools.0.type: must be a string"},
       {R"("tools":[{"name":"f","input_schema":{}},{"name":"f","input_schema":{}}])",
        R"(tools.1.name: another tool is already named "f")"}});
}
TEST_CASE("tool_choice has a known type and names a tool that is there") {
  check_rows(kSettings,
             {{R"("tool_choice":"auto")", "tool_choice: must be an object, got string"},
              {R"("tool_choice":{})", "tool_choice.type: is required"},
              {R"("tool_choice":{"type":"required"})", R"(tool_choice.type: must be "auto", "any", "tool" or "none")"},
              {R"("tool_choice":{"type":"any"})", R"(tool_choice.type: "any" needs at least one tool)"},
              {R"("tool_choice":{"type":"tool"})", "tool_choice.name: is required"},
              {R"("tool_choice":{"type":"tool","name":"g"},"tools":[{"name":"f","input_schema":{}}])",
               R"(tool_choice.name: no tool in `tools` is named "g")"},
              {R"("tool_choice":{"type":"auto","disable_parallel_tool_use":1})",
               "tool_choice.disable_parallel_tool_use: must be a boolean"}});
}
TEST_CASE("messages are a list of objects with a role and content") {
  check_rows(R"({"model":"m","max_tokens":1@})",
             {{"", "messages: is required"},
              {R"(,"messages":null)", "messages: is required"},
              {R"(,"messages":"not-an-array")", "messages: must be an array of messages, got string"},
              {R"(,"messages":{})", "messages: must be an array of messages, got object"},
              {R"(,"messages":[])", "messages: must hold at least one message"},
              {R"(,"messages":["x"])", "messages.0: must be an object, got string"},
              {R"(,"messages":[{}])", "messages.0.role: is required"},
              {R"(,"messages":[{"role":5}])", "messages.0.role: must be a string, got number"},
              {R"(,"messages":[{"role":"tool","content":"x"}])",
               R"(messages.0.role: must be "user", "assistant" or "system", got "tool")"},
              {R"(,"messages":[{"role":"user"}])", "messages.0.content: is required"},
              {R"(,"messages":[{"role":"user","content":null}])", "messages.0.content: is required"},
              {R"(,"messages":[{"role":"user","content":5}])",
               "messages.0.content: must be a string or an array of content blocks, got number"},
              {R"(,"messages":[{"role":"user","content":["x"]}])",
               "messages.0.content.0: must be a content block (an object), got string"}});
}
const std::string kUserBlock =
    R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"a"},)"
    R"({"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]},)"
    R"({"role":"user","content":[{"type":"text","text":"ok"},@]}]})";
TEST_CASE("a wrong block in a user message is refused with its path") {
  check_rows(
      kUserBlock,
      {{"{}", "messages.2.content.1.type: is required"},
       {R"({"type":7})", "messages.2.content.1.type: must be a string, got number"},
       {R"({"type":"text"})", "messages.2.content.1.text: is required"},
       {R"({"type":"text","text":7})", "messages.2.content.1.text: must be a string, got number"},
       {R"({"type":"hologram"})",
        R"(messages.2.content.1.type: unknown content block type "hologram"; known are text,)"},
       {R"({"type":"image","source":{}})", "messages.2.content.1: images are not supported by this model"},
       {R"({"type":"document"})", "messages.2.content.1.source: is required"},
       {R"({"type":"document","source":{"type":"base64","media_type":"application/pdf","data":""}})",
        R"(messages.2.content.1.source: documents of source type "base64" cannot be read here)"},
       {R"({"type":"document","source":{"type":"url","url":"http://x"}})",
        R"(messages.2.content.1.source: documents of source type "url" cannot be read here)"},
       {R"({"type":"document","source":{"type":"text","data":5}})",
        "messages.2.content.1.source.data: must be a string"},
       {R"({"type":"document","source":{"type":"content","content":[{"type":"image"}]}})",
        "messages.2.content.1.source.content.0: images are not supported"},
       {R"({"type":"search_result","title":"t"})", "messages.2.content.1.content: is required"},
       {R"({"type":"search_result","content":[{"type":"video"}]})", "messages.2.content.1.content.0.type: must be"},
       {R"({"type":"thinking","thinking":"x"})",
        "messages.2.content.1: `thinking` blocks can only stand in assistant messages"},
       {R"({"type":"tool_use","id":"a","name":"f"})",
        "messages.2.content.1: `tool_use` blocks can only stand in assistant messages"},
       {R"({"type":"tool_addition"})", "messages.2.content.1.tool: is required"}});
}
TEST_CASE("a wrong tool result is refused with its path") {
  check_rows(kUserBlock,
             {{R"({"type":"tool_result"})", "messages.2.content.1.tool_use_id: is required"},
              {R"({"type":"tool_result","tool_use_id":""})", "messages.2.content.1.tool_use_id: must not be empty"},
              {R"({"type":"tool_result","tool_use_id":"t1","content":5})",
               "messages.2.content.1.content: must be a string or an array"},
              {R"({"type":"tool_result","tool_use_id":"t1","content":["x"]})",
               "messages.2.content.1.content.0: must be a content block"},
              {R"({"type":"tool_result","tool_use_id":"t1","content":[{"type":"text"}]})",
               "messages.2.content.1.content.0.text: is required"},
              {R"({"type":"tool_result","tool_use_id":"t1","content":[{"type":"tool_use"}]})",
               R"(messages.2.content.1.content.0.type: unknown block type "tool_use" in a tool result)"},
              {R"({"type":"tool_result","tool_use_id":"t1","content":[{"type":"tool_reference"}]})",
               "messages.2.content.1.content.0.tool_name: is required"},
              {R"({"type":"tool_result","tool_use_id":"t1","is_error":"no"})",
               "messages.2.content.1.is_error: must be a boolean"}});
}
TEST_CASE("a tool result without its call is refused by name") {
  check_rows(
      kUserBlock,
      {{R"({"type":"tool_result","tool_use_id":"toolu_9"})",
        R"(messages.2.content.1.tool_use_id: no earlier message has a `tool_use` block with the id "toolu_9")"}});
}
TEST_CASE("a call that comes after its result does not count") {
  CHECK(
      refusal(
          R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]},)"
          R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]}]})")
          .starts_with("messages.0.content.0.tool_use_id: no earlier message"));
}
TEST_CASE("a wrong block in an assistant message is refused with its path") {
  check_rows(
      R"({"model":"m","max_tokens":1,"messages":[{"role":"assistant","content":[@]}]})",
      {{R"({"type":"tool_use","name":"f"})", "messages.0.content.0.id: is required"},
       {R"({"type":"tool_use","id":"a"})", "messages.0.content.0.name: is required"},
       {R"({"type":"tool_use","id":"a","name":"f","input":"{}"})",
        "messages.0.content.0.input: must be an object, got string"},
       {R"({"type":"tool_use","id":"a","name":"f","input":[]})",
        "messages.0.content.0.input: must be an object, got array"},
       {R"({"type":"thinking"})", "messages.0.content.0.thinking: is required"},
       {R"({"type":"thinking","thinking":"x","signature":1})", "messages.0.content.0.signature: must be a string"},
       {R"({"type":"redacted_thinking"})", "messages.0.content.0.data: is required"},
       {R"({"type":"tool_result","tool_use_id":"a"})",
        "messages.0.content.0: `tool_result` blocks can only stand in user messages"}});
}
TEST_CASE("a long word of the client is cut at a character in the message") {
  const std::string message =
      refusal(std::format(R"({{"model":"m","max_tokens":1,"messages":[{{"role":"x{}","content":""}}]}})", [] {
        std::string s;
        for (int i = 0; i < 100; ++i) s += "é";
        return s;
      }()));
  CHECK(message.find("é...\"") != std::string::npos);
}
TEST_CASE("counting tokens refuses what a request would be refused for") {
  CHECK(decode_count_tokens(R"({"model":"m","messages":[]})").error().message.starts_with("messages: must hold"));
  CHECK(decode_count_tokens("{}").error().message.starts_with("model: is required"));
}
TEST_CASE("too many messages or tools are refused with both numbers") {
  std::string messages = R"({"model":"m","max_tokens":1,"messages":[0)";
  for (std::size_t i = 0; i < kMessagesMax; ++i) messages += ",0";
  CHECK(refusal(messages + "]}").starts_with("messages: holds 100001 messages; at most 100000"));
  std::string tools = R"({"model":"m","max_tokens":1,"messages":[],"tools":[0)";
  for (std::size_t i = 0; i < kToolsMax; ++i) tools += ",0";
  CHECK(refusal(tools + "]}").starts_with("tools: holds 4097 tools; at most 4096"));
}

}  // namespace
}  // namespace hearth::wire
