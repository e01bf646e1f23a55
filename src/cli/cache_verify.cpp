// hearth cache verify: reads every record of the cache on the disk and compares it with its digest. Changes nothing, and works
// beside a running server; what the server gives back meanwhile is not missed.
#include <filesystem>
#include <format>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/cache_verify.h"
#include "cli/cache_words.h"
#include "cli/standard_input.h"
#include "store/posix_disk.h"
#include "store/store.h"

namespace hearth::cli {
namespace {

struct FolderReport {
  std::string name;
  std::uint64_t records = 0, bytes = 0;
  std::uint64_t gone = 0;  // given back while we read
  std::vector<std::string> damaged;
};

Result<FolderReport> verify_folder(const std::filesystem::path& folder) {
  TRY_ASSIGN(auto disk, store::open_disk(folder.string()));
  TRY_ASSIGN(const auto opened, store::Store::open(std::move(disk), {.access = store::Access::ReadOnly}));
  FolderReport report{.name = folder.filename().string()};
  for (const store::Entry& entry : opened->take_entries()) {
    const auto bytes = opened->read(entry.meta.key, entry.place);
    if (bytes) {
      ++report.records;
      report.bytes += bytes->size();
    } else if (bytes.error().kind == ErrorKind::NotFound) {
      ++report.gone;
    } else {
      report.damaged.push_back(bytes.error().message);
    }
  }
  return report;
}

Json as_json(const FolderReport& report) {
  Json damaged = Json::array();
  for (const std::string& one : report.damaged) damaged.push(one);
  return Json::object({{"model", report.name},
                       {"records", report.records},
                       {"bytes", report.bytes},
                       {"given_back", report.gone},
                       {"damaged", std::move(damaged)}});
}

std::string as_words(const FolderReport& report) {
  std::string words = std::format(
      "{}: {} records, {}, {}\n", report.name, report.records, bytes_words(static_cast<std::int64_t>(report.bytes)),
      report.damaged.empty() ? "all as they were written" : std::format("{} of them damaged:", report.damaged.size()));
  for (const std::string& one : report.damaged) words += "  " + one + '\n';
  return words;
}

}  // namespace

Result<void> verify_cache(const std::string& cache_folder, bool json) {
  const std::filesystem::path all = std::filesystem::path(cache_folder) / "kv";
  std::error_code error;
  Json reports = Json::array();
  std::string words;
  std::size_t damaged = 0;
  for (const auto& folder : std::filesystem::directory_iterator(all, error)) {
    if (!folder.is_directory() || folder.is_symlink()) continue;
    TRY_ASSIGN(const FolderReport report, verify_folder(folder.path()));
    damaged += report.damaged.size();
    reports.push(as_json(report));
    words += as_words(report);
  }
  if (error)
    return fail(ErrorKind::NotFound, std::format("there is no cache in {} ({}); name another folder with --cache-dir",
                                                 all.string(), error.message()));
  if (words.empty()) words = std::format("no model has a cache in {} yet\n", all.string());
  TRY(write_standard_output(json ? Json::object({{"folders", std::move(reports)}}).dump() + "\n" : words));
  if (damaged == 0) return {};
  return fail(ErrorKind::Io,
              std::format("{} records are damaged; a server leaves them out and computes what they held", damaged));
}

}  // namespace hearth::cli
