// See gguf_probe.h.
#include "engine/gguf_probe.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <format>
#include <memory>
#include <optional>
#include <system_error>
#include <unordered_set>
#include <vector>

#include <gguf.h>

namespace hearth::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF files are little-endian and read as they are");

// Far over any real model's header, far under what would hurt.
constexpr std::uint64_t kMetadataCountMax = 1U << 16U;
constexpr std::uint64_t kTensorCountMax = 1U << 20U;
constexpr std::uint64_t kStringBytesMax = 64U << 20U;
constexpr std::uint64_t kKeyBytesMax = 1024;
constexpr std::uint64_t kNameBytesMax = GGML_MAX_NAME - 1;
constexpr std::uint64_t kTokenBytesMax = 1U << 16U;
constexpr std::uint64_t kTextBytesKept = 4096;
constexpr std::uint64_t kTensorElementsMax = 1ULL << 50U;
constexpr std::uint32_t kSplitCountMax = 1024;

// Throws nothing, reads in order, and remembers that it went wrong once: callers check ok() at the end of a step.
class Reader {
 public:
  Reader(std::FILE* file, std::uint64_t file_bytes) : file_(file), left_(file_bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::uint64_t left() const { return left_; }

  template <class T>
  T value() {
    T read{};
    bytes(&read, sizeof read);
    return read;
  }

  std::string text(std::uint64_t bytes_max) {
    const auto size = value<std::uint64_t>();
    if (!ok_ || size > bytes_max || size > left_) {
      ok_ = false;
      return "";
    }
    std::string read(size, '\0');
    bytes(read.data(), read.size());
    return read;
  }

  void skip(std::uint64_t size) {
    if (!ok_ || size > left_ || ::fseeko(file_, static_cast<off_t>(size), SEEK_CUR) != 0) {
      ok_ = false;
      return;
    }
    left_ -= size;
  }

 private:
  void bytes(void* to, std::size_t size) {
    if (!ok_ || size > left_ || std::fread(to, 1, size, file_) != size) {
      ok_ = false;
      return;
    }
    left_ -= size;
  }

  std::FILE* file_;
  std::uint64_t left_;
  bool ok_ = true;
};

std::size_t scalar_bytes(std::uint32_t type) {
  switch (type) {
    case GGUF_TYPE_UINT8:
    case GGUF_TYPE_INT8:
    case GGUF_TYPE_BOOL: return 1;
    case GGUF_TYPE_UINT16:
    case GGUF_TYPE_INT16: return 2;
    case GGUF_TYPE_UINT32:
    case GGUF_TYPE_INT32:
    case GGUF_TYPE_FLOAT32: return 4;
    case GGUF_TYPE_UINT64:
    case GGUF_TYPE_INT64:
    case GGUF_TYPE_FLOAT64: return 8;
    default: return 0;
  }
}

double read_number(Reader& from, std::uint32_t type) {
  switch (type) {
    case GGUF_TYPE_UINT8: return from.value<std::uint8_t>();
    case GGUF_TYPE_INT8: return from.value<std::int8_t>();
    case GGUF_TYPE_BOOL: return from.value<std::uint8_t>() != 0 ? 1 : 0;
    case GGUF_TYPE_UINT16: return from.value<std::uint16_t>();
    case GGUF_TYPE_INT16: return from.value<std::int16_t>();
    case GGUF_TYPE_UINT32: return from.value<std::uint32_t>();
    case GGUF_TYPE_INT32: return from.value<std::int32_t>();
    case GGUF_TYPE_FLOAT32: return static_cast<double>(from.value<float>());
    case GGUF_TYPE_UINT64: return static_cast<double>(from.value<std::uint64_t>());
    case GGUF_TYPE_INT64: return static_cast<double>(from.value<std::int64_t>());
    default: return from.value<double>();
  }
}

bool read_distinct_texts(Reader& from, std::uint64_t count) {
  std::unordered_set<std::string> seen;
  for (std::uint64_t i = 0; i < count; ++i) {
    const bool is_new = seen.insert(from.text(kTokenBytesMax)).second;
    if (!from.ok() || !is_new) return false;
  }
  return true;
}

bool read_array(Reader& from, GgufHeader& header, const std::string& key) {
  const auto type = from.value<std::uint32_t>();
  const auto count = from.value<std::uint64_t>();
  if (!from.ok() || count > from.left()) return false;
  header.array_counts[key] = count;
  // libllama ends the process when two tokens are the same; a flipped bit is enough for that.
  if (type == GGUF_TYPE_STRING && key == "tokenizer.ggml.tokens") return read_distinct_texts(from, count);
  if (type == GGUF_TYPE_STRING) {
    for (std::uint64_t i = 0; i < count && from.ok(); ++i) {
      const auto size = from.value<std::uint64_t>();
      if (from.ok()) from.skip(size);
    }
    return from.ok();
  }
  const std::size_t size = scalar_bytes(type);
  if (size == 0) return false;  // arrays of arrays do not occur in models
  from.skip(count * size);
  return from.ok();
}

// The name of the first thing that is wrong, or nothing.
std::optional<std::string> read_metadata(Reader& from, GgufHeader& header, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string key = from.text(kKeyBytesMax);
    const auto type = from.value<std::uint32_t>();
    if (!from.ok()) return std::format("metadata entry {} of {}", i + 1, count);
    if (type == GGUF_TYPE_STRING) {
      std::string text = from.text(kStringBytesMax);
      if (text.size() <= kTextBytesKept) header.texts[key] = std::move(text);
    } else if (type == GGUF_TYPE_ARRAY) {
      if (!read_array(from, header, key)) return std::format("metadata array \"{}\"", key);
    } else if (scalar_bytes(type) != 0) {
      header.numbers[key] = read_number(from, type);
    } else {
      return std::format("the type of metadata \"{}\"", key);
    }
    if (!from.ok()) return std::format("metadata \"{}\"", key);
  }
  return std::nullopt;
}

