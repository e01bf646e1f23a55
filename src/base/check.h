// CHECK: our own mistakes end the process at once, with the place and the reason.
// User input, files and peers are never CHECKed: those are Results (base/result.h).
#pragma once

#include <cstdio>
#include <cstdlib>

namespace hearth {
[[noreturn]] inline void check_failed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "hearth: CHECK failed at %s:%d: %s\n", file, line, condition);
  std::abort();
}
}  // namespace hearth

#define CHECK(condition) ((condition) ? static_cast<void>(0) : ::hearth::check_failed(__FILE__, __LINE__, #condition))
#if defined(NDEBUG) && !defined(HEARTH_DCHECK)
#define DCHECK(condition) static_cast<void>(0)
#else
#define DCHECK(condition) CHECK(condition)
#endif
