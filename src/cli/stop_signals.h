// Ctrl-C, SIGTERM and a terminal that is closed (SIGHUP, unless it is ignored: nohup) as something to wait for. One per process; the handlers only write a byte into a pipe.
#pragma once

#include <chrono>

namespace hearth::cli {

// Interrupt is a person's: there is no hurry, and a second one follows where there is. Terminate is a service manager's,
// which kills when its time is over, or the terminal's.
enum class StopWish { None, Interrupt, Terminate };

class StopSignals {
 public:
  // Installs the handlers (and ignores SIGPIPE: a client that goes away is an error code, not a death).
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Waits for one signal more; None when the time is over first.
  [[nodiscard]] StopWish wait_for(std::chrono::milliseconds limit);
};

}  // namespace hearth::cli
