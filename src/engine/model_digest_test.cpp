// What tells two models apart.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "engine/model_digest.h"

namespace hearth::engine {
namespace {

class File {
 public:
  explicit File(const std::string& bytes)
      : path_(std::filesystem::temp_directory_path() / random_id("hearth-model-", 12)) {
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~File() { std::filesystem::remove(path_); }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

Digest digest_of(const std::string& bytes, const GgufHeader& header = {}) {
  const File file(bytes);
  const auto digest = model_digest(file.path(), header);
  REQUIRE(digest);
  return *digest;
}

TEST_CASE("a model is known by its bytes, not by its path") {
  const std::string bytes(100'000, 'w');
  CHECK(digest_of(bytes) == digest_of(bytes));
  std::string other = bytes;
  other[77'777] = 'x';
  CHECK(digest_of(other) != digest_of(bytes));
  CHECK(digest_of(bytes + "w") != digest_of(bytes));
}

TEST_CASE("of a large file the head, places all over it and the tensors' ends are looked at") {
  std::string bytes(24U << 20U, 'w');
  const GgufHeader header{.tensors = {{.begin = 20U << 20U, .bytes = 1'000'003}}};
  const Digest whole = digest_of(bytes, header);
  const auto changed_at = [&](std::size_t at) {
    bytes[at] = 'x';
    const Digest digest = digest_of(bytes, header);
    bytes[at] = 'w';
    return digest != whole;
  };
  CHECK(changed_at(5));
  CHECK(changed_at((16U << 20U) - 1));
  CHECK(changed_at((16U << 20U) + 2048 * 100));
  CHECK(changed_at((20U << 20U) + 1'000'002));  // the tensor's last byte
  CHECK(changed_at(20U << 20U));
}

TEST_CASE("a part of a split model that is missing is an error") {
  const File file("x");
  CHECK(!model_digest(file.path() + "-00001-of-00002.gguf", {.split_count = 2}));
}

}  // namespace
}  // namespace hearth::engine
