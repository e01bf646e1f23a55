// Ctrl-C and SIGTERM as numbers to wait for. One per process; the handlers only write a byte into a pipe.
#pragma once

#include <chrono>

namespace hearth::cli {

class StopSignals {
 public:
  // Installs the handlers (and ignores SIGPIPE: a client that goes away is an error code, not a death).
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Waits for one signal more; false when the time is over first.
  [[nodiscard]] bool wait_for(std::chrono::milliseconds limit);
};

}  // namespace hearth::cli
