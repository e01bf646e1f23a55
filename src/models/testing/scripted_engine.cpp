// A stand-in for hearth-engine that dies on cue. It speaks the link and answers jobs with tokens that depend on the seed
// and on every token before them, so a wrong resume shows in the very next token.
//
// Options, each with a value; a "life" is one start, counted in the file of --lives:
//   --link-fd FD  --lives FILE
//   --die-after N --die-in-lives L      kill -9 ourselves after N token events, in lives 1 to L
//   --die-how WAY                       instead of kill: "garbage" (bytes that are no frame), "close" (the link, and live on),
//                                       "orphan" (die, while a child of ours holds the link open)
//   --die-loading-from A --die-loading-to B   the same before Hello, in lives A to B
//   --mute-from A --mute-to B           say nothing at all from life A on (until B)
//   --load-failed TEXT                  answer with LoadFailed (NoMemory)
//   --template-from A                   another chat template from life A on
//   --context N --context-from A        another context from life A on (100000 before)
//   --deaf 1                            ignore Shutdown, the link's end and SIGTERM
//   --tarry 1                           ignore Shutdown and SIGTERM, and end with the link
// A job's first prompt token is its part in the play, see Part.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>
#include <string>

#include "base/random.h"
#include "link/channel.h"

namespace {

using namespace hearth;
using namespace hearth::link;

enum Part : Token {
  kPoison = 666,      // die when the job arrives
  kPoisonLate = 667,  // die before its first token
  kSilent = 668,      // never a token
  kTellSeed = 669,    // every token is the seed's low bits
  kHang = 670,        // in the first life: say nothing more and read nothing more, but live
};

struct Script {
  std::map<std::string, std::string> options;
  long life = 1;

  [[nodiscard]] long number(const std::string& name, long otherwise) const {
    const auto at = options.find(name);
    return at == options.end() ? otherwise : std::strtol(at->second.c_str(), nullptr, 10);
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    const auto at = options.find(name);
    return at == options.end() ? "" : at->second;
  }
  [[nodiscard]] bool from(const std::string& name) const { return life >= number(name, 1'000'000); }
};

struct Running {
  Job job;
  std::uint64_t chain = 0;  // hash of the seed and of all tokens so far
  std::uint32_t sampled = 0;
};

[[noreturn]] void die() {
  ::kill(::getpid(), SIGKILL);
  std::abort();
}

// The ways to be lost to the front without a plain death.
[[noreturn]] void die(const std::string& how, Channel& link) {
  if (how == "garbage") {
    if (::send(link.descriptor(), "this is no frame", 16, 0) != 16) std::abort();
    while (true) ::pause();
  }
  if (how == "close") {
    link.shut_down();
    while (true) ::pause();
  }
  if (how == "orphan" && ::fork() == 0) {
    while (link.receive_front_message()) {  // until the front lets go of the link
    }
    std::_Exit(0);
  }
  die();
}

std::uint64_t open_descriptors() {
  std::uint64_t count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

long count_life(const std::string& path) {
  if (path.empty()) return 1;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || ::write(fd, "x", 1) != 1) std::abort();
  const long life = static_cast<long>(::lseek(fd, 0, SEEK_END));
  ::close(fd);
  return life;
}

class ScriptedEngine {
 public:
  ScriptedEngine(Script script, int fd) : script_(std::move(script)), link_(fd) {}

  int play() {
    if (!load()) return 3;
    while (true) {
      pollfd watched{.fd = link_.descriptor(), .events = POLLIN, .revents = 0};
      const bool work = !running_.empty();
      if (link_.has_buffered_bytes() || ::poll(&watched, 1, work ? 0 : -1) > 0) {
        auto message = link_.receive_front_message();
        if (!message || (std::holds_alternative<Shutdown>(*message) && script_.number("--tarry", 0) == 0)) return end();
        std::visit([this](auto& value) { on(value); }, *message);
      } else if (work) {
        step();
      }
    }
  }

