// posix_spawn rather than fork: the front has many threads, and only the kernel's own calls are safe between their
// fork and exec.
#include "models/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <format>
#include <string_view>
#include <thread>

#include "base/log.h"

extern char** environ;

namespace hearth::models {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kReapStep{2};        // how often a wait with a limit looks
constexpr milliseconds kKillLimit{10'000};  // a killed process that is still there then hangs inside the kernel

// The two attribute objects of posix_spawn, freed together.
struct SpawnPlan {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
};

int plan_descriptors(SpawnPlan& plan, int link_descriptor) {
  int error = posix_spawn_file_actions_addopen(&plan.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  // The front's stdout may be a client's answer (hearth launch --print); the engine must not write into it.
  if (error == 0) error = posix_spawn_file_actions_adddup2(&plan.actions, STDERR_FILENO, STDOUT_FILENO);
  if (error == 0) error = posix_spawn_file_actions_adddup2(&plan.actions, link_descriptor, kLinkDescriptor);
  // The HTTP library does not mark its sockets close-on-exec. An engine that is restarted would keep clients'
  // connections open after the front closed them.
#if defined(__APPLE__)  // where POSIX_SPAWN_CLOEXEC_DEFAULT closes all that is not named here
  if (error == 0) error = posix_spawn_file_actions_addinherit_np(&plan.actions, STDERR_FILENO);
#else
  if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&plan.actions, kLinkDescriptor + 1);
#endif
  return error;
}

int plan_signals_and_group(SpawnPlan& plan) {
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigemptyset(&defaults);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGCHLD}) sigaddset(&defaults, signal);
  int flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
#if defined(__APPLE__)
  flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
#endif
  int error = posix_spawnattr_setflags(&plan.attributes, static_cast<short>(flags));
  if (error == 0) error = posix_spawnattr_setpgroup(&plan.attributes, 0);
  if (error == 0) error = posix_spawnattr_setsigmask(&plan.attributes, &none);
  if (error == 0) error = posix_spawnattr_setsigdefault(&plan.attributes, &defaults);
  return error;
}

// Tens of microseconds: longer than threads with equal shares wait for each other, far shorter than the kernel's turns.
constexpr std::string_view kSpin = "GOMP_SPINCOUNT=2000";
constexpr std::string_view kLargePages = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1";

std::vector<std::string> own_environment() {
  std::vector<std::string> own;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) own.emplace_back(*entry);
  return own;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

ExitStatus status_from_wait(int wait_status) {
  if (WIFSIGNALED(wait_status)) return {.signal = WTERMSIG(wait_status)};
  return {.code = WEXITSTATUS(wait_status)};
}

}  // namespace

std::string describe(const ExitStatus& status) {
  if (!status.known) return "its exit status is unknown";
  switch (status.signal) {
    case 0: return std::format("exit status {}", status.code);
    case SIGKILL: return "signal 9: killed, perhaps because memory ran out";
    case SIGABRT: return "signal 6: it aborted on an internal error, named in the lines it wrote before";
    case SIGSEGV: return "signal 11: invalid memory access";
    case SIGBUS: return "signal 7: a mapped file became unreadable or shorter";
    case SIGILL: return "signal 4: an instruction that this processor does not have";
    case SIGTERM: return "signal 15: asked to end";
    default: return std::format("signal {}", status.signal);
  }
}

std::vector<std::string> engine_environment(std::vector<std::string> given) {
  const auto says = [&](std::string_view name) {
    return std::ranges::any_of(given, [name](const std::string& entry) { return entry.starts_with(name); });
  };
  if (!says("GOMP_SPINCOUNT=") && !says("OMP_WAIT_POLICY=")) given.emplace_back(kSpin);
  if (!says("GLIBC_TUNABLES=")) given.emplace_back(kLargePages);
  return given;
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::spawn(const std::string& program,
                                                          const std::vector<std::string>& arguments,
                                                          int link_descriptor) {
  // A copy well above 3: a dup2 of 3 onto itself would keep its close-on-exec mark on some systems.
  const int link_copy = ::fcntl(link_descriptor, F_DUPFD_CLOEXEC, 64);
  if (link_copy < 0)
    return fail(ErrorKind::Io, std::format("cannot pass the link to the engine: {}", std::strerror(errno)));

  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  words.insert(words.end(), {"--link-fd", std::to_string(kLinkDescriptor)});
  const std::vector<char*> argv = pointers_to(words);
  std::vector<std::string> environment = engine_environment(own_environment());
  const std::vector<char*> envp = pointers_to(environment);

  SpawnPlan plan;
  pid_t process_id = 0;
  int error = plan_descriptors(plan, link_copy);
  if (error == 0) error = plan_signals_and_group(plan);
  if (error == 0)
    error = ::posix_spawnp(&process_id, program.c_str(), &plan.actions, &plan.attributes, argv.data(), envp.data());
  ::close(link_copy);
  if (error == ENOENT || error == EACCES || error == ENOEXEC) {
    return fail(ErrorKind::Unavailable,
                std::format("cannot run the engine program {}: {}; it belongs beside the hearth program, so build or "
                            "unpack Hearth again",
                            program, std::strerror(error)));
  }
  if (error != 0)
    return fail(ErrorKind::Unavailable, std::format("cannot start the engine {}: {}", program, std::strerror(error)));
  return std::unique_ptr<ChildProcess>(new ChildProcess(process_id));
}

ChildProcess::~ChildProcess() {
  if (!status_) end(milliseconds(0));
}

std::optional<ExitStatus> ChildProcess::wait_for(milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!status_) {
    int wait_status = 0;
    const pid_t reaped = ::waitpid(process_id_, &wait_status, WNOHANG);
    if (reaped == process_id_) {
      status_ = status_from_wait(wait_status);
    } else if (reaped < 0 && errno != EINTR) {
      status_ = ExitStatus{.known = false};  // ECHILD: SIGCHLD is ignored in this process, the kernel reaped it
    } else if (std::chrono::steady_clock::now() >= deadline) {
      return std::nullopt;
    } else {
      std::this_thread::sleep_for(kReapStep);
    }
  }
  return status_;
}

void ChildProcess::send_signal(int signal) {
  if (!status_) ::kill(process_id_, signal);
}

ExitStatus ChildProcess::end(milliseconds term_limit) {
  if (term_limit.count() > 0) {
    send_signal(SIGTERM);
    if (const auto status = wait_for(term_limit)) return *status;
  }
  send_signal(SIGKILL);
  if (const auto status = wait_for(kKillLimit)) return *status;
  log_error("models", "process {} does not end although it was killed; it hangs in the kernel or a driver",
            process_id_);
  status_ = ExitStatus{.known = false};
  return *status_;
}

}  // namespace hearth::models
