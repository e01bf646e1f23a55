// Bad model files: each a clear Error, and no bytes whatever end the process in our own reader.
#include "engine/gguf_probe.h"

#include <doctest/doctest.h>
#include <gguf.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "base/file.h"
#include "base/random.h"
#include "engine/llama_engine.h"
#include "tiny_models.h"

namespace hearth::engine {
namespace {

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / random_id("hearth-probe-")) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }
  [[nodiscard]] std::string at(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::string tiny_bytes() {
  const auto path = tiny_models::path(tiny_models::Kind::Attention);
  REQUIRE(path);
  auto bytes = read_file(*path, 64U << 20U);
  REQUIRE(bytes);
  return std::move(*bytes);
}

// The tiny model's metadata after `change`, with no tensors.
std::string changed_metadata(const Folder& folder, const std::function<void(gguf_context*)>& change) {
  gguf_context* gguf = gguf_init_empty();
  tiny_models::set_metadata(gguf, {});
  change(gguf);
  const std::string path = folder.at("changed.gguf");
  CHECK(gguf_write_to_file(gguf, path.c_str(), true));
  gguf_free(gguf);
  return path;
}

Error refused(const std::string& path) {
  EngineOptions options;
  options.model_path = path;
  options.context_tokens = 512;
  options.threads = 1;
  const auto engine = load_llama_engine(options, nullptr);
  REQUIRE(!engine);
  return engine.error();
}

void check_says(const Error& error, ErrorKind kind, const std::string& word) {
  CHECK(error.kind == kind);
  CHECK_MESSAGE(error.message.find(word) != std::string::npos, error.message);
}

}  // namespace

TEST_CASE("a good header is read as it is") {
  const auto path = tiny_models::path(tiny_models::Kind::Window);
  REQUIRE(path);
  const auto header = probe_gguf(*path);
  REQUIRE(header);
  CHECK(header->architecture == "gemma3");
  CHECK(header->number("context_length", 0) == 131072);
  CHECK(header->number("no_such_key", 7) == 7);
  CHECK(header->texts.at("general.name") == "Hearth tiny window");
  CHECK(header->array_counts.at("tokenizer.ggml.tokens") > 2000);
  CHECK(header->tensor_count > 20);
  CHECK(header->tensor_bytes < header->file_bytes);
}

TEST_CASE("files that are no model are refused with the next step") {
  const Folder folder;
  check_says(refused(folder.at("missing.gguf")), ErrorKind::NotFound, "check the path");
  check_says(refused(folder.at("")), ErrorKind::InvalidInput, "folder");
  check_says(refused(folder.write("empty.gguf", "")), ErrorKind::InvalidInput, "no GGUF");
  check_says(refused(folder.write("page.gguf", "<!DOCTYPE html><html>Not found</html>")), ErrorKind::InvalidInput,
             "no GGUF");
  check_says(refused(folder.write("magic.gguf", "GGUF")), ErrorKind::InvalidInput, "broken");
  std::string bytes = tiny_bytes();
  bytes[4] = 1;
  check_says(refused(folder.write("old.gguf", bytes)), ErrorKind::InvalidInput, "version 1");
  bytes = tiny_bytes();
  check_says(refused(folder.write("half.gguf", bytes.substr(0, bytes.size() / 2))), ErrorKind::InvalidInput,
             "finish the download");
  check_says(refused(folder.write("header.gguf", bytes.substr(0, 2000))), ErrorKind::InvalidInput, "broken");
  check_says(refused(folder.write("one.gguf", bytes.substr(0, bytes.size() - 1))), ErrorKind::InvalidInput, "cut off");
}

TEST_CASE("files that hold something else than a text model are refused with the next step") {
  const Folder folder;
  const auto with = [&](const std::function<void(gguf_context*)>& change) {
    return refused(changed_metadata(folder, change));
  };
  check_says(with([](gguf_context*) {}), ErrorKind::InvalidInput, "no weights");
  check_says(with([](gguf_context* to) { gguf_remove_key(to, "general.architecture"); }), ErrorKind::InvalidInput,
             "architecture");
  check_says(with([](gguf_context* to) { gguf_set_val_str(to, "general.type", "mmproj"); }), ErrorKind::InvalidInput,
             "image part");
  check_says(with([](gguf_context* to) { gguf_set_val_str(to, "general.type", "adapter"); }), ErrorKind::InvalidInput,
             "base model");
  check_says(with([](gguf_context* to) { gguf_set_val_u32(to, "split.count", 3); }), ErrorKind::InvalidInput,
             "00001-of-00003");
  std::filesystem::rename(folder.at("changed.gguf"), folder.at("m-00001-of-00003.gguf"));
  check_says(refused(folder.at("m-00001-of-00003.gguf")), ErrorKind::NotFound, "m-00002-of-00003.gguf");
}

