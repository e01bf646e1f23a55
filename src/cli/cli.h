// The program `hearth`: one file per subcommand, each with a function that puts its flags on the command line and sets
// what runs. The command line library throws; its exceptions end in run_program().
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace hearth::cli {

// What a chosen subcommand does; its value is the exit status.
using Command = std::function<int()>;

void add_serve(CLI::App& app, Command& chosen);
void add_launch(CLI::App& app, Command& chosen);
void add_pull(CLI::App& app, Command& chosen);
void add_cache(CLI::App& app, Command& chosen);
void add_show(CLI::App& app, Command& chosen);
void add_debug(CLI::App& app, Command& chosen);
void add_version(CLI::App& app, Command& chosen);

// `hearth engine ...` hands everything behind it to the engine program, so it is taken before the command line is read.
[[nodiscard]] int run_engine(int argc, char** argv);

[[nodiscard]] int run_program(int argc, char** argv);

// 8787: free of every well-known local model server's port (1234, 8000, 8080, 11434), so that both can run.
inline constexpr int kDefaultPort = 8787;

}  // namespace hearth::cli
