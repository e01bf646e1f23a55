// See serve_options.h.
#include "cli/serve_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <ranges>
#include <string_view>
#include <utility>

#include "base/file.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kKeyFileBytesMax = 4096;  // a key is some tens of bytes; a larger file is the wrong one

struct FlagPair {
  std::string_view short_name;
  std::string_view long_name;
};
constexpr std::array<FlagPair, 7> kShortFlags = {{{"-ub", "--ubatch-size"},
                                                  {"-tb", "--threads-batch"},
                                                  {"-ngl", "--n-gpu-layers"},
                                                  {"-ctk", "--cache-type-k"},
                                                  {"-ctv", "--cache-type-v"},
                                                  {"-fa", "--flash-attn"},
                                                  {"-np", "--parallel"}}};

// An engine flag with a value: passed on as it was given, once it is known to be one the engine takes.
void add_engine_value(CLI::App& command, ServeOptions& options, const std::string& names, const std::string& flag,
                      const CLI::Validator& check, const std::string& description) {
  command
      .add_option_function<std::string>(
          names,
          [&options, flag](const std::string& value) {
            options.engine_arguments.push_back(flag);
            options.engine_arguments.push_back(value);
          },
          description)
      ->check(check)
      ->group("Engine");
}

void add_engine_switch(CLI::App& command, ServeOptions& options, const std::string& flag,
                       const std::string& description) {
  command.add_flag_callback(
             flag, [&options, flag] { options.engine_arguments.push_back(flag); }, description)
      ->group("Engine");
}

CLI::Validator context_size() {
  return CLI::Validator(
      [](std::string& value) -> std::string {
        if (value == "auto") return {};
        std::uint32_t tokens = 0;
        const auto read = std::from_chars(value.data(), value.data() + value.size(), tokens);
        const bool whole = read.ec == std::errc{} && read.ptr == value.data() + value.size();
        // 128 holds no conversation; 16M is above every model's training.
        if (whole && tokens >= 128 && tokens <= (16U << 20)) return {};
        return "'" + value + "' is no context size: give auto, or tokens from 128 to 16777216";
      },
      "N|auto");
}

CLI::Validator memory_size() {
  return CLI::Validator(
      [](std::string& value) -> std::string {
        const std::string size = value.ends_with('B') ? value.substr(0, value.size() - 1) : value;
        const auto digits = size.find_first_not_of("0123456789");
        const bool whole =
            digits == std::string::npos || (digits + 1 == size.size() && std::string("KMGT").contains(size[digits]));
        if (value == "auto" || (!size.empty() && digits != 0 && whole)) return {};
        return "'" + value + "' is no size: give 8G, 512M, 0 or auto";
      },
      "SIZE|auto");
}

void add_engine_flags(CLI::App& command, ServeOptions& options) {
  const CLI::IsMember kv_type({"auto", "f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"});
  // The engine's own bounds (engine/options.cpp), so that a slip is said at once and by us.
  const CLI::Range tokens(1, 1 << 16);
  const CLI::Range threads(0, 1024);
  command
      .add_option_function<std::string>(
          "-c,--ctx,--ctx-size",
          [&options](const std::string& value) {
            if (value == "auto") return;  // the engine's own default
            options.engine_arguments.push_back("--ctx");
            options.engine_arguments.push_back(value);
          },
          "Context of one conversation in tokens; auto begins small and grows to the largest that fits (default)")
      ->check(context_size())
      ->group("Engine");
  add_engine_value(command, options, "--ctx-max", "--ctx-max", CLI::Range(128, 16 << 20),
                   "Tokens that the context may grow to; a given --ctx does not grow without it");
  add_engine_value(command, options, "--parallel", "--parallel", CLI::Range(1, 128), "Answers made at once (-np)");
  add_engine_value(command, options, "-b,--batch-size", "--batch-size", tokens, "Tokens of one decode call");
  add_engine_value(command, options, "--ubatch-size", "--ubatch-size", tokens, "Tokens computed at once (-ub)");
  add_engine_value(command, options, "-t,--threads", "--threads", threads, "Threads for answers; 0 = physical cores");
  add_engine_value(command, options, "--threads-batch", "--threads-batch", threads, "Threads for prompts (-tb)");
  add_engine_value(command, options, "--n-gpu-layers,--gpu-layers", "--n-gpu-layers",
                   CLI::Range(-1, 100000) | CLI::IsMember({"all", "auto"}), "Layers on the GPU; -1 = all (-ngl)");
  add_engine_value(command, options, "--cache-type-k", "--cache-type-k", kv_type, "Type of the K cache (-ctk)");
  add_engine_value(command, options, "--cache-type-v", "--cache-type-v", kv_type, "Type of the V cache (-ctv)");
  add_engine_value(command, options, "--cache-ram", "--cache-ram", memory_size(),
                   "RAM for prefixes of conversations that rest: 8G, 512M, 0 = none, auto = half of what is free");
  add_engine_value(
      command, options, "--cache-disk", "--cache-disk", memory_size(),
      "Disk for conversations, in --cache-dir: 50G, 0 = none, auto = a tenth of what is free, at most 20G");
  add_engine_value(command, options, "--flash-attn", "--flash-attn", CLI::IsMember({"on", "off", "auto"}),
                   "Flash attention (-fa)");
  add_engine_switch(
      command, options, "--exact",
      "Answers do not depend on the cache, on other streams or on order, bit for bit; costs a context for each "
      "running job and the speed of decoding together");
  add_engine_switch(command, options, "--no-mmap", "Read the model into memory instead of mapping its file");
  add_engine_switch(command, options, "--mlock", "Keep the model from being swapped out");
  add_engine_switch(command, options, "--no-memory-check", "Load even when it does not seem to fit");
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// One key per line; several people that share a server have one each. Lines that begin with # say whose the next one is.
Result<std::vector<std::string>> read_api_keys(const ServeOptions& options) {
  std::vector<std::string> keys;
  if (options.api_key_file.empty()) {
    if (!options.api_key.empty()) keys.push_back(options.api_key);
    return keys;
  }
  auto text = read_file(options.api_key_file, kKeyFileBytesMax);
  if (!text) return fail(text.error().kind, std::format("--api-key-file: {}", text.error().message));
  for (const auto line : std::views::split(std::string_view(*text), '\n')) {
    const std::string_view key = trimmed(std::string_view(line));
    if (!key.empty() && !key.starts_with('#')) keys.emplace_back(key);
  }
  if (keys.empty()) {
    return fail(ErrorKind::InvalidInput, std::format("--api-key-file {} holds no key", options.api_key_file));
  }
  return keys;
}

}  // namespace

