// The Messages decoder on good bodies: every block type, every setting, as real clients send them.
#include "wire/anthropic_request.h"

#include <doctest/doctest.h>

#include <format>
#include <string>

namespace hearth::wire {
namespace {

MessagesRequest good(const std::string& body) {
  auto request = decode_messages(body);
  if (!request) FAIL(request.error().message << "\n" << body);
  return std::move(*request);
}
// A body with these messages and, after them, these other members.
std::string with(const std::string& messages, const std::string& more = "") {
  return std::format(R"({{"model":"m","max_tokens":16,"messages":[{}]{}}})", messages, more.empty() ? "" : "," + more);
}
const std::string kHello = R"({"role":"user","content":"hello"})";
MessagesRequest hello_with(const std::string& more) { return good(with(kHello, more)); }
chat::Block only_block(const std::string& role, const std::string& block) {
  // A call with the id t1 goes before, so that results have something to answer.
  const std::string call = R"({"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]},)";
  auto request = good(with(call + std::format(R"({{"role":"{}","content":[{}]}})", role, block)));
  REQUIRE(request.conversation.messages.at(1).blocks.size() == 1);
  return std::move(request.conversation.messages[1].blocks[0]);
}
template <class T>
T only(const std::string& role, const std::string& block) {
  chat::Block out = only_block(role, block);
  REQUIRE(std::holds_alternative<T>(out));
  return std::get<T>(out);
}
std::string result_text(const std::string& parts) {
  return only<chat::ToolResultBlock>(
             "user", std::format(R"({{"type":"tool_result","tool_use_id":"t1","content":[{}]}})", parts))
      .text;
}

