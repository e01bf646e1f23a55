// One line of log to stderr per call: level, room, sentence. Thread-safe (one write per line).
// Never log prompt text, tool arguments or keys: a user's code stays out of the log.
#pragma once

#include <format>
#include <string>
#include <string_view>
#include <utility>

namespace hearth {

enum class LogLevel { Debug, Info, Warning, Error, Off };

void set_log_level(LogLevel level);
[[nodiscard]] LogLevel log_level();
void log_line(LogLevel level, std::string_view room, std::string_view sentence);

template <class... Args>
void log_at(LogLevel level, std::string_view room, std::format_string<Args...> format, Args&&... args) {
  if (level < log_level()) return;
  log_line(level, room, std::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_debug(std::string_view room, std::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::Debug, room, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_info(std::string_view room, std::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::Info, room, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_warning(std::string_view room, std::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::Warning, room, format, std::forward<Args>(args)...);
}
template <class... Args>
void log_error(std::string_view room, std::format_string<Args...> format, Args&&... args) {
  log_at(LogLevel::Error, room, format, std::forward<Args>(args)...);
}

}  // namespace hearth