TEST_CASE("an architecture the library does not know, and an embedding model, are named") {
  const Folder folder;
  std::string bytes = tiny_bytes();
  const std::size_t at = bytes.find("qwen3");
  REQUIRE(at != std::string::npos);
  bytes.replace(at, 5, "qwen9");
  check_says(refused(folder.write("new.gguf", bytes)), ErrorKind::InvalidInput, "does not know the architecture");

  gguf_context* gguf = gguf_init_empty();
  ggml_context* tensors = ggml_init({.mem_size = 1U << 20U, .mem_buffer = nullptr, .no_alloc = false});
  gguf_set_val_str(gguf, "general.architecture", "bert");
  gguf_set_val_bool(gguf, "bert.attention.causal", false);
  ggml_tensor* tensor = ggml_new_tensor_1d(tensors, GGML_TYPE_F32, 32);
  ggml_set_name(tensor, "token_embd.weight");
  gguf_add_tensor(gguf, tensor);
  CHECK(gguf_write_to_file(gguf, folder.at("bert.gguf").c_str(), false));
  ggml_free(tensors);
  gguf_free(gguf);
  check_says(refused(folder.at("bert.gguf")), ErrorKind::InvalidInput, "embedding");
}

TEST_CASE("a vocabulary that names a token twice is refused before libllama asserts on it") {
  const Folder folder;
  std::string bytes = tiny_bytes();
  bytes[bytes.find("\xC4\x82") + 1] = '\x81';  // byte 2's letter becomes byte 1's
  check_says(refused(folder.write("twice.gguf", bytes)), ErrorKind::InvalidInput, "tokenizer.ggml.tokens");
}

TEST_CASE("a model whose tensors do not match its metadata is refused in libllama's words") {
  const Folder folder;
  std::string bytes = tiny_bytes();
  const std::size_t at = bytes.find("blk.1.attn_q.weight");
  REQUIRE(at != std::string::npos);
  bytes[at] = 'x';
  check_says(refused(folder.write("hole.gguf", bytes)), ErrorKind::InvalidInput, "blk.1.attn_q.weight");
}

namespace {

enum class Ending { Clean, Crashed };

// What loading these bytes does to a process of its own.
Ending load_in_child(const std::string& path) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(30);
    EngineOptions options;
    options.model_path = path;
    options.context_tokens = 512;
    options.threads = 1;
    std::fclose(stderr);  // the words of an abort
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE})
      std::signal(signal, SIG_DFL);  // the test framework has its own
    {
      const auto engine = load_llama_engine(options, nullptr);
      if (!engine && engine.error().message.empty()) ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? Ending::Clean : Ending::Crashed;
}

}  // namespace

TEST_CASE("the sizes that a header names are said, and no others") {
  GgufHeader header{.architecture = "x"};
  CHECK(shape_of(header).empty());
  header.numbers = {{"x.block_count", 28},   {"x.attention.head_count", 16}, {"x.attention.head_count_kv", 8},
                    {"x.expert_count", 128}, {"x.expert_used_count", 8},     {"x.embedding_length", -1}};
  CHECK(shape_of(header) == "28 layers, 16 heads (8 of keys and values), 128 experts (8 used)");
}

TEST_CASE("broken bytes end in an error or a model, hardly ever in a crash of the engine's process") {
  const Folder folder;
  const std::string good = tiny_bytes();
  const char* wanted = std::getenv("HEARTH_FUZZ_CASES");
  const int cases = wanted != nullptr ? std::atoi(wanted) : 120;
  int crashed = 0;
  for (int i = 0; i < cases; ++i) {
    CAPTURE(i);
    const auto random = [i](std::uint64_t counter, std::uint64_t below) {
      return mix_u64(static_cast<std::uint64_t>(i), counter) % below;
    };
    std::string bytes = good;
    if (i % 4 == 0) {
      bytes.resize(random(0, bytes.size()));
    } else {
      // The numbers of the architecture sit in the first kilobyte, words and tensor descriptions behind it.
      const std::uint64_t reach = i % 4 == 1 ? 1200 : i % 4 == 2 ? 90000 : bytes.size();
      for (std::uint64_t flip = 0; flip <= random(1, 4); ++flip)
        bytes[random(2 + 2 * flip, reach)] = static_cast<char>(random(3 + 2 * flip, 256));
    }
    const std::string path = folder.write("fuzz.gguf", bytes);
    const auto header = probe_gguf(path);
    if (i % 4 == 0) CHECK(!header);
    if (!header) {
      CHECK(!header.error().message.empty());
      continue;
    }
    if (load_in_child(path) == Ending::Crashed) {
      ++crashed;
      MESSAGE("case ", i, " ended the process");
    }
  }
  // libllama asserts on some metadata (that is why the engine is a process of its own); the probe must catch most.
  MESSAGE(crashed, " of ", cases, " broken files ended the process inside libllama");
  CHECK(crashed * 20 <= cases);
}

}  // namespace hearth::engine
