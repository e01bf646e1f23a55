// The way back into the pool: blocks from RAM and from the disk, then the state that cannot be cut. What lies on the disk is asked
// for ahead and taken in when it has come; nothing here waits. The loop's thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cache/disk_tier.h"
#include "cache/ram_tier.h"
#include "engine/engine.h"

namespace hearth::cache {

using engine::Sequence;

// How a prompt begins.
struct Start {
  enum class Way {
    Nothing,   // computed from the first token
    TakeOver,  // an idle line goes on
    Fork,      // a line is copied, its cells are shared
    Import,    // cells of a line (live_tokens of them), then blocks from RAM or disk, then the anchor's state
  };
  Way way = Way::Nothing;
  std::optional<Sequence> live;
  std::uint32_t live_tokens = 0;
  Match ram, disk;            // what these know of the prompt; used with Import
  bool from_disk = false;     // with Import: it ends where the disk's match ends, not RAM's
  std::uint32_t tokens = 0;   // known in the end
  std::uint32_t longest = 0;  // known in any tier, usable or not
};

// A block on its way back, from RAM or from the disk.
struct Piece {
  Range range;
  bool on_disk = false;
  BlockId block{};
  std::optional<Ticket> ticket;  // on the disk, and asked for
  std::uint64_t bytes = 0;       // that it was asked for
};

// Tokens of a line that were brought back when it began, by where they lay; the rest was in the pool.
struct Brought {
  std::uint32_t ram = 0, disk = 0;
};

// State that comes back, block by block. Blocks on the disk are asked for ahead of the one that is taken in.
struct Import {
  Match ram, disk;              // pinned until the import ends
  std::vector<Piece> pieces;    // in order
  bool anchor_on_disk = false;  // of `ram` otherwise
  std::vector<Token> tokens;    // what the line holds at its end
  std::uint32_t arrived = 0;    // tokens whose cells are there
  Brought brought;
  std::size_t next_piece = 0, next_fetch = 0;
  std::uint64_t fetched_bytes = 0;  // of blocks, asked for and not yet taken in
  std::uint64_t anchor_fetched_bytes = 0;
  std::optional<Ticket> anchor_ticket;
  std::shared_ptr<const store::Bytes> anchor_bytes;
  bool is_broken = false;         // something of it could not be read
  bool leaves_disk = false;       // and the disk still has it: what comes instead is not looked for there
  std::optional<NodeId> refused;  // of the disk, by the engine
};

class Importer {
 public:
  // Of all imports together, for no budget counts it: beyond it each asks the disk for what it needs next.
  static constexpr std::uint64_t kAheadBytesMax = std::uint64_t{256} << 20;
  // `disk` may be nullptr.
  Importer(engine::Engine& engine, RamTier& ram, DiskTier* disk, std::uint64_t ahead_bytes_max = kAheadBytesMax)
      : engine_(engine), ram_(ram), disk_(disk), ahead_bytes_max_(ahead_bytes_max) {}

  // What `start` chose of this prompt, pinned. REQUIRES: start.way is Import.
  [[nodiscard]] Import begin(const Start& start, std::span<const Token> prompt);
  enum class Step {
    Took,    // a piece more is in the pool
    Waits,   // for the disk
    Done,    // all is there that will be: finish()
    NoRoom,  // the engine refused and has cleared the sequence: restart() when there is room, else finish()
  };
  [[nodiscard]] Step step(Sequence sequence, Import& import);
  void restart(Import& import);
  // How many tokens the sequence holds now; 0: the state was refused, or something is missing. Unpins.
  [[nodiscard]] std::uint32_t finish(Sequence sequence, Import& import);
  void drop(Import& import);  // unpins
  // What all imports together have asked the disk for and not yet taken in.
  [[nodiscard]] std::uint64_t fetched_bytes() const { return fetched_bytes_; }

 private:
  void fetch_ahead(Import& import);
  void forget_fetched(Import& import);
  void forget_anchor(Import& import);
  [[nodiscard]] std::shared_ptr<const store::Bytes> take_fetched(Import& import, Piece& piece);
  [[nodiscard]] bool anchor_is_there(Import& import);

  engine::Engine& engine_;
  RamTier& ram_;
  DiskTier* const disk_;
  const std::uint64_t ahead_bytes_max_;
  std::uint64_t fetched_bytes_ = 0;  // of all imports
};

}  // namespace hearth::cache
