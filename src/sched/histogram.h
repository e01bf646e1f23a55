// How often a figure was at most so much: counts that only grow, as Prometheus wants them. A plain value.
#pragma once

#include <cstdint>
#include <format>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace hearth::sched {

class Histogram {
 public:
  // `bounds` ascend and live as long as the program.
  explicit Histogram(std::span<const std::uint64_t> bounds) : bounds_(bounds), counts_(bounds.size()) {}

  void add(std::uint64_t value) {
    ++count_;
    sum_ += value;
    for (std::size_t i = 0; i < bounds_.size(); ++i)
      if (value <= bounds_[i]) ++counts_[i];
  }
  // As NAME_le_BOUND (cumulative), NAME_count and NAME_sum.
  void put(const std::string& name, std::map<std::string, std::uint64_t>& counters) const {
    for (std::size_t i = 0; i < bounds_.size(); ++i) counters[std::format("{}_le_{}", name, bounds_[i])] = counts_[i];
    counters[name + "_count"] = count_;
    counters[name + "_sum"] = sum_;
  }

 private:
  std::span<const std::uint64_t> bounds_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0, sum_ = 0;
};

}  // namespace hearth::sched
