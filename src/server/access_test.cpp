// Who is let in, and with what words the others are sent away.
#include "server/access.h"

#include <doctest/doctest.h>

namespace hearth::server {
namespace {

Result<void> visit(const AccessRules& rules, http::Headers headers, KeyNeeded key_needed = KeyNeeded::Yes) {
  http::Request request;
  request.headers = std::move(headers);
  return check_access(rules, request, key_needed);
}

ErrorKind refusal(const AccessRules& rules, http::Headers headers) {
  const auto result = visit(rules, std::move(headers));
  return result ? ErrorKind::Internal : result.error().kind;
}

}  // namespace

TEST_CASE("loopback names and addresses are hosts of a loopback server, with and without port") {
  for (const char* host : {"localhost", "localhost:8787", "LOCALHOST", "127.0.0.1:1", "127.5.6.7", "[::1]:8787",
                           "[::1]", "model.localhost"}) {
    CAPTURE(host);
    CHECK(visit({}, {{"Host", host}}));
  }
  CHECK(visit({}, {}));
}

TEST_CASE("a name that a stranger can point at this machine is refused") {
  for (const char* host :
       {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.0.7", "", "127.evil.example",
        "127.0.0.1:80@evil.example", "[::1]:80@evil.example", "[::1].evil.example"}) {
    CAPTURE(host);
    CHECK(refusal({}, {{"Host", host}}) == ErrorKind::Forbidden);
  }
}

TEST_CASE("an allowed host and the address bound to are let in") {
  CHECK(visit({.allowed_hosts = {"box.lan"}}, {{"Host", "BOX.lan:8787"}}));
  CHECK(visit({.bind_host = "192.168.0.7"}, {{"Host", "192.168.0.7:8787"}}));
  // Bound to every address, any address is ours; names still are not.
  CHECK(visit({.bind_host = "0.0.0.0"}, {{"Host", "192.168.0.7:8787"}}));
  CHECK(refusal({.bind_host = "0.0.0.0"}, {{"Host", "evil.example"}}) == ErrorKind::Forbidden);
}

TEST_CASE("pages of loopback origins may call, others only when allowed") {
  CHECK(visit({}, {{"Origin", "http://localhost:3000"}}));
  CHECK(visit({}, {{"Origin", "http://127.0.0.1:5173"}}));
  CHECK(refusal({}, {{"Origin", "https://evil.example"}}) == ErrorKind::Forbidden);
  CHECK(refusal({}, {{"Origin", "null"}}) == ErrorKind::Forbidden);
  CHECK(refusal({}, {{"Origin", "http://localhost:80@evil.example"}}) == ErrorKind::Forbidden);
  CHECK(visit({.allowed_origins = {"https://good.example"}}, {{"Origin", "https://good.example"}}));
  CHECK(refusal({.allowed_origins = {"https://good.example"}}, {{"Origin", "https://good.example.evil"}}) ==
        ErrorKind::Forbidden);
}

TEST_CASE("the key is taken from x-api-key or from Authorization: Bearer") {
  const AccessRules rules{.api_keys = {"other-key", "secret"}};
  CHECK(visit(rules, {{"X-Api-Key", "secret"}}));
  CHECK(visit(rules, {{"authorization", "Bearer secret"}}));
  CHECK(visit(rules, {{"authorization", "bearer secret"}}));
  CHECK(visit(rules, {{"x-api-key", "other"}, {"authorization", "Bearer secret"}}));
  for (const char* key : {"", "secre", "secrets", "Secret", "secret "}) {
    CAPTURE(key);
    CHECK(refusal(rules, {{"x-api-key", key}}) == ErrorKind::Unauthorized);
  }
  CHECK(refusal(rules, {{"authorization", "Basic secret"}}) == ErrorKind::Unauthorized);
  CHECK(refusal(rules, {}) == ErrorKind::Unauthorized);
  CHECK(visit(rules, {}, KeyNeeded::No));
}

TEST_CASE("a server that others can reach must have a key") {
  CHECK(check_bind({.bind_host = "127.0.0.1"}));
  CHECK(check_bind({.bind_host = "::1"}));
  CHECK(check_bind({.bind_host = "localhost"}));
  CHECK(check_bind({.bind_host = "0.0.0.0", .api_keys = {"k"}}));
  const auto refused = check_bind({.bind_host = "0.0.0.0"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.contains("--api-key"));
}

TEST_CASE("each key has a cache of its own unless the operator shares it") {
  AccessRules rules{.api_keys = {"ann", "bob"}};
  const auto salt = [&](const char* key) {
    return cache_salt(rules, {.method = "POST", .path = "/", .headers = {{"x-api-key", key}}});
  };
  CHECK(salt("ann") == salt("ann"));
  CHECK(salt("ann") != salt("bob"));
  CHECK_FALSE(salt("ann").empty());
  CHECK_FALSE(salt("ann").contains("ann"));
  rules.cache_sharing = CacheSharing::All;
  CHECK(salt("ann").empty());
  CHECK(cache_salt({}, {.method = "POST", .path = "/"}).empty());
}

TEST_CASE("comparing in constant time is equality") {
  CHECK(equal_in_constant_time("abc", "abc"));
  CHECK(equal_in_constant_time("", ""));
  CHECK_FALSE(equal_in_constant_time("abcabc", "abc"));
  CHECK_FALSE(equal_in_constant_time("ab", "abc"));
  CHECK_FALSE(equal_in_constant_time("x", ""));
}

}  // namespace hearth::server
