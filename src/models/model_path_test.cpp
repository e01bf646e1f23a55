// Real files in a folder of its own.
#include "models/model_path.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/test_folder.h"

namespace hearth::models {
namespace {

class Folder {
 public:
  std::string operator/(const std::string& name) const { return folder_.path() + "/" + name; }
  void write(const std::string& name, std::string_view bytes) const { std::ofstream(*this / name) << bytes; }
  Error error_of(const std::string& name) const {
    const auto checked = check_model_path(*this / name);
    REQUIRE_FALSE(checked);
    return checked.error();
  }

 private:
  const hearth::testing::TestFolder folder_;
};

TEST_CASE("a GGUF file, a first part and a fake script pass") {
  const Folder folder;
  folder.write("model.gguf", "GGUF....");
  folder.write("big-00001-of-00002.gguf", "GGUF....");
  CHECK(check_model_path(folder / "model.gguf"));
  CHECK(check_model_path(folder / "big-00001-of-00002.gguf"));
  CHECK(check_model_path("fake:script.json"));
}

TEST_CASE("a missing file suggests what the folder has under a similar name") {
  const Folder folder;
  folder.write("Qwen3-4B-Q4_K_M.gguf", "GGUF");
  folder.write("Llama-3.gguf", "GGUF");
  const Error typo = folder.error_of("qwen3-4b-q4km.gguf");
  CHECK(typo.kind == ErrorKind::NotFound);
  CHECK(typo.message.contains("Qwen3-4B-Q4_K_M.gguf"));
  CHECK_FALSE(typo.message.contains("Llama"));
  CHECK(folder.error_of("qwen3").message.contains("Qwen3-4B-Q4_K_M.gguf"));
  CHECK_FALSE(folder.error_of("something-else-entirely.gguf").message.contains("Qwen3"));
}

TEST_CASE("a missing folder is named") {
  const Folder folder;
  CHECK(folder.error_of("nowhere/model.gguf").message.contains("no folder"));
}

TEST_CASE("a folder lists its models, each split model once") {
  const Folder folder;
  std::filesystem::create_directory(folder / "models");
  CHECK(folder.error_of("models").message.contains("without a .gguf"));
  for (const char* name :
       {"models/b-00001-of-00002.gguf", "models/b-00002-of-00002.gguf", "models/a.gguf", "models/notes.txt"})
    folder.write(name, "GGUF");
  const Error error = folder.error_of("models");
  CHECK(error.kind == ErrorKind::InvalidInput);
  CHECK(error.message.ends_with("a.gguf, b-00001-of-00002.gguf"));
}

TEST_CASE("a long list is cut") {
  const Folder folder;
  std::filesystem::create_directory(folder / "models");
  for (int index = 0; index < 9; ++index) folder.write("models/m" + std::to_string(index) + ".gguf", "GGUF");
  CHECK(folder.error_of("models").message.ends_with("m4.gguf and 4 more"));
}

TEST_CASE("a later part of a split model names the first") {
  const Folder folder;
  folder.write("big-00002-of-00003.gguf", "GGUF");
  CHECK(folder.error_of("big-00002-of-00003.gguf").message.contains(folder / "big-00001-of-00003.gguf"));
}

TEST_CASE("files that are no GGUF are recognised") {
  const Folder folder;
  const std::pair<std::string_view, const char*> cases[] = {
      {"", "empty"},
      {"version https://git-lfs.github.com/spec/v1", "git lfs pull"},
      {"<!DOCTYPE html>", "download it again"},
      {"{\"error\":\"not found\"}", "download it again"},
      {"PK\x03\x04", "PyTorch"},
      {std::string_view("\x10\0\0\0\0\0\0\0{\"a\"", 12), "safetensors"},
      {"lmgg", "GGML"},
      {"GGU", "GGUF format"}};
  for (const auto& [bytes, words] : cases) {
    folder.write("file.gguf", bytes);
    const Error error = folder.error_of("file.gguf");
    CHECK(error.kind == ErrorKind::InvalidInput);
    CHECK_MESSAGE(error.message.contains(words), error.message);
  }
}

TEST_CASE("a pipe is refused without waiting for it") {
  const Folder folder;
  REQUIRE_EQ(::mkfifo((folder / "pipe.gguf").c_str(), 0600), 0);
  CHECK(folder.error_of("pipe.gguf").message.contains("no ordinary file"));
}

TEST_CASE("distance counts letters, whatever their case") {
  CHECK_EQ(name_distance("", ""), 0);
  CHECK_EQ(name_distance("abc", ""), 3);
  CHECK_EQ(name_distance("Kitten", "sitting"), 3);
  CHECK_EQ(name_distance("QWEN", "qwen"), 0);
}

}  // namespace
}  // namespace hearth::models
