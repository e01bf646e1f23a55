// Budget: what one render may spend. A template is foreign code; when any of these is used up the render is refused.
// Used by one thread; the values of a render point to it and must not outlive it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "jinja/refusal.h"

namespace hearth::jinja {

// Building text takes steps too: one for this many bytes.
inline constexpr std::size_t kBytesPerStep = 256;
// Strings, lists and dicts that are alive at one time. A 64 MiB prompt needs its input, its output and some copies.
inline constexpr std::size_t kLiveBytesMax = std::size_t{768} << 20;
// Expressions, statements and calls inside one another; each costs up to about 1 KiB of stack.
inline constexpr int kEvaluationDepthMax = 1200;
// Lists in lists in lists; input is at most 256 deep (Json::parse).
inline constexpr int kValueDepthMax = 400;
// As Jinja's sandbox.
inline constexpr std::int64_t kRangeMax = 100'000;

class Budget {
 public:
  explicit Budget(std::uint64_t steps_max) : steps_left_(steps_max) {}

  void spend(std::uint64_t steps = 1) {
    if (steps_left_ < steps) refuse_limit("the template takes too many steps");
    steps_left_ -= steps;
  }
  void allocate(std::size_t bytes) {
    spend(1 + bytes / kBytesPerStep);
    if (bytes > kLiveBytesMax - live_bytes_) refuse_limit("the template needs too much memory");
    live_bytes_ += bytes;
  }
  void release(std::size_t bytes) { live_bytes_ -= bytes; }

 private:
  std::uint64_t steps_left_;
  std::size_t live_bytes_ = 0;
};

}  // namespace hearth::jinja
