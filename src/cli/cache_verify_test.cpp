// hearth cache verify over real folders: damage of any kind is named, and one folder's does not hide another's.
#include "cli/cache_verify.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/test_folder.h"
#include "base/test_log.h"
#include "store/posix_disk.h"
#include "store/store.h"

namespace hearth::cli {
namespace {
namespace fs = std::filesystem;

// A cache folder with two models, and one file in each.
struct Cache {
  Cache() {
    for (const char* model : {"first", "second"}) {
      auto disk = store::open_disk(path(model));
      REQUIRE(disk);
      const auto opened = store::Store::open(std::move(*disk), {.id_seed = 7});
      REQUIRE(opened);
      const store::Write record{.meta = {.tokens = {1, 2, 3}}, .bytes = std::make_shared<const store::Bytes>(5000, 1)};
      REQUIRE((*opened)->write(std::span(&record, 1)));
    }
  }
  [[nodiscard]] std::string path(const std::string& model) const { return folder.path() + "/kv/" + model; }
  [[nodiscard]] std::string file(const std::string& model) const {
    for (const auto& one : fs::directory_iterator(path(model)))
      if (one.path().extension() == ".kv") return one.path().string();
    return "";
  }

  const hearth::testing::TestFolder folder;
  const hearth::testing::Quiet quiet;
};

TEST_CASE("a cache that is as it was written is said to be whole") {
  const Cache cache;
  CHECK(verify_cache(cache.folder.path(), true));
}

TEST_CASE("a file that is cut off is damage, and it stays where it is") {
  const Cache cache;
  const std::string file = cache.file("first");
  fs::resize_file(file, fs::file_size(file) - 100);
  const auto done = verify_cache(cache.folder.path(), true);
  REQUIRE(!done);
  CHECK(done.error().kind == ErrorKind::Io);
  CHECK(fs::exists(file));
}

TEST_CASE("a folder that cannot be used is damage too, and the others are read") {
  const Cache cache;
  REQUIRE(::chmod(cache.path("first").c_str(), 0777) == 0);
  const auto done = verify_cache(cache.folder.path(), true);
  REQUIRE(!done);
  CHECK(done.error().message.starts_with("1 "));
  fs::resize_file(cache.file("second"), 10);
  const auto both = verify_cache(cache.folder.path(), true);
  REQUIRE(!both);
  CHECK(both.error().message.starts_with("2 "));
}

}  // namespace
}  // namespace hearth::cli
