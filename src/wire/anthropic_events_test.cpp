// The Messages encoder: the grammar of its events on scripted and on random streams, and the fold of them.
#include "wire/anthropic_events.h"

#include <doctest/doctest.h>

#include <format>
#include <set>
#include <string>

#include "base/random.h"
#include "base/utf8.h"
#include "wire/visible.h"

namespace hearth::wire {
namespace {

using chat::StreamEvent;
using chat::TextDelta;
using chat::ThinkingDelta;
using chat::ToolCallBegin;
using chat::ToolCallDelta;
using chat::ToolCallEnd;
using Events = std::vector<WireEvent>;

// What every client accepts: one start, blocks one after the other with indices from 0, deltas of the block's own kind,
// one message_delta, one message_stop, nothing after. Empty when all is well.
std::string grammar_fault(const Events& events) {
  enum class State { Before, Between, Inside, Closing, Done };
  State state = State::Before;
  std::string open_type;
  std::int64_t next_index = 0;
  bool signed_thought = false;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const Json& data = events[i].data;
    const std::string& name = events[i].name;
    const auto fault = [&](std::string_view why) { return std::format("event {} ({}): {}", i, data.dump(), why); };
    if (data.string_at("type") != name) return fault("type differs from the event's name");
    if (name == "message_start") {
      if (state != State::Before) return fault("second start");
      state = State::Between;
    } else if (name == "content_block_start") {
      if (state != State::Between) return fault("block inside a block");
      if (data.find("index")->as_integer() != next_index) return fault("index gap");
      open_type = data.find("content_block")->string_at("type");
      signed_thought = false;
      state = State::Inside;
    } else if (name == "content_block_delta") {
      if (state != State::Inside || data.find("index")->as_integer() != next_index) return fault("delta outside");
      const std::string type = data.find("delta")->string_at("type");
      if (type == "signature_delta") {
        if (open_type != "thinking" || signed_thought) return fault("stray signature");
        if (data.find("delta")->string_at("signature").empty()) return fault("empty signature");
        signed_thought = true;
      } else if (signed_thought) {
        return fault("delta after the signature");
      } else if ((open_type == "text") != (type == "text_delta") ||
                 (open_type == "thinking") != (type == "thinking_delta") ||
                 (open_type == "tool_use") != (type == "input_json_delta")) {
        return fault("delta of another kind");
      }
    } else if (name == "content_block_stop") {
      if (state != State::Inside || data.find("index")->as_integer() != next_index) return fault("stop outside");
      if (open_type == "thinking" && !signed_thought) return fault("unsigned thought");
      ++next_index;
      state = State::Between;
    } else if (name == "message_delta") {
      if (state != State::Between) return fault("message_delta inside a block");
      state = State::Closing;
    } else if (name == "message_stop") {
      if (state != State::Closing) return fault("stop without message_delta");
      state = State::Done;
    } else {
      return fault("unknown event");
    }
  }
  return state == State::Done ? "" : "not stopped";
}

void append(Events& all, Events more) {
  for (WireEvent& event : more) all.push_back(std::move(event));
}
Events whole(const std::vector<StreamEvent>& stream, StopReason reason = StopReason::EndTurn,
             AnswerKind kind = AnswerKind::Fresh) {
  MessageEncoder encoder("msg_1", "m", kind);
  Events all = encoder.start({.input_tokens = 3});
  for (const StreamEvent& event : stream) append(all, encoder.add(event));
  append(all, encoder.end(reason, std::nullopt,
                          {.input_tokens = 1, .cache_creation_tokens = 2, .cache_read_tokens = 3, .output_tokens = 4}));
  CHECK(grammar_fault(all) == "");
  return all;
}
Json folded(const Events& events) {
  MessageFold fold;
  for (const WireEvent& event : events) fold.add(event);
  return fold.message();
}
Json message_of(const std::vector<StreamEvent>& stream, StopReason reason = StopReason::EndTurn,
                AnswerKind kind = AnswerKind::Fresh) {
  return folded(whole(stream, reason, kind));
}
const Json& block_at(const Json& message, std::size_t index) { return message.find("content")->as_array().at(index); }
std::size_t block_count(const Json& message) { return message.find("content")->as_array().size(); }
// The blocks' types with their text, "thinking:hm text:hi".
std::string outline(const Json& message) {
  std::string out;
  for (const Json& block : message.find("content")->as_array()) {
    const std::string type = block.string_at("type");
    if (!out.empty()) out += ' ';
    out += type + ":" + (type == "tool_use" ? block.find("input")->dump() : block.string_at(type));
  }
  return out;
}

TEST_CASE("an SSE event is its name, its data in one line, and an empty line") {
  CHECK(to_sse({"x", Json::object({{"type", "x"}, {"t", "a\nb"}})}) ==
        "event: x\ndata: {\"type\":\"x\",\"t\":\"a\\nb\"}\n\n");
  CHECK(ping_sse() == "event: ping\ndata: {\"type\":\"ping\"}\n\n");
}
TEST_CASE("message_start holds the whole message object and all four counts") {
  MessageEncoder encoder("msg_1", "some-model");
  CHECK_FALSE(encoder.started());
  const Events events =
      encoder.start({.input_tokens = 5, .cache_creation_tokens = 6, .cache_read_tokens = 7, .output_tokens = 1});
  CHECK(encoder.started());
  REQUIRE(events.size() == 1);
  CHECK(
      events[0].data.dump() ==
      R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"some-model","content":[],)"
      R"("stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"cache_creation_input_tokens":6,)"
      R"("cache_read_input_tokens":7,"output_tokens":1}}})");
}
TEST_CASE("hidden cache counts are null, and the input is the whole prompt") {
  MessageEncoder encoder("msg_1", "m");
  const Events events = encoder.start(
      {.input_tokens = 5, .cache_creation_tokens = 6, .cache_read_tokens = 7, .cache_counts = CacheCounts::Hidden});
  CHECK(events[0].data.find("message")->find("usage")->dump() ==
        R"({"input_tokens":18,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":0})");
}
TEST_CASE("a text answer is one block") {
  const Events events = whole({TextDelta{"Hel"}, TextDelta{"lo"}});
  REQUIRE(events.size() == 7);
  CHECK(events[1].data.dump() ==
        R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})");
  CHECK(events[2].data.dump() ==
        R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}})");
  CHECK(events[4].data.dump() == R"({"type":"content_block_stop","index":0})");
  CHECK(events[5].data.dump() ==
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":1,)"
        R"("cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":4}})");
  CHECK(events[6].data.dump() == R"({"type":"message_stop"})");
}
TEST_CASE("a thought opens with an empty signature and is signed before it closes") {
  const Events events = whole({ThinkingDelta{"hm"}, TextDelta{"hi"}});
  CHECK(events[1].data.dump() ==
        R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}})");
  CHECK(events[2].data.dump() ==
        R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}})");
  const Json& signature = *events[3].data.find("delta");
  CHECK(signature.string_at("type") == "signature_delta");
  CHECK(signature.string_at("signature").starts_with("hearth1."));
  CHECK(signature.string_at("signature").size() == 51);
  CHECK(events[4].name == "content_block_stop");
}
TEST_CASE("no two signatures are equal") {
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i)
    seen.insert(block_at(message_of({ThinkingDelta{"x"}, TextDelta{"y"}}), 0).string_at("signature"));
  CHECK(seen.size() == 50);
}
TEST_CASE("a tool call opens with an empty input and closes as soon as it ends") {
  MessageEncoder encoder("msg_1", "m");
  Events all = encoder.start({});
  append(all, encoder.add(TextDelta{"doing"}));
  const Events begin = encoder.add(ToolCallBegin{"Bash"});
  REQUIRE(begin.size() == 2);
  CHECK(begin[0].name == "content_block_stop");
  const Json& block = *begin[1].data.find("content_block");
  CHECK(block.string_at("type") == "tool_use");
  CHECK(block.string_at("name") == "Bash");
  CHECK(block.find("input")->dump() == "{}");
  CHECK(block.string_at("id").starts_with("toolu_"));
  CHECK(block.string_at("id").size() == 30);
  CHECK(encoder.add(ToolCallDelta{"{\"a\":"}).at(0).data.dump() ==
        R"({"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}})");
  static_cast<void>(encoder.add(ToolCallDelta{"1}"}));
  const Events end = encoder.add(ToolCallEnd{});
  REQUIRE(end.size() == 1);
  CHECK(end[0].name == "content_block_stop");
  CHECK(encoder.has_tool_call());
  CHECK(encoder.tool_call_ids() == std::vector<std::string>{block.string_at("id")});
}
TEST_CASE("every tool call has its own id, over messages too") {
  std::set<std::string> seen;
  for (int i = 0; i < 40; ++i) {
    const Json message = message_of({ToolCallBegin{"f"}, ToolCallDelta{"{}"}, ToolCallEnd{}, ToolCallBegin{"f"},
                                     ToolCallDelta{"{}"}, ToolCallEnd{}});
    seen.insert(block_at(message, 0).string_at("id"));
    seen.insert(block_at(message, 1).string_at("id"));
  }
  CHECK(seen.size() == 80);
}
TEST_CASE("a call makes the stop reason tool_use, and without one it is never that") {
  const std::vector<StreamEvent> call = {ToolCallBegin{"f"}, ToolCallDelta{"{}"}, ToolCallEnd{}};
  CHECK(message_of(call, StopReason::EndTurn).string_at("stop_reason") == "tool_use");
  CHECK(message_of(call, StopReason::ToolUse).string_at("stop_reason") == "tool_use");
  CHECK(message_of(call, StopReason::MaxTokens).string_at("stop_reason") == "max_tokens");
  CHECK(message_of({TextDelta{"x"}}, StopReason::ToolUse).string_at("stop_reason") == "end_turn");
}
TEST_CASE("stop reasons have Anthropic's names") {
  CHECK(message_of({TextDelta{"x"}}, StopReason::EndTurn).string_at("stop_reason") == "end_turn");
  CHECK(message_of({TextDelta{"x"}}, StopReason::MaxTokens).string_at("stop_reason") == "max_tokens");
  CHECK(message_of({TextDelta{"x"}}, StopReason::StopSequence).string_at("stop_reason") == "stop_sequence");
  CHECK(message_of({TextDelta{"x"}}, StopReason::ContextWindowExceeded).string_at("stop_reason") ==
        "model_context_window_exceeded");
}
TEST_CASE("the matched stop sequence is echoed, and only when one stopped the answer") {
  MessageEncoder encoder("msg_1", "m");
  Events all = encoder.start({});
  append(all, encoder.add(TextDelta{"alpha "}));
  append(all, encoder.end(StopReason::StopSequence, "beta", {}));
  CHECK(grammar_fault(all) == "");
  CHECK(folded(all).string_at("stop_sequence") == "beta");
  CHECK(message_of({TextDelta{"x"}}).find("stop_sequence")->is_null());
}
TEST_CASE("leading white space waits for the first visible character") {
  MessageEncoder encoder("msg_1", "m");
  static_cast<void>(encoder.start({}));
  CHECK(encoder.add(TextDelta{"\n"}).empty());
  CHECK(encoder.add(TextDelta{" \xC2\xA0"}).empty());
  const Events events = encoder.add(TextDelta{"x "});
  REQUIRE(events.size() == 2);
  CHECK(events[1].data.find("delta")->string_at("text") == "\n \xC2\xA0x ");
}
TEST_CASE("a blank text block is never sent") {
  CHECK(outline(message_of({ThinkingDelta{"t"}, TextDelta{"\n\n"}, ToolCallBegin{"f"}, ToolCallDelta{"{}"},
                            ToolCallEnd{}, TextDelta{"\n"}})) == "thinking:t tool_use:{}");
  CHECK(outline(message_of({TextDelta{" \n"}}, StopReason::MaxTokens)).empty());
}
TEST_CASE("a blank thought is never sent") {
  CHECK(outline(message_of({ThinkingDelta{"\n\n"}, TextDelta{"hi"}})) == "text:hi");
}
TEST_CASE("white space of one kind never moves into a block of another") {
  CHECK(outline(message_of({TextDelta{"a"}, ThinkingDelta{"\n"}, TextDelta{"b"}, ThinkingDelta{"c"},
                            TextDelta{"d"}})) == "text:ab thinking:c text:d");
  CHECK(outline(message_of({TextDelta{"\n"}, ThinkingDelta{"c"}, TextDelta{"d"}})) == "thinking:c text:d");
}
TEST_CASE("inside a block white space goes out at once, and stays at its end") {
  CHECK(outline(message_of({TextDelta{"a"}, TextDelta{"\n\n"}})) == "text:a\n\n");
}
TEST_CASE("words after a tool call are not lost") {
  CHECK(outline(message_of({ToolCallBegin{"f"}, ToolCallDelta{"{\"a\":1}"}, ToolCallEnd{}, TextDelta{"\n\nDone."}})) ==
        "tool_use:{\"a\":1} text:\n\nDone.");
}
TEST_CASE("an answer of nothing, or of only a thought, gets words when the turn ends") {
  CHECK(outline(message_of({})) == "text:(no answer)");
  CHECK(outline(message_of({TextDelta{"\n\n"}})) == "text:(no answer)");
  CHECK(outline(message_of({ThinkingDelta{"hm"}})) == "thinking:hm text:(no answer)");
  CHECK(outline(message_of({ThinkingDelta{"hm"}}, StopReason::ToolUse)) == "thinking:hm text:(no answer)");
}
TEST_CASE("an answer cut by a limit or a stop sequence gets no words of ours") {
  CHECK(outline(message_of({ThinkingDelta{"hm"}}, StopReason::MaxTokens)) == "thinking:hm");
  CHECK(outline(message_of({}, StopReason::StopSequence)).empty());
  CHECK(outline(message_of({}, StopReason::ContextWindowExceeded)).empty());
}
TEST_CASE("an empty continuation of the client's own words stays empty") {
  CHECK(outline(message_of({}, StopReason::EndTurn, AnswerKind::Continuation)).empty());
}
TEST_CASE("a call without arguments says so with an empty object") {
  CHECK(outline(message_of({ToolCallBegin{"f"}, ToolCallEnd{}})) == "tool_use:{}");
  CHECK(whole({ToolCallBegin{"f"}, ToolCallDelta{""}, ToolCallEnd{}})[2].data.find("delta")->string_at(
            "partial_json") == "{}");
}
TEST_CASE("a call that was cut keeps its broken rest and can be read back") {
  const Json message = message_of({ToolCallBegin{"f"}, ToolCallDelta{"{\"a\": \"b"}, ToolCallEnd{.whole = false}},
                                  StopReason::MaxTokens);
  CHECK(outline(message) == R"(tool_use:{"__unparsedToolInput":{"raw":"{\"a\": \"b","len":8}})");
  CHECK(message.string_at("stop_reason") == "max_tokens");
}
TEST_CASE("a call that was cut before its arguments never looks like a call without any") {
  const Events events = whole({ToolCallBegin{"f"}, ToolCallEnd{.whole = false}}, StopReason::MaxTokens);
  CHECK(events[2].data.find("delta")->string_at("partial_json") == "{");
  CHECK(outline(folded(whole({ToolCallBegin{"f"}}, StopReason::MaxTokens))) ==
        R"(tool_use:{"__unparsedToolInput":{"raw":"{","len":1}})");
}
TEST_CASE("a heartbeat before anything else is an empty thought") {
  MessageEncoder encoder("msg_1", "m");
  Events all = encoder.start({});
  const Events first = encoder.heartbeat();
  REQUIRE(first.size() == 2);
  CHECK(first[1].data.dump() ==
        R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":""}})");
  append(all, first);
  const Events second = encoder.heartbeat();
  CHECK(second.size() == 1);
  append(all, second);
  append(all, encoder.add(TextDelta{"hi"}));
  append(all, encoder.end(StopReason::EndTurn, std::nullopt, {}));
  CHECK(grammar_fault(all) == "");
  CHECK(outline(folded(all)) == "thinking: text:hi");
}
TEST_CASE("a heartbeat inside a block is an empty delta of its kind") {
  MessageEncoder encoder("msg_1", "m");
  static_cast<void>(encoder.start({}));
  static_cast<void>(encoder.add(TextDelta{"x"}));
  CHECK(encoder.heartbeat().at(0).data.find("delta")->dump() == R"({"type":"text_delta","text":""})");
  static_cast<void>(encoder.add(ToolCallBegin{"f"}));
  CHECK(encoder.heartbeat().at(0).data.find("delta")->dump() == R"({"type":"input_json_delta","partial_json":""})");
  static_cast<void>(encoder.add(ToolCallEnd{}));
  static_cast<void>(encoder.add(ThinkingDelta{"x"}));
  CHECK(encoder.heartbeat().size() == 1);
}
TEST_CASE("the thought a heartbeat opened takes the model's own thinking") {
  MessageEncoder encoder("msg_1", "m");
  Events all = encoder.start({});
  append(all, encoder.add(ThinkingDelta{"\n"}));
  append(all, encoder.heartbeat());
  append(all, encoder.add(ThinkingDelta{"deep"}));
  append(all, encoder.add(TextDelta{"hi"}));
  append(all, encoder.end(StopReason::EndTurn, std::nullopt, {}));
  CHECK(grammar_fault(all) == "");
  CHECK(outline(folded(all)) == "thinking:\ndeep text:hi");
}
TEST_CASE("white space held for a text survives a heartbeat") {
  MessageEncoder encoder("msg_1", "m");
  Events all = encoder.start({});
  append(all, encoder.add(TextDelta{"\n"}));
  append(all, encoder.heartbeat());
  append(all, encoder.add(TextDelta{"hi"}));
  append(all, encoder.end(StopReason::EndTurn, std::nullopt, {}));
  CHECK(outline(folded(all)) == "thinking: text:\nhi");
}
TEST_CASE("the folded message has the members of the API, with the final counts") {
  const Json message = message_of({TextDelta{"hi"}});
  CHECK(message.dump() ==
        R"({"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],)"
        R"("stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"cache_creation_input_tokens":2,)"
        R"("cache_read_input_tokens":3,"output_tokens":4}})");
}
TEST_CASE("a folded tool input keeps the order of its keys") {
  CHECK(outline(message_of({ToolCallBegin{"f"}, ToolCallDelta{"{\"z\":1,"}, ToolCallDelta{"\"a\":2}"},
                            ToolCallEnd{}})) == R"(tool_use:{"z":1,"a":2})");
}
TEST_CASE("blank is what JavaScript trims, and nothing else") {
  CHECK(is_blank(""));
  CHECK(is_blank(" \t\n\v\f\r\u00A0\u1680\u2003\u200A\u2028\u2029\u202F\u205F\u3000\uFEFF"));
  CHECK_FALSE(is_blank("\u200B"));  // zero width space is not trimmed
  CHECK_FALSE(is_blank(std::string_view("\0", 1)));
  CHECK_FALSE(is_blank("  x"));
  CHECK_FALSE(is_blank("é"));
}

