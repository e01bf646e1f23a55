// The engine program's command line: every flag, its other names, and what is refused.
#include "engine/options.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace hearth::engine {
namespace {

Result<EngineOptions> parse(std::vector<std::string> arguments) { return parse_options(arguments); }

}  // namespace

TEST_CASE("the cache's RAM is a size, or left to us") {
  const auto parsed = [](const std::string& value) {
    const std::vector<std::string> words{"--model", "m", "--cache-ram", value};
    return parse_options(words);
  };
  CHECK(parsed("8G")->cache_ram_bytes == std::uint64_t{8} << 30);
  CHECK(parsed("512MB")->cache_ram_bytes == std::uint64_t{512} << 20);
  CHECK(parsed("0")->cache_ram_bytes == 0);
  CHECK(parsed("1000")->cache_ram_bytes == 1000);
  CHECK_FALSE(parsed("auto")->cache_ram_bytes);
  const std::vector<std::string> disk{"--model", "m", "--cache-folder", "/a b", "--cache-disk", "50G"};
  CHECK(parse_options(disk)->cache_folder == "/a b");
  CHECK(parse_options(disk)->cache_disk_bytes == std::uint64_t{50} << 30);
  for (const char* wrong : {"", "G", "8X", "-1", "8 G", "99999999T", "1.5G"}) CHECK_FALSE(parsed(wrong));
}

TEST_CASE("a context may grow to --ctx-max, which is not below --ctx") {
  CHECK(parse({"-m", "m"})->context_max_tokens == 0);
  CHECK(parse({"-m", "m", "--ctx", "4096", "--ctx-max", "8192"})->context_max_tokens == 8192);
  CHECK(parse({"-m", "m", "--ctx", "auto", "--ctx-max", "8192"})->context_max_tokens == 8192);
  CHECK_FALSE(parse({"-m", "m", "--ctx", "8192", "--ctx-max", "4096"}));
  CHECK_FALSE(parse({"-m", "m", "--ctx-max", "0"}));
}

TEST_CASE("every flag sets its knob, long, short and with an equals sign") {
  const auto options = parse({"-m",
                              "a b.gguf",
                              "--ctx=32768",
                              "-np",
                              "2",
                              "-b",
                              "1024",
                              "--ubatch-size",
                              "256",
                              "-t",
                              "3",
                              "--threads-batch=4",
                              "-ngl",
                              "12",
                              "-ctk",
                              "q8_0",
                              "--cache-type-v",
                              "f16",
                              "-fa",
                              "auto",
                              "--no-mmap",
                              "--mlock",
                              "--exact",
                              "--no-memory-check",
                              "--vocabulary-only"});
  REQUIRE(options);
  CHECK(options->model_path == "a b.gguf");
  CHECK(options->context_tokens == 32768);
  CHECK(options->parallel_jobs == 2);
  CHECK(options->batch_tokens == 1024);
  CHECK(options->ubatch_tokens == 256);
  CHECK(options->threads == 3);
  CHECK(options->threads_batch == 4);
  CHECK(options->gpu_layers == 12);
  CHECK(options->kv_type_k == KvType::Q8_0);
  CHECK(options->kv_type_v == KvType::F16);
  CHECK(options->flash_attention == FlashAttention::Auto);
  CHECK(!options->mmap);
  CHECK(options->mlock);
  CHECK(options->exact);
  CHECK(!options->check_memory);
  CHECK(options->vocabulary_only);
}

TEST_CASE("auto and all are words for the defaults") {
  const auto options = parse({"--model", "m.gguf", "--ctx", "auto", "--n-gpu-layers", "all"});
  REQUIRE(options);
  CHECK(options->context_tokens == 0);
  CHECK(options->gpu_layers == -1);
  CHECK(options->check_memory);
}

TEST_CASE("a wrong command line is refused by the name of the flag") {
  const auto refused = [](std::vector<std::string> arguments, const std::string& word) {
    const auto options = parse(std::move(arguments));
    REQUIRE(!options);
    CHECK(options.error().kind == ErrorKind::InvalidInput);
    CHECK_MESSAGE(options.error().message.find(word) != std::string::npos, options.error().message);
  };
  refused({}, "--model");
  refused({"--model"}, "--model");
  refused({"--model", "m", "--ctx", "many"}, "--ctx");
  refused({"--model", "m", "--ctx", "-1"}, "--ctx");
  refused({"--model", "m", "--ctx", "4096x"}, "--ctx");
  refused({"--model", "m", "--ctx", "99999999999999999999"}, "--ctx");
  refused({"--model", "m", "--parallel", "0"}, "--parallel");
  refused({"--model", "m", "--batch-size", ""}, "--batch-size");
  refused({"--model", "m", "--cache-type-k", "q3"}, "q8_0");
  refused({"--model", "m", "--flash-attn", "maybe"}, "--flash-attn");
  refused({"--model", "m", "--threads"}, "--threads");
  refused({"--model", "m", "--what", "x"}, "--what");
  refused({"--model", "m", "stray"}, "stray");
  refused({"--model", "m", "--flash-attn", "off", "--cache-type-v", "q8_0"}, "flash attention");
}

}  // namespace hearth::engine