void add_prompt_flags(CLI::App& command, std::vector<std::string>& rules_off, bool& tools_first) {
  // By the names alone: what is wrong is said when the settings are read, with all the names.
  command
      .add_option("--canonicalize-off", rules_off,
                  "Rules that steady prompts from turn to turn and shall not: " + chat::rule_names())
      ->type_name("RULE,...")
      ->delimiter(',')
      ->group("Prompt");
  command
      .add_flag("--tools-first", tools_first,
                "Put the system text behind the tools where the template has it before them: projects then share "
                "the tools' part of the cache")
      ->group("Prompt");
}

Result<server::PromptSettings> prompt_settings(const std::vector<std::string>& rules_off, bool tools_first) {
  server::PromptSettings settings;
  for (const std::string& name : rules_off) {
    const auto rule = chat::rule_named(name);
    if (!rule) {
      return fail(ErrorKind::InvalidInput,
                  std::format("--canonicalize-off: there is no rule {}; the rules are {}", name, chat::rule_names()));
    }
    settings.rules.switch_off(*rule);
  }
  if (tools_first) settings.head_order = chat::HeadOrder::ToolsFirst;
  return settings;
}

const chat::Dialect* chosen_dialect(const ServeOptions& options, std::size_t model_index) {
  if (model_index >= options.dialects.size()) return nullptr;
  return chat::find_dialect(options.dialects[model_index]);
}

