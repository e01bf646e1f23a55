// WakePipe: a descriptor that becomes readable when another thread calls wake(), for a thread that waits in poll().
#pragma once

#include "base/result.h"

namespace hearth::models {

class WakePipe {
 public:
  [[nodiscard]] static Result<WakePipe> open();
  ~WakePipe();
  WakePipe(WakePipe&& other) noexcept;
  WakePipe& operator=(WakePipe&&) = delete;

  void wake() const;   // any thread
  void clear() const;  // the waiting thread
  [[nodiscard]] int descriptor() const { return read_end_; }

 private:
  WakePipe(int read_end, int write_end) : read_end_(read_end), write_end_(write_end) {}
  int read_end_;   // -1 after a move
  int write_end_;  // -1 after a move
};

}  // namespace hearth::models
