// One look at the path, and one into its folder when there is something to suggest.
#include "models/model_path.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <format>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace hearth::models {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFolderEntriesMax = 10'000;  // looked at for a suggestion
constexpr std::size_t kNamesShown = 5;
constexpr std::size_t kNameBytesCompared = 256;
constexpr std::string_view kEnding = ".gguf";

char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter; }

// "Qwen-00002-of-00003.gguf" -> "Qwen-00001-of-00003.gguf"; nullopt when it is no later part.
std::optional<std::string> first_part_of(std::string_view name) {
  constexpr std::string_view kPattern = "-00000-of-00000.gguf";
  if (name.size() < kPattern.size()) return std::nullopt;
  const std::size_t begin = name.size() - kPattern.size();
  for (std::size_t index = 0; index < kPattern.size(); ++index) {
    const char letter = name[begin + index];
    const bool fits = kPattern[index] == '0' ? letter >= '0' && letter <= '9' : letter == kPattern[index];
    if (!fits) return std::nullopt;
  }
  std::string first(name);
  first.replace(begin + 1, 5, "00001");
  return first == name ? std::nullopt : std::optional(first);
}

// The .gguf files of a folder by name, later parts of split models left out.
std::vector<std::string> models_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  std::size_t seen = 0;
  for (fs::directory_iterator at(folder, error), end; !error && at != end && seen < kFolderEntriesMax;
       at.increment(error)) {
    ++seen;
    std::string name = at->path().filename().string();
    if (name.ends_with(kEnding) && !first_part_of(name)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t index = 0; index < std::min(names.size(), kNamesShown); ++index)
    text += (index == 0 ? "" : ", ") + names[index];
  if (names.size() > kNamesShown) text += std::format(" and {} more", names.size() - kNamesShown);
  return text;
}

std::vector<std::string> similar_names(const fs::path& folder, const std::string& wanted) {
  std::vector<std::pair<std::size_t, std::string>> found;
  for (std::string& name : models_in(folder)) {
    const std::size_t distance = name_distance(name, wanted);
    // A third of the name wrong is still meant; "Qwen3-4B.gguf" is meant by "qwen3" too.
    if (distance * 3 <= wanted.size() || name_distance(name.substr(0, wanted.size()), wanted) == 0)
      found.emplace_back(distance, std::move(name));
  }
  std::ranges::sort(found);
  std::vector<std::string> names;
  for (auto& [distance, name] : found) names.push_back(std::move(name));
  return names;
}

std::unexpected<Error> missing(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return fail(ErrorKind::NotFound,
                std::format("there is no file {}, and no folder {}; check the path", path.string(), folder.string()));
  }
  if (const auto similar = similar_names(folder, path.filename().string()); !similar.empty()) {
    return fail(ErrorKind::NotFound,
                std::format("there is no file {}; that folder has {}", path.string(), joined(similar)));
  }
  return fail(ErrorKind::NotFound, std::format("there is no file {}; check the path", path.string()));
}

std::unexpected<Error> is_folder(const fs::path& path) {
  const auto names = models_in(path);
  if (names.empty())
    return fail(ErrorKind::InvalidInput,
                std::format("{} is a folder without a .gguf file; name a model file", path.string()));
  return fail(ErrorKind::InvalidInput,
              std::format("{} is a folder; name a model in it: {}", path.string(), joined(names)));
}

// What people have instead of a GGUF file, by its first bytes.
std::string_view kind_of_file(std::string_view head) {
  if (head.empty()) return "it is empty; download it again";
  if (head.starts_with("version https://git-lfs"))
    return "it is a Git LFS pointer, not the model itself; run `git lfs pull` in its folder";
  if (head.starts_with("<") || head.starts_with("{"))
    return "it holds text as a web server answers with; the download went wrong, download it again";
  if (head.starts_with("ggml") || head.starts_with("lmgg") || head.starts_with("tjgg"))
    return "it is in the old GGML format; download a GGUF of the model";
  if (head.starts_with("PK")) return "it is a ZIP or PyTorch file; download a GGUF of the model";
  if (head.size() > 8 && head[8] == '{') return "it is a safetensors file; download a GGUF of the model";
  return "Hearth loads models in GGUF format; download a GGUF of the model";
}

}  // namespace

Result<void> check_model_path(const std::string& text) {
  if (text.starts_with("fake:")) return {};
  if (text.empty()) return fail(ErrorKind::InvalidInput, "the model's path is empty; name a .gguf file");
  const fs::path path(text);
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) return missing(path);
  if (error) return fail(ErrorKind::Io, std::format("cannot look at {}: {}", text, error.message()));
  if (fs::is_directory(status)) return is_folder(path);
  // A pipe or device would block or never end.
  if (!fs::is_regular_file(status))
    return fail(ErrorKind::InvalidInput, std::format("{} is no ordinary file; name a .gguf file", text));

  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(text.c_str(), "rb"), close);
  if (!file) return fail(ErrorKind::Io, std::format("cannot open {}: {}", text, std::strerror(errno)));
  std::array<char, 32> bytes{};
  const std::string_view head(bytes.data(), std::fread(bytes.data(), 1, bytes.size(), file.get()));
  if (!head.starts_with("GGUF"))
    return fail(ErrorKind::InvalidInput, std::format("{} is no GGUF file: {}", text, kind_of_file(head)));
  if (const auto first = first_part_of(path.filename().string())) {
    return fail(ErrorKind::InvalidInput, std::format("{} is a later part of a split model; name its first part, {}",
                                                     text, (path.parent_path() / *first).string()));
  }
  return {};
}

std::size_t name_distance(std::string_view a, std::string_view b) {
  a = a.substr(0, kNameBytesCompared);
  b = b.substr(0, kNameBytesCompared);
  std::vector<std::size_t> row(b.size() + 1);  // the distances of a's first letters to each beginning of b
  for (std::size_t column = 0; column <= b.size(); ++column) row[column] = column;
  for (std::size_t line = 1; line <= a.size(); ++line) {
    std::size_t diagonal = std::exchange(row[0], line);
    for (std::size_t column = 1; column <= b.size(); ++column) {
      const std::size_t replaced = diagonal + (lower(a[line - 1]) == lower(b[column - 1]) ? 0 : 1);
      diagonal = row[column];
      row[column] = std::min({replaced, row[column] + 1, row[column - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace hearth::models
