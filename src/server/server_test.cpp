// Routes: what is answered where, to whom, and in which form.
#include "server/server.h"

#include <doctest/doctest.h>

#include "server/status.h"
#include "server/test_hall.h"

namespace hearth::server {

TEST_CASE("the small routes answer GET and HEAD") {
  TestHall t;
  for (const char* path :
       {"/", "/api/hello", "/health", "/v1/health", "/v1/models", "/v1/models/test-model", "/v1/hearth/status"}) {
    for (const char* method : {"GET", "HEAD"}) {
      CAPTURE(path);
      const auto exchange = t.ask(method, path);
      CHECK(exchange->status == 200);
      CHECK(exchange->header("request-id").starts_with("req_"));
    }
  }
  CHECK(t.hall.log().active_count() == 0);
}

TEST_CASE("an unknown route is a 404, a wrong method a 405 that names the right ones") {
  TestHall t;
  CHECK(t.ask("GET", "/nowhere")->status == 404);
  CHECK(t.ask("POST", "/v1")->status == 404);
  CHECK(t.ask("GET", "/v1/models/unknown")->status == 404);
  const auto wrong = t.ask("GET", "/v1/messages");
  CHECK(wrong->status == 405);
  CHECK(wrong->header("allow").starts_with("POST"));
  CHECK(t.ask("DELETE", "/v1/models")->status == 405);
  CHECK(wrong->sent.contains("\"type\":\"error\""));
}

TEST_CASE("a base URL with /v1 in it works all the same") {
  TestHall t;
  CHECK(t.ask("GET", "/v1/v1/models")->status == 200);
  CHECK(t.ask("POST", "/v1/v1/messages/count_tokens", R"({"model":"m","messages":[{"role":"user","content":"x"}]})")
            ->status == 200);
}

TEST_CASE("a model's id may be percent-encoded") {
  CHECK(percent_decoded("a%3Ab%2Fc") == "a:b/c");
  CHECK(percent_decoded("100%") == "100%");
  CHECK(percent_decoded("%zz%4") == "%zz%4");
  TestHall t;
  CHECK(t.ask("GET", "/v1/models/test%2Dmodel")->status == 200);
}

TEST_CASE("with a key, only root and health are open") {
  TestHall t({.api_keys = {"secret"}});
  CHECK(t.ask("HEAD", "/")->status == 200);
  CHECK(t.ask("GET", "/health")->status == 200);
  for (const char* path : {"/v1/models", "/v1/hearth/status", "/nowhere"}) CHECK(t.ask("GET", path)->status == 401);
  const auto refused = t.message("hi");
  CHECK(refused->status == 401);
  CHECK(refused->sent.contains("authentication_error"));
  CHECK(t.ask("GET", "/v1/models", "", {{"x-api-key", "secret"}})->status == 200);
}

TEST_CASE(
    "nobody's body is read who may not speak to this server, nor that of a preflight or of what asks for no key") {
  const TestHall t({.api_keys = {"secret"}});
  const auto takes = [&](std::string method, std::string path, http::Headers headers) {
    http::Request head;
    head.method = std::move(method);
    head.path = std::move(path);
    head.headers = std::move(headers);
    return t.hall.takes_body(head);
  };
  CHECK_FALSE(takes("POST", "/v1/messages", {}));
  CHECK_FALSE(takes("POST", "/v1/messages", {{"x-api-key", "guess"}}));
  CHECK_FALSE(takes("POST", "/nowhere", {}));
  CHECK_FALSE(takes("POST", "/v1/messages", {{"x-api-key", "secret"}, {"host", "evil.example"}}));
  CHECK_FALSE(takes("POST", "/v1/messages", {{"x-api-key", "secret"}, {"origin", "https://evil.example"}}));
  CHECK(takes("POST", "/v1/messages", {{"x-api-key", "secret"}, {"host", "localhost:8080"}}));
  CHECK(takes("POST", "/v1/v1/messages", {{"authorization", "Bearer secret"}}));
  CHECK_FALSE(takes("OPTIONS", "/v1/messages", {}));
  for (const char* path : {"/", "/health", "/v1/health", "/api/hello"}) CHECK_FALSE(takes("POST", path, {}));
}

TEST_CASE("the cache's RAM is changed while the server runs, and nonsense changes nothing") {
  TestHall t;
  const auto set = t.ask("POST", "/v1/hearth/cache", R"({"ram_bytes":1048576})");
  CHECK(set->status == 200);
  CHECK_FALSE(t.engine.cache_budget.automatic);
  CHECK(t.engine.cache_budget.ram_bytes == 1048576);
  for (const char* body : {"", "{}", "[]", R"({"ram_bytes":-1})", R"({"ram_bytes":"much"})", R"({"ram_bytes":1e30})"})
    CHECK(t.ask("POST", "/v1/hearth/cache", body)->status == 400);
  CHECK(t.engine.cache_budget.ram_bytes == 1048576);
  CHECK(t.ask("POST", "/v1/hearth/cache", R"({"ram_bytes":"auto"})")->status == 200);
  CHECK(t.engine.cache_budget.automatic);
}

TEST_CASE("of several keys each sees its own requests, and only the first may change the cache") {
  TestHall t({.api_keys = {"ann", "bob"}});
  const auto as = [&](const char* key, const char* method, const char* path, const char* body = "") {
    return t.ask(method, path, body, {{"x-api-key", key}});
  };
  const auto exchange =
      as("bob", "POST", "/v1/messages", R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})");
  t.engine.start(0);
  t.end(*exchange, link::EndReason::EndOfTurn, 1);
  CHECK_FALSE(as("ann", "GET", "/v1/hearth/status")->sent.contains("\"path\":\"/v1/messages\""));
  CHECK(t.hall.log().recent_json("").dump().contains("/v1/messages"));
  CHECK(as("bob", "POST", "/v1/hearth/cache", R"({"ram_bytes":0})")->status == 403);
  CHECK(as("ann", "POST", "/v1/hearth/cache", R"({"ram_bytes":0})")->status == 200);
}

