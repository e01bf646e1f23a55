// The marks of a render: what they become, and that nobody else's do.
#include "chat/prompt_marks.h"

#include <doctest/doctest.h>

#include <string>

using namespace hearth;
using namespace hearth::chat;

namespace {

jinja::Rendered whole(std::string text, jinja::Source source) {
  const auto size = static_cast<std::uint32_t>(text.size());
  return {.text = std::move(text), .runs = {{.end = size, .source = source}}};
}

}  // namespace

TEST_CASE("the end mark cuts the text off") {
  const PromptMarks marks;
  const jinja::Rendered resolved = marks.resolved(whole("before" + marks.end() + "after", 3));
  CHECK(resolved.text == "before");
  CHECK(resolved.runs == std::vector<jinja::Run>{{6, 3}});
  CHECK(marks.ends("x" + marks.end()));
  CHECK_FALSE(marks.ends("x" + PromptMarks().end()));
}

TEST_CASE("think marks become the template's own tags, whoever's text they stood in") {
  const PromptMarks marks;
  const jinja::Rendered resolved = marks.resolved(whole(marks.think_open() + "hm" + marks.think_close() + "Hi.", 7));
  CHECK(resolved.text == "<think>hm</think>Hi.");
  CHECK(resolved.runs == std::vector<jinja::Run>{{7, 0}, {9, 7}, {17, 0}, {20, 7}});
}

TEST_CASE("marks of another render mean nothing, and a mark that a template broke vanishes") {
  const PromptMarks marks;
  const std::string foreign = PromptMarks().think_open();
  CHECK(marks.resolved(whole(foreign, 1)).text == foreign);
  const std::string mark = marks.think_open();
  CHECK(marks.resolved(whole("a" + mark.substr(0, mark.size() - 3), 1)).text == "a");
  CHECK(marks.resolved(whole("a" + mark.substr(0, mark.size() - 1), 1)).text.starts_with("a"));
}

TEST_CASE("sources survive on both sides of a mark") {
  const PromptMarks marks;
  std::string text = "ab" + marks.think_open() + "cd";
  const auto size = static_cast<std::uint32_t>(text.size());
  const jinja::Rendered resolved = marks.resolved({.text = text, .runs = {{1, 0}, {size - 1, 4}, {size, 5}}});
  CHECK(resolved.text == "ab<think>cd");
  CHECK(resolved.runs == std::vector<jinja::Run>{{1, 0}, {2, 4}, {9, 0}, {10, 4}, {11, 5}});
}
