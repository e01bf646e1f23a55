// For tests of all rooms: what was said of a fault, line by line.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/log.h"

namespace hearth::testing {

// What is logged from this level on, instead of to stderr. Not beside threads that log.
class LogLines {
 public:
  explicit LogLines(LogLevel level = LogLevel::Warning) : stderr_(::dup(STDERR_FILENO)), file_(std::tmpfile()) {
    REQUIRE(file_ != nullptr);
    REQUIRE(::dup2(::fileno(file_), STDERR_FILENO) >= 0);
    set_log_level(level);
  }
  ~LogLines() {
    set_log_level(before_);
    ::dup2(stderr_, STDERR_FILENO);
    ::close(stderr_);
    std::fclose(file_);
  }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;

  // Each without its time: "W store: the index of ...".
  [[nodiscard]] std::vector<std::string> all() const {
    std::vector<std::string> lines(1);
    char byte = 0;
    for (off_t at = 0; ::pread(::fileno(file_), &byte, 1, at) == 1; ++at)
      if (byte == '\n')
        lines.emplace_back();
      else
        lines.back() += byte;
    lines.pop_back();
    for (std::string& line : lines) line.erase(0, line.find(' ') + 1);
    return lines;
  }

 private:
  const LogLevel before_ = log_level();
  const int stderr_;
  std::FILE* const file_;
};

}  // namespace hearth::testing
