// The disk tier's store alone: what compression gains, what a file costs beside its bytes, how fast records are written and read
// back beside the disk itself, and how long a cache takes to open.
//   store_bench FOLDER [MEGABYTES [MODEL.gguf...]]
// Targets: overhead at most 3 %; records are read at 70 % of the disk's own speed or more; a cache of 50 GB opens in 0.5 s. The
// page cache is dropped for the files that are read (POSIX_FADV_DONTNEED), for both in the same way. Medians of three.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "cache/disk_tier.h"
#include "engine/load_engine.h"
#include "store/async_store.h"
#include "store/compression.h"
#include "store/posix_disk.h"

namespace {
using namespace hearth;
namespace fs = std::filesystem;
using SteadyTime = std::chrono::steady_clock;

constexpr std::uint64_t kRecordBytes = 5 << 20;  // 256 tokens at 20 KiB
constexpr int kRounds = 3;

double seconds_since(SteadyTime::time_point begun) {
  return std::chrono::duration<double>(SteadyTime::now() - begun).count();
}

double middle(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::unique_ptr<store::Store> open_store(const std::string& folder) {
  auto disk = store::open_disk(folder);
  if (!disk) std::printf("%s\n", disk.error().message.c_str()), std::exit(1);
  auto opened = store::Store::open(std::move(*disk), {});
  if (!opened) std::printf("%s\n", opened.error().message.c_str()), std::exit(1);
  return std::move(*opened);
}

store::Meta meta_of(std::uint64_t number, const Digest& parent, std::uint32_t begin) {
  store::Meta meta{.root = Digester("bench root").finish(), .parent = parent, .begin = begin};
  meta.tokens.resize(256);
  for (std::size_t i = 0; i < 256; ++i) meta.tokens[i] = static_cast<std::int32_t>(mix_u64(number, i) % 150'000);
  meta.key = {.kind = store::RecordKind::Block, .name = cache::block_hash(parent, meta.tokens)};
  return meta;
}

// A chain of blocks of one conversation.
std::vector<store::Write> chain(std::uint64_t count) {
  std::vector<store::Write> all;
  Digest parent = Digester("bench root").finish();
  for (std::uint64_t i = 0; i < count; ++i) {
    auto bytes = std::make_shared<store::Bytes>(kRecordBytes);
    for (std::size_t k = 0; k + 8 <= kRecordBytes; k += 8) {
      const std::uint64_t random = mix_u64(i, k);
      std::copy_n(reinterpret_cast<const std::uint8_t*>(&random), 8, bytes->begin() + static_cast<std::ptrdiff_t>(k));
    }
    all.push_back({.meta = meta_of(i, parent, static_cast<std::uint32_t>(i * 256)), .bytes = std::move(bytes)});
    parent = all.back().meta.key.name;
  }
  return all;
}

void forget_pages(const std::string& folder) {
  for (const auto& file : fs::directory_iterator(folder)) {
    const int opened = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
    ::posix_fadvise(opened, 0, 0, POSIX_FADV_DONTNEED);
    ::close(opened);
  }
}

// As dd reads: one file after the other, a megabyte at a time.
double plain_read(const std::string& folder) {
  forget_pages(folder);
  const auto begun = SteadyTime::now();
  std::uint64_t bytes = 0;
  std::vector<char> buffer(1 << 20);
  for (const auto& file : fs::directory_iterator(folder)) {
    const int opened = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
    for (ssize_t got = 0; (got = ::read(opened, buffer.data(), buffer.size())) > 0;)
      bytes += static_cast<std::uint64_t>(got);
    ::close(opened);
  }
  return static_cast<double>(bytes) / seconds_since(begun);
}

double verified_read(const std::string& folder) {
  forget_pages(folder);
  store::AsyncStore threads(open_store(folder), store::Workers::Threads);
  const std::vector<store::Entry> entries = threads.store().take_entries();
  const auto begun = SteadyTime::now();
  std::size_t asked = 0, done = 0;
  std::uint64_t bytes = 0;
  while (done < entries.size()) {
    for (; asked < entries.size() && asked < done + 16; ++asked)
      static_cast<void>(threads.read(entries[asked].meta.key, entries[asked].place));
    if (const auto read = threads.take_read()) {
      if (!read->bytes) std::printf("  WRONG: %s\n", read->bytes.error().message.c_str()), std::exit(1);
      bytes += (*read->bytes)->size();
      ++done;
    } else {
      ::usleep(100);
    }
  }
  return static_cast<double>(bytes) / seconds_since(begun);
}

void measure_files(const std::string& folder, std::uint64_t megabytes) {
  fs::remove_all(folder);
  const std::vector<store::Write> records = chain(24);
  std::uint64_t raw = 0;
  const auto begun = SteadyTime::now();
  {
    const auto store = open_store(folder);
    for (std::uint64_t parts = std::max<std::uint64_t>(1, megabytes / (24 * 5)); parts > 0; --parts) {
      if (!store->write(records)) std::printf("  WRONG: a write failed\n"), std::exit(1);
      raw += records.size() * kRecordBytes;
    }
    std::printf("  written   %8.0f MB/s, synced; %.3f %% more than the bytes themselves   (target: 3 %%)\n",
                static_cast<double>(raw) / seconds_since(begun) / 1e6,
                100 * (static_cast<double>(store->counts().file_bytes) / static_cast<double>(raw) - 1));
  }
  std::vector<double> plain, verified;
  for (int i = 0; i < kRounds; ++i) {
    plain.push_back(plain_read(folder));
    verified.push_back(verified_read(folder));
  }
  std::printf("  read      %8.0f MB/s, verified; the disk itself %.0f MB/s: %.0f %%   (target: 70 %%)\n",
              middle(verified) / 1e6, middle(plain) / 1e6, 100 * middle(verified) / middle(plain));
  fs::remove_all(folder);
}

// Files of the right size without anything in them: an index that is believed is all that is read.
void measure_open(const std::string& folder, std::uint64_t blocks, std::uint64_t total_bytes) {
  fs::remove_all(folder);
  static_cast<void>(open_store(folder));
  store::Index index;
  const std::uint64_t block_bytes = total_bytes / blocks,
                      per_extent = std::max<std::uint64_t>(1, (128 << 20) / block_bytes);
  Digest parent = Digester("bench root").finish();
  for (std::uint64_t i = 0; i < blocks; ++i) {
    if (i % 400 == 0) parent = Digester("bench root").finish();  // conversations of 100,000 tokens
    const std::uint64_t extent = 1 + i / per_extent;
    index.extents[extent] = 128 << 20;
    const store::Place place{.extent = extent,
                             .offset = 32 + i % per_extent * block_bytes,
                             .stored_bytes = block_bytes - 100,
                             .raw_bytes = block_bytes - 100};
    index.entries.push_back({.meta = meta_of(i, parent, static_cast<std::uint32_t>(i % 400 * 256)), .place = place});
    parent = index.entries.back().meta.key.name;
  }
  for (const auto& [id, bytes] : index.extents) {
    const std::string path = folder + "/" + store::extent_name(id);
    const int made = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (::ftruncate(made, static_cast<off_t>(bytes)) != 0) std::exit(1);
    ::close(made);
  }
  const store::Bytes bytes = store::write_index(index);
  std::ofstream(folder + "/index.bin", std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  fs::permissions(folder + "/index.bin", fs::perms::owner_read | fs::perms::owner_write);
  std::vector<double> seconds;
  for (int i = 0; i < kRounds; ++i) {
    const auto begun = SteadyTime::now();
    const cache::DiskTier tier(open_store(folder), {.bytes_max = std::uint64_t{100} << 30});
    seconds.push_back(seconds_since(begun));
    if (tier.index().counts().blocks != blocks) std::printf("  WRONG: blocks are missing\n"), std::exit(1);
  }
  std::printf("  opened    %8.0f ms for %.0f GB in %llu blocks and %zu files, index %.1f MB   (target: 500 ms)\n",
              middle(seconds) * 1000, static_cast<double>(total_bytes) / 1e9, static_cast<unsigned long long>(blocks),
              index.extents.size(), static_cast<double>(bytes.size()) / 1e6);
  fs::remove_all(folder);
}

void try_levels(const char* what, const store::Bytes& raw) {
  if (raw.empty()) return;
  std::printf("  %-22s %7.2f MB:", what, static_cast<double>(raw.size()) / 1e6);
  for (const int level : {-5, 1, 3, 9}) {
    const auto begun = SteadyTime::now();
    const store::Bytes small = store::compress_at(raw, level);
    const double there = seconds_since(begun);
    const auto back_begun = SteadyTime::now();
    store::Bytes back(raw.size());
    if (!store::decompress(small, back)) std::exit(1);
    std::printf("  level %d %.3f (%.0f/%.0f MB/s)", level,
                static_cast<double>(small.size()) / static_cast<double>(raw.size()),
                static_cast<double>(raw.size()) / there / 1e6,
                static_cast<double>(raw.size()) / seconds_since(back_begun) / 1e6);
  }
  std::printf("\n");
}

void measure_compression(const std::string& path, const std::string& kv_type) {
  const std::string arguments[] = {"--model",        path,    "--ctx",          "8192", "--no-memory-check",
                                   "--cache-type-k", kv_type, "--cache-type-v", kv_type};
  const auto options = engine::parse_options(arguments);
  auto engine = engine::load_engine(*options, {});
  if (!engine) return static_cast<void>(std::printf("  %s: %s\n", path.c_str(), engine.error().message.c_str()));
  for (std::uint32_t begin = 0; begin < 1024; begin += 512) {
    std::vector<engine::Row> rows;
    for (std::uint32_t i = begin; i < begin + 512; ++i)
      rows.push_back(
          {.token = static_cast<engine::Token>(mix_u64(1, i % 300) % ((*engine)->info().vocabulary_count / 2)),
           .position = static_cast<std::int32_t>(i)});
    if (!(*engine)->decode(rows)) return;
  }
  std::printf("  %s, %s, KV %s: of the bytes stay (there/back)\n", (*engine)->info().description.c_str(),
              std::string(memory_kind_name((*engine)->info().memory_kind)).c_str(), (*engine)->info().kv_types.c_str());
  try_levels("a block of KV", (*engine)->export_cells(0, 512, 768));
  try_levels("an anchor's state", (*engine)->snapshot(0));
}

}  // namespace

int main(int count, char** words) {
  set_log_level(LogLevel::Error);
  if (count < 2) return std::puts("store_bench FOLDER [MEGABYTES [MODEL.gguf...]]"), 2;
  const std::string folder = std::string(words[1]) + "/store-bench";
  const std::uint64_t megabytes = count > 2 ? std::strtoull(words[2], nullptr, 10) : 2000;
  for (int i = 3; i < count; ++i)
    for (const char* type : {"f16", "q8_0"}) measure_compression(words[i], type);
  measure_files(folder, megabytes);
  measure_open(folder, 10'000, std::uint64_t{50'000'000'000});
  measure_open(folder, 100'000, std::uint64_t{50'000'000'000});
}
