// Message batches on a disk that is slow, full or stopped between two writes.
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <thread>

#include "base/file.h"
#include "server/batch_routes.h"
#include "server/fake_exchange.h"
#include "server/test_batches.h"

namespace {

enum class Disk { Quick, Stuck, Full };
std::atomic<Disk> disk{Disk::Quick};
std::atomic<int> waiting_count{0}, synced_files{0}, synced_folders{0};

// What a test does to the disk, undone at its end.
struct DiskIs {
  explicit DiskIs(Disk is) { disk = is; }
  ~DiskIs() { disk = Disk::Quick; }
};

// No file or folder can be opened.
struct NoDescriptors {
  NoDescriptors() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  rlimit before{};
};

}  // namespace

// In this program every sync is this one.
extern "C" int fsync(int file) {
  struct stat about{};
  if (::fstat(file, &about) == 0) ++(S_ISDIR(about.st_mode) ? synced_folders : synced_files);
  ++waiting_count;
  while (disk == Disk::Stuck) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  --waiting_count;
  if (disk != Disk::Full) return 0;
  errno = ENOSPC;
  return -1;
}

namespace hearth::server {

namespace fs = std::filesystem;

TEST_CASE("while the disk is stuck, who posts to a batch's request does not wait") {
  const BatchFolder folder;
  Stage stage(folder.path / "batches");
  const std::string id = stage.batches.create(stage.owner, requests(2))->id;
  const auto running = stage.next();
  std::future<void> made, posted;
  {
    const DiskIs stuck(Disk::Stuck);
    made = std::async(std::launch::async, [&] { static_cast<void>(stage.batches.create(stage.owner, requests(1))); });
    while (waiting_count == 0) std::this_thread::yield();
    posted = std::async(std::launch::async, [&] {
      running->post([] {});
      running->after_ms(1, [] {});
      CHECK(stage.batches.find(stage.owner, id));
      CHECK(stage.batches.list(stage.owner).size() == 1);  // the other is not there before it is whole
    });
    CHECK(posted.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
  }
  made.wait();
  CHECK(stage.batches.list(stage.owner).size() == 2);
}

TEST_CASE("while the disk is stuck no worker waits for it, and no more bodies do than have room") {
  const BatchFolder folder;
  Stage stage(folder.path / "batches", {.calls_bytes_max = 120});  // two bodies
  RequestLog log;
  ManualClock clock;
  std::vector<std::shared_ptr<FakeExchange>> asked;
  const auto create = [&] {
    http::Request request;
    request.body = R"({"requests":[{"custom_id":"a","params":{"x":1}}]})";
    asked.push_back(std::make_shared<FakeExchange>(std::move(request), clock));
    const auto call = std::make_shared<Call>(asked.back(), log, stage.clock);
    call->record.owner = stage.owner.owner;
    answer_batch_create(call, stage.batches);
  };
  {
    const DiskIs stuck(Disk::Stuck);
    auto worker = std::async(std::launch::async, [&] {
      for (int i = 0; i < 3; ++i) create();
    });
    CHECK(worker.wait_for(std::chrono::seconds(5)) == std::future_status::ready);
    if (asked.size() == 3) CHECK(asked[2]->status == 529);
    disk = Disk::Quick;
    worker.wait();
  }
  for (int i = 0; i < 2; ++i) {
    while (!asked[i]->ended) asked[i]->run();
    CHECK(asked[i]->status == 200);
  }
  CHECK(stage.batches.list(stage.owner).size() == 2);
}

TEST_CASE(
    "a process that ends between a batch's last result and its state leaves a batch that ends at the next start") {
  const BatchFolder folder;
  std::string id;
  {
    Stage stage(folder.path);
    id = stage.batches.create(stage.owner, requests(1))->id;
    const std::string state = *read_file(folder.path / id / "state", 10'000);
    stage.answer(200, R"({"n":1})");
    stage.wait_end(id);
    REQUIRE(write_file_atomically(folder.path / id / "state", state));
  }
  Stage stage(folder.path);
  const auto card = stage.batches.find(stage.owner, id);
  CHECK(card->status == wire::BatchStatus::Ended);
  CHECK(card->counts.succeeded == 1);
  CHECK(stage.batches.results(stage.owner, id));
}

TEST_CASE("a cancel that cannot be kept is refused, and the batch goes on") {
  const BatchFolder folder;
  Stage stage(folder.path / "batches", {.running_max = 1});
  const std::string id = stage.batches.create(stage.owner, requests(2))->id;
  const auto running = stage.next();
  {
    const DiskIs full(Disk::Full);
    const auto refused = stage.batches.cancel(stage.owner, id);
    REQUIRE_FALSE(refused);
    CHECK_FALSE(refused.error().message.contains(folder.path.string()));
    const auto card = stage.batches.find(stage.owner, id);
    CHECK(card->status == wire::BatchStatus::InProgress);
    CHECK(card->counts.processing == 2);
  }
  CHECK(stage.gone == 0);
  CHECK(stage.batches.cancel(stage.owner, id)->counts.canceled == 2);
}

TEST_CASE("a result that cannot be read is that request's error, and tells nothing of where it lay") {
  const BatchFolder folder;
  Stage stage(folder.path / "batches");
  const std::string id = stage.batches.create(stage.owner, requests(3))->id;
  for (int i = 0; i < 3; ++i) stage.answer(200, R"({"n":1})");
  stage.wait_end(id);
  std::ofstream(folder.path / "batches" / id / "done-00001") << "something else";
  fs::remove(folder.path / "batches" / id / "done-00002");
  const auto lines = lines_of(stage.batches.results(stage.owner, id));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].find("result")->string_at("type") == "succeeded");
  for (const int i : {1, 2}) {
    CHECK(lines[i].string_at("custom_id") == "r" + std::to_string(i));
    CHECK(lines[i].find("result")->string_at("type") == "errored");
    CHECK_FALSE(lines[i].dump().contains(folder.path.string()));
  }
}

TEST_CASE("a batch that cannot be read for want of a descriptor is not damaged") {
  const BatchFolder folder;
  std::string id;
  {
    Stage stage(folder.path);
    id = stage.batches.create(stage.owner, requests(1))->id;
  }
  BatchStore store(folder.path);
  REQUIRE(store.open());
  auto none = std::make_optional<NoDescriptors>();
  const auto record = read_batch_record(store, id);
  const auto ids = store.ids();
  const auto names = store.names(id);
  none.reset();
  CHECK(record.error().kind == ErrorKind::Io);
  CHECK(ids.error().kind == ErrorKind::Io);
  CHECK(names.error().kind == ErrorKind::Io);
  CHECK(read_batch_record(store, id));
}

TEST_CASE("batches that find no place are not read anew for each try, as long as they have room in memory") {
  for (const bool has_room : {true, false}) {
    CAPTURE(has_room);
    const BatchFolder f;
    BatchLimits limits{.running_max = 1};
    if (!has_room) limits.text_bytes_max = 100;
    Stage stage(f.path.string(), limits);
    const BatchOwner other{.owner = 8, .cache_salt = "key-8"};
    const std::string mine = stage.batches.create(stage.owner, requests(1))->id;
    auto exchange = stage.next();
    const std::string theirs = stage.batches.create(other, requests(1))->id;
    exchange->respond({.status = 503, .headers = {}, .body = "{}"});
    exchange = stage.next();  // theirs, for keys take turns
    std::filesystem::remove(f.path / mine / kBatchRequestsFile);
    std::filesystem::remove(f.path / theirs / kBatchRequestsFile);
    exchange->respond({.status = 503, .headers = {}, .body = "{}"});
    // Theirs was tried last and stays in any case.
    if (has_room) stage.answer(200, "{}");
    stage.answer(200, "{}");
    CHECK(stage.wait_end(mine).counts.succeeded == (has_room ? 1 : 0));
    while (stage.batches.find(other, theirs)->status != wire::BatchStatus::Ended) std::this_thread::yield();
    CHECK(stage.batches.find(other, theirs)->counts.succeeded == 1);
  }
}

TEST_CASE("a result that the disk does not take now is kept in memory and written later, not computed again") {
  const BatchFolder folder;
  ManualClock clock;
  std::vector<std::shared_ptr<http::Exchange>> begun;
  std::mutex mutex;
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return begun.size();
  };
  Batches batches(
      folder.path,
      [&](std::shared_ptr<http::Exchange> exchange, const BatchOwner&) {
        const std::lock_guard lock(mutex);
        begun.push_back(std::move(exchange));
      },
      clock, [] { return 1'800'000'000; }, {.running_max = 2});
  batches.load();
  batches.start();
  const std::string id = batches.create({}, requests(3))->id;
  while (count() < 2) std::this_thread::yield();
  {
    const DiskIs full(Disk::Full);
    for (const auto& exchange : begun) exchange->respond({.status = 200, .headers = {}, .body = "{}"});
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(batches.find({}, id)->counts.processing == 3);
  }
  CHECK(count() == 2);  // those whose results wait hold their places
  clock.advance_ms(61'000);
  while (batches.find({}, id)->counts.succeeded < 2) std::this_thread::yield();
  while (count() < 3) std::this_thread::yield();
  CHECK(begun.back()->request().body.starts_with(R"({"max_tokens":3)"));
  batches.stop();
}

TEST_CASE(
    "results that the disk did not take are written once more at an orderly end, and are no crash where that fails") {
  const BatchFolder folder;
  for (const bool room : {true, false}) {
    const fs::path at = folder.path / (room ? "room" : "full");
    std::string id;
    {
      Stage stage(at);
      id = stage.batches.create(stage.owner, requests(1))->id;
      const auto running = stage.next();
      CHECK(fs::exists(at / id / "try-00000-1"));
      const DiskIs full(Disk::Full);
      const int before = synced_files;
      running->respond({.status = 200, .headers = {}, .body = "{}"});
      while (synced_files == before) std::this_thread::yield();
      if (room) disk = Disk::Quick;
      stage.batches.stop();
    }
    CHECK_FALSE(fs::exists(at / id / "try-00000-1"));
    CHECK(fs::exists(at / id / "done-00000") == room);
    Stage stage(at);
    CHECK(stage.batches.find(stage.owner, id)->counts.succeeded == (room ? 1 : 0));
  }
}

TEST_CASE("that a batch is over its time is not tried without rest on a disk that is full") {
  const BatchFolder folder;
  Stage stage(folder.path, {.expires_after_s = 1000});
  const std::string id = stage.batches.create(stage.owner, requests(1))->id;
  const auto running = stage.next();
  {
    const DiskIs full(Disk::Full);
    const int before = synced_files;
    stage.pass_s(1001);
    while (synced_files == before) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    CHECK(synced_files == before + 1);
  }
  stage.pass_s(61);
  CHECK(stage.wait_end(id).counts.expired == 1);
}

TEST_CASE("a batch is on disk before it is answered: its files, their folder, and the folder of all") {
  const BatchFolder folder;
  Stage stage(folder.path / "batches");
  synced_folders = synced_files = 0;
  REQUIRE(stage.batches.create(stage.owner, requests(1)));
  CHECK(synced_files == 2);    // requests and state
  CHECK(synced_folders == 3);  // with each of them, and the one that the batch's folder is in
}

TEST_CASE("a batch whose state was not written any more was never answered, and goes at the next start") {
  const BatchFolder folder;
  std::string id;
  {
    Stage stage(folder.path);
    id = stage.batches.create(stage.owner, requests(1))->id;
  }
  fs::remove(folder.path / id / "state");
  const Stage stage(folder.path);
  CHECK_FALSE(fs::exists(folder.path / id));
  CHECK_FALSE(fs::exists(folder.path / (id + ".bad")));
}

TEST_CASE("a batch that the disk does not let go is not deleted, and can be read on") {
  const BatchFolder folder;
  Stage stage(folder.path);
  const std::string id = stage.batches.create(stage.owner, requests(1))->id;
  stage.answer(200, "{}");
  stage.wait_end(id);
  fs::create_directories(folder.path / (id + ".gone") / "x");  // where it would go, and this cannot be cleared away
  {
    const NoDescriptors none;
    const auto refused = stage.batches.remove(stage.owner, id);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == ErrorKind::Io);
    CHECK_FALSE(refused.error().message.contains(folder.path.string()));
  }
  CHECK(lines_of(stage.batches.results(stage.owner, id)).size() == 1);
  CHECK(stage.batches.remove(stage.owner, id));
  CHECK_FALSE(stage.batches.find(stage.owner, id));
  CHECK_FALSE(fs::exists(folder.path / id));
}

TEST_CASE("what a removal that was cut short left goes at the next start") {
  const BatchFolder folder;
  const fs::path left = folder.path / ("msgbatch_" + std::string(24, 'a') + ".gone");
  fs::create_directories(left);
  std::ofstream(left / "state") << "x";
  const Stage stage(folder.path);
  CHECK_FALSE(fs::exists(left));
}

}  // namespace hearth::server
