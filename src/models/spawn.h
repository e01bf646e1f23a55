// One child process with one socket: how an engine is started, told to end, and reaped.
// A ChildProcess belongs to one thread. Its destructor leaves no process and no zombie.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace hearth::models {

// The child finds its end of the link here.
inline constexpr int kLinkDescriptor = 3;

// How a process ended: by a signal, or with a status of its own.
struct ExitStatus {
  int code = 0;
  int signal = 0;     // 0: it ended by itself
  bool known = true;  // false when something else reaped it
};
// For people: "signal 9: killed, perhaps because memory ran out".
[[nodiscard]] std::string describe(const ExitStatus& status);

// The environment of an engine: `given` ("NAME=value"), and what is not said there of two things. How long a computing thread spins
// while it waits for the others: GCC's OpenMP spins for milliseconds, in which a core that two programs share does nothing for either; two
// engines on two cores took 2.5 times as long as one after the other. (libgomp's manual, GOMP_SPINCOUNT.) And that large blocks of memory
// lie in large pages: a context that is filled from the disk costs more in page faults than in reading. (glibc's manual, Memory
// Allocation Tunables; it changes nothing where the system has no large pages, or is told to use them never.)
[[nodiscard]] std::vector<std::string> engine_environment(std::vector<std::string> given);

class ChildProcess {
 public:
  // Runs `program` (looked up in PATH when it has no slash) with `arguments` and `--link-fd 3`. The child gets:
  // `link_descriptor` as 3, our stderr as its stdout and stderr, nothing to read on stdin and no other descriptor;
  // a process group of its own, so that Ctrl-C in the terminal reaches the front only; default signals.
  [[nodiscard]] static Result<std::unique_ptr<ChildProcess>> spawn(const std::string& program,
                                                                   const std::vector<std::string>& arguments,
                                                                   int link_descriptor);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  [[nodiscard]] pid_t process_id() const { return process_id_; }
  // The status once the process has ended (and then for ever), nullopt when the time is over before that.
  [[nodiscard]] std::optional<ExitStatus> wait_for(std::chrono::milliseconds limit);
  // Does nothing to a process that was reaped: its number may be another's by now.
  void send_signal(int signal);
  // SIGTERM, later SIGKILL, then reaps.
  ExitStatus end(std::chrono::milliseconds term_limit);

 private:
  explicit ChildProcess(pid_t process_id) : process_id_(process_id) {}

  const pid_t process_id_;
  std::optional<ExitStatus> status_;
};

}  // namespace hearth::models
