// Message batches: what is accepted, run, cancelled, kept over a restart and refused; and the files they lie in.
#include "server/batches.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "server/test_batches.h"
#include "server/test_hall.h"

namespace hearth::server {

namespace fs = std::filesystem;

TEST_CASE("a batch runs its requests, a few at a time, and its results come in their order") {
  Stage stage("");
  const auto made = stage.batches.create(stage.owner, requests(3));
  REQUIRE(made);
  CHECK(is_batch_id(made->id));
  CHECK(made->counts.processing == 3);
  CHECK_FALSE(stage.batches.results(stage.owner, made->id));
  stage.answer(200, R"({"type":"message","n":1})");
  stage.answer(400, R"({"type":"error","error":{"type":"invalid_request_error","message":"no"}})");
  stage.answer(200, R"({"type":"message","n":3})");
  const auto card = stage.wait_end(made->id);
  CHECK(card.counts.succeeded == 2);
  CHECK(card.counts.errored == 1);
  const auto lines = lines_of(stage.batches.results(stage.owner, made->id));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].dump() == R"({"custom_id":"r0","result":{"type":"succeeded","message":{"type":"message","n":1}}})");
  CHECK(lines[1].find("result")->string_at("type") == "errored");
  CHECK(lines[2].string_at("custom_id") == "r2");
}

TEST_CASE("a request runs as a whole message, whatever its params say of streaming") {
  Stage stage("");
  auto list = wire::decode_batch(R"({"requests":[{"custom_id":"a","params":{"max_tokens":1,"stream":true}}]})");
  REQUIRE(stage.batches.create(stage.owner, std::move(*list)));
  const auto exchange = stage.next();
  CHECK(exchange->request().body == R"({"max_tokens":1,"stream":false})");
}

TEST_CASE("a cancelled batch ends at once; what runs is let go, and what was done stays") {
  Stage stage("", {.running_max = 2});
  const auto made = stage.batches.create(stage.owner, requests(4));
  REQUIRE(made);
  stage.answer(200, R"({"n":1})");
  stage.wait_for(made->id, [](const auto& card) { return card.counts.succeeded == 1; });
  const auto running = stage.next();
  const auto card = stage.batches.cancel(stage.owner, made->id);
  REQUIRE(card);
  CHECK(card->status == wire::BatchStatus::Ended);
  CHECK(card->counts.canceled == 3);
  while (stage.gone == 0) std::this_thread::yield();
  running->respond({.status = 200, .headers = {}, .body = R"({"late":1})"});
  const auto lines = lines_of(stage.batches.results(stage.owner, made->id));
  CHECK(lines[0].find("result")->string_at("type") == "succeeded");
  for (int i = 1; i < 4; ++i) CHECK(lines[i].find("result")->string_at("type") == "canceled");
  CHECK(stage.batches.cancel(stage.owner, made->id)->counts.canceled == 3);
}

TEST_CASE("a batch outlives the process: what has a result keeps it, what has none runs again") {
  const BatchFolder folder;
  std::string id;
  {
    Stage stage(folder.path / "batches");
    id = stage.batches.create(stage.owner, requests(3))->id;
    stage.answer(200, R"({"n":1})");
    stage.wait_for(id, [](const auto& card) { return card.counts.succeeded == 1; });
    stage.held.push_back(stage.next());  // it runs when the server ends
  }
  Stage stage(folder.path / "batches");
  CHECK(stage.batches.find(stage.owner, id)->counts.processing == 2);
  CHECK(stage.next()->request().body.starts_with(R"({"max_tokens":2)"));
  stage.answer(200, R"({"n":3})");
  stage.wait_end(id);
  const auto lines = lines_of(stage.batches.results(stage.owner, id));
  CHECK(lines[0].find("result")->find("message")->find("n")->as_integer() == 1);
  CHECK(lines[2].find("result")->find("message")->find("n")->as_integer() == 3);
}

TEST_CASE("its files are the owner's alone, and gone when it is deleted") {
  const BatchFolder folder;
  Stage stage(folder.path / "batches");
  const std::string id = stage.batches.create(stage.owner, requests(1))->id;
  CHECK_FALSE(stage.batches.remove(stage.owner, id));
  stage.answer(200, "{}");
  stage.wait_end(id);
  for (const auto& entry : fs::recursive_directory_iterator(folder.path)) {
    struct stat found{};
    REQUIRE(::stat(entry.path().c_str(), &found) == 0);
    CHECK((found.st_mode & 077) == 0);
  }
  CHECK(stage.batches.remove(stage.owner, id));
  CHECK_FALSE(fs::exists(folder.path / "batches" / id));
  CHECK_FALSE(stage.batches.find(stage.owner, id));
}

