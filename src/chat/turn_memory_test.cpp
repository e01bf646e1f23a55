// The memory of sampled turns: what is found, what is not, its bounds, and its saved form with every kind of damage.
#include "chat/turn_memory.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

using namespace hearth;
using namespace hearth::chat;

namespace {

Json json(std::string_view text) {
  auto value = Json::parse(text);
  REQUIRE(value);
  return *value;
}
Message says(std::string text) { return {.role = Role::Assistant, .blocks = {TextBlock{std::move(text)}}}; }
Message calls(std::string id, std::string_view input, std::string name = "Edit") {
  return {
      .role = Role::Assistant,
      .blocks = {ToolUseBlock{.id = std::move(id), .name = std::move(name), .input = json(input), .raw_input = {}}}};
}
Message user(std::string text) { return {.role = Role::User, .blocks = {TextBlock{std::move(text)}}}; }
SampledTurn turn_of(Message message, std::vector<std::int32_t> tokens = {1, 2, 3}) {
  SampledTurn turn;
  turn.opening = "<|im_start|>assistant\n";
  turn.tokens = std::move(tokens);
  turn.message = std::move(message);
  turn.trailing_specials = {"</tool_call>"};
  turn.specials = {"</tool_call>", "<think>"};
  return turn;
}
const std::vector<Tool> kTools = {
    {.name = "Edit",
     .description = "",
     .input_schema = Json::parse(R"({"type":"object","properties":{"file":{"type":"string"},"count":{"type":"integer"},
       "replace_all":{"type":"boolean","default":false},"limit":{"type":"integer"},
       "opts":{"type":"object","properties":{"deep":{"type":"boolean","default":true}}},
       "list":{"type":"array","items":{"type":"object","properties":{"on":{"default":1}}}}}})")
                         .value_or(Json()),
     .deferred = false}};

bool same_input(std::string_view sampled, std::string_view replayed) {
  return same_turn(calls("a", sampled), calls("a", replayed), kTools);
}

}  // namespace

TEST_CASE("a call is found by its id whatever order its input's keys come back in") {
  TurnMemory memory;
  memory.remember(turn_of(calls("toolu_1", R"({"file":"a","count":2})")), 7);
  const auto found = memory.find(calls("toolu_1", R"({"count":2,"file":"a"})"), 99, kTools);
  REQUIRE(found);
  CHECK(found->tokens == std::vector<std::int32_t>{1, 2, 3});
  CHECK_FALSE(memory.find(calls("toolu_2", R"({"file":"a","count":2})"), 7, kTools));
}

TEST_CASE("what real clients do to an input is no change; anything else is") {
  CHECK(same_input(R"({"file":"a"})", R"({"replace_all":false,"file":"a"})"));
  CHECK(same_input(R"({"file":"a","count":"5000"})", R"({"file":"a","count":5000})"));
  CHECK(same_input(R"({"replace_all":"false"})", R"({"replace_all":false})"));
  CHECK(same_input(R"({"list":"[1, 2]"})", R"({"list":[1,2]})"));
  CHECK(same_input(R"({"count":1.0})", R"({"count":1})"));
  CHECK(same_input(R"({"opts":{}})", R"({"opts":{"deep":true}})"));
  CHECK(same_input(R"({"list":[{}]})", R"({"list":[{"on":1}]})"));
  CHECK(same_input(R"({"file":"x","file":"a"})", R"({"file":"a"})"));
  CHECK_FALSE(same_input(R"({"file":"a"})", R"({"replace_all":true,"file":"a"})"));
  CHECK_FALSE(same_input(R"({"file":"a"})", R"({"file":"a","limit":5})"));
  CHECK_FALSE(same_input(R"({"file":"a","count":1})", R"({"file":"a"})"));
  CHECK_FALSE(same_input(R"({"file":"a"})", R"({"file":"a "})"));
  CHECK_FALSE(same_input(R"({"count":5000})", R"({"count":"5000"})"));
  CHECK_FALSE(same_input(R"({"count":9007199254740993})", R"({"count":9007199254740992})"));
  CHECK_FALSE(same_input(R"({"list":[1,2]})", R"({"list":[2,1]})"));
  CHECK_FALSE(same_input(R"({"opts":null})", R"({"opts":{}})"));
  CHECK_FALSE(same_turn(calls("a", "{}", "Edit"), calls("a", "{}", "Write"), kTools));
}

