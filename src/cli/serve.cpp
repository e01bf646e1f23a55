// hearth serve: bind the port, load the models, serve until told to stop. Runs on the main thread; loading has a thread
// of its own so that Ctrl-C is heard meanwhile.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "cli/cli.h"
#include "cli/engine_program.h"
#include "cli/serve_options.h"
#include "cli/stop_signals.h"
#include "cli/turn_files.h"
#include "models/engine_process.h"
#include "models/model_path.h"
#include "server/served_models.h"

namespace hearth::cli {
namespace {

// The engines of the models that are served. The loader adds to them while the main thread may be told to stop.
class Engines {
 public:
  // False: the server stops. The engine is still the caller's, and the model is not to be served.
  [[nodiscard]] bool add(std::unique_ptr<models::EngineProcess>& engine) {
    const std::lock_guard lock(mutex_);
    if (!stopping_) engines_.push_back(std::move(engine));
    return !stopping_;
  }
  // No other is added from here on.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    // Each may take seconds to write its cache: together, or a service manager's patience would not do for several.
    std::vector<std::thread> stops;
    for (const auto& engine : engines_) stops.emplace_back([&engine] { engine->stop(); });
    for (std::thread& stop : stops) stop.join();
  }

 private:
  std::mutex mutex_;
  bool stopping_ = false;                                        // guarded by mutex_
  std::vector<std::unique_ptr<models::EngineProcess>> engines_;  // guarded by mutex_ until stopping_
};

// How quickly the end of loading, or of the last stream, is noticed.
constexpr std::chrono::milliseconds kLook{20};
// What clients are told to wait when a person stops the server: nobody knows when it is back.
constexpr std::int64_t kPersonsDrain_s = 30;
// Remembered turns go to disk so often: what a crash loses are at most the turns of so long, which are then rendered plainly.
constexpr auto kTurnsEvery = std::chrono::minutes(1);

int complain(const Error& error) {
  std::fprintf(stderr, "hearth: %s\n", error.message.c_str());
  return 1;
}

Result<void> make_private_folder(const std::string& path) {
  if (path.empty()) return {};
  std::error_code error;
  const bool made = std::filesystem::create_directories(path, error);
  if (error)
    return fail(ErrorKind::Io, std::format("--cache-dir {}: cannot make the folder: {}", path, error.message()));
  if (!std::filesystem::is_directory(path, error))
    return fail(ErrorKind::Io, std::format("--cache-dir {} is no folder", path));
  // Prompts will lie here: a folder that is ours alone. One that was there before keeps what its owner chose.
  if (made) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  return {};
}

std::string base_url(const std::string& host, std::uint16_t port) {
  const bool wildcard = host == "0.0.0.0" || host == "::";
  const std::string shown = wildcard ? "127.0.0.1" : host.contains(':') ? std::format("[{}]", host) : host;
  return std::format("http://{}:{}", shown, port);
}

std::string model_id(const ServeOptions& options, std::size_t index, const link::Hello& hello,
                     const server::ServedModels& served) {
  const std::string& path = options.models[index];
  std::string id = index < options.aliases.size() ? options.aliases[index]
                   : path.starts_with("fake:")    ? hello.name
                                                  : model_id_of_path(path);
  if (id.empty()) id = "model";
  if (!served.find(id)) return id;
  for (int copy = 2;; ++copy) {
    if (auto other = std::format("{}-{}", id, copy); !served.find(other)) return other;
  }
}

// On a terminal one line that counts up; in a log file the beginning only.
void show_progress(const std::string& name, float fraction) {
  if (::isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "\rloading %s %3d %%", name.c_str(), static_cast<int>(fraction * 100));
  if (fraction >= 1) std::fprintf(stderr, "\n");
}

// One after the other, so that the memory check of each sees what the one before took.
Result<void> load_models(const ServeOptions& options, const std::string& engine_program, server::ServedModels& served,
                         Engines& engines, const TurnFiles& turn_files) {
  TRY_ASSIGN(server::PromptSettings prompts, prompt_settings(options.rules_off, options.tools_first));
  const std::string kept_in = cache_folder(options);
  if (!prompts.rules.all_on()) log_info("cli", "prompts are made without the rules {}", prompts.rules.names_off());
  const auto now_s =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  for (const std::string& path : options.models) TRY(models::check_model_path(path));
  for (std::size_t i = 0; i < options.models.size(); ++i) {
    const std::string& path = options.models[i];
    const std::string name = model_id_of_path(path);
    served.set_loading({.loading = true, .name = name, .fraction = 0});
    log_info("cli", "loading {}", path);
    models::EngineSpec spec{.engine_program = engine_program, .arguments = {"--model", path}, .model_path = path};
    if (!kept_in.empty()) spec.arguments.insert(spec.arguments.end(), {"--cache-folder", kept_in});
    spec.limits.keep_alive_ms = keep_alive_ms(options, i);
    spec.limits.hang_limit_ms = options.stall_s * 1000;
    spec.arguments.insert(spec.arguments.end(), options.engine_arguments.begin(), options.engine_arguments.end());
    TRY_ASSIGN(auto engine, models::EngineProcess::start(std::move(spec), [&](float fraction) {
                 served.set_loading({.loading = true, .name = name, .fraction = fraction});
                 show_progress(name, fraction);
               }));
    const std::string id = model_id(options, i, *engine->hello(), served);
    prompts.dialect = chosen_dialect(options, i);
    TRY_ASSIGN(auto model, server::serve_model(id, now_s.count(), *engine, prompts));
    turn_files.load(model, served);
    if (!engines.add(engine)) return fail(ErrorKind::Unavailable, "the server stops");
    served.add(std::move(model));
  }
  served.set_loading({.loading = false, .name = "", .fraction = 1});
  return {};
}

void print_builtin_note() {
  std::printf(
      "No --model was given, so the small built-in one answers: it creates, reads, edits, lists and searches files "
      "and\n"
      "runs commands when asked plainly, and nothing else. `hearth pull` tells how to get a real one.\n");
}

void print_ready(const std::string& url, const ServeOptions& options, const server::ServedModels& served,
                 bool has_key) {
  const auto all = served.all();
  if (options.builtin_model) print_builtin_note();
  for (const auto& model : all) {
    const auto& hello = *model->hello;
    std::printf("%s: %s, context %u tokens, %u at once, %s\n", model->card.id.c_str(),
                hello.description.empty() ? hello.architecture.c_str() : hello.description.c_str(),
                hello.context_tokens, hello.parallel_jobs, hello.backend.c_str());
  }
  std::printf("Hearth is ready at %s\n\n", url.c_str());
  const bool default_url = url == std::format("http://127.0.0.1:{}", kDefaultPort);
  const char* command = std::getenv("HEARTH_COMMAND");
  std::printf("  Claude Code       %s launch claude%s\n", command != nullptr ? command : "hearth",
              default_url ? "" : std::format(" --url {}", url).c_str());
  std::printf("  or by hand        export ANTHROPIC_BASE_URL=%s ANTHROPIC_AUTH_TOKEN=%s ANTHROPIC_MODEL=%s\n",
              url.c_str(), has_key ? "YOUR-KEY" : "local", all.front()->card.id.c_str());
  std::printf("  other clients     Anthropic Messages API, base URL %s (with /v1 where they ask for it)\n",
              url.c_str());
  if (options.host == "0.0.0.0" || options.host == "::")
    std::printf("  from elsewhere    this machine's address, same port\n");
  std::printf("\nCtrl-C ends it: running answers are finished first, a second Ctrl-C stops at once.\n");
  std::fflush(stdout);
}

// Running answers end, new requests are refused. A person at a terminal sees how many there are and presses again when that
// takes too long; a service manager would kill, so its wish has a limit.
void drain(server::Server& server, StopSignals& signals, StopWish wish, std::int64_t limit_s) {
  using Time = std::chrono::steady_clock;
  // A service manager's time runs from its signal.
  auto deadline = Time::time_point::max();
  if (wish == StopWish::Terminate) deadline = Time::now() + std::chrono::seconds(limit_s);
  const auto active = server.hall().log().active_count();
  server.begin_drain(wish == StopWish::Terminate ? limit_s : kPersonsDrain_s);
  if (active > 0 && wish == StopWish::Interrupt)
    log_info("cli", "stopping when {} running answers have ended; Ctrl-C again stops at once", active);
  if (active > 0 && wish == StopWish::Terminate)
    log_info("cli", "stopping; {} running answers have {} s to end", active, limit_s);
  while (!server.drained() && Time::now() < deadline) {
    const StopWish again = signals.wait_for(kLook);
    if (again == StopWish::Interrupt || (again == StopWish::Terminate && wish == StopWish::Terminate)) break;
    if (again != StopWish::Terminate) continue;
    wish = again;
    deadline = Time::now() + std::chrono::seconds(limit_s);
  }
}

// From the first model's loading to the last stream's end. A signal while a model is loaded ends the server in order all the
// same: those before it serve already, and message batches run.
int serve_models(const ServeOptions& options, const std::string& engine_program, server::Server& server,
                 StopSignals& signals, bool has_key) {
  server::ServedModels& served = server.hall().models();
  Engines engines;
  TurnFiles turn_files(cache_folder(options));
  std::atomic<bool> done{false};
  Result<void> loaded;
  std::thread loader([&] {
    loaded = load_models(options, engine_program, served, engines, turn_files);
    done = true;
  });
  StopWish wish = StopWish::None;
  // A further model may load for minutes, or download, while the first one works.
  auto save_at = std::chrono::steady_clock::now() + kTurnsEvery;
  while (!done && wish == StopWish::None) {
    wish = signals.wait_for(kLook);
    if (std::chrono::steady_clock::now() < save_at) continue;
    turn_files.save(served);
    save_at += kTurnsEvery;
  }
  if (wish != StopWish::None) {
    std::fprintf(stderr, "\nhearth: stopped while loading\n");
  } else {
    loader.join();
    if (loaded) {
      print_ready(base_url(options.host, server.port()), options, served, has_key);
      while ((wish = signals.wait_for(kTurnsEvery)) == StopWish::None) turn_files.save(served);
    } else {
      static_cast<void>(complain(loaded.error()));
      wish = StopWish::Terminate;
    }
  }
  drain(server, signals, wish, options.drain_s);
  turn_files.save(served);
  server.stop();
  engines.stop();
  // Loading cannot be interrupted from here; the engine ends when its link closes.
  if (loader.joinable()) std::_Exit(0);
  return loaded ? 0 : 1;
}

int run_serve(ServeOptions options) {
  set_log_level(log_level_named(options.log_level));
  const SteadyClock clock;

  if (options.models.empty()) {
    auto model = find_builtin_model();
    if (!model) return complain(model.error());
    options.models.push_back(std::move(*model));
    options.builtin_model = true;
  }

  // What can be wrong without any model is said before the minutes of loading.
  auto hall_options = server_options(options);
  if (!hall_options) return complain(hall_options.error());
  const bool has_key = !hall_options->access.api_keys.empty();
  if (auto prompts = prompt_settings(options.rules_off, options.tools_first); !prompts)
    return complain(prompts.error());
  auto engine_program = find_engine_program();
  if (!engine_program) return complain(engine_program.error());
  const std::string kept_in = cache_folder(options);
  if (auto folder = make_private_folder(kept_in); !folder) {
    if (!options.cache_dir.empty()) return complain(folder.error());
    log_warning("cli", "nothing outlives the server: {}", folder.error().message);
  }

  // Engines outlive the sockets' threads, and end before the server's memory does.
  StopSignals signals;
  hall_options->pdf_program = find_pdf_program();
  if (!kept_in.empty()) hall_options->batch_folder = (std::filesystem::path(kept_in) / "batches").string();
  auto server = server::Server::start(std::move(*hall_options), clock);
  if (!server) return complain(server.error());
  return serve_models(options, *engine_program, **server, signals, has_key);
}

}  // namespace

void add_serve(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("serve", "Serve a model over HTTP");
  const auto options = std::make_shared<ServeOptions>();
  add_serve_flags(*command, *options);
  command->footer(
      "Examples:\n"
      "  hearth serve                                          the built-in model, where installed\n"
      "  hearth serve --model qwen.gguf\n"
      "  hearth serve --model qwen.gguf --ctx 131072 --parallel 4\n"
      "  hearth serve --model big.gguf --model small.gguf      two models; the first answers for unknown names\n"
      "  HEARTH_API_KEY=secret hearth serve --model qwen.gguf --host 0.0.0.0");
  command->callback([&chosen, options] { chosen = [options] { return run_serve(*options); }; });
}

}  // namespace hearth::cli
