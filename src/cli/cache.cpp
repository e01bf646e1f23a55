// hearth cache: looks at a running server's prefix cache, and changes it (docs/cache-desk.md).
#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <format>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "cli/cache_files.h"
#include "cli/cache_verify.h"
#include "cli/cache_words.h"
#include "cli/cli.h"
#include "cli/debug_model.h"
#include "cli/http_get.h"
#include "cli/serve_options.h"
#include "cli/standard_input.h"

namespace hearth::cli {
namespace {

struct CacheOptions {
  std::string url = std::format("http://127.0.0.1:{}", kDefaultPort);
  std::string api_key;
  std::string model;
  bool json = false;
  std::string line;        // pin, unpin, export
  std::string file;        // probe, export, import
  bool every_key = false;  // clear
  std::string cache_dir;   // verify
};
using Words = std::string (*)(const Json&);

std::string path_of(const CacheOptions& options, std::string_view action) {
  std::string path = std::format("/v1/hearth/cache/{}", action);
  if (!options.model.empty()) path += "?model=" + percent_encoded(options.model);
  return path;
}

Result<Json> ask(const CacheOptions& options, HttpQuestion question) {
  TRY_ASSIGN(const std::string body, ask_server(options.url, std::move(question), options.api_key));
  return Json::parse(body);
}

// Asks, and prints the answer as it came or in words.
Result<void> ask_and_print(const CacheOptions& options, HttpQuestion question, Words words) {
  TRY_ASSIGN(const Json answer, ask(options, std::move(question)));
  return write_standard_output(options.json ? answer.dump() + "\n" : words(answer));
}

Result<void> probe(const CacheOptions& options) {
  std::string body;
  if (options.file == "-") {
    TRY_ASSIGN(body, read_standard_input());
  } else {
    TRY_ASSIGN(body, read_file(options.file, kStandardInputBytesMax));
  }
  return ask_and_print(options,
                       {.method = "POST", .path = path_of(options, "probe"), .body = std::move(body), .patience_s = 30},
                       probe_words);
}

HttpQuestion about_line(const CacheOptions& options, std::string_view action) {
  return {.method = "POST",
          .path = path_of(options, action),
          .body = Json::object({{"line", options.line}}).dump(),
          .patience_s = 60};
}

std::string pinned_words(const Json& answer) {
  const Json* bytes = answer.find("pinned_bytes");
  const Json* all = answer.find("all_pinned_bytes");
  if (bytes == nullptr || all == nullptr || !bytes->is_integer() || !all->is_integer()) return answer.dump() + "\n";
  return std::format("pinned: {}; {} are pinned in all\n", bytes_words(bytes->as_integer()),
                     bytes_words(all->as_integer()));
}

std::string unpinned_words(const Json& answer) {
  const Json* done = answer.find("unpinned");
  const bool was = done != nullptr && done->is_integer() && done->as_integer() == 1;
  return was ? "unpinned\n" : "it was not pinned\n";
}

std::string cleared_words(const Json& answer) {
  const Json* bytes = answer.find("freed_bytes");
  return std::format("cleared: {} of RAM are free again\n",
                     bytes_words(bytes != nullptr && bytes->is_integer() ? bytes->as_integer() : 0));
}

// A subcommand with the flags that all have.
CLI::App* add(CLI::App& cache, const std::shared_ptr<CacheOptions>& options, Command& chosen, const char* name,
              const char* description, std::function<Result<void>(const CacheOptions&)> run) {
  CLI::App* command = cache.add_subcommand(name, description);
  command->add_option("--url", options->url, "Where the server is")->capture_default_str();
  command->add_option("--model", options->model,
                      "Which of its models (default: the first; `why`: all; `probe`: the request's)");
  command->add_option("--api-key", options->api_key, "The server's key, if it asks for one")->envname("HEARTH_API_KEY");
  command->add_flag("--json", options->json, "Print the server's answer as it is");
  command->callback([&chosen, options, run = std::move(run)] {
    chosen = [options, run] {
      const Result<void> done = run(*options);
      return done ? 0 : print_error(done.error());
    };
  });
  return command;
}

void add_looks(CLI::App& cache, const std::shared_ptr<CacheOptions>& options, Command& chosen) {
  add(cache, options, chosen, "stats", "How much is kept where, and what it saved",
      [](const CacheOptions& o) { return ask_and_print(o, {.path = path_of(o, "stats")}, stats_words); });
  add(cache, options, chosen, "list", "The lines that are known, and where they lie",
      [](const CacheOptions& o) { return ask_and_print(o, {.path = path_of(o, "list")}, list_words); });
  add(cache, options, chosen, "why", "Why the last prompts were computed, in part or whole",
      [](const CacheOptions& o) { return ask_and_print(o, {.path = path_of(o, "why")}, why_words); });
  add(cache, options, chosen, "probe", "Where each part of a request's prompt would come from", probe)
      ->add_option("file", options->file, "A request's body (JSON); - reads standard input")
      ->required();
}

void add_verify(CLI::App& cache, const std::shared_ptr<CacheOptions>& options, Command& chosen) {
  CLI::App* command = cache.add_subcommand("verify", "Read the cache on the disk and compare it with its checksums");
  command->add_option("--cache-dir", options->cache_dir, "The server's folder (default: the user's cache folder)");
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([&chosen, options] {
    chosen = [options] {
      ServeOptions server;
      server.cache_dir = options->cache_dir;
      const Result<void> done = verify_cache(cache_folder(server), options->json);
      return done ? 0 : print_error(done.error());
    };
  });
}

void add_changes(CLI::App& cache, const std::shared_ptr<CacheOptions>& options, Command& chosen) {
  const auto add_line = [&](CLI::App* command) {
    command->add_option("line", options->line, "A line's id, as `list` shows it; its first letters will do")
        ->required();
    return command;
  };
  add_line(add(cache, options, chosen, "pin", "Keep a line in RAM, whatever else comes",
               [](const CacheOptions& o) { return ask_and_print(o, about_line(o, "pin"), pinned_words); }));
  add_line(add(cache, options, chosen, "unpin", "Let it go again",
               [](const CacheOptions& o) { return ask_and_print(o, about_line(o, "unpin"), unpinned_words); }));
  add(cache, options, chosen, "clear", "Forget what was computed for this key", [](const CacheOptions& o) {
    return ask_and_print(o,
                         {.method = "POST",
                          .path = path_of(o, "clear"),
                          .body = Json::object({{"every_key", o.every_key}}).dump(),
                          .patience_s = 60},
                         cleared_words);
  })->add_flag("--every-key", options->every_key, "For all keys; the first key only");
  CLI::App* give = add_line(
      add(cache, options, chosen, "export", "Write what is kept of a line into a file", [](const CacheOptions& o) {
        return export_trunk({.url = o.url,
                             .api_key = o.api_key,
                             .path = path_of(o, "export"),
                             .line = o.line,
                             .file = o.file,
                             .json = o.json});
      }));
  give->add_option("file", options->file, "The file; made, readable by you only")->required();
  add(cache, options, chosen, "import", "Take such a file in, made with the same model",
      [](const CacheOptions& o) {
        return import_trunk(
            {.url = o.url, .api_key = o.api_key, .path = path_of(o, "import"), .file = o.file, .json = o.json});
      })
      ->add_option("file", options->file, "The file")
      ->required();
}

}  // namespace

void add_cache(CLI::App& app, Command& chosen) {
  CLI::App* cache = app.add_subcommand("cache", "Look at a running server's prefix cache, or change it");
  cache->require_subcommand(1);
  const auto options = std::make_shared<CacheOptions>();
  add_looks(*cache, options, chosen);
  add_verify(*cache, options, chosen);
  add_changes(*cache, options, chosen);
  cache->footer(
      "Examples:\n"
      "  hearth cache why                        why the last requests computed what they did, and what cures it\n"
      "  hearth cache probe request.json         which part of this request's prompt is known\n"
      "  hearth cache list                       the lines, with their ids\n"
      "  hearth cache pin 3f2a                   this one stays in RAM\n"
      "  hearth cache verify                     whether the disk holds what was written\n"
      "  hearth cache export 3f2a trunk.htk      carry it to another machine with the same model file ...\n"
      "  hearth cache import trunk.htk           ... and read it in there\n"
      "Import only files of people you trust: what is in them goes into the model's memory.");
  cache->get_formatter()->enable_footer_formatting(false);
}

}  // namespace hearth::cli
