// The socket calls of a Channel. Partial reads and writes and EINTR end here.
#include "link/channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <format>

namespace hearth::link {
namespace {

// A few hundred TokenEvents. A payload that is longer is read straight into its place.
constexpr std::size_t kReadBufferBytes = 64U << 10;

#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;  // macOS: SO_NOSIGPIPE in the constructor does it
#endif

std::unexpected<Error> peer_is_gone(std::string_view doing) {
  return fail(ErrorKind::Unavailable, std::format("link: the other side ended while {}", doing));
}

}  // namespace

Channel::Channel(int fd) : fd_(fd), read_buffer_(std::make_unique_for_overwrite<char[]>(kReadBufferBytes)) {
  ::fcntl(fd_, F_SETFD, FD_CLOEXEC);
#ifdef SO_NOSIGPIPE
  const int on = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

Channel::~Channel() { ::close(fd_); }

Result<std::pair<std::unique_ptr<Channel>, std::unique_ptr<Channel>>> Channel::pair() {
  int type = SOCK_STREAM;
#ifdef SOCK_CLOEXEC
  type |= SOCK_CLOEXEC;  // at birth: another thread may be starting a process right now
#endif
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, type, 0, ends) != 0)
    return fail(ErrorKind::Io, std::format("link: cannot make a socket pair: {}", std::strerror(errno)));
  return std::pair(std::make_unique<Channel>(ends[0]), std::make_unique<Channel>(ends[1]));
}

Result<void> Channel::send(const FrontMessage& message) { return send_frame(encode(message)); }
Result<void> Channel::send(const EngineMessage& message) { return send_frame(encode(message)); }

Result<void> Channel::send_frame(std::string_view frame) {
  if (frame.size() > kFrameHeaderBytes + kFrameBytesMax) {
    return fail(ErrorKind::TooLarge,
                std::format("link: a message of {} bytes is over the limit of {}", frame.size(), kFrameBytesMax));
  }
  const std::lock_guard lock(send_mutex_);
  while (!frame.empty()) {
    const ssize_t sent = ::send(fd_, frame.data(), frame.size(), kSendFlags);
    if (sent >= 0) {
      frame.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return peer_is_gone("a message was being sent to it");
    } else if (errno != EINTR) {
      return fail(ErrorKind::Io, std::format("link: cannot send: {}", std::strerror(errno)));
    }
  }
  return {};
}

Result<FrontMessage> Channel::receive_front_message() {
  TRY_ASSIGN(const auto frame, receive_frame());
  return decode_front_message(frame.first.tag, frame.second);
}

Result<EngineMessage> Channel::receive_engine_message() {
  TRY_ASSIGN(const auto frame, receive_frame());
  return decode_engine_message(frame.first.tag, frame.second);
}

void Channel::shut_down() { ::shutdown(fd_, SHUT_RDWR); }

Result<std::pair<FrameHeader, std::string>> Channel::receive_frame() {
  char header_bytes[kFrameHeaderBytes];
  TRY(read_exactly(header_bytes, sizeof header_bytes));
  TRY_ASSIGN(const FrameHeader header, decode_header({header_bytes, sizeof header_bytes}));
  std::string payload(header.payload_bytes, '\0');
  TRY(read_exactly(payload.data(), payload.size()));
  return std::pair(header, std::move(payload));
}

Result<void> Channel::read_exactly(char* into, std::size_t bytes) {
  while (bytes > 0) {
    if (!has_buffered_bytes()) {
      if (bytes >= kReadBufferBytes) {
        TRY_ASSIGN(const std::size_t got, read_some(into, bytes));
        into += got;
        bytes -= got;
        continue;
      }
      TRY_ASSIGN(read_end_, read_some(read_buffer_.get(), kReadBufferBytes));
      read_begin_ = 0;
    }
    const std::size_t taken = std::min(bytes, read_end_ - read_begin_);
    std::memcpy(into, read_buffer_.get() + read_begin_, taken);
    read_begin_ += taken;
    into += taken;
    bytes -= taken;
  }
  return {};
}

// At least one byte.
Result<std::size_t> Channel::read_some(char* into, std::size_t bytes_max) {
  while (true) {
    const ssize_t got = ::recv(fd_, into, bytes_max, 0);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0 || errno == ECONNRESET) return peer_is_gone("a message was awaited from it");
    if (errno != EINTR) return fail(ErrorKind::Io, std::format("link: cannot receive: {}", std::strerror(errno)));
  }
}

}  // namespace hearth::link
