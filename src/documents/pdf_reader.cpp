// See pdf_reader.h.
#include "documents/pdf_reader.h"

#include <cstring>
#include <format>
#include <utility>

#include "base/random.h"
#include "documents/filter_process.h"

namespace hearth::documents {
namespace {

using Clock = std::chrono::steady_clock;

std::uint64_t hash_of(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t hash = mix_u64(seed, bytes.size());
  for (; bytes.size() >= sizeof(std::uint64_t); bytes.remove_prefix(sizeof(std::uint64_t))) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    hash = mix_u64(hash ^ word, 1);
  }
  std::uint64_t rest = 0;
  if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
  return mix_u64(hash ^ rest, 2);
}

// What is wrong with a file stays wrong; what came from the machine's state does not.
bool is_worth_keeping(const Result<std::string>& text) { return text || text.error().kind == ErrorKind::InvalidInput; }
std::size_t bytes_of(const Result<std::string>& text) {
  return 128 + (text ? text->size() : text.error().message.size());
}

}  // namespace

PdfReader::PdfReader(std::string program, PdfReaderLimits limits) : program_(std::move(program)), limits_(limits) {}

Result<std::string> PdfReader::text(std::string_view pdf) {
  if (program_.empty()) return fail(ErrorKind::InvalidInput, "PDFs are not read by this build; send the text itself");
  if (pdf.size() > limits_.file_bytes_max)
    return fail(ErrorKind::InvalidInput, std::format("the PDF is larger than {} MiB", limits_.file_bytes_max >> 20));
  const std::uint64_t first = hash_of(pdf, 1);
  const std::uint64_t second = hash_of(pdf, 2);
  const auto deadline = Clock::now() + limits_.limit;
  std::unique_lock lock(mutex_);
  const auto known = [&]() -> std::list<Kept>::iterator {
    for (auto it = kept_.begin(); it != kept_.end(); ++it) {
      if (it->first == first && it->second == second && it->file_bytes == pdf.size()) return it;
    }
    return kept_.end();
  };
  if (!freed_.wait_until(lock, deadline, [&] { return known() != kept_.end() || running_ < limits_.processes_max; }))
    return fail(ErrorKind::Overloaded, "other PDFs are being read; try again in a moment");
  if (const auto it = known(); it != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, it);
    return it->text;
  }
  ++running_;
  lock.unlock();
  Result<std::string> text = convert(pdf, deadline);
  lock.lock();
  --running_;
  const std::size_t bytes = bytes_of(text);
  if (is_worth_keeping(text) && bytes <= limits_.kept_bytes_max && known() == kept_.end()) {
    while (kept_bytes_ + bytes > limits_.kept_bytes_max) {
      kept_bytes_ -= bytes_of(kept_.back().text);
      kept_.pop_back();
    }
    kept_bytes_ += bytes;
    kept_.push_front({.first = first, .second = second, .file_bytes = pdf.size(), .text = text});
  }
  freed_.notify_all();
  return text;
}

Result<std::string> PdfReader::convert(std::string_view pdf, Clock::time_point deadline) const {
  TRY_ASSIGN(FilterOutcome outcome, run_filter(program_, pdf, limits_.text_bytes_max, deadline));
  if (outcome.end == FilterEnd::Exited && outcome.exit_code == 0) return std::move(outcome.output);
  if (outcome.end == FilterEnd::Exited && outcome.exit_code == 1)
    return fail(ErrorKind::InvalidInput, std::move(outcome.output));
  if (outcome.end == FilterEnd::TooMuch) return fail(ErrorKind::InvalidInput, "the PDF holds too much text");
  if (outcome.end == FilterEnd::TooLong) return fail(ErrorKind::InvalidInput, "the PDF takes too long to read");
  return fail(ErrorKind::InvalidInput,
              "the PDF cannot be read: it takes more time or memory than one may, or is damaged");
}

}  // namespace hearth::documents