struct TensorEnd {
  std::uint64_t end = 0;  // in the data section
  std::uint64_t bytes = 0;
};

std::optional<std::string> read_tensor(Reader& from, TensorEnd& to, std::uint64_t alignment) {
  const std::string name = from.text(kNameBytesMax);
  const auto dimensions = from.value<std::uint32_t>();
  if (!from.ok() || dimensions > GGML_MAX_DIMS) return std::format("tensor \"{}\"", name);
  std::uint64_t elements = 1;
  std::uint64_t row = 1;
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    const auto size = from.value<std::uint64_t>();
    if (!from.ok() || size == 0 || size > kTensorElementsMax / elements)
      return std::format("the shape of tensor \"{}\"", name);
    elements *= size;
    if (i == 0) row = size;
  }
  const auto type = from.value<std::uint32_t>();
  const auto offset = from.value<std::uint64_t>();
  if (!from.ok()) return std::format("tensor \"{}\"", name);
  if (type >= GGML_TYPE_COUNT || ggml_blck_size(static_cast<ggml_type>(type)) <= 0)
    return std::format("the type of tensor \"{}\" ({}: newer than this libllama, or broken)", name, type);
  const auto block = static_cast<std::uint64_t>(ggml_blck_size(static_cast<ggml_type>(type)));
  if (row % block != 0) return std::format("the shape of tensor \"{}\"", name);
  to.bytes = elements / block * ggml_type_size(static_cast<ggml_type>(type));
  if (offset % alignment != 0 || offset > kTensorElementsMax) return std::format("the offset of tensor \"{}\"", name);
  to.end = offset + to.bytes;
  return std::nullopt;
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Result<File> open_model(const std::string& path) {
  std::error_code failed;
  const auto status = std::filesystem::status(path, failed);
  if (status.type() == std::filesystem::file_type::not_found)
    return fail(ErrorKind::NotFound, std::format("there is no file {}; check the path after --model", path));
  if (std::filesystem::is_directory(status))
    return fail(ErrorKind::InvalidInput, std::format("{} is a folder; name a .gguf file in it", path));
  File file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) return fail(ErrorKind::Io, std::format("cannot open {}: {}", path, std::strerror(errno)));
  return file;
}