 private:
  bool load() {
    if (script_.life >= script_.number("--die-loading-from", 1'000'000) &&
        script_.life <= script_.number("--die-loading-to", 1'000'000))
      die(script_.text("--die-how"), link_);
    if (script_.from("--mute-from") && script_.life <= script_.number("--mute-to", 1'000'000)) {
      while (link_.receive_front_message()) {
      }
      std::_Exit(0);
    }
    say(LoadProgress{.fraction = 0.5F});
    say(LoadProgress{.fraction = 1.0F});
    if (const auto at = script_.options.find("--load-failed"); at != script_.options.end()) {
      say(LoadFailed{.kind = static_cast<std::uint8_t>(ErrorKind::NoMemory), .message = at->second});
      return false;
    }
    Hello hello;
    hello.name = "scripted";
    hello.chat_template = script_.from("--template-from") ? "another" : "template";
    hello.context_tokens =
        static_cast<std::uint32_t>(script_.from("--context-from") ? script_.number("--context", 0) : 100'000);
    say(hello);
    return true;
  }

  int end() {
    while (script_.number("--deaf", 0) != 0) ::pause();
    return 0;
  }

  void on(const Job& job) {
    if (job.prompt[0] == kPoison) die();
    while (job.prompt[0] == kHang && script_.life == 1) ::pause();
    say(JobStarted{.job = job.id, .cached_tokens = script_.life == 1 ? 5U : 0U});
    say(JobProgress{.job = job.id, .prefilled_tokens = static_cast<std::uint32_t>(job.prompt.size())});
    if (job.prompt[0] == kPoisonLate) die();
    Running running{.job = job, .chain = *job.sampling.seed, .sampled = job.resumed_count};
    for (const Token token : job.prompt) running.chain = mix_u64(running.chain, static_cast<std::uint64_t>(token));
    if (job.prompt[0] == kSilent) {
      silent_[job.id] = job;
    } else {
      running_.push_back(std::move(running));
    }
  }
  void on(const Cancel& cancel) {
    silent_.erase(cancel.job);
    paused_.erase(cancel.job);
    std::erase_if(running_, [&](const Running& running) { return running.job.id == cancel.job; });
    say(JobEnd{.job = cancel.job, .reason = EndReason::Cancelled});
  }
  void on(const TokenizeRequest& request) {
    TokenizeReply reply{.id = request.id};
    for (const Segment& segment : request.segments) {
      if (segment.text == "poison" || (segment.text == "once" && script_.life == 1)) die();
      if (segment.text == "silent" && script_.life == 1) return;
      for (const char byte : segment.text) reply.tokens.push_back(byte);
      reply.segment_ends.push_back(static_cast<std::uint32_t>(reply.tokens.size()));
    }
    reply.count = static_cast<std::uint32_t>(reply.tokens.size());
    say(reply);
  }
  void on(const CacheBudget&) {}
  void on(const StatsRequest& request) {
    say(StatsReply{
        .id = request.id,
        .counters = {{"life", static_cast<std::uint64_t>(script_.life)}, {"open_descriptors", open_descriptors()}}});
  }
  void on(const Probe& probe) { say(ProbeReply{.id = probe.id}); }
  void on(const Pause& pause) {
    const auto at = std::ranges::find(running_, pause.job, [](const Running& running) { return running.job.id; });
    if (at == running_.end()) return;
    paused_.emplace(pause.job, std::move(*at));
    running_.erase(at);
  }
  void on(const Resume& resume) {
    auto paused = paused_.extract(resume.job);
    if (!paused.empty()) running_.push_back(std::move(paused.mapped()));
  }
  void on(const CacheRequest& request) { say(CacheReply{.id = request.id}); }
  void on(const Shutdown&) {}

  // One token for the job that waits longest.
  void step() {
    Running running = std::move(running_.front());
    running_.pop_front();
    const Job& job = running.job;
    const bool tell_seed = job.prompt[0] == kTellSeed;
    const auto token = static_cast<Token>((tell_seed ? *job.sampling.seed : running.chain) & 0x7fffffff);
    running.chain = mix_u64(running.chain, static_cast<std::uint64_t>(token));
    ++running.sampled;
    say(TokenEvent{.job = job.id, .tokens = {{token, std::to_string(token) + ' '}}});
    ++events_;
    if (events_ == script_.number("--die-after", -1) && script_.life <= script_.number("--die-in-lives", 0))
      die(script_.text("--die-how"), link_);
    if (running.sampled == job.tokens_max) {
      say(JobEnd{.job = job.id,
                 .reason = EndReason::TokensMax,
                 .prompt_tokens = static_cast<std::uint32_t>(job.prompt.size()) - job.resumed_count,
                 .sampled_tokens = running.sampled});
    } else {
      running_.push_back(std::move(running));
    }
  }

  void say(const EngineMessage& message) {
    if (!link_.send(message)) std::exit(end());
  }

  const Script script_;
  Channel link_;
  std::deque<Running> running_;
  std::map<JobId, Job> silent_;
  std::map<JobId, Running> paused_;
  long events_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Script script;
  for (int index = 1; index + 1 < argc; index += 2) script.options[argv[index]] = argv[index + 1];
  script.life = count_life(script.options["--lives"]);
  if (script.number("--deaf", 0) != 0 || script.number("--tarry", 0) != 0) ::signal(SIGTERM, SIG_IGN);
  const int fd = static_cast<int>(script.number("--link-fd", -1));
  return ScriptedEngine(std::move(script), fd).play();
}
