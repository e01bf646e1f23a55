// The choice of threads, and free memory as the kernel's files tell it.
#include "engine/threads.h"

#include <doctest/doctest.h>

#include "engine/free_memory.h"

namespace hearth::engine {

TEST_CASE("threads: one per core, fast cores only, within the container's quota") {
  CHECK(choose_threads({}, 0) == 1);
  CHECK(choose_threads({{"0", 0}, {"1", 0}}, 0) == 2);
  CHECK(choose_threads({{"0,4", 0}, {"1,5", 0}, {"0,4", 0}, {"1,5", 0}}, 0) == 2);      // two threads per core
  CHECK(choose_threads({{"0", 5000}, {"1", 5100}, {"2", 2800}, {"3", 2800}}, 0) == 2);  // two efficient ones
  CHECK(choose_threads({{"0", 0}, {"1", 0}, {"2", 0}, {"3", 0}}, 1.5) == 2);
  CHECK(choose_threads({{"0", 0}, {"1", 0}}, 0.5) == 1);
  CHECK(default_threads() >= 1);
}

TEST_CASE("a CPU quota is read from the kernel's two numbers") {
  CHECK(parse_cpu_max("max 100000") == 0);
  CHECK(parse_cpu_max("150000 100000") == doctest::Approx(1.5));
  CHECK(parse_cpu_max("") == 0);
  CHECK(parse_cpu_max("100 0") == 0);
  CHECK(parse_cpu_max("junk") == 0);
}

TEST_CASE("free memory is the machine's and the container's word") {
  CHECK(parse_mem_available("MemTotal: 100 kB\nMemAvailable:    1024 kB\n") == 1024 * 1024);
  CHECK(!parse_mem_available("MemTotal: 100 kB\n"));
  CHECK(parse_cgroup_left("1000000\n", "400000\n", "anon 1\ninactive_file 100000\nactive_file 50000\n") == 750000);
  CHECK(!parse_cgroup_left("max\n", "400000\n", ""));
  CHECK(!parse_cgroup_left("9223372036854771712\n", "400000\n", ""));
  CHECK(parse_cgroup_left("100", "400", "") == 0);
  CHECK(!parse_cgroup_left("", "", ""));
  const auto here = free_ram_bytes();
  REQUIRE(here);
  CHECK(*here > 1U << 20U);
}

}  // namespace hearth::engine
