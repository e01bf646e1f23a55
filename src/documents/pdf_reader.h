// PdfReader: PDFs into text by a program of its own (hearth-pdf), one process per file: a file made to harm takes that
// process with it and nothing else. Clients send a PDF again with every turn, so what was read is remembered.
// Thread-safe; text() waits for the process, on the caller's thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::documents {

struct PdfReaderLimits {
  std::size_t file_bytes_max = 32U << 20;  // as hearth-pdf's own
  std::size_t text_bytes_max = 24U << 20;  // of one answer; hearth-pdf stops before
  std::size_t kept_bytes_max = 64U << 20;  // of remembered texts
  std::size_t processes_max = 2;           // at once; others wait
  std::chrono::milliseconds limit{
      20'000};  // for one file, waiting included; hearth-pdf gives itself 10 s of processor time
};

class PdfReader {
 public:
  // An empty program: every PDF is refused, with a reason.
  explicit PdfReader(std::string program, PdfReaderLimits limits = {});

  // InvalidInput says what is wrong with the file; Overloaded that others were being read all the time.
  [[nodiscard]] Result<std::string> text(std::string_view pdf);

 private:
  struct Kept {
    std::uint64_t first = 0, second = 0;  // two hashes of the file
    std::size_t file_bytes = 0;
    Result<std::string> text;
  };
  [[nodiscard]] Result<std::string> convert(std::string_view pdf, std::chrono::steady_clock::time_point deadline) const;

  const std::string program_;
  const PdfReaderLimits limits_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::size_t running_ = 0;     // guarded by mutex_
  std::list<Kept> kept_;        // the one used last in front; guarded by mutex_
  std::size_t kept_bytes_ = 0;  // guarded by mutex_
};

}  // namespace hearth::documents
