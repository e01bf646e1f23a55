// The command line of `hearth serve`: what the hall and the engine are told.
#include "cli/serve_options.h"

#include <doctest/doctest.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>

namespace hearth::cli {
namespace {

// The words after `hearth serve`; the exit status of the command line library, 0 when it was understood.
int parse(ServeOptions& options, std::vector<std::string> words) {
  CLI::App app;
  add_serve_flags(app, options);
  words = with_long_flags(std::move(words));
  std::ranges::reverse(words);
  try {
    app.parse(std::move(words));
    return 0;
  } catch (const CLI::ParseError& error) {
    return error.get_exit_code();
  }
}

}  // namespace

TEST_CASE("engine flags are passed on under their long names, llama-server's short ones too") {
  ServeOptions options;
  REQUIRE(parse(options, {"-m", "a.gguf", "-c", "8192", "-ngl", "99", "-ctk", "q8_0", "-fa=off", "-np", "2",
                          "--no-mmap", "-ub", "256"}) == 0);
  const std::vector<std::string> expected = {"--ctx",          "8192", "--parallel",     "2",    "--ubatch-size", "256",
                                             "--n-gpu-layers", "99",   "--cache-type-k", "q8_0", "--flash-attn",  "off",
                                             "--no-mmap"};
  CHECK(options.engine_arguments == expected);
  CHECK(options.models == std::vector<std::string>{"a.gguf"});
}

TEST_CASE("--ctx auto is the engine's own default") {
  ServeOptions options;
  REQUIRE(parse(options, {"-m", "a.gguf", "--ctx", "auto"}) == 0);
  CHECK(options.engine_arguments.empty());
}

TEST_CASE("several models are served, each with its alias") {
  ServeOptions options;
  REQUIRE(parse(options, {"--model", "a.gguf", "--model", "b.gguf", "--alias", "big", "--alias", "small"}) == 0);
  CHECK(options.models.size() == 2);
  CHECK(server_options(options));
  REQUIRE(parse(options, {"--model", "a.gguf", "--alias", "x", "--alias", "y"}) == 0);
  CHECK_FALSE(server_options(options));
}

TEST_CASE("values that make no sense are refused before anything starts") {
  const std::vector<std::vector<std::string>> wrong = {{"-m"},
                                                       {"-m", "a", "--ctx", "many"},
                                                       {"-m", "a", "--ctx", "1"},
                                                       {"-m", "a", "--ctx", "8192x"},
                                                       {"-m", "a", "--port", "70000"},
                                                       {"-m", "a", "--parallel", "0"},
                                                       {"-m", "a", "--cache-type-k", "q3"},
                                                       {"-m", "a", "--log-level", "loud"},
                                                       {"-m", "a", "--no-such-flag"}};
  for (const auto& words : wrong) {
    ServeOptions options;
    CHECK(parse(options, words) != 0);
  }
}

TEST_CASE("the key is read from its file, without the line's end; an empty file is no key") {
  const auto file = std::filesystem::temp_directory_path() / "hearth-serve-options-test-key";
  std::ofstream(file) << "  secret \n";
  ServeOptions options;
  options.models = {"a"};
  options.api_key_file = file.string();
  const auto read = server_options(options);
  REQUIRE(read);
  CHECK(read->access.api_keys == std::vector<std::string>{"secret"});
  std::ofstream(file) << "# ann\nfirst\n\n# bob\r\n  second\r\n";
  const auto several = server_options(options);
  REQUIRE(several);
  CHECK(several->access.api_keys == std::vector<std::string>{"first", "second"});
  CHECK(several->access.cache_sharing == server::CacheSharing::PerKey);
  std::ofstream(file) << "\n";
  CHECK_FALSE(server_options(options));
  std::filesystem::remove(file);
  CHECK_FALSE(server_options(options));
}

TEST_CASE("what outlives the server lies in the user's cache folder, where it was told, or nowhere") {
  ServeOptions options;
  CHECK(cache_folder(options).ends_with("/hearth/serve"));
  options.cache_dir = "/kept/here";
  CHECK(cache_folder(options) == "/kept/here");
  options.cache_dir = "none";
  CHECK(cache_folder(options).empty());
}

TEST_CASE("each model has its own time to stay loaded, and one time alone is for all") {
  ServeOptions options;
  CHECK(keep_alive_ms(options, 0) == 30 * 60'000);
  REQUIRE(parse(options, {"-m", "a", "-m", "b", "--keep-alive", "90s", "--keep-alive", "-1"}) == 0);
  CHECK(keep_alive_ms(options, 0) == 90'000);
  CHECK(keep_alive_ms(options, 1) == -1);
  ServeOptions one;
  REQUIRE(parse(one, {"-m", "a", "-m", "b", "--keep-alive", "2h"}) == 0);
  CHECK(keep_alive_ms(one, 1) == 2 * 3'600'000);
  CHECK(duration_ms("45") == 45'000);
  CHECK(duration_ms("0") == 0);
  CHECK(duration_ms("never") == -1);
  for (const char* wrong : {"", "m", "-2", "1.5h", "5x", "99999999999999999999", "9223372036854775807h"})
    CHECK_FALSE(duration_ms(wrong));
  CHECK(parse(one, {"-m", "a", "--keep-alive", "soon"}) != 0);
}

TEST_CASE("a model's id is its file's name") {
  CHECK(model_id_of_path("/models/Qwen3-4B-Q4_K_M.gguf") == "Qwen3-4B-Q4_K_M");
  CHECK(model_id_of_path("big-00001-of-00003.gguf") == "big");
  CHECK(model_id_of_path("plain") == "plain");
}

TEST_CASE("rules of the canonicalizer are switched off by their names, and an unknown name lists them all") {
  const auto settings = prompt_settings({"billing-header", "old-thinking"}, true);
  REQUIRE(settings);
  CHECK_FALSE(settings->rules.on(chat::CanonicalRule::BillingHeader));
  CHECK_FALSE(settings->rules.on(chat::CanonicalRule::OldThinking));
  CHECK(settings->rules.on(chat::CanonicalRule::BlankText));
  CHECK(settings->head_order == chat::HeadOrder::ToolsFirst);
  CHECK(prompt_settings({}, false)->rules.all_on());
  const auto unknown = prompt_settings({"billing"}, false);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().message.contains("billing-header"));
}

}  // namespace hearth::cli