TEST_CASE("a turn with a changed, added, missing or unknown block is not found") {
  TurnMemory memory;
  Message sent = calls("id1", R"({"file":"a"})");
  sent.blocks.insert(sent.blocks.begin(), TextBlock{"Look."});
  sent.blocks.insert(sent.blocks.begin(), ThinkingBlock{.text = "hm", .signature = "sig1"});
  memory.remember(turn_of(sent), 0);
  CHECK(memory.find(sent, 0, kTools));
  Message reordered = sent;
  std::swap(reordered.blocks[1], reordered.blocks[2]);  // a client that puts text elsewhere
  CHECK(memory.find(reordered, 0, kTools));
  Message blank = sent;
  blank.blocks.emplace_back(TextBlock{" \n"});
  CHECK(memory.find(blank, 0, kTools));
  Message changed = sent;
  std::get<TextBlock>(changed.blocks[1]).text = "Look!";
  CHECK_FALSE(memory.find(changed, 0, kTools));
  Message foreign = sent;
  std::get<ThinkingBlock>(foreign.blocks[0]).signature = "other";
  CHECK_FALSE(memory.find(foreign, 0, kTools));
  for (std::size_t i = 0; i < sent.blocks.size(); ++i) {
    Message missing = sent;
    missing.blocks.erase(missing.blocks.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK_FALSE(memory.find(missing, 0, kTools));
  }
  Message more = sent;
  more.blocks.emplace_back(RedactedThinkingBlock{"x"});
  CHECK_FALSE(memory.find(more, 0, kTools));
  Message raw = sent;
  std::get<ToolUseBlock>(raw.blocks[2]).raw_input = "{\"file\"";
  CHECK_FALSE(memory.find(raw, 0, kTools));
  Message other_role = sent;
  other_role.role = Role::User;
  CHECK_FALSE(memory.find(other_role, 0, kTools));
}

TEST_CASE("a turn of text only is found behind the same words and nowhere else") {
  TurnMemory memory;
  const std::uint64_t one = said_hash(0, user("one"));
  const std::uint64_t two = said_hash(0, user("two"));
  memory.remember(turn_of(says("OK."), {1}), one);
  memory.remember(turn_of(says("OK."), {2}), two);
  REQUIRE(memory.find(says("OK."), one, {}));
  CHECK(memory.find(says("OK."), one, {})->tokens == std::vector<std::int32_t>{1});
  CHECK(memory.find(says("OK."), two, {})->tokens == std::vector<std::int32_t>{2});
  CHECK_FALSE(memory.find(says("OK."), said_hash(0, user("three")), {}));
  CHECK_FALSE(memory.find(says("OK"), one, {}));
}

TEST_CASE("what was said does not depend on how a client writes a call's input or on thoughts") {
  Message thought = calls("id1", R"({"a":1,"b":2})");
  thought.blocks.insert(thought.blocks.begin(), ThinkingBlock{.text = "hm", .signature = "s"});
  CHECK(said_hash(5, thought) == said_hash(5, calls("id1", R"({"b":2,"a":1})")));
  CHECK(said_hash(5, thought) != said_hash(6, thought));
  CHECK(said_hash(0, user("a")) != said_hash(0, says("a")));
  CHECK(said_hash(0, user("ab")) != said_hash(said_hash(0, user("a")), user("b")));
}

TEST_CASE("the memory holds no more than it may, and what was used last stays") {
  TurnMemory memory({.bytes_max = 1 << 20, .turns_max = 3});
  for (int i = 0; i < 3; ++i) memory.remember(turn_of(calls("id" + std::to_string(i), "{}")), 0);
  CHECK(memory.find(calls("id0", "{}"), 0, {}));
  memory.remember(turn_of(calls("id3", "{}")), 0);
  CHECK(memory.turn_count() == 3);
  CHECK(memory.find(calls("id0", "{}"), 0, {}));
  CHECK_FALSE(memory.find(calls("id1", "{}"), 0, {}));

  TurnMemory small({.bytes_max = 40'000, .turns_max = 1000});
  for (int i = 0; i < 200; ++i)
    small.remember(turn_of(calls("id" + std::to_string(i), "{}"), std::vector<std::int32_t>(100)), 0);
  CHECK(small.bytes() <= 40'000);
  CHECK(small.turn_count() > 10);
  small.remember(turn_of(calls("huge", "{}"), std::vector<std::int32_t>(100'000)), 0);
  CHECK_FALSE(small.find(calls("huge", "{}"), 0, {}));
  CHECK(small.find(calls("id199", "{}"), 0, {}));
}

TEST_CASE("a turn that says nothing, and one without tokens, is not kept") {
  TurnMemory memory;
  memory.remember(turn_of(says(" \n")), 0);
  memory.remember(turn_of(calls("id", "{}"), {}), 0);
  CHECK(memory.turn_count() == 0);
  CHECK(memory.bytes() == 0);
}

TEST_CASE("a call id that comes again takes the place of the old turn") {
  TurnMemory memory;
  memory.remember(turn_of(calls("id", "{}"), {1}), 0);
  memory.remember(turn_of(calls("id", "{}"), {2}), 0);
  CHECK(memory.turn_count() == 1);
  CHECK(memory.find(calls("id", "{}"), 0, {})->tokens == std::vector<std::int32_t>{2});
}

TEST_CASE("the special texts of a turn are read off its text") {
  const SpecialTexts specials({"<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>"});
  const auto turn = make_sampled_turn(TurnOpening::Suffix, "", {1},
                                      "\n<think>\nhm\n</think>\n<tool_call>\n{}\n</tool_call>\n", says("x"), specials);
  CHECK(turn.trailing_specials == std::vector<std::string>{"</tool_call>"});
  CHECK(turn.specials == std::vector<std::string>{"</think>", "</tool_call>", "<think>", "<tool_call>"});
  const auto plain = make_sampled_turn(TurnOpening::Tail, "", {1}, "a <think> b", says("x"), specials);
  CHECK(plain.trailing_specials.empty());
}

TEST_CASE("saved turns come back with all they held") {
  TurnMemory memory;
  Message sent = calls("id1", R"({"file":"ü\u0000","count":[1,null,{"x":1.5}]})");
  sent.blocks.insert(sent.blocks.begin(), TextBlock{"Look."});
  sent.blocks.insert(sent.blocks.begin(), ThinkingBlock{.text = "hm", .signature = "sig1"});
  memory.remember(turn_of(sent, {-1, 0, 2147483647}), 0);
  memory.remember(turn_of(says("done")), 5);
  TurnMemory later;
  REQUIRE(later.load("model", memory.save("model")));
  CHECK(later.turn_count() == 2);
  CHECK(later.bytes() == memory.bytes());
  const auto found = later.find(sent, 0, kTools);
  REQUIRE(found);
  CHECK(found->tokens == std::vector<std::int32_t>{-1, 0, 2147483647});
  CHECK(found->opening == "<|im_start|>assistant\n");
  CHECK(found->trailing_specials == std::vector<std::string>{"</tool_call>"});
  CHECK(found->specials == std::vector<std::string>{"</tool_call>", "<think>"});
  CHECK(later.find(says("done"), 5, {}));
  CHECK(later.save("model") == memory.save("model"));
}

TEST_CASE("saved turns that are cut, changed, of another model or version are refused and nothing is added") {
  TurnMemory memory;
  memory.remember(turn_of(calls("id1", R"({"a":1})")), 0);
  memory.remember(turn_of(says("done")), 5);
  const std::string saved = memory.save("model");
  TurnMemory later;
  for (std::size_t length = 0; length < saved.size(); ++length)
    CHECK_FALSE(later.load("model", saved.substr(0, length)));
  for (std::size_t i = 0; i < saved.size(); ++i) {
    std::string damaged = saved;
    damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
    CHECK_FALSE(later.load("model", damaged));
  }
  CHECK_FALSE(later.load("model", saved + "x"));
  CHECK_FALSE(later.load("model", saved + saved));
  CHECK(later.load("other", saved).error().message.contains("another model"));
  CHECK(later.turn_count() == 0);
  CHECK(later.load("model", TurnMemory().save("model")));
}

TEST_CASE("many threads remember and find at once") {
  TurnMemory memory({.bytes_max = 1 << 20, .turns_max = 50});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&memory, t] {
      for (int i = 0; i < 300; ++i) {
        const std::string id = std::to_string(t) + "-" + std::to_string(i % 20);
        memory.remember(turn_of(calls(id, "{}")), 0);
        static_cast<void>(memory.find(calls(id, "{}"), 0, {}));
        if (i % 100 == 0) static_cast<void>(memory.save("m"));
      }
    });
  }
  threads.clear();
  CHECK(memory.turn_count() == 50);
}