// ---- random streams ---------------------------------------------------------------------------------------------

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : seed_(seed) {}
  std::uint64_t below(std::uint64_t limit) { return mix_u64(seed_, counter_++) % limit; }

 private:
  std::uint64_t seed_;
  std::uint64_t counter_ = 0;
};
std::string random_text(Dice& dice) {
  static const std::vector<std::string> pieces = {"",       " ",   "\n\n",     "word",       "é",
                                                  "\u3000", "{\"", "</think>", "\U0001F600", "\x01"};
  std::string out;
  for (std::uint64_t i = dice.below(4); i > 0; --i) out += pieces[dice.below(pieces.size())];
  return out;
}
// What a parser may say: any prose, whole and broken calls, empty pieces.
std::vector<StreamEvent> random_stream(Dice& dice) {
  std::vector<StreamEvent> out;
  for (std::uint64_t i = dice.below(12); i > 0; --i) {
    switch (dice.below(3)) {
      case 0: out.push_back(TextDelta{random_text(dice)}); break;
      case 1: out.push_back(ThinkingDelta{random_text(dice)}); break;
      default: {
        out.push_back(ToolCallBegin{"f"});
        const std::uint64_t kind = dice.below(4);
        if (kind > 0) out.push_back(ToolCallDelta{"{\"k\":"});
        if (kind > 1) out.push_back(ToolCallDelta{"[1, 2]}"});
        if (kind != 3 || dice.below(2) == 0) out.push_back(ToolCallEnd{.whole = kind == 0 || kind > 1});
      }
    }
  }
  return out;
}

