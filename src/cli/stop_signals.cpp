// See stop_signals.h.
#include "cli/stop_signals.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/check.h"

namespace hearth::cli {
namespace {

// A signal handler can reach nothing but globals: [0] read end, [1] write end. Both non-blocking.
std::array<int, 2> g_pipe = {-1, -1};

void on_signal(int signal) {
  const int saved = errno;
  const char byte = signal == SIGINT ? 'i' : 't';
  // A full pipe already holds more signals than anyone waits for.
  [[maybe_unused]] const auto written = ::write(g_pipe[1], &byte, 1);
  errno = saved;
}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  CHECK(::sigaction(signal, &action, nullptr) == 0);
}

}  // namespace

StopSignals::StopSignals() {
  CHECK(g_pipe[0] < 0);
  CHECK(::pipe(g_pipe.data()) == 0);
  for (const int end : g_pipe) {
    CHECK(::fcntl(end, F_SETFD, FD_CLOEXEC) == 0);
    CHECK(::fcntl(end, F_SETFL, O_NONBLOCK) == 0);
  }
  set_handler(SIGINT, on_signal);
  set_handler(SIGTERM, on_signal);
  // A terminal that is closed ends the server in order; under nohup it goes on.
  struct sigaction hangup{};
  CHECK(::sigaction(SIGHUP, nullptr, &hangup) == 0);
  if (hangup.sa_handler != SIG_IGN) set_handler(SIGHUP, on_signal);
  set_handler(SIGPIPE, SIG_IGN);
}

StopSignals::~StopSignals() {
  set_handler(SIGINT, SIG_DFL);
  set_handler(SIGTERM, SIG_DFL);
  struct sigaction hangup{};
  if (::sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) set_handler(SIGHUP, SIG_DFL);
  for (int& end : g_pipe) {
    ::close(end);
    end = -1;
  }
}

StopWish StopSignals::wait_for(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    char byte = 0;
    if (::read(g_pipe[0], &byte, 1) == 1) return byte == 'i' ? StopWish::Interrupt : StopWish::Terminate;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return StopWish::None;
    pollfd descriptor{.fd = g_pipe[0], .events = POLLIN, .revents = 0};
    static_cast<void>(::poll(&descriptor, 1, static_cast<int>(left.count())));
  }
}

}  // namespace hearth::cli
