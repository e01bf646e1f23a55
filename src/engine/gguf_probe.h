// Reads a GGUF file's header before libllama does: the library ends the process or says little on some broken files, and
// the user deserves a sentence. Own bounded reader: whatever the bytes, it returns a header or an Error. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::engine {

// Where a tensor's data lies in its file.
struct TensorSpan {
  std::uint64_t begin = 0, bytes = 0;
};

struct GgufHeader {
  std::string architecture;
  std::map<std::string, double> numbers;              // scalar metadata, bool as 0/1
  std::map<std::string, std::string> texts;           // string metadata up to 4 KiB each
  std::map<std::string, std::uint64_t> array_counts;  // arrays: how many elements
  std::uint64_t tensor_count = 0;
  std::uint64_t tensor_bytes = 0;  // of this file
  std::uint64_t file_bytes = 0;
  std::uint32_t split_count = 1;    // files of the model
  std::vector<TensorSpan> tensors;  // of this file, all within it

  // numbers["<architecture>.<key>"], or `otherwise`.
  [[nodiscard]] double number(std::string_view key, double otherwise) const;
};

// NotFound, InvalidInput (no GGUF, broken, truncated, not a text model), Io.
[[nodiscard]] Result<GgufHeader> probe_gguf(const std::string& path);

// What the metadata says of its sizes, for people: "28 layers, width 1024, 16 heads (8 of keys and values), ...".
[[nodiscard]] std::string shape_of(const GgufHeader& header);

// The Error for a file that passed the probe and that libllama refused with these words.
[[nodiscard]] Error explain_refused_model(const std::string& path, const std::string& library_words);

}  // namespace hearth::engine
