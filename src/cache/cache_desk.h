// CacheDesk: what people want of the RAM tier: lines that stay (pins), trunks that go out as files and come in. One thread, as
// the tier.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cache/known_lines.h"
#include "cache/ram_tier.h"
#include "cache/trunk_format.h"

namespace hearth::cache {

class CacheDesk {
 public:
  // More are no help: what everything is pinned for is not pinned. Together they take at most half of the RAM tier.
  static constexpr std::size_t kPinsMax = 32;

  CacheDesk(RamTier& ram, KnownLines& known, bool needs_snapshots)
      : ram_(ram), known_(known), needs_snapshots_(needs_snapshots) {}
  ~CacheDesk();
  CacheDesk(const CacheDesk&) = delete;
  CacheDesk& operator=(const CacheDesk&) = delete;

  [[nodiscard]] const KnownLines& known() const { return known_; }
  // What RAM holds of the line stays there until it is unpinned, the cache is cleared or the process ends. Bytes pinned by it.
  [[nodiscard]] Result<std::uint64_t> pin(const KnownLine& line);
  // False: it was not pinned.
  bool unpin(const std::string& line_id);
  [[nodiscard]] bool is_pinned(const std::string& line_id) const;
  [[nodiscard]] std::uint64_t pinned_bytes() const { return pinned_bytes_; }
  // Of one root, or of all.
  void unpin_all(const Root* root);
  // The budget is smaller: an export that holds it up ends, and the pins made first go until the others take at most this.
  void fit_budget(std::uint64_t pinned_bytes_max);
  // Ends what nobody has gone on with for a minute: it keeps RAM from everybody else. Often.
  void tick(std::uint64_t now_ms);

  struct Part {
    std::string bytes;
    std::uint64_t total_bytes = 0;
    std::uint32_t tokens = 0;
  };
  // Bytes [offset, offset + bytes_max) of the line's file; empty at its end. What RAM holds of it when `offset` is 0 is what
  // goes, and stays until another export begins, `end_export`, or nobody asks for a minute.
  [[nodiscard]] Result<Part> export_part(const KnownLine& line, const Hash& identity, std::uint64_t offset,
                                         std::size_t bytes_max, std::uint64_t now_ms);
  void end_export();
  void end_transfers(const Root* root);  // of this root, or with nullptr any

  struct Taken {
    std::uint64_t bytes = 0;  // of the file so far
    std::uint32_t tokens = 0;
    bool complete = false;
  };
  // The next part of a file, for the cache of `root`. Offset 0 begins; one file at a time.
  [[nodiscard]] Result<Taken> import_part(const Root& root, const Hash& identity, std::uint64_t offset,
                                          std::span<const std::uint8_t> bytes, std::uint64_t now_ms);

 private:
  struct Pin {
    std::string line_id;
    const Root* root = nullptr;
    Match match;
    std::uint64_t bytes = 0;
  };
  struct Export {
    std::string line_id;
    const Root* root = nullptr;
    std::uint64_t now_ms = 0;  // when it was last gone on with
    Match match;               // pinned
    std::vector<AnchorId> anchors;
    TrunkHeader header;
    std::string head;
    std::size_t piece = ~std::size_t{0};  // whose digest was made last
    Hash digest{};
  };
  struct Import {
    const Root* root = nullptr;
    std::uint64_t now_ms = 0;
    std::unique_ptr<TrunkReader> reader;
  };

  [[nodiscard]] Result<void> begin_export(const KnownLine& line, const Hash& identity);
  [[nodiscard]] std::span<const std::uint8_t> piece_bytes(const Export& running, std::size_t index) const;
  [[nodiscard]] Result<void> take_piece(const Import& import, const TrunkHeader& header, const TrunkPiece& piece,
                                        std::vector<std::uint8_t>&& bytes);
  [[nodiscard]] std::uint64_t bytes_of(const Match& match) const;

  RamTier& ram_;
  KnownLines& known_;
  const bool needs_snapshots_;
  std::list<Pin> pins_;  // the one made first in front
  std::uint64_t pinned_bytes_ = 0;
  std::optional<Export> export_;
  std::optional<Import> import_;
};

}  // namespace hearth::cache
