// See cache_files.h.
#include "cli/cache_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <format>
#include <utility>

#include "base/json.h"
#include "base/random.h"
#include "cli/cache_words.h"
#include "cli/standard_input.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kPartBytes = 16U << 20;                // the server's limit
constexpr std::size_t kAnswerBytesMax = kPartBytes + 65536;  // with the head
constexpr int kPatience_s = 60;                              // a busy engine answers between two batches

Error file_error(const std::string& what, const std::string& path) {
  return {ErrorKind::Io, std::format("{} {}: {}", what, path, std::strerror(errno))};
}

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
};

Result<void> write_all(const File& file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const auto written = ::write(file.descriptor(), bytes.data(), bytes.size());
    if (written <= 0) return std::unexpected(file_error("cannot write", path));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// Up to a part; less at the end.
Result<std::string> read_part(const File& file, const std::string& path) {
  std::string part(kPartBytes, '\0');
  std::size_t held = 0;
  while (held < part.size()) {
    const auto count = ::read(file.descriptor(), part.data() + held, part.size() - held);
    if (count < 0) return std::unexpected(file_error("cannot read", path));
    if (count == 0) break;
    held += static_cast<std::size_t>(count);
  }
  part.resize(held);
  return part;
}

std::string with_offset(const std::string& path, std::uint64_t offset) {
  return std::format("{}{}offset={}", path, path.contains('?') ? '&' : '?', offset);
}

Result<std::uint64_t> write_parts(const TrunkTransfer& transfer, const File& file, const std::string& path) {
  std::uint64_t offset = 0;
  while (true) {
    TRY_ASSIGN(const std::string part, ask_server(transfer.url,
                                                  {.method = "POST",
                                                   .path = with_offset(transfer.path, offset),
                                                   .body = Json::object({{"line", transfer.line}}).dump(),
                                                   .answer_bytes_max = kAnswerBytesMax,
                                                   .patience_s = kPatience_s},
                                                  transfer.api_key));
    TRY(write_all(file, part, path));
    offset += part.size();
    if (part.size() < kPartBytes) return offset;
  }
}

}  // namespace

Result<std::string> ask_server(std::string_view url, HttpQuestion question, std::string_view api_key) {
  TRY_ASSIGN(const Url where, parse_url(url));
  auto answer = http_ask(where, question, api_key);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status == 200) return std::move(answer->body);
  std::string message = std::format("the server answered with status {}", answer->status);
  if (const auto body = Json::parse(answer->body); body && body->find("error") != nullptr)
    message = body->find("error")->string_at("message", message);
  if (answer->status == 401) message = "the server asks for its API key: give it with --api-key or HEARTH_API_KEY";
  return fail(ErrorKind::InvalidInput, std::move(message));
}

// The file has its name when it is whole: what was begun and not ended is removed.
Result<void> export_trunk(const TrunkTransfer& transfer) {
  // A name that nobody can have made before, or it might be readable by others.
  const std::string unfinished = std::format("{}.{:016x}.part", transfer.file, random_u64());
  const File file(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file.descriptor() < 0) return std::unexpected(file_error("cannot make", unfinished));
  auto written = write_parts(transfer, file, unfinished);
  if (written && (::fsync(file.descriptor()) != 0 || std::rename(unfinished.c_str(), transfer.file.c_str()) != 0))
    written = std::unexpected(file_error("cannot finish", transfer.file));
  if (!written) {
    ::unlink(unfinished.c_str());
    return std::unexpected(written.error());
  }
  if (transfer.json) return write_standard_output(Json::object({{"bytes", *written}}).dump() + "\n");
  return write_standard_output(
      std::format("{}: {}\n", transfer.file, bytes_words(static_cast<std::int64_t>(*written))));
}

Result<void> import_trunk(const TrunkTransfer& transfer) {
  const File file(::open(transfer.file.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.descriptor() < 0) return std::unexpected(file_error("cannot open", transfer.file));
  std::uint64_t offset = 0;
  Json last = Json::object();
  while (true) {
    TRY_ASSIGN(std::string part, read_part(file, transfer.file));
    if (part.empty() && offset > 0) break;
    if (part.empty())
      return fail(ErrorKind::InvalidInput, std::format("{} is empty: no trunk is in it", transfer.file));
    const std::size_t bytes = part.size();
    TRY_ASSIGN(const std::string answer, ask_server(transfer.url,
                                                    {.method = "POST",
                                                     .path = with_offset(transfer.path, offset),
                                                     .body = std::move(part),
                                                     .content_type = "application/octet-stream",
                                                     .patience_s = kPatience_s},
                                                    transfer.api_key));
    TRY_ASSIGN(last, Json::parse(answer));
    offset += bytes;
    if (bytes < kPartBytes) break;
  }
  const Json* complete = last.find("complete");
  if (complete == nullptr || !complete->is_integer() || complete->as_integer() != 1)
    return fail(ErrorKind::InvalidInput,
                std::format("{} is not whole: what is there of it was taken in", transfer.file));
  if (transfer.json) return write_standard_output(last.dump() + "\n");
  const Json* tokens = last.find("tokens");
  return write_standard_output(
      std::format("{} tokens are known now\n", tokens != nullptr && tokens->is_integer() ? tokens->as_integer() : 0));
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' || c == '~';
    out += plain ? std::string(1, c) : std::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace hearth::cli
