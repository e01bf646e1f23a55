// What people read of the cache desk's answers.
#include "cli/cache_words.h"

#include <doctest/doctest.h>

#include "cli/cache_files.h"

namespace hearth::cli {
namespace {

Json parsed(const char* text) {
  auto json = Json::parse(text);
  REQUIRE(json);
  return std::move(*json);
}

TEST_CASE("a table's columns are as wide as their widest cell, numbers to the right") {
  CHECK(as_table({{"NAME", "TOKENS"}, {"a", "5"}, {"äöü", "1234567"}}) ==
        "NAME  TOKENS\n"
        "a           5\n"
        "äöü   1234567\n");
}

TEST_CASE("sizes and times are for people") {
  CHECK(bytes_words(0) == "0 B");
  CHECK(bytes_words(1536) == "1.5 KiB");
  CHECK(bytes_words(std::int64_t{40} << 30) == "40 GiB");
  CHECK(bytes_words(std::int64_t{5000} << 40) == "5000 TiB");
  CHECK(ago_words(1999) == "1 s ago");
  CHECK(ago_words(600'000) == "10 min ago");
  CHECK(ago_words(86'400'000) == "24 h ago");
}

TEST_CASE("a list says where each line lies, and whose it is") {
  const std::string words = list_words(parsed(R"({"lines":[
    {"id":"3f2a","own":true,"pinned":true,"tokens":500,"uses":2,"used_ms_ago":3000,
     "tiers":[{"begin":0,"end":256,"tier":"live"},{"begin":256,"end":499,"tier":"ram"},{"begin":499,"end":500,"tier":"none"}]},
    {"id":"77","own":false,"pinned":false,"tokens":9,"uses":1,"used_ms_ago":0,"tiers":[{"begin":0,"end":9,"tier":"none"}]}]})"));
  CHECK(words.contains("3f2a"));
  CHECK(words.contains("256 live + 243 ram"));
  CHECK(words.contains("pinned"));
  CHECK(words.contains("9 gone"));
  CHECK(words.contains("another key's"));
  CHECK(list_words(parsed("{}")).contains("No lines"));
}

TEST_CASE("why is told in sentences, the words that differ on one line each") {
  const std::string words = why_words(parsed(R"({"requests":[
    {"request_id":"req_1","prompt_tokens":100,"cached_tokens":90},
    {"request_id":"req_2","prompt_tokens":5000,"cached_tokens":10,"computed":{"known_tokens":10,"lost":"nothing","beyond":"differs",
     "too_much":true,"why":"the prompt differs","cure":"set X=0","text":{"before":"a\nb","was":"c","is":"\u001b[31md\u009b31m"}}},
    {"request_id":"req_3","prompt_tokens":900,"cached_tokens":0,"computed":{"known_tokens":0,"lost":"nothing","beyond":"new"}}]})"));
  CHECK(words.contains("req_1  90 of 100 tokens from the cache\n"));
  CHECK(words.contains("more than it should: the prompt differs\n"));
  CHECK(words.contains("cure: set X=0\n"));
  CHECK(words.contains("after \"a\\nb\"\n"));
  CHECK_FALSE(words.contains("\xc2\x9b"));
  CHECK_FALSE(words.contains('\x1b'));  // a prompt's words do not drive a terminal
  CHECK(words.contains("new: nothing like it was known"));
  CHECK(why_words(parsed("{}")) == "No requests yet.\n");
}

TEST_CASE("a probe and the stats fit what the server says, whatever is missing") {
  const std::string words = probe_words(parsed(
      R"({"model":"m","prompt_tokens":10,"cached_tokens":4,"tiers":[{"begin":0,"end":4,"tier":"disk"},{"begin":4,"end":10,"tier":"none"}]})"));
  CHECK(words.contains("10 tokens, 4 from the cache (40 %), 6 to compute"));
  CHECK(words.contains("disk"));
  CHECK(words.contains("computed"));
  CHECK_FALSE(stats_words(parsed("{}")).empty());
  CHECK(stats_words(parsed(R"({"counters":{"disk_budget_bytes":1024}})")).contains("disk"));
}

TEST_CASE("names go into addresses whole") { CHECK(percent_encoded("a b/ü&=%") == "a%20b%2F%C3%BC%26%3D%25"); }

}  // namespace
}  // namespace hearth::cli
