// The real folder: owners, links, locks, holes.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <fstream>
#include <thread>

#include "base/test_log_lines.h"
#include "store/model_folder.h"
#include "store/posix_disk.h"
#include "store/test_records.h"

namespace hearth::store {
namespace {
using namespace testing;
namespace fs = std::filesystem;

class Scratch {
 public:
  Scratch() : path_(fs::temp_directory_path() / random_id("hearth-store-", 12)) { fs::create_directory(path_); }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  fs::path path_;
};

unsigned mode_of(const std::string& path) {
  struct stat about{};
  REQUIRE(::lstat(path.c_str(), &about) == 0);
  return about.st_mode & 0777U;
}

std::uint64_t allocated_bytes(const std::string& folder) {
  std::uint64_t bytes = 0;
  for (const FileInfo& file : *(*open_disk(folder))->list()) bytes += file.allocated_bytes;
  return bytes;
}

std::unique_ptr<Store> open_at(const std::string& folder, Access access = Access::ReadWrite) {
  auto disk = open_disk(folder);
  REQUIRE(disk);
  return open(std::move(*disk), access);
}

TEST_CASE("folders and files are made for their owner only") {
  const Scratch scratch;
  const std::string folder = scratch / "a/b";
  const ::mode_t before = ::umask(0);
  const auto store = open_at(folder);
  REQUIRE(store->write(records(1, 2)));
  ::umask(before);
  CHECK(mode_of(scratch / "a") == 0700);
  CHECK(mode_of(folder) == 0700);
  for (const auto& file : fs::directory_iterator(folder)) CHECK(mode_of(file.path().string()) == 0600);
  CHECK(store->take_entries().empty());
}

TEST_CASE("a real folder keeps records over a restart, and a hole gives room back") {
  const Scratch scratch;
  const std::string folder = scratch / "kv";
  constexpr std::size_t kBytes = 300'001;
  bool makes_holes = false;
  {
    const auto store = open_at(folder);
    const auto places = store->write(records(1, 3, kBytes));
    REQUIRE(places);
    const std::uint64_t before = allocated_bytes(folder);
    store->drop(std::span(*places).first(1));
    makes_holes = store->counts().makes_holes;
    if (makes_holes) CHECK(allocated_bytes(folder) + kBytes * 9 / 10 < before);
  }
  const auto store = open_at(folder);
  const std::vector<std::uint64_t> numbers = readable(*store, store->take_entries(), kBytes);
  CHECK(numbers.size() == (makes_holes ? 2 : 3));
  CHECK(std::ranges::contains(numbers, 1) == !makes_holes);
}

TEST_CASE("a folder is written by one process at a time") {
  const Scratch scratch;
  const auto first = open_at(scratch / "kv");
  REQUIRE(first->write(records(1, 1)));
  const auto second = open_at(scratch / "kv");
  CHECK(!first->read_only());
  CHECK(second->read_only());
  CHECK(readable(*second, second->take_entries()) == std::vector<std::uint64_t>{1});
}

TEST_CASE("a process that is on its way out is waited for, one that stays is not waited for long") {
  const Scratch scratch;
  auto first = open_at(scratch / "kv");
  const auto open_with_patience = [&] {
    auto store = Store::open(*open_disk(scratch / "kv"), {.lock_patience = std::chrono::milliseconds(300)});
    REQUIRE(store);
    return (*store)->read_only();
  };
  CHECK(open_with_patience());
  std::jthread leaves([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    first.reset();
  });
  CHECK(!open_with_patience());
}

TEST_CASE("a lock on a file that was removed keeps nobody out") {
  const Scratch scratch;
  const auto first = *open_disk(scratch / "kv");
  REQUIRE(first->lock());
  REQUIRE(first->remove("lock"));
  const auto second = *open_disk(scratch / "kv");
  CHECK(second->lock());
  CHECK(!(*open_disk(scratch / "kv"))->lock());
}

TEST_CASE("whoever removes a lock and lets go never leaves two that hold it") {
  const Scratch scratch;
  REQUIRE(open_disk(scratch / "kv"));
  std::atomic<int> holders = 0, most = 0, taken = 0;
  const auto comes_and_goes = [&] {
    for (int i = 0; i < 1000; ++i) {
      const auto disk = *open_disk(scratch / "kv");
      if (!disk->lock()) continue;
      const int now = ++holders;
      for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {
      }
      ++taken;
      std::this_thread::yield();
      --holders;
      static_cast<void>(disk->remove("lock"));
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(comes_and_goes);
  }
  CHECK(taken > 0);
  CHECK(most == 1);
}

TEST_CASE("one whose lock was removed under it takes it anew, and writes nothing while another has it") {
  const Quiet quiet;
  const Scratch scratch;
  const auto first = open_at(scratch / "kv");
  const auto places = first->write(records(1, 2));
  REQUIRE(places);
  fs::remove(scratch / "kv/lock");
  REQUIRE(first->write(records(10, 1)));
  CHECK(first->begun_anew() == 0);  // nothing else is gone
  CHECK(open_at(scratch / "kv")->read_only());
  fs::remove(scratch / "kv/lock");
  {
    const auto second = open_at(scratch / "kv");
    CHECK(!second->read_only());
    CHECK(first->write(records(20, 1)).error().kind == ErrorKind::Forbidden);
    CHECK(!first->save_index({}));
    first->drop(*places);
    CHECK(readable(*second, second->take_entries()) == std::vector<std::uint64_t>{1, 2, 10});
    CHECK(first->read(record(1).meta.key, places->front()));
  }
  CHECK(first->write(records(30, 1)));
  CHECK(readable(*first, open_at(scratch / "kv")->take_entries()) == std::vector<std::uint64_t>{1, 2, 10, 30});
}

TEST_CASE("a folder that was removed while it was open is made anew by who writes, and for who reads is not there") {
  const Quiet quiet;
  const Scratch scratch;
  Digest secret;
  {
    const auto store = open_at(scratch / "kv");
    secret = store->secret();
    const auto places = store->write(records(1, 2));
    REQUIRE(places);
    fs::remove_all(scratch / "kv");
    CHECK(store->read(record(1).meta.key, places->front()).error().kind == ErrorKind::NotFound);
    store->drop(*places);
    CHECK(!fs::exists(scratch / "kv"));
    CHECK(store->begun_anew() == 0);
    REQUIRE(store->write(records(5, 2)));
    CHECK(store->begun_anew() == 1);
    CHECK(!store->has_extent(places->front().extent));
    CHECK(store->read(record(1).meta.key, places->front()).error().kind == ErrorKind::NotFound);
    CHECK(store->save_index(open_at(scratch / "kv", Access::ReadOnly)->take_entries()));
    CHECK(open_at(scratch / "kv")->read_only());  // the lock is held there, too
    CHECK((fs::status(scratch / "kv").permissions() & fs::perms::all) == fs::perms::owner_all);
  }
  const auto store = open_at(scratch / "kv");
  CHECK(store->secret() == secret);
  CHECK(readable(*store, store->take_entries()) == std::vector<std::uint64_t>{5, 6});
}

TEST_CASE(
    "where a removed folder cannot be made anew nothing is written, and another's folder of that name stays its own") {
  const Quiet quiet;
  const Scratch scratch;
  const auto store = open_at(scratch / "kv");
  REQUIRE(store->write(records(8, 1)));  // whose file the other's, named from the same seed, will be called like
  const auto places = store->write(records(1, 1));
  REQUIRE(places);
  fs::remove_all(scratch / "kv");
  std::ofstream(scratch / "kv") << "a file";
  CHECK(!store->write(records(1, 1)));
  fs::remove(scratch / "kv");
  Digest secret;
  {
    const auto other = open_at(scratch / "kv");  // it has the lock now
    secret = other->secret();
    REQUIRE(other->write(records(2, 1)));
    CHECK(!store->write(records(3, 1)));
    CHECK(!store->save_index({}));
    CHECK(readable(*other, open_at(scratch / "kv")->take_entries()) == std::vector<std::uint64_t>{2});
  }
  CHECK(store->write(records(3, 1)));  // once the other has ended
  CHECK(store->begun_anew() == 1);
  CHECK(!store->has_extent(places->front().extent));
  const auto reader = open_at(scratch / "kv");
  CHECK(reader->secret() == secret);
  CHECK(readable(*reader, reader->take_entries()) == std::vector<std::uint64_t>{2, 3});
}

TEST_CASE("files that somebody removes with the lock, and not the folder, do not pass for kept either") {
  const Quiet quiet;
  const Scratch scratch;
  const auto store = open_at(scratch / "kv");
  const auto places = store->write(records(1, 1));
  REQUIRE(places);
  for (const auto& file : fs::directory_iterator(scratch / "kv")) fs::remove(file.path());
  REQUIRE(store->write(records(3, 1)));
  CHECK(store->begun_anew() == 1);
  CHECK(!store->has_extent(places->front().extent));
}

TEST_CASE("a planted link is neither read nor written through, nor is a file that others may write") {
  const Quiet quiet;
  const Scratch scratch;
  const std::string folder = scratch / "kv";
  std::string extent;
  {
    const auto store = open_at(folder);
    REQUIRE(store->write(records(1, 1)));
    for (const auto& file : fs::directory_iterator(folder))
      if (file.path().extension() == ".kv") extent = file.path().string();
  }
  const std::string victim = scratch / "victim";
  std::ofstream(victim) << "precious";
  SUBCASE("an extent behind a link") {
    fs::rename(extent, scratch / "moved");
    fs::create_symlink(scratch / "moved", extent);
    CHECK(open_at(folder)->take_entries().empty());
  }
  SUBCASE("an extent that others may write") {
    fs::permissions(extent, fs::perms::others_write, fs::perm_options::add);
    CHECK(open_at(folder)->take_entries().empty());
  }
  SUBCASE("a pipe in its place") {
    fs::remove(extent);
    REQUIRE(::mkfifo(extent.c_str(), 0600) == 0);
    CHECK(open_at(folder)->take_entries().empty());
  }
  SUBCASE("links where files will be made") {
    fs::remove(folder + "/secret");
    for (const char* name : {"index.tmp", "index.bin", "secret.tmp", "secret"}) {
      fs::remove(folder + "/" + name);
      fs::create_symlink(victim, folder + "/" + name);
    }
    fs::create_symlink(victim, folder + "/" + extent_name(mix_u64(7, 0)) + ".tmp");
    const auto store = open_at(folder);
    REQUIRE(!store->read_only());
    CHECK(!store->write(records(5, 1)));
    CHECK(store->save_index({}));
  }
  SUBCASE("the folder itself") {
    fs::create_directory_symlink(folder, scratch / "link");
    CHECK(!open_disk(scratch / "link"));
  }
  SUBCASE("a folder that others may write") {
    fs::permissions(folder, fs::perms::others_all, fs::perm_options::add);
    CHECK(open_disk(folder).error().kind == ErrorKind::Forbidden);
  }
  std::string kept;
  std::ifstream(victim) >> kept;
  CHECK(kept == "precious");
}

TEST_CASE("what takes a file's place while the store is open is not read, not waited for, and costs that file alone") {
  const Quiet quiet;
  const Scratch scratch;
  const std::string folder = scratch / "kv";
  std::vector<Place> places;
  {
    const auto writer = open_at(folder);
    for (std::uint64_t i = 1; i <= 2; ++i) places.push_back(writer->write(records(i, 1))->front());
    auto reader = open_at(folder, Access::ReadOnly);
    REQUIRE(writer->save_index(reader->take_entries()));
  }
  const auto store = *Store::open(*open_disk(folder), {});  // believes its index, and has opened neither
  REQUIRE(!store->counts().index_rebuilt);
  const std::string extent = folder + "/" + extent_name(places[0].extent);
  ErrorKind expected = ErrorKind::Forbidden;
  SUBCASE("a pipe") {
    fs::remove(extent);
    REQUIRE(::mkfifo(extent.c_str(), 0600) == 0);
  }
  SUBCASE("a folder") {
    fs::remove(extent);
    fs::create_directory(extent);
  }
  SUBCASE("a link to the very file") {
    fs::rename(extent, scratch / "moved");
    fs::create_symlink(scratch / "moved", extent);
  }
  SUBCASE("nothing") {
    fs::remove(extent);
    expected = ErrorKind::NotFound;
  }
  SUBCASE("less of it") {
    fs::resize_file(extent, 200);
    expected = ErrorKind::InvalidInput;
  }
  SUBCASE("another extent") {
    fs::copy_file(folder + "/" + extent_name(places[1].extent), extent, fs::copy_options::overwrite_existing);
    expected = ErrorKind::InvalidInput;
  }
  CHECK(store->read(record(1).meta.key, places[0]).error().kind == expected);
  CHECK(**store->read(record(2).meta.key, places[1]) == *record(2).bytes);
  CHECK(store->write(records(5, 1)));
}

TEST_CASE("folders where files will be made cost what these would have held, with one line of log for each") {
  const Scratch scratch;
  const std::string folder = scratch / "kv";
  REQUIRE(open_disk(folder));
  const hearth::testing::LogLines log;
  SUBCASE("index and secret") {
    for (const char* name : {"index.bin", "secret"}) fs::create_directory(folder + "/" + name);
    const auto store = open_at(folder);
    CHECK(!store->read_only());
    REQUIRE(log.all().size() == 1);
    CHECK(log.all()[0].contains("what keyed callers compute is not found again after a restart"));
    CHECK(!store->save_index({}));
    CHECK(store->write(records(1, 1)));
    for (const char* name : {"index.tmp", "secret.tmp"}) CHECK(!fs::exists(folder + "/" + name));
  }
  SUBCASE("the lock") {
    fs::create_directory(folder + "/lock");
    CHECK(open_at(folder)->read_only());
    CHECK(log.all().empty());  // the tier says it
  }
}

TEST_CASE("a folder that cannot be made or read is an error in words") {
  const Scratch scratch;
  std::ofstream(scratch / "file") << "x";
  CHECK(!open_disk(scratch / "file"));
  CHECK(!open_disk(scratch / "file/below"));
  CHECK(!open_disk("/proc/hearth-cannot"));
}

TEST_CASE("where folders need no sync their names are as good as synced") {
  // Linux's folders of processes refuse it, and are their process's owner's.
  const auto disk = open_disk(std::format("/proc/{}", ::getpid()));
  if (!disk) return;
  CHECK((*disk)->sync_names());
}

TEST_CASE("of files that were put aside the oldest leaves first") {
  const Scratch scratch;
  const std::string folder = scratch / "kv";
  REQUIRE(open_disk(folder));
  for (std::uint64_t id = 1; id <= 3; ++id) {
    const std::string file = folder + "/" + extent_name(id) + ".bad";
    std::ofstream(file) << std::string(100'000, 'x');
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(id == 2 ? 1 : 9));
  }
  REQUIRE(Store::open(*open_disk(folder), {.bad_bytes_max = 150'000}));
  CHECK(fs::exists(folder + "/" + extent_name(2) + ".bad"));
  CHECK(!fs::exists(folder + "/" + extent_name(1) + ".bad"));
  CHECK(!fs::exists(folder + "/" + extent_name(3) + ".bad"));
}

// A cache folder with models' folders of 200 KB each.
struct Models {
  static std::string name(char digit) { return std::string(32, digit); }
  [[nodiscard]] std::string path(char digit) const { return scratch / ("kv/" + name(digit)); }
  std::unique_ptr<Store> fill(char digit) const {
    auto folder = open_model_folder(scratch / "", name(digit));
    REQUIRE(folder);
    auto store = open(std::move(folder->disk));
    REQUIRE(store->write(records(1, 1, 200'001)));
    return store;
  }
  void used_days_ago(char digit, int days) const {
    fs::last_write_time(path(digit), fs::file_time_type::clock::now() - std::chrono::hours(24 * days + 1));
  }
  [[nodiscard]] std::uint64_t room(char digit, std::uint64_t budget, const Shrink& shrink = {}) const {
    return make_room_beside(scratch / "kv", name(digit), budget, shrink);
  }

  const Scratch scratch;
};

TEST_CASE("of the models' folders the one that was not used for a week leaves, unless a process has it open") {
  const Quiet quiet;
  const Models models;
  static_cast<void>(models.fill('a'));
  std::ofstream(models.path('a') + "/notes.txt") << "mine";  // nothing that the cache has made
  const auto open_one = models.fill('b');
  static_cast<void>(models.fill('c'));
  models.used_days_ago('a', 8);
  models.used_days_ago('b', 9);
  auto mine = open_model_folder(models.scratch / "", Models::name('d'));
  REQUIRE(mine);
  CHECK(mine->all_bytes > 600'000);
  const std::uint64_t left = models.room('d', 1'000'000);
  CHECK(std::distance(fs::directory_iterator(models.path('a')), {}) == 1);
  CHECK(fs::exists(models.path('a') + "/notes.txt"));
  CHECK(fs::exists(models.path('b')));
  CHECK(fs::exists(models.path('c')));
  CHECK(left < 620'000);
  CHECK(left > 250'000);
}

TEST_CASE("a model that was used in the last days loses nothing by another's start, and later what is too much") {
  const Quiet quiet;
  const Models models;
  for (const char digit : {'a', 'b', 'c'}) static_cast<void>(models.fill(digit));
  models.used_days_ago('a', 2);
  models.used_days_ago('b', 6);
  const auto before = fs::last_write_time(models.path('b'));
  REQUIRE(open_model_folder(models.scratch / "", Models::name('d')));
  CHECK(models.room('d', 600'000) == 150'000);
  std::string shrunk;
  std::uint64_t keeps = 0;
  const auto shrink = [&](const std::string& path, std::uint64_t bytes) {
    shrunk = path;
    keeps = bytes;
    std::ofstream(path + "/changed") << "x";
  };
  CHECK(models.room('d', 600'000, shrink) == 150'000);
  CHECK(shrunk == models.path('b'));
  CHECK(keeps > 90'000);
  CHECK(keeps < 110'000);
  CHECK(fs::last_write_time(models.path('b')) == before);
  for (const char digit : {'a', 'b', 'c'}) CHECK(allocated_bytes(models.path(digit)) > 200'000);
}

TEST_CASE("models that are loaded at once have the budget in common") {
  const Quiet quiet;
  const Models models;
  std::vector<std::unique_ptr<Store>> loaded;
  for (const char digit : {'a', 'b', 'c', 'd', 'e'}) loaded.push_back(models.fill(digit));
  const Shrink never = [](const std::string&, std::uint64_t) { CHECK(false); };
  CHECK(models.room('a', 500'000, never) == 100'000);
  const std::uint64_t plenty = models.room('a', 2'000'000, never);
  CHECK(plenty > 1'100'000);
  CHECK(plenty < 1'200'000);
}

// The long form: `make check` asks for it, as for its many crashes.
TEST_CASE("a folder with more files than a listing shows is a cache all the same, and leaves no descriptor open") {
  if (std::getenv("HEARTH_CRASH_POINTS") == nullptr) return;
  const Scratch scratch;
  const std::string folder = scratch / "kv";
  {
    const auto store = open_at(folder);
    REQUIRE(store->write(records(1, 1)));
  }
  for (int i = 0; i < 66'000; ++i) {
    const std::string name = folder + "/" + std::to_string(i);
    const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(file >= 0);
    ::close(file);
  }
  const auto disk = *open_disk(folder);
  const int before = ::dup(0);
  ::close(before);
  CHECK(disk->list()->size() == 65'536);
  const int after = ::dup(0);
  ::close(after);
  CHECK(before == after);
  CHECK(!open_at(folder)->read_only());
}

}  // namespace
}  // namespace hearth::store
