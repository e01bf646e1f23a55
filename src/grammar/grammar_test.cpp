// The grammar language and its automaton: what a text may begin with, where it may end, and what is refused.
#include <doctest/doctest.h>

#include <format>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/program.h"
#include "grammar/utf8_ranges.h"

using namespace hearth;
using namespace hearth::grammar;

namespace {

const std::vector<ControlToken> kControls{{"<|call|>", 300}, {"<|end|>", 301}};

Automaton automaton_of(std::string_view text) {
  auto program = compile(text, kControls);
  REQUIRE_MESSAGE(program.has_value(), (program ? "" : program.error().message));
  return Automaton(*program);
}

// "yes": a whole text; "more": the beginning of one; "no".
std::string verdict(std::string_view grammar, std::string_view text) {
  Automaton automaton = automaton_of(grammar);
  const State state = automaton.step_all(automaton.start(), text);
  return state == kDead ? "no" : automaton.accepts(state) ? "yes" : "more";
}

std::string error_of(std::string_view text) {
  const auto program = compile(text, {});
  return program ? "" : program.error().message;
}

}  // namespace

TEST_CASE("literals, choices, groups and repetitions match what they say") {
  const std::string_view grammar = "root ::= \"a\" (\"b\" | \"cd\"){2,3} [x-z]+ \"!\"?\n";
  CHECK(verdict(grammar, "abcdx") == "yes");
  CHECK(verdict(grammar, "abbbzzz!") == "yes");
  CHECK(verdict(grammar, "abb") == "more");
  CHECK(verdict(grammar, "abx") == "no");
  CHECK(verdict(grammar, "abbbb") == "no");
  CHECK(verdict(grammar, "abbx!!") == "no");
}