namespace {

void add_access_flags(CLI::App& command, ServeOptions& options) {
  command.add_option("--host", options.host, "Address to listen on; others than loopback need an API key")
      ->capture_default_str();
  command.add_option("--port", options.port, "Port to listen on; 0 takes a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command.add_option("--api-key", options.api_key, "Key that clients must send (seen by others in the process list)")
      ->envname("HEARTH_API_KEY");
  command.add_option("--api-key-file", options.api_key_file, "File that holds the key, or several, one per line");
  command.add_flag("--share-cache", options.share_cache,
                   "Let prompts of one key begin with what was computed for another's; otherwise each key has its own");
  command.add_option("--allow-host", options.allowed_hosts, "A further name this server may be called by")
      ->expected(1)
      ->take_all();
  command.add_option("--allow-origin", options.allowed_origins, "An origin whose web pages may use this server")
      ->expected(1)
      ->take_all();
}

}  // namespace

void add_serve_flags(CLI::App& command, ServeOptions& options) {
  command
      .add_option("-m,--model", options.models,
                  "A GGUF file; again for each further model (default: the small built-in one, where installed)")
      ->type_name("FILE")
      ->expected(1)
      ->take_all();
  command
      .add_option("-a,--alias", options.aliases,
                  "The model's id for clients (default: its file's name); one per --model")
      ->expected(1)
      ->take_all();
  add_access_flags(command, options);
  command
      .add_option("--dialect", options.dialects,
                  "How a model writes thoughts and calls; again for each further model (hearth debug dialects lists "
                  "them); auto: as its template says")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->check([](const std::string& name) {
        const bool known = name == "auto" || chat::find_dialect(name) != nullptr;
        return known ? std::string{} : std::format("{} is no dialect; there are {}", name, chat::dialect_names());
      });
  command.add_option(
      "--cache-dir", options.cache_dir,
      "Folder for what outlives the server (default: hearth/serve in your cache folder); none = nothing");
  command
      .add_option("--stall-seconds,--stall-timeout", options.stall_s,
                  "Replace an engine that gives no sign of life for so many seconds (while it loads four times as "
                  "long), and end a stream whose own job shows no work for four times as long; 0 = never")
      ->check(CLI::Range(0, 7 * 24 * 3600))
      ->capture_default_str();
  command
      .add_option("--drain-seconds,--drain-timeout", options.drain_s,
                  "Seconds that running answers have after SIGTERM; after Ctrl-C they have all the time until a second")
      ->check(CLI::Range(0, 24 * 3600))
      ->capture_default_str();
  command
      .add_option(
          "--keep-alive", options.keep_alives,
          "Unload a model that was not used for so long (30m, 2h, 90s; 0 = at once, -1 = never); again for each "
          "further model; its next request loads it again [30m]")
      ->type_name("TIME")
      ->allow_extra_args(false)
      ->check([](const std::string& text) {
        return duration_ms(text) ? std::string{} : text + " is no time: give 30m, 2h, 90s, 0 or -1";
      });
  command
      .add_option("--queue", options.waiting_max,
                  "Requests that may wait for a model; more are told to come again (529)")
      ->check(CLI::Range(1, 1000))  // the engine's own bound is a little higher
      ->capture_default_str();
  command.add_option("--log-level", options.log_level, "What to log")
      ->check(CLI::IsMember({"debug", "info", "warning", "error", "off"}))
      ->capture_default_str();
  add_prompt_flags(command, options.rules_off, options.tools_first);
  add_engine_flags(command, options);
}

std::vector<std::string> with_long_flags(std::vector<std::string> arguments) {
  for (auto& argument : arguments) {
    for (const auto& [short_name, long_name] : kShortFlags) {
      if (argument == short_name) {
        argument = long_name;
      } else if (argument.starts_with(std::format("{}=", short_name))) {
        argument = std::format("{}{}", long_name, argument.substr(short_name.size()));
      }
    }
  }
  return arguments;
}

Result<server::ServerOptions> server_options(const ServeOptions& options) {
  if (options.aliases.size() > options.models.size()) {
    return fail(ErrorKind::InvalidInput, "there are more --alias than --model; give one per model, in the same order");
  }
  server::ServerOptions result;
  result.http.host = options.host;
  result.http.port = static_cast<std::uint16_t>(options.port);
  result.access.bind_host = options.host;
  TRY_ASSIGN(result.access.api_keys, read_api_keys(options));
  if (options.share_cache) result.access.cache_sharing = server::CacheSharing::All;
  result.access.allowed_hosts = options.allowed_hosts;
  result.access.allowed_origins = options.allowed_origins;
  // An engine that hangs over one job is replaced, and hangs again, until the job is given up after its third death: a
  // stream that waits for longer waits for something else.
  result.keep_alive.stall_timeout_ms = options.stall_s * 4 * 1000;
  result.waiting_max = options.waiting_max;
  return result;
}

std::string cache_folder(const ServeOptions& options) {
  if (options.cache_dir == "none") return "";
  if (!options.cache_dir.empty()) return options.cache_dir;
  if (const char* base = std::getenv("XDG_CACHE_HOME"); base != nullptr && *base == '/')
    return std::string(base) + "/hearth/serve";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return "";
#ifdef __APPLE__
  return std::string(home) + "/Library/Caches/hearth/serve";
#else
  return std::string(home) + "/.cache/hearth/serve";
#endif
}

std::optional<std::int64_t> duration_ms(std::string_view text) {
  constexpr std::int64_t kLongest_s = 400L * 24 * 3600;  // more than a year is "never"
  if (text == "-1" || text == "never") return -1;
  std::int64_t unit_s = 1;
  if (text.ends_with('m')) unit_s = 60;
  if (text.ends_with('h')) unit_s = 3600;
  if (unit_s > 1 || text.ends_with('s')) text.remove_suffix(1);
  std::int64_t count = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool whole = read.ec == std::errc{} && read.ptr == text.data() + text.size();
  if (!whole || count < 0 || count > kLongest_s / unit_s) return std::nullopt;
  return count * unit_s * 1000;
}

std::int64_t keep_alive_ms(const ServeOptions& options, std::size_t model_index) {
  constexpr std::int64_t kDefault_ms = 30 * 60'000;  // a lunch break keeps the model, a night does not
  const auto& given = options.keep_alives;
  if (given.empty()) return kDefault_ms;
  return duration_ms(given[std::min(model_index, given.size() - 1)]).value_or(kDefault_ms);
}

LogLevel log_level_named(const std::string& name) {
  if (name == "debug") return LogLevel::Debug;
  if (name == "warning") return LogLevel::Warning;
  if (name == "error") return LogLevel::Error;
  if (name == "off") return LogLevel::Off;
  return LogLevel::Info;
}

std::string model_id_of_path(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  if (name.ends_with(".gguf")) name.resize(name.size() - 5);
  // "-00001-of-00009": the first of several files of one model.
  constexpr std::string_view kPart = "-00001-of-";
  if (const auto part = name.rfind(kPart); part != std::string::npos && name.size() == part + kPart.size() + 5) {
    name.resize(part);
  }
  return name;
}

}  // namespace hearth::cli