Error broken(const std::string& path, std::string_view what) {
  return {ErrorKind::InvalidInput, std::format("{} is a broken GGUF file ({}); download it again", path, what)};
}

// Other parts of a split model must lie beside the first.
Result<void> check_splits(const std::string& path, GgufHeader& header) {
  const auto found = header.numbers.find("split.count");
  if (found == header.numbers.end() || !(found->second > 1)) return {};
  if (found->second > kSplitCountMax) return std::unexpected(broken(path, "the number of its parts"));
  header.split_count = static_cast<std::uint32_t>(found->second);
  const std::string ending = std::format("-{:05}-of-{:05}.gguf", 1, header.split_count);
  if (!path.ends_with(ending))
    return fail(ErrorKind::InvalidInput, std::format("{} is one part of a model in {} files; name the first one, ...{}",
                                                     path, header.split_count, ending));
  const std::string stem = path.substr(0, path.size() - ending.size());
  for (std::uint32_t i = 2; i <= header.split_count; ++i) {
    const std::string part = std::format("{}-{:05}-of-{:05}.gguf", stem, i, header.split_count);
    std::error_code failed;
    if (!std::filesystem::exists(part, failed))
      return fail(ErrorKind::NotFound,
                  std::format("the model is in {} files and {} is missing; download it into the same folder",
                              header.split_count, part));
  }
  return {};
}

// What can be told from the header alone about files that are fine but hold no text model.
Result<void> check_purpose(const std::string& path, const GgufHeader& header) {
  const auto refuse = [&path](std::string_view what, std::string_view next) {
    return fail(ErrorKind::InvalidInput, std::format("{} {}; {}", path, what, next));
  };
  if (header.architecture.empty())
    return refuse("names no architecture (general.architecture)",
                  "it is no model file, or was made by a broken converter");
  const auto type = header.texts.find("general.type");
  const std::string purpose = type == header.texts.end() ? "model" : type->second;
  if (purpose == "mmproj" || header.architecture == "clip")
    return refuse("is the image part of a model (mmproj)", "name the text model beside it after --model");
  if (purpose == "adapter") return refuse("is a LoRA adapter", "name the base model after --model");
  if (header.tensor_count == 0 && header.split_count == 1)
    return refuse("holds a vocabulary and no weights", "choose the full model");
  if (header.number("pooling_type", 0) > 0 || header.number("attention.causal", 1) == 0)
    return refuse("is an embedding or reranking model",
                  "Hearth serves models that write text: choose a chat or instruct model");
  return {};
}

}  // namespace

double GgufHeader::number(std::string_view key, double otherwise) const {
  const auto found = numbers.find(std::format("{}.{}", architecture, key));
  return found == numbers.end() ? otherwise : found->second;
}

