// See model_digest.h.
#include "engine/model_digest.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <format>
#include <memory>
#include <vector>

namespace hearth::engine {
namespace {

constexpr std::uint64_t kHeadBytes = std::uint64_t{16} << 20U;
constexpr std::uint64_t kSampleBytes = 4096;
constexpr std::uint64_t kSamples = 4096;

class Sampler {
 public:
  Sampler(std::FILE* file, std::uint64_t file_bytes, Digester& digester)
      : file_(file), file_bytes_(file_bytes), digester_(digester) {}

  // What is past the end is not there; the size is in the digest already.
  void add(std::uint64_t offset, std::uint64_t bytes) {
    if (offset >= file_bytes_) return;
    buffer_.resize(std::min(bytes, file_bytes_ - offset));
    ok_ = ok_ && ::fseeko(file_, static_cast<off_t>(offset), SEEK_SET) == 0 &&
          std::fread(buffer_.data(), 1, buffer_.size(), file_) == buffer_.size();
    if (ok_) digester_.add(buffer_);
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::FILE* file_;
  const std::uint64_t file_bytes_;
  Digester& digester_;
  std::vector<std::uint8_t> buffer_;
  bool ok_ = true;
};

Result<void> add_file(const std::string& path, const std::vector<TensorSpan>& tensors, Digester& digester) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) return fail(ErrorKind::Io, std::format("cannot open {}: {}", path, std::strerror(errno)));
  std::setvbuf(file.get(), nullptr, _IONBF, 0);
  std::error_code failed;
  const std::uint64_t bytes = std::filesystem::file_size(path, failed);
  if (failed) return fail(ErrorKind::Io, std::format("cannot read {}: {}", path, failed.message()));
  digester.add(bytes);
  Sampler sampler(file.get(), bytes, digester);
  sampler.add(0, kHeadBytes);
  for (std::uint64_t i = 0; bytes > kHeadBytes && i < kSamples; ++i)
    sampler.add(kHeadBytes + (bytes - kHeadBytes) / kSamples * i, kSampleBytes);
  for (const TensorSpan& tensor : tensors) {
    if (tensor.begin + tensor.bytes <= kHeadBytes) continue;
    const std::uint64_t last = tensor.bytes - std::min(tensor.bytes, kSampleBytes);
    sampler.add(tensor.begin, std::min(tensor.bytes, kSampleBytes));
    sampler.add(tensor.begin + last / 2, std::min(tensor.bytes, kSampleBytes));
    sampler.add(tensor.begin + last, std::min(tensor.bytes, kSampleBytes));
  }
  if (!sampler.ok()) return fail(ErrorKind::Io, std::format("cannot read {}", path));
  return {};
}

}  // namespace

Result<Digest> model_digest(const std::string& path, const GgufHeader& header) {
  Digester digester("hearth model content 1");
  digester.add(std::uint64_t{header.split_count});
  TRY(add_file(path, header.tensors, digester));
  const std::string ending = std::format("-{:05}-of-{:05}.gguf", 1, header.split_count);
  for (std::uint32_t i = 2; i <= header.split_count; ++i) {
    const std::string stem = path.substr(0, path.size() - ending.size());  // the probe saw that it ends so
    TRY(add_file(std::format("{}-{:05}-of-{:05}.gguf", stem, i, header.split_count), {}, digester));
  }
  return digester.finish();
}

}  // namespace hearth::engine
