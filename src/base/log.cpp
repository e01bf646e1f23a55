// The log: a level and one write. Any thread.
#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <chrono>

namespace hearth {
namespace {
std::atomic<LogLevel> current_level{LogLevel::Info};

char level_letter(LogLevel level) {
  switch (level) {
    case LogLevel::Debug: return 'D';
    case LogLevel::Info: return 'I';
    case LogLevel::Warning: return 'W';
    case LogLevel::Error: return 'E';
    case LogLevel::Off: break;
  }
  return '?';
}
}  // namespace

void set_log_level(LogLevel level) { current_level = level; }
LogLevel log_level() { return current_level; }

void log_line(LogLevel level, std::string_view room, std::string_view sentence) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const std::string line = std::format("{:%H:%M:%S} {} {}: {}\n", now, level_letter(level), room, sentence);
  // One write call keeps lines of several threads whole; a failing stderr has nobody left to tell.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace hearth
