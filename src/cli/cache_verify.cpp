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

Result<std::unique_ptr<store::Store>> open_to_read(const std::string& folder) {
  TRY_ASSIGN(auto disk, store::open_disk(folder));
  return store::Store::open(std::move(disk), {.access = store::Access::ReadOnly});
}

FolderReport verify_folder(const std::filesystem::path& folder) {
  FolderReport report{.name = folder.filename().string()};
  auto store = open_to_read(folder.string());
  // An index that a server renews while we read it is whole the second time.
  if (store && (*store)->counts().rejected > 0) store = open_to_read(folder.string());
  if (!store) {
    report.damaged.push_back("the folder cannot be used: " + store.error().message);
    return report;
  }
  const auto& opened = *store;
  // The log has named each.
  for (std::uint64_t i = 0; i < opened->counts().rejected; ++i) report.damaged.push_back("a file of it cannot be used");
  for (const store::Entry& entry : opened->take_entries()) {
    const auto bytes = opened->read(entry.meta.key, entry.place);
    if (bytes) {
      ++report.records;
      report.bytes += (*bytes)->size();
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
      report.damaged.empty() ? "all as they were written" : std::format("{} damaged:", report.damaged.size()));
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
    const FolderReport report = verify_folder(folder.path());
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
  return fail(
      ErrorKind::Io,
      std::format("{} records, files or folders are damaged; a server leaves them out and computes what they held",
                  damaged));
}

}  // namespace hearth::cli