Result<GgufHeader> probe_gguf(const std::string& path) {
  TRY_ASSIGN(const File file, open_model(path));
  GgufHeader header;
  std::error_code failed;
  header.file_bytes = std::filesystem::file_size(path, failed);
  if (failed) return fail(ErrorKind::Io, std::format("cannot read {}: {}", path, failed.message()));
  Reader reader(file.get(), header.file_bytes);
  const auto magic = reader.value<std::array<char, 4>>();
  if (!reader.ok() || std::string_view(magic.data(), 4) != GGUF_MAGIC)
    return fail(ErrorKind::InvalidInput, std::format("{} is no GGUF file; Hearth loads models in GGUF format", path));
  const auto version = reader.value<std::uint32_t>();
  const auto tensor_count = reader.value<std::uint64_t>();
  const auto metadata_count = reader.value<std::uint64_t>();
  if (!reader.ok()) return std::unexpected(broken(path, "cut off after a few bytes"));
  if (version < 2 || version > GGUF_VERSION)
    return fail(ErrorKind::InvalidInput,
                std::format("{} has GGUF version {}, this libllama reads 2 to {}; convert or download it "
                            "again",
                            path, version, GGUF_VERSION));
  if (metadata_count > kMetadataCountMax || tensor_count > kTensorCountMax)
    return std::unexpected(broken(path, "the counts in its header"));
  if (const auto wrong = read_metadata(reader, header, metadata_count)) return std::unexpected(broken(path, *wrong));
  const auto named = header.texts.find("general.architecture");
  if (named != header.texts.end()) header.architecture = named->second;
  std::uint64_t alignment = GGUF_DEFAULT_ALIGNMENT;
  if (const auto found = header.numbers.find(GGUF_KEY_GENERAL_ALIGNMENT); found != header.numbers.end()) {
    if (!(found->second >= 1 && found->second <= (1 << 20))) return std::unexpected(broken(path, "its alignment"));
    alignment = static_cast<std::uint64_t>(found->second);
    if (!std::has_single_bit(alignment)) return std::unexpected(broken(path, "its alignment"));
  }
  std::uint64_t data_bytes = 0;
  header.tensor_count = tensor_count;
  for (std::uint64_t i = 0; i < tensor_count; ++i) {
    TensorEnd tensor;
    if (const auto wrong = read_tensor(reader, tensor, alignment)) return std::unexpected(broken(path, *wrong));
    data_bytes = std::max(data_bytes, tensor.end);
    header.tensor_bytes += tensor.bytes;
    header.tensors.push_back({.begin = tensor.end - tensor.bytes, .bytes = tensor.bytes});
  }
  const std::uint64_t header_bytes = header.file_bytes - reader.left();
  const std::uint64_t data_begin = (header_bytes + alignment - 1) / alignment * alignment;
  if (tensor_count > 0 && data_begin + data_bytes > header.file_bytes)
    return fail(ErrorKind::InvalidInput,
                std::format("{} is cut off: it has {} bytes, its header speaks of {}; finish the download", path,
                            header.file_bytes, data_begin + data_bytes));
  for (TensorSpan& tensor : header.tensors) tensor.begin += data_begin;
  TRY(check_splits(path, header));
  TRY(check_purpose(path, header));
  return header;
}

std::string shape_of(const GgufHeader& header) {
  std::string out;
  const auto count_of = [&](std::string_view key) {
    const double value = header.number(key, 0);
    return value >= 1 && value < 1e15 ? static_cast<std::uint64_t>(value) : 0;
  };
  const auto add = [&](const std::string& what) { out += (out.empty() ? "" : ", ") + what; };
  if (const auto layers = count_of("block_count")) add(std::format("{} layers", layers));
  if (const auto width = count_of("embedding_length")) add(std::format("width {}", width));
  if (const auto heads = count_of("attention.head_count")) {
    const auto kv = count_of("attention.head_count_kv");
    add(kv == 0 || kv == heads ? std::format("{} heads", heads)
                               : std::format("{} heads ({} of keys and values)", heads, kv));
  }
  if (const auto experts = count_of("expert_count"))
    add(std::format("{} experts ({} used)", experts, count_of("expert_used_count")));
  if (const auto window = count_of("attention.sliding_window")) add(std::format("a window of {} tokens", window));
  const auto vocabulary = header.array_counts.find("tokenizer.ggml.tokens");
  if (vocabulary != header.array_counts.end()) add(std::format("a vocabulary of {} tokens", vocabulary->second));
  return out;
}

Error explain_refused_model(const std::string& path, const std::string& library_words) {
  if (library_words.find("unknown model architecture") != std::string::npos)
    return {
        ErrorKind::InvalidInput,
        std::format("libllama {} does not know the architecture of {} ({}); update libllama, or choose another model",
                    "on this machine", path, library_words)};
  if (library_words.find("failed to allocate") != std::string::npos ||
      library_words.find("out of memory") != std::string::npos ||
      library_words.find("unable to allocate") != std::string::npos)
    return {ErrorKind::NoMemory,
            std::format("no memory for the weights of {} ({}); choose a smaller model or fewer --n-gpu-layers", path,
                        library_words)};
  return {ErrorKind::InvalidInput, std::format("libllama cannot load {}: {}; the file may be broken or newer than this "
                                               "libllama: download it again, or update "
                                               "libllama",
                                               path, library_words.empty() ? "it gave no reason" : library_words)};
}

}  // namespace hearth::engine