TEST_CASE("the smallest request is a model, max_tokens and one message") {
  const auto request = hello_with("");
  CHECK(request.model == "m");
  CHECK(request.max_tokens == 16);
  CHECK_FALSE(request.stream);
  CHECK_FALSE(request.temperature);
  CHECK_FALSE(request.top_p);
  CHECK_FALSE(request.top_k);
  CHECK_FALSE(request.seed);
  CHECK(request.output_format.is_null());
  CHECK(request.conversation.thinking == chat::Thinking::ModelDefault);
  CHECK(request.conversation.tool_choice == chat::ToolChoice::Auto);
  REQUIRE(request.conversation.messages.size() == 1);
  CHECK(request.conversation.messages[0].role == chat::Role::User);
  CHECK(std::get<chat::TextBlock>(request.conversation.messages[0].blocks.at(0)).text == "hello");
}
TEST_CASE("a string and one text block with cache_control are the same content") {
  const auto a = good(with(R"({"role":"user","content":"X"})"));
  const auto b =
      good(with(R"({"role":"user","content":[{"type":"text","text":"X","cache_control":{"type":"ephemeral"}}]})"));
  CHECK(std::get<chat::TextBlock>(a.conversation.messages[0].blocks.at(0)).text ==
        std::get<chat::TextBlock>(b.conversation.messages[0].blocks.at(0)).text);
  CHECK(a.conversation.messages[0].blocks.size() == b.conversation.messages[0].blocks.size());
}
TEST_CASE("unknown keys are ignored at every level") {
  const auto request = good(
      R"({"betas":["x"],"model":"m","max_tokens":1,"metadata":{"user_id":"{\"device_id\":1}"},"context_management":{"edits":[]},)"
      R"("safeguards":[{}],"service_tier":"auto","container":null,"messages":[{"role":"user","content":[{"type":"text",)"
      R"("text":"a","citations":null,"new":1}],"output_config":{"effort":"low"},"id":"x"}]})");
  CHECK(request.conversation.messages.size() == 1);
}
TEST_CASE("null settings are absent settings") {
  const auto request = hello_with(
      R"("system":null,"tools":null,"tool_choice":null,"thinking":null,"temperature":null,"stop_sequences":null,"stream":null)");
  CHECK(request.conversation.system.empty());
  CHECK_FALSE(request.stream);
}
TEST_CASE("of a doubled key the last one counts") {
  CHECK(good(R"({"model":"a","model":"b","max_tokens":1,"messages":[{"role":"user","content":"x"}]})").model == "b");
}
TEST_CASE("the system prompt is a string or text blocks") {
  CHECK(hello_with(R"("system":"be kind")").conversation.system.at(0).text == "be kind");
  const auto blocks = hello_with(
      R"("system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}])");
  REQUIRE(blocks.conversation.system.size() == 2);
  CHECK(blocks.conversation.system[1].text == "b");
  CHECK(hello_with(R"("system":"")").conversation.system.empty());
  CHECK(hello_with(R"("system":[])").conversation.system.empty());
}
TEST_CASE("system messages stand anywhere, as a string or as blocks") {
  const auto request =
      good(with(R"({"role":"user","content":"a"},{"role":"system","content":"env"},{"role":"assistant","content":"b"},)"
                R"({"role":"system","content":[{"type":"text","text":"late"}]})"));
  REQUIRE(request.conversation.messages.size() == 4);
  CHECK(request.conversation.messages[1].role == chat::Role::System);
  CHECK(request.conversation.messages[3].role == chat::Role::System);
  CHECK(std::get<chat::TextBlock>(request.conversation.messages[3].blocks[0]).text == "late");
}
TEST_CASE("tools added and removed in a system message are read, and an added one is known from then on") {
  const std::string reference = R"({"type":"tool_addition","tool":{"type":"tool_reference","name":"Web"}})";
  const auto by_name = only<chat::ToolChangeBlock>("system", reference);
  CHECK(by_name.name == "Web");
  CHECK(by_name.change == chat::ToolChangeBlock::Change::Added);
  CHECK(by_name.definition.is_null());
  const std::string definition =
      R"({"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"W","input_schema":{}}}})";
  CHECK(only<chat::ToolChangeBlock>("system", definition).name == "W");
  const auto request = good(with(R"({"role":"user","content":"a"},{"role":"system","content":[)" + definition + "]}"));
  REQUIRE(request.conversation.tools.size() == 1);
  CHECK(request.conversation.tools[0].name == "W");
  CHECK(request.conversation.tools[0].deferred);
  const std::string removal = R"({"type":"tool_removal","tool":{"type":"tool_reference","name":"Web"}})";
  CHECK(only<chat::ToolChangeBlock>("system", removal).change == chat::ToolChangeBlock::Change::Removed);
}
TEST_CASE("context_management says how many turns keep their thoughts") {
  const auto kept = [](const char* edits) {
    return hello_with(std::string(R"("context_management":{"edits":[)") + edits + "]}")
        .conversation.thinking_turns_kept;
  };
  CHECK(kept("") == chat::kAllTurns);
  CHECK(kept(R"({"type":"clear_thinking_20251015","keep":"all"})") == chat::kAllTurns);
  CHECK(kept(R"({"type":"clear_thinking_20251015","keep":{"type":"all"}})") == chat::kAllTurns);
  CHECK(kept(R"({"type":"clear_thinking_20251015","keep":{"type":"thinking_turns","value":2}})") == 2);
  CHECK(kept(R"({"type":"clear_thinking_20251015"})") == 1);
  CHECK(kept(R"({"type":"clear_tool_uses_20250919","keep":{"type":"tool_uses","value":2}})") == chat::kAllTurns);
}
TEST_CASE("tools that only Anthropic's servers run are left out and named") {
  const auto request =
      hello_with(R"("tools":[{"type":"web_search_20250305","name":"web_search"},{"name":"f","input_schema":{}}])");
  CHECK(request.conversation.tools.size() == 1);
  CHECK(request.conversation.absent_tools == std::vector<std::string>{"web_search"});
}
TEST_CASE("a conversation may begin with the assistant and repeat roles") {
  const auto request =
      good(with(R"({"role":"assistant","content":"hi"},{"role":"user","content":"a"},{"role":"user","content":"b"})"));
  CHECK(request.conversation.messages.size() == 3);
}
TEST_CASE("a trailing assistant message is kept as it is, white space and all") {
  const auto request = good(with(kHello + R"(,{"role":"assistant","content":"Par \n"})"));
  CHECK(std::get<chat::TextBlock>(request.conversation.messages[1].blocks[0]).text == "Par \n");
}
TEST_CASE("empty content is a message without words") {
  CHECK(good(with(R"({"role":"user","content":[]})")).conversation.messages[0].blocks.empty());
  CHECK(good(with(R"({"role":"user","content":""})")).conversation.messages[0].blocks.size() == 1);
}
TEST_CASE("text keeps control characters, NUL bytes and every script") {
  const auto block = only<chat::TextBlock>("user", R"({"type":"text","text":"a\u0000b\u001b[0m \ud83d\ude00 ünï"})");
  CHECK(block.text == std::string("a\0b\x1b[0m \xF0\x9F\x98\x80 \xC3\xBCn\xC3\xAF", 18));
}
TEST_CASE("a thought keeps its text and signature") {
  const auto block =
      only<chat::ThinkingBlock>("assistant", R"({"type":"thinking","thinking":" hm\n","signature":"s"})");
  CHECK(block.text == " hm\n");
  CHECK(block.signature == "s");
}
TEST_CASE("a thought without a signature is accepted") {
  CHECK(only<chat::ThinkingBlock>("assistant", R"({"type":"thinking","thinking":"x"})").signature.empty());
  CHECK(only<chat::ThinkingBlock>("assistant", R"({"type":"thinking","thinking":"","signature":null})").text.empty());
}
TEST_CASE("a redacted thought keeps its data") {
  CHECK(only<chat::RedactedThinkingBlock>("assistant", R"({"type":"redacted_thinking","data":"zz"})").data == "zz");
}
TEST_CASE("a tool call keeps the order of its input's keys") {
  const auto block = only<chat::ToolUseBlock>(
      "assistant", R"({"type":"tool_use","id":"toolu_1","name":"Edit","input":{"z":1,"a":{"y":[],"b":null}}})");
  CHECK(block.id == "toolu_1");
  CHECK(block.name == "Edit");
  CHECK(block.input.dump() == R"({"z":1,"a":{"y":[],"b":null}})");
  CHECK(block.raw_input.empty());
}
TEST_CASE("a tool call without input has an empty object") {
  CHECK(only<chat::ToolUseBlock>("assistant", R"({"type":"tool_use","id":"t","name":"f"})").input.dump() == "{}");
}
TEST_CASE("an unparsed input gives back the raw text the model wrote") {
  const auto block = only<chat::ToolUseBlock>(
      "assistant",
      R"({"type":"tool_use","id":"t","name":"f","input":{"__unparsedToolInput":{"raw":"{\"a\": 1","len":7}}})");
  CHECK(block.raw_input == R"({"a": 1)");
  CHECK(block.input.dump() == "{}");
}
TEST_CASE("an object that only looks like an unparsed input stays an input") {
  const auto block = only<chat::ToolUseBlock>(
      "assistant", R"({"type":"tool_use","id":"t","name":"f","input":{"__unparsedToolInput":{"raw":1},"b":2}})");
  CHECK(block.raw_input.empty());
  CHECK(block.input.dump() == R"({"__unparsedToolInput":{"raw":1},"b":2})");
}
TEST_CASE("a tool result is a string, or parts joined by newlines, or nothing") {
  CHECK(only<chat::ToolResultBlock>("user", R"({"type":"tool_result","tool_use_id":"t1","content":"ok"})").text ==
        "ok");
  CHECK(result_text(R"({"type":"text","text":"a"},{"type":"text","text":"b"})") == "a\nb");
  CHECK(only<chat::ToolResultBlock>("user", R"({"type":"tool_result","tool_use_id":"t1"})").text.empty());
  CHECK(
      only<chat::ToolResultBlock>("user", R"({"type":"tool_result","tool_use_id":"t1","content":null})").text.empty());
  CHECK(result_text("").empty());
}
TEST_CASE("a tool result says whether it is an error") {
  CHECK(only<chat::ToolResultBlock>("user", R"({"type":"tool_result","tool_use_id":"t1","is_error":true})").is_error);
  CHECK_FALSE(
      only<chat::ToolResultBlock>("user", R"({"is_error":false,"tool_use_id":"t1","type":"tool_result"})").is_error);
  CHECK_FALSE(
      only<chat::ToolResultBlock>("user", R"({"is_error":null,"tool_use_id":"t1","type":"tool_result"})").is_error);
}
TEST_CASE("an image in a tool result becomes a note, so that the session lives on") {
  CHECK(
      result_text(
          R"({"type":"text","text":"shot:"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}})") ==
      "shot:\n[image omitted: this model cannot see images]");
}
TEST_CASE("a PDF in a tool result becomes a note") {
  CHECK(result_text(R"({"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA=="}})") ==
        "[document omitted: this server reads only documents given as text]");
}
TEST_CASE("a text document and a search result in a tool result become its text") {
  CHECK(result_text(R"({"type":"document","source":{"type":"text","media_type":"text/plain","data":"D"}})") == "D");
  CHECK(result_text(R"({"type":"search_result","source":"u","title":"T","content":[{"type":"text","text":"S"}]})") ==
        "T\nu\nS");
}
TEST_CASE("tool references of a result name deferred tools and add no text") {
  const auto block = only<chat::ToolResultBlock>(
      "user", R"({"type":"tool_result","tool_use_id":"t1","content":[{"type":"tool_reference","tool_name":"WebFetch"},)"
              R"({"type":"tool_reference","tool_name":"Cron"}]})");
  CHECK(block.tool_references == std::vector<std::string>{"WebFetch", "Cron"});
  CHECK(block.text.empty());
}
TEST_CASE("parallel results may come in any order") {
  const auto request = good(with(
      R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}},{"type":"tool_use","id":"b","name":"f","input":{}}]},)"
      R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"b"},{"type":"tool_result","tool_use_id":"a"}]})"));
  CHECK(std::get<chat::ToolResultBlock>(request.conversation.messages[1].blocks[0]).tool_use_id == "b");
}
TEST_CASE("a call nobody answered is accepted, as after an interrupt") {
  good(with(
      R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":"stop"})"));
}
TEST_CASE("a result may answer a call several messages back") {
  good(with(
      R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"system","content":"x"},)"
      R"({"role":"user","content":[{"type":"text","text":"first"},{"type":"tool_result","tool_use_id":"a"}]})"));
}
TEST_CASE("repeated tool_use ids are accepted") {
  const std::string call = R"({"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]},)";
  const std::string result = R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"a"}]})";
  good(with(call + result + "," + call + result));
}
TEST_CASE("a text document is its title, context and text") {
  CHECK(only<chat::TextBlock>("user",
                              R"({"type":"document","title":"T","context":"C","source":{"type":"text","data":"D"}})")
            .text == "T\nC\nD");
  CHECK(only<chat::TextBlock>("user", R"({"type":"document","source":{"type":"content","content":"D"}})").text == "D");
  CHECK(
      only<chat::TextBlock>(
          "user",
          R"({"type":"document","source":{"type":"content","content":[{"type":"text","text":"D"},{"type":"text","text":"E"}]}})")
          .text == "D\nE");
}
TEST_CASE("a search result is its title, source and text") {
  CHECK(only<chat::TextBlock>(
            "user", R"({"type":"search_result","title":"T","source":"u","content":[{"type":"text","text":"S"}]})")
            .text == "T\nu\nS");
}
TEST_CASE("what Anthropic's servers did becomes text") {
  CHECK(only<chat::TextBlock>("assistant",
                              R"({"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"q"}})")
            .text == "[server_tool_use web_search]\n{\"query\":\"q\"}");
  CHECK(only<chat::TextBlock>("assistant",
                              R"({"type":"web_search_tool_result","tool_use_id":"s","content":[{"title":"t"}]})")
            .text == "[web_search_tool_result]\n[{\"title\":\"t\"}]");
  CHECK(only<chat::TextBlock>("assistant",
                              R"({"type":"mcp_tool_use","id":"s","name":"n","server_name":"srv","input":{}})")
            .text == "[mcp_tool_use n srv]\n{}");
  CHECK(only<chat::TextBlock>("assistant", R"({"type":"mcp_tool_result","tool_use_id":"s","content":"words"})").text ==
        "[mcp_tool_result]\nwords");
  CHECK(only<chat::TextBlock>("assistant", R"({"type":"compaction","content":"so far"})").text ==
        "[compaction]\nso far");
}
TEST_CASE("a custom tool keeps its schema's key order and its description") {
  const auto tools =
      hello_with(
          R"("tools":[{"name":"b","description":"d","input_schema":{"type":"object","$schema":"s","properties":{}}},)"
          R"({"type":"custom","name":"a","input_schema":{},"eager_input_streaming":true,"cache_control":{}}])")
          .conversation.tools;
  REQUIRE(tools.size() == 2);
  CHECK(tools[0].name == "b");
  CHECK(tools[0].description == "d");
  CHECK(tools[0].input_schema.dump() == R"({"type":"object","$schema":"s","properties":{}})");
  CHECK_FALSE(tools[0].deferred);
  CHECK(tools[1].name == "a");
  CHECK(tools[1].description.empty());
}
TEST_CASE("defer_loading marks a tool as deferred") {
  CHECK(
      hello_with(R"("tools":[{"name":"a","input_schema":{},"defer_loading":true}])").conversation.tools.at(0).deferred);
}
TEST_CASE("strict is read of each tool") {
  const auto tools =
      hello_with(
          R"("tools":[{"name":"a","input_schema":{},"strict":true},{"name":"b","input_schema":{},"strict":null}])")
          .conversation.tools;
  CHECK(tools.at(0).strict);
  CHECK_FALSE(tools.at(1).strict);
}
TEST_CASE("tools that only Anthropic's servers run are tolerated and left out") {
  CHECK(hello_with(
            R"("tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8},{"type":"from_the_future"}])")
            .conversation.tools.empty());
}
TEST_CASE("a tool of unknown type that brings its schema is shown like any other") {
  CHECK(hello_with(R"("tools":[{"type":"new_kind","name":"n","input_schema":{}}])").conversation.tools.at(0).name ==
        "n");
}
TEST_CASE("forcing a tool that was left out leaves the choice to the model") {
  const std::string tools = R"("tools":[{"type":"web_search_20250305","name":"web_search"}],)";
  CHECK(hello_with(tools + R"("tool_choice":{"type":"tool","name":"web_search"})").conversation.tool_choice ==
        chat::ToolChoice::Auto);
  CHECK(hello_with(tools + R"("tool_choice":{"type":"any"})").conversation.tool_choice == chat::ToolChoice::Auto);
}
TEST_CASE("tool_choice is auto, any, none or a name") {
  const std::string tools = R"("tools":[{"name":"f","input_schema":{}}],"tool_choice":)";
  CHECK(hello_with(tools + R"({"type":"auto"})").conversation.tool_choice == chat::ToolChoice::Auto);
  CHECK(hello_with(tools + R"({"type":"any"})").conversation.tool_choice == chat::ToolChoice::Any);
  CHECK(hello_with(tools + R"({"type":"none"})").conversation.tool_choice == chat::ToolChoice::None);
  const auto named = hello_with(tools + R"({"type":"tool","name":"f"})").conversation;
  CHECK(named.tool_choice == chat::ToolChoice::Named);
  CHECK(named.tool_choice_name == "f");
}
TEST_CASE("parallel calls are allowed unless the choice disables them") {
  CHECK(hello_with("").parallel_tools == ParallelTools::Allowed);
  CHECK(hello_with(R"("tool_choice":{"type":"auto","disable_parallel_tool_use":true})").parallel_tools ==
        ParallelTools::Disabled);
  CHECK(hello_with(R"("tool_choice":{"type":"auto","disable_parallel_tool_use":false})").parallel_tools ==
        ParallelTools::Allowed);
}
TEST_CASE("thinking is enabled with a budget, adaptive, or disabled") {
  const auto enabled =
      hello_with(R"("thinking":{"type":"enabled","budget_tokens":31999,"display":"summarized"})").conversation;
  CHECK(enabled.thinking == chat::Thinking::Enabled);
  CHECK(enabled.thinking_budget_tokens == 31999);
  const auto adaptive = hello_with(R"("thinking":{"type":"adaptive","display":"omitted"})").conversation;
  CHECK(adaptive.thinking == chat::Thinking::Enabled);
  CHECK(adaptive.thinking_budget_tokens == 0);
  CHECK(hello_with(R"("thinking":{"type":"disabled"})").conversation.thinking == chat::Thinking::Disabled);
  CHECK(hello_with(R"("thinking":{"type":"enabled","budget_tokens":5})").conversation.thinking_budget_tokens == 5);
  CHECK(hello_with(R"("thinking":{"type":"enabled"})").conversation.thinking_budget_tokens == 0);
}
TEST_CASE("output_config carries effort and a format") {
  const auto request =
      hello_with(R"("output_config":{"effort":"high","format":{"type":"json_schema","schema":{"type":"object"}}})");
  CHECK(request.conversation.effort == "high");
  CHECK(request.output_format.dump() == R"({"type":"json_schema","schema":{"type":"object"}})");
  CHECK(hello_with(R"("output_config":{"effort":"xhigh"})").conversation.effort == "xhigh");
  CHECK(hello_with(R"("output_config":{})").output_format.is_null());
}
TEST_CASE("output_format under its older name is taken too") {
  CHECK(hello_with(R"("output_format":{"type":"json_schema","schema":{}})").output_format.is_object());
}
TEST_CASE("sampling settings are taken as they are") {
  const auto request = hello_with(R"("temperature":0.5,"top_p":0.9,"top_k":40,"seed":7,"stream":true)");
  CHECK(request.temperature == 0.5F);
  CHECK(request.top_p == 0.9F);
  CHECK(request.top_k == 40);
  CHECK(request.seed == 7);
  CHECK(request.stream);
  CHECK(hello_with(R"("temperature":0)").temperature == 0.0F);
  CHECK(hello_with(R"("temperature":2)").temperature == 2.0F);
  CHECK(hello_with(R"("top_k":0)").top_k == 0);
  CHECK(hello_with(R"("top_k":9007199254740991)").top_k == 2147483647);
  CHECK(hello_with(R"("seed":9007199254740992)").seed == 9007199254740992ULL);
}
TEST_CASE("a huge max_tokens means as much as there is") {
  const auto max_tokens = [](const std::string& number) {
    return good(R"({"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":)" + number + "}").max_tokens;
  };
  CHECK(max_tokens("1") == 1);
  CHECK(max_tokens("128000") == 128000);
  CHECK(max_tokens("16.0") == 16);
  CHECK(max_tokens("1e3") == 1000);
  CHECK(max_tokens("4294967296") == 4294967295U);
  CHECK(max_tokens("9007199254740992") == 4294967295U);
}
TEST_CASE("stop sequences may be white space") {
  CHECK(hello_with(R"("stop_sequences":["\n\n","END"])").stop_sequences == std::vector<std::string>{"\n\n", "END"});
  CHECK(hello_with(R"("stop_sequences":[])").stop_sequences.empty());
}
TEST_CASE("counting tokens needs no max_tokens and takes the same conversation") {
  const auto request = decode_count_tokens(
      R"({"model":"m","system":"s","messages":[{"role":"user","content":"x"}],"tools":[{"name":"f","input_schema":{}}]})");
  REQUIRE(request);
  CHECK(request->max_tokens == 0);
  CHECK(request->conversation.system.at(0).text == "s");
  CHECK(request->conversation.tools.size() == 1);
}

}  // namespace
}  // namespace hearth::wire
