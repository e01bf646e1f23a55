// The cache desk's endpoints over a fake engine: what is asked of the engine, who may ask, and whose words are shown.
#include <doctest/doctest.h>

#include "server/test_hall.h"

namespace hearth::server {
namespace {

AccessRules two_keys(CacheSharing sharing = CacheSharing::PerKey) {
  AccessRules rules;
  rules.api_keys = {"first", "second"};
  rules.cache_sharing = sharing;
  return rules;
}
http::Headers key(const char* value) { return {{"x-api-key", value}}; }

Json body_of(const FakeExchange& exchange) {
  auto json = Json::parse(exchange.sent);
  return json ? std::move(*json) : Json();
}

link::Explanation differing() {
  return {.known_tokens = 3,
          .line_tokens = 900,
          .beyond = link::Beyond::Differs,
          .before = "abc",
          .was = "secret one",
          .is = "secret two"};
}

constexpr const char* kBody = R"({"model":"any","max_tokens":100,"messages":[{"role":"user","content":"hello"}]})";

// A request of that key that runs to its end.
void ask_once(TestHall& test, const char* who) {
  auto exchange = test.ask("POST", "/v1/messages", kBody, key(who));
  test.engine.start(0, differing());
  exchange->run();
  test.say(*exchange, {"hi"});
  test.end(*exchange, link::EndReason::EndOfTurn, 1);
}

TEST_CASE("why shows a key its own requests with their words, and the first key the others' without") {
  TestHall test(two_keys());
  ask_once(test, "first");
  ask_once(test, "second");
  const Json own = body_of(*test.ask("GET", "/v1/hearth/cache/why", "", key("second")));
  REQUIRE(own.find("requests")->as_array().size() == 1);
  const Json& computed = *own.find("requests")->as_array()[0].find("computed");
  CHECK(computed.string_at("beyond") == "differs");
  CHECK(computed.find("text")->string_at("was") == "secret one");
  const Json all = body_of(*test.ask("GET", "/v1/hearth/cache/why", "", key("first")));
  REQUIRE(all.find("requests")->as_array().size() == 2);
  CHECK(all.find("requests")->as_array()[0].find("computed")->find("text") != nullptr);
  CHECK(all.find("requests")->as_array()[1].find("computed")->find("text") == nullptr);
  CHECK(all.find("requests")->as_array()[1].find("own")->as_boolean() == false);
}

TEST_CASE("where keys share a cache, only the first key sees words: a line may be another's") {
  TestHall test(two_keys(CacheSharing::All));
  ask_once(test, "second");
  const Json second = body_of(*test.ask("GET", "/v1/hearth/cache/why", "", key("second")));
  CHECK(second.find("requests")->as_array()[0].find("computed")->find("text") == nullptr);
  const Json first = body_of(*test.ask("GET", "/v1/hearth/cache/why", "", key("first")));
  CHECK(first.find("requests")->as_array()[0].find("computed")->find("text") != nullptr);
}

TEST_CASE("what takes room from others or brings bytes in is for the first key") {
  TestHall test(two_keys());
  for (const char* path :
       {"/v1/hearth/cache/pin", "/v1/hearth/cache/unpin", "/v1/hearth/cache/export", "/v1/hearth/cache/import"}) {
    CHECK(test.ask("POST", path, R"({"line":"ab"})", key("second"))->status == 403);
    CHECK(test.ask("POST", path, R"({"line":"ab"})", key("first"))->status == 200);
    CHECK(test.ask("GET", path, "", key("first"))->status == 405);
    CHECK(test.ask("POST", path, R"({"line":"ab"})")->status == 401);
  }
  CHECK(test.ask("POST", "/v1/hearth/cache/clear", R"({"every_key":true})", key("second"))->status == 403);
  CHECK(test.ask("POST", "/v1/hearth/cache/clear", "", key("second"))->status == 200);
  CHECK(test.engine.cache_request.action == link::CacheAction::Clear);
  CHECK_FALSE(test.engine.cache_request.every_key);
  CHECK(!test.engine.cache_request.cache_salt.empty());
}

TEST_CASE("the list is of one key, or of all for the first") {
  TestHall test(two_keys());
  link::CacheReply reply;
  reply.lines.push_back(
      {.id = "3f2a", .own = true, .tokens = 12, .spans = {{.end = 11, .tier = link::Tier::Ram}, {.end = 12}}});
  test.engine.cache_reply = reply;
  const Json list = body_of(*test.ask("GET", "/v1/hearth/cache/list", "", key("second")));
  CHECK_FALSE(test.engine.cache_request.every_key);
  const Json& line = list.find("lines")->as_array()[0];
  CHECK(line.string_at("id") == "3f2a");
  CHECK(line.find("tiers")->as_array()[0].string_at("tier") == "ram");
  CHECK(line.find("tiers")->as_array()[1].find("begin")->as_integer() == 11);
  test.ask("GET", "/v1/hearth/cache/list", "", key("first"));
  CHECK(test.engine.cache_request.every_key);
}

TEST_CASE("a probe asks for the prompt that the request would have, in its key's cache") {
  TestHall test(two_keys());
  const auto exchange = test.ask("POST", "/v1/hearth/cache/probe", kBody, key("second"));
  exchange->run();
  const Json probe = body_of(*exchange);
  CHECK(probe.find("cached_tokens")->as_integer() == 2);
  CHECK(probe.find("prompt_tokens")->as_integer() == static_cast<std::int64_t>(test.engine.probed.tokens.size()));
  CHECK(!test.engine.probed.cache_salt.empty());
  CHECK(test.ask("POST", "/v1/hearth/cache/probe", "{}", key("second"))->status == 400);
}

TEST_CASE("parts of trunks carry their offsets, and what is wrong with them is said") {
  TestHall test;
  link::CacheReply reply;
  reply.bytes = std::string("\0\1\2", 3);
  reply.numbers = {{"total_bytes", 3}};
  test.engine.cache_reply = reply;
  const auto part = test.ask("POST", "/v1/hearth/cache/export?offset=16", R"({"line":"3f"})");
  CHECK(part->sent == std::string("\0\1\2", 3));
  CHECK(test.engine.cache_request.offset == 16);
  CHECK(test.engine.cache_request.line == "3f");
  CHECK(test.ask("POST", "/v1/hearth/cache/export?offset=x", R"({"line":"3f"})")->status == 400);
  CHECK(test.ask("POST", "/v1/hearth/cache/export", "{}")->status == 400);
  test.ask("POST", "/v1/hearth/cache/import?offset=5", "bytes");
  CHECK(test.engine.cache_request.bytes == "bytes");
  CHECK(test.ask("POST", "/v1/hearth/cache/import", std::string(link::kTrunkPartBytesMax + 1, 'x'))->status == 413);
  test.engine.cache_reply = fail(ErrorKind::NotFound, "no such line");
  CHECK(test.ask("POST", "/v1/hearth/cache/pin", R"({"line":"zz"})")->status == 404);
  CHECK(test.ask("GET", "/v1/hearth/cache/stats?model=nobody")->status == 404);
}

TEST_CASE("a prompt that the context must grow for may still be a 400") {
  auto hello = test_hello();
  hello.live_context_tokens = 20;
  TestHall test({}, hello);
  auto exchange =
      test.ask("POST", "/v1/messages",
               R"({"model":"any","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hello"}]})");
  exchange->run();
  test.engine.end(link::EndReason::Failed, 0, ErrorKind::PromptTooLong, "prompt is too long: 40 tokens > 19 maximum");
  exchange->run();
  CHECK(exchange->status == 400);
  CHECK(exchange->sent.contains("prompt is too long: 40 tokens > 19 maximum"));
}

}  // namespace
}  // namespace hearth::server
