// Socket tables give the inode of the listener; the process that has an open file with that inode holds the port.
#include "http/port_owner.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <format>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

namespace hearth::http {
namespace {
namespace fs = std::filesystem;
// Enough for any workstation; the answer is a convenience in an error message, so the search must end soon.
constexpr std::size_t kTableLinesMax = 100'000;
constexpr std::size_t kOpenFilesMax = 200'000;
constexpr std::string_view kListening = "0A";  // TCP_LISTEN in the table's st column

// "/proc/net/tcp": sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...
void collect_listeners(const char* table, std::uint16_t port, std::vector<std::string>& sockets) {
  std::ifstream file(table);
  std::string line;
  const std::string suffix = std::format(":{:04X}", port);
  for (std::size_t lines = 0; lines < kTableLinesMax && std::getline(file, line); ++lines) {
    std::istringstream fields(line);
    std::vector<std::string> columns;
    for (std::string column; columns.size() < 10 && fields >> column;) columns.push_back(column);
    if (columns.size() < 10 || columns[3] != kListening || !columns[1].ends_with(suffix)) continue;
    sockets.push_back(std::format("socket:[{}]", columns[9]));
  }
}

bool is_process_folder(const fs::path& path) {
  const std::string name = path.filename().string();
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}
}  // namespace

std::string port_owner(std::uint16_t port) {
  std::vector<std::string> sockets;
  collect_listeners("/proc/net/tcp", port, sockets);
  collect_listeners("/proc/net/tcp6", port, sockets);
  if (sockets.empty()) return "";
  std::size_t seen = 0;
  std::error_code error;
  for (fs::directory_iterator process("/proc", error), end; !error && process != end; process.increment(error)) {
    if (!is_process_folder(process->path())) continue;
    std::error_code file_error;  // other users' processes refuse: skip them
    for (fs::directory_iterator file(process->path() / "fd", file_error); !file_error && file != end;
         file.increment(file_error)) {
      if (++seen > kOpenFilesMax) return "";
      std::error_code link_error;
      const fs::path target = fs::read_symlink(file->path(), link_error);
      if (link_error || std::ranges::find(sockets, target.string()) == sockets.end()) continue;
      std::string name = "a program";
      std::ifstream comm(process->path() / "comm");
      std::getline(comm, name);
      return std::format("{}, process {}", name, process->path().filename().string());
    }
  }
  return "";
}

}  // namespace hearth::http