TEST_CASE("rules call each other, and themselves to any depth") {
  const std::string_view grammar = "root ::= value\nvalue ::= \"[\" (value (\",\" value)*)? \"]\" # a list\n";
  std::string deep(2'000, '[');
  CHECK(verdict(grammar, deep) == "more");
  deep += std::string(2'000, ']');
  CHECK(verdict(grammar, deep) == "yes");
  CHECK(verdict(grammar, deep + "]") == "no");
  CHECK(verdict(grammar, "[[],[[]],[]]") == "yes");
  CHECK(verdict(grammar, "[,]") == "no");
}

TEST_CASE("characters are code points, read from their UTF-8 bytes") {
  const std::string_view grammar = "root ::= [^\"\\\\\\x00-\\x1f]* \"\\\"\"\n";
  CHECK(verdict(grammar, "h\xc3\xa9 \xf0\x9f\x98\x80\"") == "yes");
  CHECK(verdict(grammar, "\xf0\x9f\x98") == "more");
  CHECK(verdict(grammar, "\xed\xa0\x80") == "no");  // a surrogate
  CHECK(verdict(grammar, "\xc0\x80") == "no");
  CHECK(verdict(grammar, "\n") == "no");
  CHECK(verdict("root ::= [\xc3\xa4-\xc3\xbc\\u20ac]\n", "\xe2\x82\xac") == "yes");
}

TEST_CASE("a range of code points has exactly its own byte sequences") {
  const auto encodes = [](const std::vector<ByteRanges>& ranges, const std::string& bytes) {
    for (const ByteRanges& sequence : ranges) {
      bool same = sequence.size() == bytes.size();
      for (std::size_t i = 0; same && i < bytes.size(); ++i) {
        const auto byte = static_cast<std::uint8_t>(bytes[i]);
        same = byte >= sequence[i].first && byte <= sequence[i].second;
      }
      if (same) return true;
    }
    return false;
  };
  const auto ranges = utf8_ranges(0x7A, 0x10042);
  CHECK(encodes(ranges, "z"));
  CHECK_FALSE(encodes(ranges, "y"));
  CHECK(encodes(ranges, "\xf0\x90\x81\x82"));
  CHECK_FALSE(encodes(ranges, "\xf0\x90\x81\x83"));
  CHECK(encodes(ranges, "\xef\xbf\xbf"));
  CHECK(utf8_ranges(5, 4).empty());
}

TEST_CASE("a scan is free text until one of its patterns") {
  const std::string_view grammar =
      "root ::= @free{\"<call>\" call \"`<call>\" !text \"<bad>\" !never}\ncall ::= [0-9]+ \"</call>\"\n";
  CHECK(verdict(grammar, "") == "yes");
  CHECK(verdict(grammar, "a <call") == "yes");
  CHECK(verdict(grammar, "a <<call>") == "more");
  CHECK(verdict(grammar, "a <call>12") == "more");
  CHECK(verdict(grammar, "a <call>x") == "no");
  CHECK(verdict(grammar, "a <call>1</call> b <call>2</call>") == "yes");
  CHECK(verdict(grammar, "say `<call>` so") == "yes");
  CHECK(verdict(grammar, "a <ba<bad") == "yes");
  CHECK(verdict(grammar, "a <bad>") == "no");
  const std::string_view thought = "root ::= @until{\"</think>\" !end} \"x\"\n";
  CHECK(verdict(thought, "so <</think") == "more");
  CHECK(verdict(thought, "so <</think>x") == "yes");
  CHECK(verdict(thought, "so</think>y") == "no");
}

TEST_CASE("a scan for many texts is small, and one for too many is refused") {
  const auto scan_for = [](int count, std::size_t bytes) {
    std::string text = "root ::= @free{";
    for (int i = 0; i < count; ++i) text += "\"{call " + std::to_string(i) + std::string(bytes, 'x') + "\" !never ";
    return text + "}\n";
  };
  const auto program = grammar::compile(scan_for(1'000, 40), {});
  REQUIRE(program.has_value());
  CHECK((*program)->bytes() > 40'000 * sizeof(ScanState));
  CHECK((*program)->bytes() < 8U << 20U);
  Automaton automaton(*program);
  const State inside = automaton.step_all(automaton.start(), "{call {call 7" + std::string(39, 'x'));
  CHECK(automaton.step(inside, 'x') == kDead);
  CHECK(automaton.step(inside, 'y') == automaton.step(automaton.start(), 'y'));
  CHECK(automaton.step(inside, '{') == automaton.step(automaton.start(), '{'));
  const auto refused = grammar::compile(scan_for(1'000, 600), {});
  REQUIRE(!refused.has_value());
  CHECK(refused.error().kind == ErrorKind::TooLarge);
  // Each place behind the first "a" has its own two hundred ways on.
  std::string deep = "root ::= @free{\"" + std::string(200'000, 'a') + "\" !never";
  for (int byte = 1; byte < 256; ++byte) deep += std::format(" \"a\\x{:02x}\" !never", byte);
  CHECK(error_of(deep + "}\n") == "the grammar looks for too many texts");
}

TEST_CASE("items in any order come once each, with what separates them, and the required ones all") {
  const std::string_view grammar =
      "root ::= \"{\" @each{(\",\" \" \"?): a! \"b\" more*} \"}\"\na ::= \"a\" [0-9]+\nmore ::= \"m\" | \"n\"\n";
  for (const std::string_view text : {"{a1}", "{b,a12}", "{m, a1,n,m,b}", "{a1,b,m}"})
    CHECK_MESSAGE(verdict(grammar, text) == "yes", text);
  for (const std::string_view text : {"{}", "{b}", "{a1,a2}", "{a1 b}", "{a1,}", "{,a1}", "{b,b}"})
    CHECK_MESSAGE(verdict(grammar, text) == "no", text);
  CHECK(verdict("root ::= @each{\"\": \"x\" \"\"*} \".\"\n", "x.") == "yes");
  CHECK(verdict("root ::= @each{\"\":}\n", "") == "yes");
  // Inside itself, and kept when the other states are forgotten.
  Automaton automaton = automaton_of("root ::= \"[\" @each{\",\": root \"x\"! \"y\"} \"]\"\n");
  State inside = automaton.step_all(automaton.start(), "[y,[x");
  State* const kept[] = {&inside};
  automaton.keep_only(kept);
  CHECK(automaton.accepts(automaton.step_all(inside, ",y],x]")));
  CHECK(automaton.step_all(inside, "],y") == kDead);
  CHECK(automaton.step_all(inside, "]]") == kDead);
}

TEST_CASE("counted characters are without the text that may not come") {
  const std::string_view grammar = "root ::= @without{\"</p>\"}{2,6} \"</p>\"\n";
  for (const std::string_view text : {"ab</p>", "\xc3\xa9\xe2\x82\xac</p>", "</p</p</p>", "<</p</p>", "</pabc</p>"})
    CHECK_MESSAGE(verdict(grammar, text) == "yes", text);
  CHECK(verdict(grammar, "a</p>") == "no");
  CHECK(verdict(grammar, "abc</p>d") == "no");
  CHECK(verdict(grammar, "abcdefg") == "no");
  const std::string_view open = "root ::= @without{\"aab\"}{3,} \"!\"\n";
  CHECK(verdict(open, "aaaaaaaa!") == "yes");
  CHECK(verdict(open, "xaaxaxaax!") == "yes");
  CHECK(verdict(open, "aaaab") == "no");
  CHECK(verdict(open, "aa!") == "more");
  CHECK(verdict("root ::= @without{\"a\"}{0,0} \"a\"\n", "a") == "yes");
}

TEST_CASE("control tokens match where a marked literal names them, and in free text") {
  Automaton automaton = automaton_of("root ::= \"a\" @\"x<|call|>\" \"<|end|>\"\n");
  const State before = automaton.step_all(automaton.start(), "ax");
  REQUIRE(before != kDead);
  CHECK(automaton.step_control(before, 301) == kDead);
  CHECK(automaton.step_all(before, "<") == kDead);
  const State after = automaton.step_control(before, 300);
  REQUIRE(after != kDead);
  CHECK(automaton.step_control(after, 301) == kDead);  // not marked: its spelling
  CHECK(automaton.accepts(automaton.step_all(after, "<|end|>")));

  Automaton free = automaton_of("root ::= @free{@\"<|call|>\" call @\"<|end|>\" !never}\ncall ::= \"1\"\n");
  CHECK(free.accepts(free.step_control(free.start(), 999)));
  CHECK(free.step_control(free.start(), 301) == kDead);
  const State called = free.step_control(free.step_all(free.start(), "text"), 300);
  CHECK(free.step_all(called, "2") == kDead);
  CHECK(free.accepts(free.step_all(called, "1 more")));
}

TEST_CASE("a state that only accepts is known as the end") {
  Automaton automaton = automaton_of("root ::= \"ab\"\n");
  CHECK_FALSE(automaton.only_accepts(automaton.start()));
  CHECK(automaton.only_accepts(automaton.step_all(automaton.start(), "ab")));
}

TEST_CASE("a grammar that is wrong is refused with its line") {
  CHECK(error_of("root ::= \"a") == "grammar, line 1: a string does not end");
  CHECK(error_of("root ::= x\n") == "grammar, line 2: the rule x is used and not defined");
  CHECK(error_of("a ::= \"b\"\n") == "grammar, line 2: there is no rule root");
  CHECK(error_of("root ::= \"a\"\nroot ::= \"b\"\n") == "grammar, line 2: the rule root is defined twice");
  CHECK(error_of("root ::= \"a\"{3,2}\n") == "grammar, line 1: a repetition's end lies before its beginning");
  CHECK(error_of("root ::= \"a\"{99999999999}\n") == "grammar, line 1: a repetition is too long");
  CHECK(error_of("root ::= " + std::string(1000, '(')) == "grammar, line 1: the parentheses are nested too deep");
  CHECK(error_of("root ::= [^\\x00-\\U0010ffff]\n") == "grammar, line 1: a class holds no character");
  CHECK(error_of("root ::= @each{\",\" \"a\"}\n") == "grammar, line 1: : is missing behind what separates the items");
  CHECK(error_of("root ::= @each{\",\": \"a\"") == "grammar, line 1: a name is missing");
  std::string many;
  for (int i = 0; i < 63; ++i) many += " \"a\"";
  CHECK(error_of("root ::= @each{\",\":" + many + "}\n") == "grammar, line 1: there are too many items");
  CHECK(error_of("root ::= @without{\"\"}{1,2}\n") ==
        "grammar, line 1: what may not come is too long, empty or no ASCII");
  CHECK(error_of("root ::= @without{\"a\"}\n") == "grammar, line 1: } and the number of characters are missing");
  CHECK(error_of("root ::= @without{\"abcdefghijabcdefghij\"}{60000}\n") == "the grammar needs too many nodes");
  CHECK(error_of("root ::= \"a\" )\n") == "grammar, line 1: something follows the rule");
  CHECK(verdict("root ::= ((((\"a\"{60000}){60000}){60000}){60000}){60000}\n", "aaaa") == "more");
  std::string large = "root ::= a0\n";
  for (int i = 0; i < 40; ++i) large += "a" + std::to_string(i) + " ::= [ab]{60000}\n";
  CHECK(error_of(large) == "the grammar needs too many nodes");
}

TEST_CASE("a rule that calls itself first, or stands at too many places, ends the automaton and nothing else") {
  Automaton automaton = automaton_of("root ::= root \"a\" | \"a\"\n");
  CHECK(automaton.overflowed());
  CHECK(automaton.step(automaton.start(), 'a') == kDead);
  Automaton empty = automaton_of("root ::= ((\"\")*)* \"a\"\n");
  CHECK_FALSE(empty.overflowed());
  CHECK(empty.accepts(empty.step(empty.start(), 'a')));
}

TEST_CASE("the states a text leads to are few and remembered") {
  Automaton automaton = automaton_of("root ::= (\"\\\"\" [^\"]* \"\\\"\" \",\")*\n");
  std::set<State> states;
  State at = automaton.start();
  for (int i = 0; i < 100; ++i) {
    for (const char c : std::string_view("\"text\","))
      states.insert(at = automaton.step(at, static_cast<std::uint8_t>(c)));
  }
  CHECK(states.size() <= 4);
}

TEST_CASE("states that are kept go on as before when the others are forgotten") {
  Automaton automaton = automaton_of("root ::= value\nvalue ::= \"[\" (value (\",\" value)*)? \"]\" | [0-9]+\n");
  State deep = automaton.step_all(automaton.start(), "[[[[1,2");
  State other = automaton.step_all(automaton.start(), "[[]");
  State dead = kDead;
  const std::size_t before = automaton.bytes();
  State* const kept[] = {&deep, &other, &dead};
  automaton.keep_only(kept);
  CHECK(automaton.bytes() < before);
  CHECK(dead == kDead);
  CHECK(automaton.accepts(automaton.step_all(deep, "3],[]]]]")));
  CHECK(automaton.step_all(deep, "3],[]]]]]") == kDead);
  CHECK(automaton.accepts(automaton.step_all(other, "]")));
  CHECK(automaton.accepts(automaton.step_all(automaton.start(), "7")));
}
