// Message batches on a disk that is slow, full or stopped between two writes.
#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <future>
#include <thread>

#include "base/file.h"
#include "server/test_batches.h"

namespace {

enum class Disk { Quick, Stuck, Full };
std::atomic<Disk> disk{Disk::Quick};
std::atomic<int> waiting_count{0};

// What a test does to the disk, undone at its end.
struct DiskIs {
  explicit DiskIs(Disk is) { disk = is; }
  ~DiskIs() { disk = Disk::Quick; }
};

}  // namespace

// In this program every sync is this one.
extern "C" int fsync(int) {
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

}  // namespace hearth::server
