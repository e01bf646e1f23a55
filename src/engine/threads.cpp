// See threads.h.
#include "engine/threads.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <format>
#include <set>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include "base/file.h"

namespace hearth::engine {

double parse_cpu_max(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return 0;
  long long quota = 0;
  long long period = 0;
  const std::string_view second = text.substr(space + 1);
  if (std::from_chars(text.data(), text.data() + space, quota).ec != std::errc{}) return 0;  // "max"
  if (std::from_chars(second.data(), second.data() + second.size(), period).ec != std::errc{}) return 0;
  return quota > 0 && period > 0 ? static_cast<double>(quota) / static_cast<double>(period) : 0;
}

std::int32_t choose_threads(const std::vector<LogicalCpu>& cpus, double quota_cpus) {
  std::uint32_t fastest = 0;
  for (const LogicalCpu& cpu : cpus) fastest = std::max(fastest, cpu.capacity);
  std::set<std::string> cores;
  // Within a quarter of the fastest: cores of one kind differ by a few percent in their turbo, kinds by half.
  for (const LogicalCpu& cpu : cpus)
    if (cpu.capacity == 0 || cpu.capacity >= fastest / 4 * 3) cores.insert(cpu.siblings);
  auto count = static_cast<std::int32_t>(cores.size());
  if (quota_cpus > 0) count = std::min(count, static_cast<std::int32_t>(std::ceil(quota_cpus)));
  return std::max(count, 1);
}

#if defined(__linux__)
namespace {
constexpr std::size_t kKernelFileBytesMax = 4096;

std::string first_line(const std::string& path) {
  const auto text = read_file(path, kKernelFileBytesMax);
  return text ? text->substr(0, text->find('\n')) : "";
}
}  // namespace

std::int32_t default_threads() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return std::max(1, static_cast<std::int32_t>(std::thread::hardware_concurrency()));
  std::vector<LogicalCpu> cpus;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (!CPU_ISSET(static_cast<std::size_t>(i), &allowed)) continue;
    const std::string folder = std::format("/sys/devices/system/cpu/cpu{}/", i);
    LogicalCpu cpu{.siblings = first_line(folder + "topology/thread_siblings_list")};
    if (cpu.siblings.empty()) cpu.siblings = std::to_string(i);
    // ARM says a capacity; on x86 the highest frequency tells performance cores from efficient ones.
    std::string speed = first_line(folder + "cpu_capacity");
    if (speed.empty()) speed = first_line(folder + "cpufreq/cpuinfo_max_freq");
    cpu.capacity = static_cast<std::uint32_t>(std::strtoul(speed.c_str(), nullptr, 10));
    cpus.push_back(std::move(cpu));
  }
  return choose_threads(cpus, parse_cpu_max(first_line("/sys/fs/cgroup/cpu.max")));
}
#elif defined(__APPLE__)
std::int32_t default_threads() {
  std::int32_t count = 0;
  std::size_t size = sizeof count;
  if (sysctlbyname("hw.perflevel0.physicalcpu", &count, &size, nullptr, 0) == 0 && count > 0) return count;
  if (sysctlbyname("hw.physicalcpu", &count, &size, nullptr, 0) == 0 && count > 0) return count;
  return std::max(1, static_cast<std::int32_t>(std::thread::hardware_concurrency()));
}
#else
std::int32_t default_threads() { return std::max(1, static_cast<std::int32_t>(std::thread::hardware_concurrency())); }
#endif

}  // namespace hearth::engine