TEST_CASE("another key sees nothing of a batch") {
  Stage stage("");
  const std::string id = stage.batches.create(stage.owner, requests(1))->id;
  const BatchOwner other{.owner = 8, .cache_salt = ""};
  CHECK_FALSE(stage.batches.find(other, id));
  CHECK_FALSE(stage.batches.cancel(other, id));
  CHECK_FALSE(stage.batches.remove(other, id));
  CHECK_FALSE(stage.batches.results(other, id));
  CHECK(stage.batches.list(other).empty());
  CHECK(stage.batches.list(stage.owner).size() == 1);
}

TEST_CASE("damaged files put their batch aside, byte by byte, and never end the server") {
  const BatchFolder folder;
  std::string id;
  {
    Stage stage(folder.path);
    id = stage.batches.create(stage.owner, requests(1))->id;
  }
  const fs::path state = folder.path / id / "state";
  std::ifstream in(state, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  BatchStore store(folder.path);  // which reads without the lock
  for (std::size_t cut = 0; cut <= good.size(); ++cut) {
    std::string bad = good;
    if (cut < good.size()) bad[cut] = static_cast<char>(bad[cut] ^ 0x11);
    std::ofstream(state, std::ios::binary) << (cut == good.size() ? good.substr(0, good.size() / 2) : bad);
    CHECK_FALSE(store.read(id, "state"));
  }
  fs::create_symlink("/etc/passwd", folder.path / id / "link");
  CHECK_FALSE(store.read(id, "link"));
  Stage stage(folder.path);
  CHECK_FALSE(stage.batches.find(stage.owner, id));
  CHECK(fs::exists(folder.path / (id + ".bad")));
}

TEST_CASE("of two servers on one folder the second keeps its batches to itself") {
  const BatchFolder folder;
  Stage first(folder.path);
  const std::string id = first.batches.create(first.owner, requests(1))->id;
  Stage second(folder.path);
  CHECK_FALSE(second.batches.find(second.owner, id));
  const std::string other = second.batches.create(second.owner, requests(1))->id;
  CHECK_FALSE(fs::exists(folder.path / other));
}

TEST_CASE("what was not run in time is expired, and ended batches are forgotten in the end") {
  Stage stage("", {.expires_after_s = 1000, .kept_after_s = 2000});
  const std::string id = stage.batches.create(stage.owner, requests(1))->id;
  stage.pass_s(1001);
  CHECK(stage.wait_end(id).counts.expired == 1);
  CHECK(lines_of(stage.batches.results(stage.owner, id))[0].find("result")->string_at("type") == "expired");
  stage.pass_s(1000);
  while (stage.batches.find(stage.owner, id)) std::this_thread::yield();
}

TEST_CASE("a batch expires though there is always something to do") {
  Stage stage("", {.expires_after_s = 1000});
  const std::string id = stage.batches.create(stage.owner, requests(1))->id;
  const auto running = stage.next();
  std::function<void()> again = [&] { running->post([&] { again(); }); };
  again();
  stage.pass_s(1001);
  CHECK(stage.wait_end(id).counts.expired == 1);
  stage.batches.stop();
}

// Time enough to be sure of the clock, and for a look that would find something to forget or to expire.
void look(Stage& stage) {
  stage.pass_s(700);
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
}

TEST_CASE("a clock that is set while the server runs, or was not set when a batch was made, loses no batch") {
  const BatchFolder folder;
  const BatchLimits limits{.expires_after_s = 1000, .kept_after_s = 2000};
  std::string id;
  {
    Stage stage(folder.path, limits, 1000);  // 1970
    id = stage.batches.create(stage.owner, requests(1))->id;
    stage.answer(200, "{}");
    stage.wait_end(id);
    stage.now_s = 1'800'000'000;
    look(stage);
    CHECK(stage.batches.find(stage.owner, id));
  }
  {
    Stage stage(folder.path, limits, 1'800'000'000);
    look(stage);
    CHECK(stage.batches.find(stage.owner, id));
  }
  Stage stage(folder.path, limits, 2'500'000'000);  // 2049: it seems to be old
  stage.now_s = 1'800'000'100;
  look(stage);
  CHECK(stage.batches.find(stage.owner, id));
}

TEST_CASE("a clock that was wrong when the server started expires no request") {
  const BatchFolder folder;
  const BatchLimits limits{.expires_after_s = 1000};
  std::string id;
  {
    Stage stage(folder.path, limits);
    id = stage.batches.create(stage.owner, requests(1))->id;
  }
  Stage stage(folder.path, limits, 2'500'000'000);  // 2049: its time seems to be over
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(stage.batches.find(stage.owner, id)->counts.processing == 1);
  stage.now_s = 1'800'000'100;
  look(stage);
  CHECK(stage.batches.find(stage.owner, id)->counts.processing == 1);
}

TEST_CASE("a server that stops does not wait for a request that is being prepared, and begins no other") {
  Stage stage("", {.running_max = 2});
  stage.set_stuck(true);
  REQUIRE(stage.batches.create(stage.owner, requests(2)));
  const auto first = stage.next();
  stage.batches.begin_stop();  // returns
  stage.set_stuck(false);
  stage.batches.stop();
  CHECK(stage.held.empty());
  CHECK(stage.gone == 1);
}

TEST_CASE("a key has only so many batches and bytes, and takes no room from another") {
  Stage stage("", {.owner_batches_max = 2, .owner_bytes_max = 1000, .batches_max = 3});
  const BatchOwner other{.owner = 8, .cache_salt = "key-8"}, third{.owner = 9, .cache_salt = "key-9"};
  REQUIRE(stage.batches.create(stage.owner, requests(1)));
  CHECK(stage.batches.create(stage.owner, requests(40)).error().kind == ErrorKind::RateLimited);
  REQUIRE(stage.batches.create(stage.owner, requests(1)));
  CHECK(stage.batches.create(stage.owner, requests(1)).error().kind == ErrorKind::RateLimited);
  CHECK(stage.batches.create(other, requests(1)));
  CHECK(stage.batches.create(third, requests(1)).error().kind == ErrorKind::RateLimited);
}

TEST_CASE("results take room too, before and after a restart, until their batch is deleted") {
  const BatchFolder folder;
  const BatchLimits limits{.owner_bytes_max = 1000};
  std::string id;
  {
    Stage stage(folder.path, limits);
    id = stage.batches.create(stage.owner, requests(1))->id;
    stage.answer(200, R"({"text":")" + std::string(1000, 'x') + "\"}");
    stage.wait_end(id);
    CHECK(stage.batches.create(stage.owner, requests(1)).error().kind == ErrorKind::RateLimited);
  }
  Stage stage(folder.path, limits);
  CHECK(stage.batches.create(stage.owner, requests(1)).error().kind == ErrorKind::RateLimited);
  CHECK(stage.batches.remove(stage.owner, id));
  CHECK(stage.batches.create(stage.owner, requests(1)));
}

TEST_CASE("a batch that is larger as it is stored than what is read again is refused, whatever its body was") {
  Stage stage("", {.text_bytes_max = 1000});
  auto list = *wire::decode_batch(R"({"requests":[{"custom_id":"a","params":{"x":[)" + std::string("1e4") +
                                  std::string(100, ' ') + "]}}]}");
  CHECK(stage.batches.create(stage.owner, list));
  std::string numbers = "1e4";
  for (int i = 0; i < 200; ++i) numbers += ",1e4";  // 4 bytes each, and then 8
  const std::string body = R"({"requests":[{"custom_id":"a","params":{"x":[)" + numbers + "]}}]}";
  REQUIRE(body.size() < 1000);
  const auto refused = stage.batches.create(stage.owner, *wire::decode_batch(body));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::TooLarge);
}

TEST_CASE("keys take turns: the one request of a key does not wait for the many of another") {
  Stage stage("", {.running_max = 1});
  const BatchOwner other{.owner = 8, .cache_salt = ""};
  REQUIRE(stage.batches.create(stage.owner, requests(20)));
  auto first = stage.next();
  const std::string id = stage.batches.create(other, requests(1))->id;
  first->respond({.status = 200, .headers = {}, .body = "{}"});
  stage.answer(200, "{}");
  while (stage.batches.find(other, id)->counts.succeeded == 0) std::this_thread::yield();
}

TEST_CASE("one request that never finds a place holds up no other") {
  Stage stage("", {.running_max = 1});
  const std::string id = stage.batches.create(stage.owner, requests(4))->id;
  for (int i = 0; i < 4; ++i) {
    const auto exchange = stage.next();
    const bool stuck = exchange->request().body.starts_with(R"({"max_tokens":1,)");
    exchange->respond({.status = stuck ? 503 : 200, .headers = {}, .body = "{}"});
  }
  const auto card = stage.wait_for(id, [](const auto& now) { return now.counts.succeeded == 3; });
  CHECK(card.counts.processing == 1);
}

TEST_CASE("a request that was sent back is due later each time, and before those that were not tried") {
  std::vector<BatchItem> items(3, BatchItem::Waiting);
  BatchQueue queue;
  std::int64_t now_ms = 0;
  for (const std::int64_t rest_ms : {5000, 10'000, 20'000, 40'000, 80'000, 160'000, 300'000, 300'000}) {
    REQUIRE(queue.due(items, now_ms) == 0);
    queue.taken(0);
    queue.sent_back(0, now_ms);
    CHECK(queue.due(items, now_ms + rest_ms - 1) == 1);
    now_ms += rest_ms;
  }
  queue.clear();
  queue.taken(1);
  items[1] = BatchItem::Running;
  CHECK(queue.due(items, 1'000'000) == 2);
  queue.taken(2);
  CHECK_FALSE(queue.due(items, 1'000'000));
}

TEST_CASE("a request that throws is that request's error, and the batches go on") {
  Stage stage("", {.running_max = 1});
  const std::string id = stage.batches.create(stage.owner, requests(3))->id;
  stage.throws_next = true;  // for the second
  stage.answer(200, "{}");
  const auto third = stage.next();
  third->post([] { throw std::runtime_error("a task"); });
  const auto card = stage.wait_end(id);
  CHECK(card.counts.succeeded == 1);
  CHECK(card.counts.errored == 2);
  CHECK(stage.gone == 1);
}

TEST_CASE(
    "a request that was running three times when the server ended is not run again, and takes no neighbour along") {
  const BatchFolder folder;
  fs::path now = folder.path / "0";
  std::string id;
  auto crash = [&, count = 0]() mutable {  // what a process that is killed leaves
    const fs::path after = folder.path / std::to_string(++count);
    fs::copy(now, after, fs::copy_options::recursive);
    now = after;
  };
  {
    Stage stage(now, {.running_max = 2});
    id = stage.batches.create(stage.owner, requests(3))->id;
    const auto first = stage.next(), second = stage.next();
    crash();
  }
  {
    Stage stage(now);  // an end in order does not count
    const auto running = stage.next();
    stage.batches.stop();
  }
  for (int i = 0; i < 2; ++i) {
    Stage stage(now, {.running_max = 2});
    const auto first = stage.next();
    CHECK(first->request().body.starts_with(R"({"max_tokens":1,)"));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(stage.held.empty());  // it runs alone
    crash();
  }
  Stage stage(now);
  for (int i = 2; i <= 3; ++i) {
    const auto running = stage.next();
    CHECK(running->request().body.starts_with(R"({"max_tokens":)" + std::to_string(i)));
    running->respond({.status = 200, .headers = {}, .body = "{}"});
  }
  stage.wait_end(id);
  CHECK(stage.batches.find(stage.owner, id)->counts.succeeded == 2);
  CHECK(lines_of(stage.batches.results(stage.owner, id))[0].dump().contains("three times"));
  for (const auto& entry : fs::directory_iterator(now / id))
    CHECK_FALSE(entry.path().filename().string().starts_with("try"));
}

TEST_CASE("the batch routes answer as the wire has them") {
  TestHall t;
  const auto bad = t.ask("POST", "/v1/messages/batches", R"({"requests":[{"custom_id":"a b","params":{}}]})");
  CHECK(bad->status == 400);
  CHECK(bad->sent.contains("requests.0.custom_id"));
  const auto made = t.ask("POST", "/v1/messages/batches", R"({"requests":[{"custom_id":"a","params":{"x":1}}]})");
  REQUIRE(made->status == 200);
  const Json batch = *Json::parse(made->sent);
  const std::string id = batch.string_at("id");
  CHECK(batch.string_at("processing_status") == "in_progress");
  CHECK(batch.find("results_url")->is_null());
  CHECK(t.ask("GET", "/v1/messages/batches/" + id)->sent == made->sent);
  CHECK(t.ask("GET", "/v1/messages/batches/" + id + "/results")->status == 400);
  CHECK(t.ask("DELETE", "/v1/messages/batches/" + id)->status == 400);
  CHECK(t.ask("PUT", "/v1/messages/batches/" + id)->status == 405);
  CHECK(t.ask("GET", "/v1/messages/batches/" + id + "/anything")->status == 404);
  CHECK(t.ask("GET", "/v1/messages/batches/" + id + "/results/more")->status == 404);
  for (const auto& [method, rest, allow] :
       {std::array{"POST", "", "GET, HEAD, DELETE, OPTIONS"}, std::array{"GET", "/cancel", "POST, OPTIONS"},
        std::array{"DELETE", "/results", "GET, HEAD, OPTIONS"}}) {
    const auto refused = t.ask(method, "/v1/messages/batches/" + id + rest);
    CHECK(refused->status == 405);
    CHECK(refused->header("allow") == allow);
  }
  CHECK(t.ask("GET", "/v1/messages/batches/msgbatch_nothing")->status == 404);
  const auto ended = t.ask("POST", "/v1/messages/batches/" + id + "/cancel", "", {{"host", "localhost:8787"}});
  CHECK(ended->sent.contains("http://localhost:8787/v1/messages/batches/" + id + "/results"));
  CHECK(t.ask("GET", "/v1/messages/batches/" + id + "/results")->header("content-type") == "application/x-jsonl");
  for (int i = 0; i < 4; ++i) t.ask("POST", "/v1/messages/batches", R"({"requests":[{"custom_id":"a","params":{}}]})");
  const Json page = *Json::parse(t.ask("GET", "/v1/messages/batches", "", {})->sent);
  CHECK(page.find("data")->as_array().size() == 5);
  CHECK_FALSE(page.find("has_more")->as_boolean());
  CHECK(t.ask("DELETE", "/v1/messages/batches/" + id)->sent ==
        R"({"id":")" + id + R"(","type":"message_batch_deleted"})");
}

TEST_CASE("the list is paged in both directions, and a page beside a batch that is not there is a 404") {
  TestHall t;
  std::vector<std::string> ids;  // newest first
  for (int i = 0; i < 5; ++i) {
    const auto made = t.ask("POST", "/v1/messages/batches", R"({"requests":[{"custom_id":"a","params":{}}]})");
    ids.insert(ids.begin(), Json::parse(made->sent)->string_at("id"));
  }
  const auto page = [&](const std::string& query) {
    const Json list = *Json::parse(t.ask("GET", "/v1/messages/batches?" + query)->sent);
    std::string places;
    for (const Json& one : list.find("data")->as_array())
      places += std::to_string(std::ranges::find(ids, one.string_at("id")) - ids.begin());
    return places + (list.find("has_more")->as_boolean() ? "+" : "");
  };
  CHECK(page("limit=2") == "01+");
  CHECK(page("limit=2&after_id=" + ids[1]) == "23+");
  CHECK(page("limit=2&after_id=" + ids[3]) == "4");
  CHECK(page("after_id=" + ids[4]) == "");
  CHECK(page("limit=2&before_id=" + ids[3]) == "12+");
  CHECK(page("limit=3&before_id=" + ids[3]) == "012");
  CHECK(page("before_id=" + ids[0]) == "");
  CHECK(t.ask("GET", "/v1/messages/batches?after_id=msgbatch_none")->status == 404);
  CHECK(t.ask("GET", "/v1/messages/batches?before_id=msgbatch_none")->status == 404);
  CHECK(t.ask("GET", "/v1/messages/batches?before_id=" + ids[1] + "&after_id=" + ids[2])->status == 400);
}

TEST_CASE("behind a proxy that speaks TLS the results are over TLS, and nothing else is believed") {
  TestHall t;
  const auto made = t.ask("POST", "/v1/messages/batches", R"({"requests":[{"custom_id":"a","params":{}}]})");
  const std::string path = "/v1/messages/batches/" + Json::parse(made->sent)->string_at("id");
  t.ask("POST", path + "/cancel");
  const auto url = [&](const std::string& scheme) {
    return Json::parse(t.ask("GET", path, "", {{"host", "localhost"}, {"x-forwarded-proto", scheme}})->sent)
        ->string_at("results_url");
  };
  CHECK(url("https") == "https://localhost" + path + "/results");
  CHECK(url("https, http") == "https://localhost" + path + "/results");
  for (const char* scheme : {"http", "", "javascript", "httpsx", "http, https"})
    CHECK(url(scheme) == "http://localhost" + path + "/results");
}

}  // namespace hearth::server
