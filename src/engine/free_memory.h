// How much RAM this process may still take: the machine's and the container's word, the smaller. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::engine {

// Bytes; nullopt where neither the kernel nor the container says (then nothing is refused).
[[nodiscard]] std::optional<std::uint64_t> free_ram_bytes();
// Hands what this process has freed but still holds back to the system, where the C library can.
void give_back_free_memory();

// "MemAvailable:  123 kB" of /proc/meminfo in bytes; nullopt when the line is missing.
[[nodiscard]] std::optional<std::uint64_t> parse_mem_available(std::string_view meminfo);
// What a cgroup has left: `limit` is the text of memory.max ("max" = none), `used` of memory.current, `stat` of
// memory.stat. File pages do not count as used: the kernel takes them back.
[[nodiscard]] std::optional<std::uint64_t> parse_cgroup_left(std::string_view limit, std::string_view used,
                                                             std::string_view stat);

}  // namespace hearth::engine
