// Trunks between a running server and files: read and written in parts, so that nobody holds gigabytes.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/http_get.h"

namespace hearth::cli {

// The answer's body; an Error with the server's own words when its status is not 200, and with the next step when nobody
// answers.
[[nodiscard]] Result<std::string> ask_server(std::string_view url, HttpQuestion question, std::string_view api_key);

struct TrunkTransfer {
  std::string url, api_key;
  std::string path;  // of the endpoint, perhaps with a query
  std::string line;  // export
  std::string file;
  bool json = false;
};
[[nodiscard]] Result<void> export_trunk(const TrunkTransfer& transfer);
[[nodiscard]] Result<void> import_trunk(const TrunkTransfer& transfer);

[[nodiscard]] std::string percent_encoded(std::string_view text);

}  // namespace hearth::cli
