// One end of the pipe between front and engine: a connected stream socket, blocking.
// receive_... belongs to one thread; send may be called by any (a mutex keeps frames whole).
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "base/result.h"
#include "link/codec.h"

namespace hearth::link {

class Channel {
 public:
  explicit Channel(int fd) : fd_(fd) {}  // takes ownership of the descriptor
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Two ends of a new socket pair, both close-on-exec.
  [[nodiscard]] static Result<std::pair<std::unique_ptr<Channel>, std::unique_ptr<Channel>>> pair();

  // Blocks until written. Unavailable when the peer is gone (never SIGPIPE).
  [[nodiscard]] Result<void> send(const FrontMessage& message);
  [[nodiscard]] Result<void> send(const EngineMessage& message);

  // Blocks for one message. Unavailable at the peer's orderly or sudden end; InvalidInput for a bad frame.
  [[nodiscard]] Result<FrontMessage> receive_front_message();
  [[nodiscard]] Result<EngineMessage> receive_engine_message();

  // Wakes a blocked receive; both directions are dead afterwards. Any thread.
  void shut_down();
  [[nodiscard]] int descriptor() const { return fd_; }

 private:
  Result<void> send_bytes(const std::string& frame);
  Result<std::pair<FrameHeader, std::string>> receive_frame();

  const int fd_;
  std::mutex send_mutex_;
};

}  // namespace hearth::link