TEST_CASE("any stream of the parser gives events that keep the grammar, and a message equal to them") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    CAPTURE(seed);
    Dice dice(seed);
    const std::vector<StreamEvent> stream = random_stream(dice);
    const auto reason = static_cast<StopReason>(dice.below(5));
    const bool beats = dice.below(2) == 0;
    MessageEncoder encoder("msg_1", "m");
    Events all = encoder.start({});
    for (const StreamEvent& event : stream) {
      if (beats && dice.below(3) == 0) append(all, encoder.heartbeat());
      append(all, encoder.add(event));
    }
    append(all, encoder.end(reason, "stop", {}));
    REQUIRE(grammar_fault(all) == "");

    // The fold against a naive twin: the deltas of each index joined.
    std::vector<std::string> joined;
    std::vector<std::string> visible_text;
    for (const WireEvent& event : all) {
      if (event.name == "content_block_start") joined.emplace_back();
      if (event.name != "content_block_delta") continue;
      const Json& delta = *event.data.find("delta");
      if (delta.string_at("type") == "signature_delta") continue;
      joined.back() += delta.string_at("text") + delta.string_at("thinking") + delta.string_at("partial_json");
    }
    const Json message = folded(all);
    REQUIRE(block_count(message) == joined.size());
    bool has_call = false;
    bool has_text = false;
    for (std::size_t i = 0; i < joined.size(); ++i) {
      const Json& block = block_at(message, i);
      const std::string type = block.string_at("type");
      if (type == "tool_use") {
        has_call = true;
        const Json* unparsed = block.find("input")->find("__unparsedToolInput");
        if (unparsed != nullptr) {
          REQUIRE(unparsed->string_at("raw") == joined[i]);
        } else {
          REQUIRE(*block.find("input") == *Json::parse(joined[i]));
        }
      } else {
        REQUIRE(block.string_at(type) == joined[i]);
        if (type == "text") {
          has_text = true;
          REQUIRE_FALSE(is_blank(joined[i]));
        } else if (!beats) {
          REQUIRE_FALSE(is_blank(joined[i]));
        }
      }
    }
    const std::string final_reason = message.string_at("stop_reason");
    if (final_reason == "tool_use") REQUIRE(has_call);
    if (final_reason == "end_turn") REQUIRE(has_text);
    REQUIRE(encoder.has_tool_call() == has_call);
  }
}

}  // namespace
}  // namespace hearth::wire
