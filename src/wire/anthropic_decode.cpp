// Paths and typed members: the small steps that every part of the Messages decoder takes.
#include "wire/anthropic_decode.h"

#include <algorithm>
#include <format>
#include <ranges>
#include <utility>

#include "base/utf8.h"

namespace hearth::wire::decode {

std::string Path::text() const {
  if (parent_ == nullptr) return {};
  std::string out = parent_->text();
  if (!out.empty()) out += '.';
  if (key_.empty()) {
    std::format_to(std::back_inserter(out), "{}", index_);
  } else {
    out += key_;
  }
  return out;
}

std::unexpected<Error> Path::wrong(std::string_view complaint) const {
  return fail(ErrorKind::InvalidInput, std::format("{}: {}", text(), complaint));
}

std::unexpected<Error> Path::wrong_type(std::string_view wanted, const Json& got) const {
  return wrong(std::format("must be {}, got {}", wanted, got.type_name()));
}

Json* member(Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  // Of doubled keys the last one counts, as Json::find has it.
  for (auto& [name, value] : std::views::reverse(object.as_object())) {
    if (name == key) return value.is_null() ? nullptr : &value;
  }
  return nullptr;
}

Result<std::string> optional_string(Json& object, std::string_view key, const Path& path) {
  Json* value = member(object, key);
  if (value == nullptr) return std::string();
  if (!value->is_string()) return path.at(key).wrong_type("a string", *value);
  return std::move(value->as_string());
}

Result<std::string> required_string(Json& object, std::string_view key, const Path& path) {
  if (member(object, key) == nullptr) return path.at(key).wrong("is required, and a string");
  return optional_string(object, key, path);
}

Result<std::string> required_name(Json& object, std::string_view key, const Path& path) {
  TRY_ASSIGN(std::string name, required_string(object, key, path));
  if (name.empty()) return path.at(key).wrong("must not be empty");
  if (name.size() > kNameBytesMax) {
    return path.at(key).wrong(std::format("is {} bytes long; at most {} are allowed", name.size(), kNameBytesMax));
  }
  return name;
}

Result<bool> optional_boolean(Json& object, std::string_view key, const Path& path) {
  const Json* value = member(object, key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) return path.at(key).wrong_type("a boolean", *value);
  return value->as_boolean();
}

std::string quoted(std::string_view word) {
  constexpr std::size_t kShownBytesMax = 64;
  std::string out = "\"";
  if (word.size() <= kShownBytesMax) {
    out += word;
  } else {
    out += word.substr(0, complete_utf8_prefix(word.substr(0, kShownBytesMax)));
    out += "...";
  }
  out += '"';
  return out;
}

}  // namespace hearth::wire::decode
