// One end of the pipe between front and engine: a connected stream socket, blocking.
// receive_... belongs to one thread; send may be called by any (a mutex keeps frames whole).
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "link/codec.h"

namespace hearth::link {

class Channel {
 public:
  // Takes ownership of the descriptor and marks it close-on-exec: a grandchild that kept it open (a debugger that
  // libggml calls for a backtrace) would hide our death from the peer.
  explicit Channel(int fd);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Two ends of a new socket pair, both close-on-exec.
  [[nodiscard]] static Result<std::pair<std::unique_ptr<Channel>, std::unique_ptr<Channel>>> pair();

  // Blocks until written. Unavailable when the peer is gone (never SIGPIPE); TooLarge, with nothing sent, for a message
  // over kFrameBytesMax.
  [[nodiscard]] Result<void> send(const FrontMessage& message);
  [[nodiscard]] Result<void> send(const EngineMessage& message);
  // The same for a message that was encoded before.
  [[nodiscard]] Result<void> send_frame(std::string_view frame);

  // Blocks for one message. Unavailable at the peer's orderly or sudden end; InvalidInput for a bad frame, after which
  // the stream has lost its place: drop the channel.
  [[nodiscard]] Result<FrontMessage> receive_front_message();
  [[nodiscard]] Result<EngineMessage> receive_engine_message();

  // Whether bytes were read that no receive has returned yet. Who polls descriptor() looks here first.
  // Receiving thread only.
  [[nodiscard]] bool has_buffered_bytes() const { return read_begin_ < read_end_; }

  // Wakes a blocked receive; both directions are dead afterwards. Any thread.
  void shut_down();
  [[nodiscard]] int descriptor() const { return fd_; }

 private:
  Result<std::pair<FrameHeader, std::string>> receive_frame();
  Result<void> read_exactly(char* into, std::size_t bytes);
  Result<std::size_t> read_some(char* into, std::size_t bytes_max);

  const int fd_;
  const std::unique_ptr<char[]> read_buffer_;  // TokenEvents come by thousands a second: one read takes many

  // Receiving thread only: [read_begin_, read_end_) of the buffer is read and not yet returned.
  std::size_t read_begin_ = 0;
  std::size_t read_end_ = 0;

  std::mutex send_mutex_;
};

}  // namespace hearth::link
