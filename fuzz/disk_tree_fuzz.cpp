// Opening a tree from a folder (cache/disk_open.cpp): who can write the folder can also write right digests, so here all of them are,
// and what the entries say is anything. Whatever they are, the tree holds together while it is found in, read, evicted and
// saved, and a record that is read is one that was written. First two bytes: how it is opened, and the budget; then eight a record.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/log.h"
#include "cache/disk_tier.h"
#include "store/fake_disk.h"

namespace {
using namespace hearth;
using namespace hearth::cache;

constexpr std::size_t kRecordsMax = 48;

void demand(bool holds) {
  if (!holds) std::abort();
}

struct Made {
  Hash name{};
  std::uint32_t end = 0;
  std::vector<Token> line;  // to its end, where all before it is what it says
};

struct Bits {
  enum : std::uint8_t {
    Anchor = 1,
    WrongName = 2,
    WrongRoot = 4,
    WrongParent = 8,
    WrongBegin = 16,
    Long = 32,
    Again = 64
  };
};

store::Write record_of(std::span<const std::uint8_t, 8> bytes, const Root& root, std::vector<Made>& made) {
  const auto [how, parent_index, place, count, first, differs, kinds, uses] =
      std::to_array({bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]});
  const Made parent = made[parent_index % made.size()];  // a copy: made grows below
  const bool is_anchor = (how & Bits::Anchor) != 0;
  std::vector<Token> tokens((how & Bits::Long) != 0 ? 257U + count : 1U + count);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = first % 4 + (i >= differs ? 1000 : 0);
  if ((how & Bits::Again) != 0)
    tokens.assign(made.back().line.begin(),
                  made.back().line.begin() + std::min<std::ptrdiff_t>(std::ssize(made.back().line), 256));
  if (tokens.empty()) tokens = {1};
  store::Meta meta{.key = {.kind = is_anchor ? store::RecordKind::Anchor : store::RecordKind::Block,
                           .name = is_anchor ? anchor_hash(parent.name, tokens) : block_hash(parent.name, tokens)},
                   .root = root.hash,
                   .parent = parent.name,
                   .begin = parent.end,
                   .tokens = tokens,
                   .anchor_kind = static_cast<std::uint8_t>(kinds & 15U),
                   .line_kind = static_cast<std::uint8_t>(kinds >> 4U),
                   .uses = std::uint32_t{uses} << 24U,
                   .branches = std::uint32_t{uses} << 23U,
                   .stored_unix_ms = std::uint64_t{uses} << 56U,
                   .used_unix_ms = std::uint64_t{place} << 50U};
  if ((how & Bits::WrongName) != 0) meta.key.name[0] ^= 1U;
  if ((how & Bits::WrongRoot) != 0) meta.root[place % 32U] ^= 1U;
  if ((how & Bits::WrongParent) != 0) meta.parent = root.hash;
  if ((how & Bits::WrongBegin) != 0) meta.begin = place * 64U;
  std::vector<Token> line = parent.line;
  line.insert(line.end(), tokens.begin(), tokens.end());
  made.push_back({.name = meta.key.name, .end = parent.end + static_cast<std::uint32_t>(tokens.size()), .line = line});
  if (is_anchor) made.back() = parent;
  return {.meta = std::move(meta), .bytes = std::make_shared<const store::Bytes>(40 + first, first)};
}

std::unique_ptr<store::Store> open_store(const std::shared_ptr<store::FakeDisk::Folder>& folder, std::uint64_t seed) {
  auto opened = store::Store::open(std::make_unique<store::FakeDisk>(folder, seed),
                                   {.unix_ms = [] { return std::uint64_t{1} << 40U; }, .id_seed = seed});
  demand(opened.has_value());
  return std::move(*opened);
}

void read_all(DiskTier& tier, const Root& root, const std::vector<Token>& line) {
  const Match match = tier.find(root, line, static_cast<std::uint32_t>(line.size()));
  demand(match.tokens <= line.size());
  tier.pin(match);
  const auto read = [&](auto id) {
    const Ticket ticket = tier.fetch(id);
    std::optional<DiskTier::Outcome> outcome;
    for (int i = 0; i < 1000 && !(outcome = tier.arrived(ticket)); ++i) tier.tick();
    demand(outcome.has_value());
    if (*outcome)
      demand(std::ranges::all_of(***outcome, [&](std::uint8_t byte) { return byte == (**outcome)->front(); }));
    else
      static_cast<void>(tier.reject(id, outcome->error()));
  };
  for (const BlockId id : match.blocks) read(id);
  if (match.anchor) read(*match.anchor);
  tier.unpin(match);
  tier.check_invariants();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  set_log_level(LogLevel::Off);
  std::span input(data, size);
  if (input.size() < 10) return 0;
  const std::uint8_t how = input[0];
  const std::uint64_t bytes_max = (how & 2U) != 0 ? std::uint64_t{input[1]} * 64 : UINT64_MAX / 2;
  input = input.subspan(2);
  const RootPart part{"model", "fuzz"};
  const Root root = make_root({&part, 1}, "");
  std::vector<Made> made{{.name = root.hash}};
  std::vector<store::Write> records;
  for (; input.size() >= 8 && records.size() < kRecordsMax; input = input.subspan(8))
    records.push_back(record_of(input.first<8>(), root, made));
  const auto folder = store::FakeDisk(1).folder();
  const std::size_t half = (how & 4U) != 0 ? records.size() / 2 : 0;
  {
    const auto store = open_store(folder, 3);
    if (half > 0) demand(store->write(std::span(records).first(half)).has_value());
    demand(store->write(std::span(records).subspan(half)).has_value());
  }
  if ((how & 8U) != 0) DiskTier::shrink(open_store(folder, 4), bytes_max);
  std::uint64_t steady_ms = 1'000'000;
  for (std::uint64_t start = 5; start < 7; ++start) {
    DiskTier tier(open_store(folder, start), {.bytes_max = bytes_max,
                                              .needs_snapshots = (how & 1U) != 0,
                                              .unix_ms = [] { return std::uint64_t{1} << 40U; },
                                              .steady_ms = [&] { return steady_ms; },
                                              .workers = store::Workers::Caller});
    tier.check_invariants();
    for (const Made& one : made)
      if (!one.line.empty()) read_all(tier, root, one.line);
    steady_ms += 6 * 60'000;
    for (int i = 0; i < 10; ++i) tier.tick();
    tier.flush(std::chrono::milliseconds(0));
    tier.check_invariants();
  }
  return 0;
}
