// Histogram: how often what length of time was seen, in fixed buckets, as Prometheus counts them. A value without threads.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace hearth::server {

// From a fast machine's token to a prefill of a quarter of an hour; each bound is 2 to 3 times the one before.
inline constexpr std::array<double, 18> kBucketBounds_s = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                           1,     2.5,    5,     10,   25,    60,   120, 300,  900};

struct Histogram {
  std::array<std::uint64_t, kBucketBounds_s.size() + 1> counts{};  // of each bucket alone; the last has no bound
  std::uint64_t count = 0;
  double sum_s = 0;

  void add(std::int64_t us, std::uint64_t times = 1) {
    const double seconds = static_cast<double>(us) / 1e6;
    const auto* bucket = std::ranges::lower_bound(kBucketBounds_s, seconds);
    counts[static_cast<std::size_t>(bucket - kBucketBounds_s.begin())] += times;
    count += times;
    sum_s += seconds * static_cast<double>(times);
  }
};

}  // namespace hearth::server
