// The readers of the cache's files (store/extent_format.h, store/store.h): whatever the bytes, what they return lies within the file,
// and a record that is read back is one that was written. The first byte chooses: 0 a table as it is, its checksum made right, of as many
// entries as the second byte says; else a whole folder with one good extent and its index, changed at the places that the input
// names, cut or made longer, with the checksums of the tables made right or left wrong.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "base/log.h"
#include "store/extent_format.h"
#include "store/fake_disk.h"
#include "store/store.h"

namespace {
using namespace hearth;
using namespace hearth::store;

void demand(bool holds) {
  if (!holds) std::abort();
}

void read_table(std::span<const std::uint8_t> input) {
  if (input.empty()) return;
  const auto bytes = input.subspan(1);
  const Trailer trailer{.footer_offset = 4096,
                        .footer_bytes = bytes.size(),
                        .entry_count = input[0] % 8U,
                        .digest = table_digest(7, bytes)};
  const auto entries = read_footer(7, trailer, bytes);
  if (!entries) return;
  for (const Entry& entry : *entries) {
    demand(entry.place.offset + kRecordHeaderBytes + entry.place.stored_bytes <= 4096);
    demand(!entry.meta.tokens.empty() && entry.meta.tokens.size() <= kRecordTokensMax);
  }
}

Write record(std::uint8_t number) {
  return {.meta = {.key = {.kind = RecordKind::Block, .name = Digester("fuzz").add(std::uint64_t{number}).finish()},
                   .tokens = {number, 2, 3}},
          .bytes = std::make_shared<const Bytes>(100, number)};
}

struct Good {
  std::shared_ptr<FakeDisk::Folder> folder;
  std::string extent;
};

Good make_good() {
  FakeDisk disk(1);
  auto store = Store::open(std::make_unique<FakeDisk>(disk.folder(), 1), {.id_seed = 3});
  const Write both[] = {record(1), record(2)};
  demand(store && (*store)->write(both).has_value());
  auto reader = Store::open(std::make_unique<FakeDisk>(disk.folder(), 2), {.access = Access::ReadOnly});
  demand(reader && (*store)->save_index((*reader)->take_entries()).has_value());
  Good good{.folder = disk.folder(), .extent = ""};
  for (const FileInfo& file : *disk.list())
    if (file.name.ends_with(".kv")) good.extent = file.name;
  return good;
}

// Three bytes an edit: a place and what is added there.
void edit(Bytes& bytes, std::span<const std::uint8_t> edits) {
  for (; edits.size() >= 3; edits = edits.subspan(3)) {
    const std::size_t at = edits[0] | edits[1] << 8;
    if (at < bytes.size()) bytes[at] = static_cast<std::uint8_t>(bytes[at] + edits[2]);
  }
}

// Three bytes: how long it is then, and which file.
std::span<const std::uint8_t> change_length(Bytes& extent, Bytes& index, std::span<const std::uint8_t> input) {
  if (input.size() < 3) return input;
  Bytes& bytes = (input[2] & 1U) != 0 ? index : extent;
  bytes.resize((input[0] | input[1] << 8U) % (bytes.size() + 512), input[2]);
  return input.subspan(3);
}

void mend_extent(Bytes& bytes) {
  if (bytes.size() < kTrailerBytes) return;
  std::uint64_t offset = 0;
  std::memcpy(&offset, bytes.data() + bytes.size() - kTrailerBytes, sizeof offset);
  const std::uint64_t end = bytes.size() - kTrailerBytes;
  std::uint64_t id = 0;
  std::memcpy(&id, bytes.data() + 16, sizeof id);
  if (offset > end) return;
  const Digest digest = table_digest(id, std::span(bytes).subspan(offset, end - offset));
  std::memcpy(bytes.data() + end + 24, digest.data(), digest.size());
}

void mend_index(Bytes& bytes) {
  if (bytes.size() < sizeof(Digest)) return;
  const std::size_t end = bytes.size() - sizeof(Digest);
  const Digest digest = index_digest(std::span(bytes).first(end));
  std::memcpy(bytes.data() + end, digest.data(), digest.size());
}

void open_folder(std::span<const std::uint8_t> input) {
  static const Good good = make_good();
  FakeDisk disk(FakeDisk::restarted(*good.folder, Crash::Process, 1), 1);
  const std::uint8_t how = input.empty() ? 0 : input[0];
  auto edits = input.subspan(input.empty() ? 0 : 1);
  Bytes& extent = *disk.bytes_of(good.extent);
  Bytes& index = *disk.bytes_of("index.bin");
  if ((how & 32U) != 0) edits = change_length(extent, index, edits);
  if ((how & 1U) != 0) edit(extent, edits);
  if ((how & 2U) != 0) edit(index, edits);
  if ((how & 4U) != 0) mend_extent(extent);
  if ((how & 8U) != 0) mend_index(index);
  if ((how & 16U) != 0) static_cast<void>(disk.remove("index.bin"));
  auto store = Store::open(std::make_unique<FakeDisk>(disk.folder(), 1), {.id_seed = 5});
  demand(store.has_value());
  for (const Entry& entry : (*store)->take_entries()) {
    if (entry.place.raw_bytes > 1U << 20) continue;  // only time
    const auto bytes = (*store)->read(entry.meta.key, entry.place);
    if (bytes) demand(*bytes == *record(1).bytes || *bytes == *record(2).bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  set_log_level(LogLevel::Off);
  const std::span input(data, size);
  if (input.empty()) return 0;
  if (input[0] == 0)
    read_table(input.subspan(1));
  else
    open_folder(input.subspan(1));
  return 0;
}
