// See filter_process.h. posix_spawn, because the server has many threads. Both pipes are ours to poll, so that a child
// that does not read while it writes, or the other way round, cannot make us wait for each other.
#include "documents/filter_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <format>
#include <thread>
#include <utility>

namespace hearth::documents {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLastWords{2000};  // from the end of its output to its own

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  [[nodiscard]] int get() const { return number_; }
  void reset() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_;
};

// A socket pair rather than a pipe: a write to a child that is gone is an error and no signal.
struct Channel {
  Descriptor ours, theirs;
};
Result<Channel> open_channel() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0)
    return fail(ErrorKind::Unavailable, std::format("cannot make a channel: {}", std::strerror(errno)));
  Channel channel{Descriptor(ends[0]), Descriptor(ends[1])};
  for (const int end : ends) (void)::fcntl(end, F_SETFD, FD_CLOEXEC);
  (void)::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return channel;
}

Result<pid_t> start(const std::string& program, int descriptor) {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, descriptor, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, descriptor, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  int flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
#if defined(__APPLE__)
  flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
#else
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
#endif
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigfillset(&defaults);
  sigdelset(&defaults, SIGKILL);
  sigdelset(&defaults, SIGSTOP);
  posix_spawnattr_setflags(&attributes, static_cast<short>(flags));
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  std::string name = program;
  std::array<char*, 2> arguments{name.data(), nullptr};
  std::array<char*, 1> environment{nullptr};
  pid_t process = 0;
  const int error =
      ::posix_spawn(&process, program.c_str(), &actions, &attributes, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(ErrorKind::Unavailable, std::format("cannot run {}: {}", program, std::strerror(error)));
  return process;
}

// Writes and reads until the child closes its end; what stopped it before that, if anything.
FilterEnd exchange(Descriptor& channel, std::string_view input, std::string& output, std::size_t output_bytes_max,
                   Clock::time_point deadline) {
  std::array<char, 65536> part{};
  if (input.empty()) (void)::shutdown(channel.get(), SHUT_WR);
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return FilterEnd::TooLong;
    pollfd ready{
        .fd = channel.get(), .events = static_cast<short>(POLLIN | (input.empty() ? 0 : POLLOUT)), .revents = 0};
    if (::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, 1000))) < 0 && errno != EINTR)
      return FilterEnd::Killed;
    if ((ready.revents & POLLOUT) != 0) {
#if defined(MSG_NOSIGNAL)
      constexpr int kQuiet = MSG_NOSIGNAL;
#else
      constexpr int kQuiet = 0;
#endif
      const ssize_t sent = ::send(channel.get(), input.data(), input.size(), kQuiet);
      if (sent > 0) input.remove_prefix(static_cast<std::size_t>(sent));
      if (sent < 0 && errno != EAGAIN && errno != EINTR) input = {};  // it wants no more; its answer may be there
      if (input.empty()) (void)::shutdown(channel.get(), SHUT_WR);
    }
    if ((ready.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      const ssize_t got = ::recv(channel.get(), part.data(), part.size(), 0);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return FilterEnd::Exited;
      if (got > 0) output.append(part.data(), static_cast<std::size_t>(got));
      if (output.size() > output_bytes_max) return FilterEnd::TooMuch;
    }
  }
}

// The child's status; one that lives on although it said all it had is killed.
int reap(pid_t process, Clock::time_point by) {
  int status = 0;
  for (pid_t reaped = 0; reaped != process;) {
    if (Clock::now() >= by) ::kill(process, SIGKILL);
    reaped = ::waitpid(process, &status, Clock::now() >= by ? 0 : WNOHANG);
    if (reaped < 0 && errno != EINTR) return 0;
    if (reaped == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return status;
}

}  // namespace

Result<FilterOutcome> run_filter(const std::string& program, std::string_view input, std::size_t output_bytes_max,
                                 Clock::time_point deadline) {
  TRY_ASSIGN(Channel channel, open_channel());
  TRY_ASSIGN(const pid_t process, start(program, channel.theirs.get()));
  channel.theirs.reset();
  FilterOutcome outcome;
  outcome.end = exchange(channel.ours, input, outcome.output, output_bytes_max, deadline);
  channel.ours.reset();
  const auto reap_by = Clock::now() + (outcome.end == FilterEnd::Exited ? kLastWords : std::chrono::milliseconds(0));
  const int status = reap(process, reap_by);
  if (outcome.end != FilterEnd::Exited) return outcome;
  if (WIFSIGNALED(status)) outcome.end = FilterEnd::Killed;
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

}  // namespace hearth::documents