TEST_CASE("a request carries its key's salt to the engine") {
  TestHall t({.api_keys = {"ann", "bob"}});
  const std::string body = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})";
  const auto salt = [&](const char* key) {
    const auto exchange = t.ask("POST", "/v1/messages", body, {{"x-api-key", key}});
    return t.engine.job.cache_salt;
  };
  const std::string ann = salt("ann");
  CHECK_FALSE(ann.empty());
  CHECK(salt("bob") != ann);
}

TEST_CASE("a browser of a friendly origin is answered, with its preflight; another is refused") {
  TestHall t({.api_keys = {"secret"}});
  const auto preflight = t.ask("OPTIONS", "/v1/messages", "",
                               {{"origin", "http://localhost:3000"}, {"access-control-request-headers", "x-api-key"}});
  CHECK(preflight->status == 204);
  CHECK(preflight->header("access-control-allow-origin") == "http://localhost:3000");
  CHECK(preflight->header("access-control-allow-headers") == "x-api-key");
  CHECK(t.ask("OPTIONS", "/v1/messages", "", {{"origin", "https://evil.example"}})->status == 403);
  CHECK(t.ask("GET", "/health", "", {{"host", "evil.example"}})->status == 403);
}

TEST_CASE("health tells loading, work, restart and failure") {
  ManualClock clock;
  Hall loading({}, {}, clock);
  loading.models().set_loading({.loading = true, .name = "m", .fraction = 0.5F});
  const auto exchange = std::make_shared<FakeExchange>(http::Request{.method = "GET", .path = "/health"}, clock);
  loading.handle(exchange);
  CHECK(exchange->status == 503);
  CHECK(exchange->sent.contains("\"loading\""));
  TestHall t;
  CHECK(t.ask("GET", "/health")->sent == R"({"status":"ok"})");
  t.engine.engine_state = models::EngineState::Restarting;
  CHECK(t.ask("GET", "/health")->status == 200);
  t.engine.engine_state = models::EngineState::Failed;
  CHECK(t.ask("GET", "/health")->status == 503);
}

TEST_CASE("the status shows the engine, the counters and the times of the last requests") {
  TestHall t;
  const auto exchange = t.message("hi");
  t.engine.start(0);
  t.say(*exchange, {"a"});
  CHECK(t.ask("GET", "/v1/hearth/status")->sent.contains("\"live_jobs\":1"));
  t.end(*exchange, link::EndReason::EndOfTurn);
  const auto status = Json::parse(t.ask("GET", "/v1/hearth/status")->sent);
  REQUIRE(status);
  const Json& model = status->find("models")->as_array().at(0);
  CHECK(model.find("engine_pid")->as_integer() == 4711);
  CHECK(model.find("live_jobs")->as_integer() == 0);
  CHECK(model.find("counters")->find("tokens_sampled")->as_integer() == 3);
  CHECK(status->find("requests_total")->dump() == R"({"messages":1,"count_tokens":0,"other":2})");
  const auto& recent = status->find("recent")->as_array();
  REQUIRE(recent.size() == 1);
  CHECK(recent[0].find("times")->find("parse_us")->as_integer() >= 0);
}

TEST_CASE("the record of a request tells from which tier its cached tokens came") {
  TestHall t;
  const auto exchange = t.message("hi");
  t.engine.listener->on_started({.job = t.engine.job_id, .cached_tokens = 3, .ram_tokens = 1, .disk_tokens = 2});
  t.say(*exchange, {"a"});
  t.end(*exchange, link::EndReason::EndOfTurn);
  const auto recent = t.hall.log().recent_json("");
  CHECK(recent.dump().contains(R"("cached_tokens":3,"ram_tokens":1,"disk_tokens":2)"));
}

TEST_CASE("a server that is stopping finishes what runs and refuses what is new") {
  TestHall t;
  const auto running = t.message("hi");
  t.hall.refuse_new_work(7);
  const auto refused = t.message("more");
  CHECK(refused->status == 503);
  CHECK(refused->header("retry-after") == "7");
  CHECK(t.ask("GET", "/health")->sent == R"({"status":"draining"})");
  t.say(*running, {"a"});
  t.end(*running, link::EndReason::EndOfTurn);
  CHECK(running->status == 200);
}

}  // namespace hearth::server
