// The flags of `hearth serve`, and what they become: the hall's options and the engine's command line. Flags that mean
// what llama-server's mean have its names, the short ones too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "cli/cli.h"
#include "server/served_models.h"
#include "server/server.h"

namespace hearth::cli {

struct ServeOptions {
  std::vector<std::string> models;  // none given: the built-in one is put here when serving begins
  bool builtin_model = false;
  std::vector<std::string> aliases;  // in the order of the models
  std::string host = "127.0.0.1";
  int port = kDefaultPort;
  std::string api_key;
  std::string api_key_file;
  bool share_cache = false;
  std::vector<std::string> allowed_hosts;
  std::vector<std::string> allowed_origins;
  std::string cache_dir;               // empty: the user's cache folder; "none": nothing is kept on disk
  std::vector<std::string> rules_off;  // of the canonicalizer, by name
  bool tools_first = false;
  std::vector<std::string> dialects;  // in the order of the models; "auto" or missing: chosen by the template
  std::string log_level = "info";
  std::int64_t stall_s = 600;                 // the longest step of a large model on a slow machine is under that
  std::int64_t drain_s = 30;                  // a service manager kills after 90 s; most answers end before
  std::vector<std::string> keep_alives;       // in the order of the models; one alone is for all
  std::size_t waiting_max = 256;              // jobs of a model that may wait
  std::vector<std::string> engine_arguments;  // everything but the model
};

// Puts the flags on `command`; the values are read into `options`, which outlives the parse.
void add_serve_flags(CLI::App& command, ServeOptions& options);

// llama-server's short flags of several letters ("-ngl") as the long ones the command line library can read.
[[nodiscard]] std::vector<std::string> with_long_flags(std::vector<std::string> arguments);

// --canonicalize-off and --tools-first, for commands that make prompts.
void add_prompt_flags(CLI::App& command, std::vector<std::string>& rules_off, bool& tools_first);
[[nodiscard]] Result<server::PromptSettings> prompt_settings(const std::vector<std::string>& rules_off,
                                                             bool tools_first);

// Of the model at that index; nullptr: its template says. REQUIRES: flags that were read.
[[nodiscard]] const chat::Dialect* chosen_dialect(const ServeOptions& options, std::size_t model_index);

[[nodiscard]] Result<server::ServerOptions> server_options(const ServeOptions& options);
// Where things are kept that outlive the server; empty: nowhere.
[[nodiscard]] std::string cache_folder(const ServeOptions& options);
// How long the model at that index is kept loaded without use; -1 = for ever. REQUIRES: flags that were read.
[[nodiscard]] std::int64_t keep_alive_ms(const ServeOptions& options, std::size_t model_index);
// "30m", "90s", "2h", "45" (seconds), "0", "-1" and "never".
[[nodiscard]] std::optional<std::int64_t> duration_ms(std::string_view text);
[[nodiscard]] LogLevel log_level_named(const std::string& name);
// "models/Qwen3-4B-Q4_K_M-00001-of-00002.gguf" -> "Qwen3-4B-Q4_K_M".
[[nodiscard]] std::string model_id_of_path(const std::string& path);

}  // namespace hearth::cli
