// The loop detector: what must be cut, and what must pass.
#include "chat/loop_detector.h"

#include <doctest/doctest.h>

#include <format>
#include <string>

#include "base/random.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

Loop fed(const std::string& text, LoopPlace place = LoopPlace::Speech) {
  LoopDetector detector;
  return detector.feed(text, place);
}
std::string repeated(const std::string& piece, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += piece;
  return text;
}
// Some 60 KB of text that says something new in each sentence.
std::string speech() {
  std::string text;
  for (std::uint64_t i = 0; i < 6000; ++i) text += std::format("w{:x} ", mix_u64(7, i) % 5000);
  return text;
}

}  // namespace

TEST_CASE("a text that repeats one piece without end is a loop") {
  CHECK(fed(repeated("Wait, let me check that again.\n", 400)) == Loop::Exact);
  CHECK(fed(repeated("a", 9000)) == Loop::Exact);
  CHECK(fed(speech() + repeated("the same line of code();\n", 500)) == Loop::Exact);
  CHECK(fed(repeated("\n", 9000)) == Loop::Exact);
}

TEST_CASE("a text that repeats itself but for its numbers is a near loop") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::format("Attempt {}: I will try the other way now.\n", i);
  CHECK(fed(text) == Loop::Near);
}

TEST_CASE("how the text is cut does not change what is found") {
  const std::string text = speech() + repeated("again and again. ", 600);
  LoopDetector detector;
  Loop found = Loop::None;
  std::size_t at = 0;
  for (std::size_t i = 0; i < text.size() && found == Loop::None; ++i) {
    found = detector.feed(text.substr(i, 1), LoopPlace::Speech);
    at = i;
  }
  CHECK(found == Loop::Exact);
  CHECK(fed(text.substr(0, at + 1)) == Loop::Exact);
  CHECK(fed(text.substr(0, at)) == Loop::None);
}

TEST_CASE("speech, tables, rules and generated code are no loops") {
  CHECK(fed(speech()) == Loop::None);
  std::string table;
  std::string code;
  std::string numbers;
  for (std::uint64_t i = 0; i < 1500; ++i) {
    const std::uint64_t number = mix_u64(3, i);
    table += std::format("| item_{:x} | {} | {} |\n", number % 4096, number % 97, number % 9973);
    code += std::format("  case k{:x}: return handle_{:x}(state);\n", number % 65536, (number >> 20) % 65536);
    numbers += std::format("{}, {}, {},\n", number % 1000, (number >> 12) % 1000, (number >> 24) % 1000);
  }
  CHECK(fed(table) == Loop::None);
  CHECK(fed(code) == Loop::None);
  CHECK(fed(numbers) == Loop::None);
  CHECK(fed(repeated("-", 400) + "\n" + speech()) == Loop::None);
  CHECK(fed(repeated("0x00, ", 600)) == Loop::None);
  CHECK(fed(repeated(std::string(1500, 'x') + speech().substr(0, 900), 3)) == Loop::None);
}

TEST_CASE("a file may hold more of the same than speech") {
  const std::string zeros = repeated("0x00, 0x00, 0x00, 0x00,\n", 1000);
  CHECK(fed(zeros) == Loop::Exact);
  CHECK(fed(zeros, LoopPlace::Arguments) == Loop::None);
  CHECK(fed(repeated("x = 1;\n", 20000), LoopPlace::Arguments) == Loop::Exact);
}

TEST_CASE("speech behind a file that says much the same is judged by itself") {
  std::string file;
  for (int i = 0; i < 400; ++i) file += std::format("INSERT INTO users (id, name) VALUES ({}, 'user{}');\n", i, i);
  LoopDetector loops;
  CHECK(loops.feed(file, LoopPlace::Arguments) == Loop::None);
  CHECK(loops.feed("Done: the file holds 400 users.", LoopPlace::Speech) == Loop::None);
  CHECK(loops.feed(repeated("x = 1;\n", 2000), LoopPlace::Arguments) == Loop::None);
  CHECK(loops.feed("x = 1;\n", LoopPlace::Speech) == Loop::None);
  CHECK(loops.feed(repeated("and so on, ", 4000), LoopPlace::Speech) != Loop::None);
}
