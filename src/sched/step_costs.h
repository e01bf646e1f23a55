// What a step costs here, learned from the steps that were made: the streams' own part of it, and what prefill rows add by how
// many they are (few of them cost more each, because kernels want full tiles). Nothing about the machine is assumed.
// The loop's thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace hearth::sched {

class StepCosts {
 public:
  void learn(std::uint32_t stream_rows, std::uint32_t prefill_rows, double step_us);
  // A step of the streams that run now, without prefill. 0 = not known.
  [[nodiscard]] double streams_us() const { return streams_us_; }
  // What so many rows of prefill take, or add to a step. 0 = not known.
  [[nodiscard]] double prefill_us(std::uint32_t rows) const;

 private:
  static constexpr std::size_t kClassCount = 12;  // 1, 2..3, 4..7, ... , 2048 and more
  [[nodiscard]] static std::size_t class_of(std::uint32_t rows);

  double streams_us_ = 0;
  std::array<double, kClassCount> row_us_{};  // of one prefill row, by class; 0 = not known
};

}  // namespace hearth::sched
