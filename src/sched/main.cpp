// hearth-engine: one loaded model as a process of its own. Started by hearth, which gives it one end of a socket pair;
// everything else is said over that link (link/messages.h).
//
// It ends when the link ends, at once and whatever it is doing: a process that nobody listens to must not hold a GPU.
// (Not by PR_SET_PDEATHSIG: that follows the parent's *thread*, and the thread that starts engines may end before them.)
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/log.h"
#include "engine/load_engine.h"
#include "engine/options.h"
#include "link/channel.h"
#include "sched/service.h"

namespace {

constexpr int kExitUsage = 2;

constexpr char kHelp[] =
    "hearth-engine is the process that holds one model for Hearth. hearth starts it by itself; to serve a model, run\n"
    "  hearth serve --model FILE\n"
    "\n"
    "hearth-engine --link-fd N --model FILE [engine options]\n"
    "  --link-fd N   the descriptor of a connected stream socket to speak with hearth on\n"
    "The other options are those of `hearth serve --help` under \"engine\".\n";

struct CommandLine {
  int link_fd = -1;
  bool wants_help = false;
  std::vector<std::string> engine_arguments;  // everything that is not ours
};

hearth::Result<CommandLine> read_command_line(const std::vector<std::string>& arguments) {
  CommandLine line;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--help" || arguments[i] == "-h") {
      line.wants_help = true;
    } else if (arguments[i] == "--link-fd") {
      const std::string value = i + 1 < arguments.size() ? arguments[++i] : "";
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), line.link_fd);
      if (error != std::errc{} || end != value.data() + value.size() || line.link_fd < 0)
        return hearth::fail(hearth::ErrorKind::InvalidInput, "--link-fd needs the number of an open descriptor");
    } else {
      line.engine_arguments.push_back(arguments[i]);
    }
  }
  return line;
}

int fail_usage(const std::string& message) {
  std::fprintf(stderr, "hearth-engine: %s\n", message.c_str());
  return kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  const auto line = read_command_line({argv + 1, argv + argc});
  if (!line) return fail_usage(line.error().message);
  if (line->wants_help) return std::fputs(kHelp, stdout) < 0;
  if (line->link_fd < 0) return fail_usage("--link-fd is missing; hearth starts this program (see --help)");

  // A Ctrl-C in a terminal and a service manager's wish reach all processes; the front decides what they mean, lets answers end and
  // the cache be saved, and then ends the link.
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);

  hearth::link::Channel channel(line->link_fd);
  const auto options = hearth::engine::parse_options(line->engine_arguments);
  hearth::sched::LoopOptions loop_options;
  if (options) {
    loop_options.parallel_jobs = options->parallel_jobs;
    loop_options.ubatch_tokens = options->ubatch_tokens;
    loop_options.cache_bytes_given = options->cache_ram_bytes.has_value();
    loop_options.disk = {.folder = options->cache_folder, .bytes_max = options->cache_disk_bytes};
    if (options->cache_ram_bytes) loop_options.cache.ram_bytes_max = *options->cache_ram_bytes;
  }
  hearth::sched::Service service(channel, loop_options, [] { std::_Exit(0); });
  return service.run(
      [&](const std::function<void(float)>& progress) -> hearth::Result<std::unique_ptr<hearth::engine::Engine>> {
        if (!options) return std::unexpected(options.error());
        return hearth::engine::load_engine(*options, progress);
      });
}
