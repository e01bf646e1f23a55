// For tests of all rooms: what a test breaks on purpose is not to be read about.
#pragma once

#include "base/log.h"

namespace hearth::testing {

class Quiet {
 public:
  Quiet() { set_log_level(LogLevel::Off); }
  ~Quiet() { set_log_level(before_); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  const LogLevel before_ = log_level();
};

}  // namespace hearth::testing
