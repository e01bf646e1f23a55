// How many threads the engine computes with when the user names no number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::engine {

struct LogicalCpu {
  std::string siblings;        // the kernel's thread_siblings_list: the same text for the threads of one core
  std::uint32_t capacity = 0;  // relative speed of the core; 0 where the kernel says nothing
};

// One thread per physical core (two threads of one core share its vector units and only disturb each other), fast cores
// only where there are two kinds (a matrix product waits for its slowest thread), and never more than the quota of the
// container allows, rounded up. `quota_cpus` 0 = none. At least 1.
[[nodiscard]] std::int32_t choose_threads(const std::vector<LogicalCpu>& cpus, double quota_cpus);

// The same for this machine and this process's CPU affinity.
[[nodiscard]] std::int32_t default_threads();

// "max 100000" or "150000 100000" (cgroup v2 cpu.max) in CPUs; 0 = no quota.
[[nodiscard]] double parse_cpu_max(std::string_view text);

}  // namespace hearth::engine
