// UTF-8: validity after Unicode's table 3-7, and that where a stream is cut never changes its text.
#include "base/utf8.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace hearth {
namespace {

const std::string kReplaced = "\xEF\xBF\xBD";

// Joins `bytes` given in two cuts, at `first` and `second`.
std::string joined(std::string_view bytes, std::size_t first, std::size_t second) {
  Utf8Joiner joiner;
  std::string text = joiner.push(bytes.substr(0, first));
  text += joiner.push(bytes.substr(first, second - first));
  text += joiner.push(bytes.substr(second));
  return text + joiner.finish();
}

const std::vector<std::string> kHostile = {
    "plain",
    "h\xC3\xA9llo",
    "\xF0\x9F\x98\x80\xF0\x9F\x98\x81",
    "a\xE2\x82",
    "\xE2\x82z",
    "\xF0\x9F\x98",
    "\x80\x80\x80",
    "\xC0\xAF",
    "\xE0\x80\xAF",
    "\xED\xA0\x80\xED\xBF\xBF",
    "\xF4\x90\x80\x80",
    "\xF5\x80\x80\x80",
    "\xFF\xFE",
    "\xF0\xF0\xF0",
    "\xE2\x82\xE2\x82\xAC",
    "\xF1\x80\x80\xC3",
    std::string("a\0b", 3),
};

}  // namespace

TEST_CASE("the first and last character of each length are valid") {
  for (const char* text : {"\x01", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    CHECK(is_valid_utf8(text));
  }
  CHECK(is_valid_utf8(""));
  CHECK(is_valid_utf8(std::string_view("\0", 1)));
}

TEST_CASE("overlong, surrogate, too large, lone and cut characters are invalid") {
  for (const char* text : {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF",
                           "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\x80", "\xBF", "\xFE", "\xFF"}) {
    CHECK_FALSE(is_valid_utf8(text));
  }
  for (const char* text : {"\xC2", "\xE2\x82", "\xF0\x9F\x98", "\xC2z", "a\x80"}) CHECK_FALSE(is_valid_utf8(text));
}

TEST_CASE("the complete prefix leaves exactly the beginning of a character") {
  CHECK_EQ(complete_utf8_prefix(""), 0);
  CHECK_EQ(complete_utf8_prefix("abc"), 3);
  CHECK_EQ(complete_utf8_prefix("a\xC3"), 1);
  CHECK_EQ(complete_utf8_prefix("a\xE2\x82"), 1);
  CHECK_EQ(complete_utf8_prefix("a\xF0\x9F\x98"), 1);
  CHECK_EQ(complete_utf8_prefix("a\xF0\x9F\x98\x80"), 5);
}

TEST_CASE("bytes that can never become valid count as whole") {
  CHECK_EQ(complete_utf8_prefix("a\xFF"), 2);
  CHECK_EQ(complete_utf8_prefix("\x80\x80\x80\x80"), 4);
  CHECK_EQ(complete_utf8_prefix("a\xE0\x80"), 3);
  CHECK_EQ(complete_utf8_prefix("a\xED\xA0"), 3);
}

TEST_CASE("each maximal invalid part becomes one replacement character") {
  CHECK_EQ(replace_invalid_utf8("a\xFF"
                                "b"),
           "a" + kReplaced + "b");
  CHECK_EQ(replace_invalid_utf8("\xE2\x82"
                                "b"),
           kReplaced + "b");
  CHECK_EQ(replace_invalid_utf8("\xF0\x9F\x98"), kReplaced);
  CHECK_EQ(replace_invalid_utf8("\xC0\xAF"), kReplaced + kReplaced);
  CHECK_EQ(replace_invalid_utf8("\xED\xA0\x80"), kReplaced + kReplaced + kReplaced);
}

TEST_CASE("replacing gives valid text, and leaves valid text alone") {
  for (const std::string& bytes : kHostile) {
    const std::string text = replace_invalid_utf8(bytes);
    CHECK(is_valid_utf8(text));
    CHECK_EQ(replace_invalid_utf8(text), text);
    if (is_valid_utf8(bytes)) CHECK_EQ(text, bytes);
  }
}

TEST_CASE("a joined stream is the same text wherever it is cut") {
  for (const std::string& bytes : kHostile) {
    const std::string whole = replace_invalid_utf8(bytes);
    for (std::size_t first = 0; first <= bytes.size(); ++first) {
      for (std::size_t second = first; second <= bytes.size(); ++second) CHECK_EQ(joined(bytes, first, second), whole);
    }
  }
}

TEST_CASE("every pushed text is valid by itself and nothing is held longer than needed") {
  Utf8Joiner joiner;
  CHECK_EQ(joiner.push("\xF0\x9F"), "");
  CHECK_EQ(joiner.push("\x98"), "");
  CHECK_EQ(joiner.push("\x80x"), "\xF0\x9F\x98\x80x");
  CHECK_EQ(joiner.push("\xE2"), "");
  CHECK_EQ(joiner.push("y"), kReplaced + "y");
  CHECK_EQ(joiner.finish(), "");
}

TEST_CASE("a finished joiner starts anew") {
  Utf8Joiner joiner;
  CHECK_EQ(joiner.push("\xC3"), "");
  CHECK_EQ(joiner.finish(), kReplaced);
  CHECK_EQ(joiner.push("\xA9"), kReplaced);
}

}  // namespace hearth
