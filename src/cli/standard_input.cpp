// See standard_input.h.
#include "cli/standard_input.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <format>

namespace hearth::cli {

Result<std::string> read_standard_input(std::size_t bytes_max) {
  std::string text;
  std::array<char, 1U << 16U> part{};
  while (const std::size_t count = std::fread(part.data(), 1, part.size(), stdin)) {
    if (count > bytes_max - text.size())
      return fail(ErrorKind::TooLarge, std::format("standard input has more than {} bytes", bytes_max));
    text.append(part.data(), count);
  }
  if (std::ferror(stdin) != 0)
    return fail(ErrorKind::Io, std::format("standard input cannot be read: {}", std::strerror(errno)));
  return text;
}

Result<void> write_standard_output(std::string_view bytes) {
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() && std::fflush(stdout) == 0;
  if (!written) return fail(ErrorKind::Io, std::format("standard output cannot be written: {}", std::strerror(errno)));
  return {};
}

}  // namespace hearth::cli
