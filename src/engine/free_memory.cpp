// See free_memory.h. /proc and cgroups on Linux, Mach on macOS.
#include "engine/free_memory.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <system_error>

#if defined(__APPLE__)
#include <mach/mach.h>
#include <sys/sysctl.h>
#endif

#include "base/file.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace hearth::engine {
namespace {

constexpr std::size_t kKernelFileBytesMax = 1U << 16U;

std::optional<std::uint64_t> parse_number(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return std::nullopt;
  std::uint64_t value = 0;
  if (std::from_chars(text.data() + begin, text.data() + text.size(), value).ec != std::errc{}) return std::nullopt;
  return value;
}

// The number after `name` at the beginning of a line.
std::optional<std::uint64_t> number_after(std::string_view text, std::string_view name) {
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1))
    if (at == 0 || text[at - 1] == '\n') return parse_number(text.substr(at + name.size()));
  return std::nullopt;
}

std::string kernel_text(const std::string& path) {
  auto text = read_file(path, kKernelFileBytesMax);
  return text ? std::move(*text) : "";
}

#if defined(__linux__)
// A limit may sit on any ancestor of the process's own group.
std::optional<std::uint64_t> cgroup_left() {
  const std::string groups = kernel_text("/proc/self/cgroup");
  const std::size_t mark = groups.find("0::");
  std::optional<std::uint64_t> least;
  const auto take = [&least](std::optional<std::uint64_t> left) {
    if (left && (!least || *left < *least)) least = left;
  };
  if (mark != std::string::npos) {
    std::filesystem::path group = groups.substr(mark + 3, groups.find('\n', mark) - mark - 3);
    for (;; group = group.parent_path()) {
      const std::string folder = "/sys/fs/cgroup" + group.string() + "/";
      take(parse_cgroup_left(kernel_text(folder + "memory.max"), kernel_text(folder + "memory.current"),
                             kernel_text(folder + "memory.stat")));
      if (group == group.parent_path()) break;
    }
  }
  const std::string old = "/sys/fs/cgroup/memory/memory.";  // cgroup v1
  take(parse_cgroup_left(kernel_text(old + "limit_in_bytes"), kernel_text(old + "usage_in_bytes"),
                         kernel_text(old + "stat")));
  return least;
}
#endif

}  // namespace

std::optional<std::uint64_t> parse_mem_available(std::string_view meminfo) {
  const auto kib = number_after(meminfo, "MemAvailable:");
  return kib ? std::optional(*kib * 1024) : std::nullopt;
}

std::optional<std::uint64_t> parse_cgroup_left(std::string_view limit, std::string_view used, std::string_view stat) {
  const auto most = parse_number(limit);
  const auto now = parse_number(used);
  if (!most || !now || *most >= 1ULL << 60U) return std::nullopt;  // v1 writes a huge number for "none"
  std::uint64_t pages =
      number_after(stat, "inactive_file ").value_or(0) + number_after(stat, "active_file ").value_or(0);
  pages = std::min(pages, *now);
  return *most - std::min(*most, *now - pages);
}

void give_back_free_memory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

std::optional<std::uint64_t> free_ram_bytes() {
#if defined(__linux__)
  auto least = parse_mem_available(kernel_text("/proc/meminfo"));
  const auto container = cgroup_left();
  if (container && (!least || *container < *least)) least = container;
  return least;
#elif defined(__APPLE__)
  vm_statistics64_data_t pages{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  if (host_statistics64(mach_host_self(), HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&pages), &count) !=
      KERN_SUCCESS)
    return std::nullopt;
  return (static_cast<std::uint64_t>(pages.free_count) + pages.inactive_count + pages.purgeable_count) *
         vm_kernel_page_size;
#else
  return std::nullopt;
#endif
}

}  // namespace hearth::engine
