// One plain HTTP GET, for asking a running server about itself. Blocking, with a limit on time and size; http:// only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::cli {

struct Url {
  std::string host;  // without brackets
  std::uint16_t port = 80;
};
// "http://127.0.0.1:8787", with or without a slash or "/v1" at its end. InvalidInput otherwise.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

struct GetAnswer {
  int status = 0;
  std::string body;
};
// Unavailable when nobody answers at that address.
[[nodiscard]] Result<GetAnswer> http_get(const Url& url, std::string_view path, std::string_view api_key);

}  // namespace hearth::cli
