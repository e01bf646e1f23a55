// A pipe whose fullness does not matter: one unread byte is enough to wake.
#include "models/wake_pipe.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <format>
#include <utility>

namespace hearth::models {

Result<WakePipe> WakePipe::open() {
  int ends[2] = {-1, -1};
  if (::pipe(ends) != 0) return fail(ErrorKind::Io, std::format("cannot make a pipe: {}", std::strerror(errno)));
  for (const int end : ends) {
    ::fcntl(end, F_SETFD, FD_CLOEXEC);
    ::fcntl(end, F_SETFL, O_NONBLOCK);
  }
  return WakePipe(ends[0], ends[1]);
}

WakePipe::WakePipe(WakePipe&& other) noexcept
    : read_end_(std::exchange(other.read_end_, -1)), write_end_(std::exchange(other.write_end_, -1)) {}

WakePipe::~WakePipe() {
  if (read_end_ < 0) return;
  ::close(read_end_);
  ::close(write_end_);
}

void WakePipe::wake() const {
  const char byte = 1;
  while (::write(write_end_, &byte, 1) < 0 && errno == EINTR) {
  }
}

void WakePipe::clear() const {
  char bytes[64];
  while (true) {
    const ssize_t got = ::read(read_end_, bytes, sizeof bytes);
    if (got == 0 || (got < 0 && errno != EINTR)) return;
  }
}

}  // namespace hearth::models
