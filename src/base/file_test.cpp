// Whole small files: bounds, kinds of failure, and that a write replaces everything or nothing.
#include "base/file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/random.h"

namespace hearth {
namespace {

// A folder of its own for one test, removed with it.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / random_id("hearth-file-test-")) {
    std::filesystem::create_directory(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] long count() const {
    return std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator{});
  }

 private:
  std::filesystem::path path_;
};

constexpr std::size_t kMax = 1024 * 1024;

std::vector<mode_t> synced;  // the kinds of what was

}  // namespace

// In this program every sync is this one.
extern "C" int fsync(int file) {
  struct stat about{};
  if (::fstat(file, &about) == 0) synced.push_back(about.st_mode & S_IFMT);
  return 0;
}

TEST_CASE("what was written is read back, NUL bytes and all") {
  const Folder folder;
  const std::string bytes("a\0b\xFF\n", 5);
  REQUIRE(write_file_atomically(folder.file("f"), bytes));
  CHECK_EQ(read_file(folder.file("f"), kMax).value(), bytes);
}

TEST_CASE("an empty file is empty, not an error") {
  const Folder folder;
  REQUIRE(write_file_atomically(folder.file("f"), ""));
  CHECK_EQ(read_file(folder.file("f"), 0).value(), "");
}

TEST_CASE("a file larger than one read is whole") {
  const Folder folder;
  std::string bytes(300'000, 'x');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i % 251);
  REQUIRE(write_file_atomically(folder.file("f"), bytes));
  CHECK_EQ(read_file(folder.file("f"), kMax).value(), bytes);
}

TEST_CASE("the bound is inclusive, and one byte more is TooLarge") {
  const Folder folder;
  REQUIRE(write_file_atomically(folder.file("f"), "12345"));
  CHECK(read_file(folder.file("f"), 5));
  CHECK_EQ(read_file(folder.file("f"), 4).error().kind, ErrorKind::TooLarge);
}

TEST_CASE("an endless file is refused at the bound") {
  CHECK_EQ(read_file("/dev/zero", 100'000).error().kind, ErrorKind::TooLarge);
}

TEST_CASE("a missing file is NotFound and the message names it") {
  const Folder folder;
  const Result<std::string> read = read_file(folder.file("absent"), kMax);
  CHECK_EQ(read.error().kind, ErrorKind::NotFound);
  CHECK(read.error().message.contains("absent"));
}

TEST_CASE("a folder is no file") {
  const Folder folder;
  CHECK_EQ(read_file(folder.file(""), kMax).error().kind, ErrorKind::Io);
}

TEST_CASE("a write into a missing folder fails and makes nothing") {
  const Folder folder;
  CHECK_EQ(write_file_atomically(folder.file("no/f"), "x").error().kind, ErrorKind::NotFound);
  CHECK_EQ(folder.count(), 0);
}

TEST_CASE("a write that cannot replace leaves the old and no temporary file") {
  const Folder folder;
  std::filesystem::create_directories(folder.file("busy/inside"));
  CHECK_FALSE(write_file_atomically(folder.file("busy"), "x"));
  CHECK_EQ(folder.count(), 1);
}

TEST_CASE("a second write replaces all of the first and leaves one file") {
  const Folder folder;
  REQUIRE(write_file_atomically(folder.file("f"), "a long first text"));
  REQUIRE(write_file_atomically(folder.file("f"), "short"));
  CHECK_EQ(read_file(folder.file("f"), kMax).value(), "short");
  CHECK_EQ(folder.count(), 1);
}

TEST_CASE("only the owner may read what was written") {
  const Folder folder;
  REQUIRE(write_file_atomically(folder.file("f"), "secret"));
  struct stat status{};
  REQUIRE_EQ(::stat(folder.file("f").c_str(), &status), 0);
  CHECK_EQ(status.st_mode & 0777U, 0600U);
}

TEST_CASE("a file that was written outlives a loss of power: it is synced, and then its folder's entry of it") {
  const Folder folder;
  synced.clear();
  REQUIRE(write_file_atomically(folder.file("f"), "x"));
  CHECK(synced == std::vector<mode_t>{S_IFREG, S_IFDIR});
  synced.clear();
  REQUIRE(sync_folder(folder.file(".")));
  CHECK(synced == std::vector<mode_t>{S_IFDIR});
  CHECK_EQ(sync_folder(folder.file("absent")).error().kind, ErrorKind::NotFound);
}

}  // namespace hearth
