// See turn_format.h. The checksum is verified before anything is read, so that what follows only fails on bytes that
// somebody made on purpose; it is checked all the same, and nothing is allocated that the bytes cannot hold.
#include "chat/turn_format.h"

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "base/random.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kMagic = "HTM1";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kChecksumBytes = 8;
enum class Tag : std::uint8_t { Text, Thinking, Call };

template <std::unsigned_integral T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out.push_back(static_cast<char>(static_cast<unsigned char>(value >> (8 * i))));
}
void put(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}
void put(std::string& out, const std::vector<std::string>& texts) {
  put(out, static_cast<std::uint32_t>(texts.size()));
  for (const std::string& text : texts) put(out, std::string_view(text));
}

std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t sum = mix_u64(0, bytes.size());
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    word = word << 8 | static_cast<unsigned char>(bytes[i]);
    if (i % 8 == 7) sum = mix_u64(sum ^ std::exchange(word, 0), i);
  }
  return mix_u64(sum ^ word, bytes.size());
}

// Reads ahead of itself never: after the first value that does not fit, every further one is empty and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

  template <std::unsigned_integral T>
  T number() {
    const std::string_view bytes = take(sizeof(T));
    T value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;)
      value = static_cast<T>(value << 8 | static_cast<unsigned char>(bytes[i]));
    return value;
  }
  std::string_view text() { return take(number<std::uint32_t>()); }
  std::vector<std::string> texts() {
    std::vector<std::string> all;
    for (std::uint32_t left = number<std::uint32_t>(); left > 0 && ok_; --left) all.emplace_back(text());
    return all;
  }
  std::vector<std::int32_t> tokens() {
    const std::uint32_t count = number<std::uint32_t>();
    std::vector<std::int32_t> all;
    if (count > rest_.size() / sizeof(std::int32_t)) ok_ = false;
    if (!ok_) return all;
    all.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) all.push_back(static_cast<std::int32_t>(number<std::uint32_t>()));
    return all;
  }

 private:
  std::string_view take(std::size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

void put_block(std::string& out, const Block& block) {
  if (const auto* text = std::get_if<TextBlock>(&block)) {
    put(out, static_cast<std::uint8_t>(Tag::Text));
    put(out, std::string_view(text->text));
  } else if (const auto* thought = std::get_if<ThinkingBlock>(&block)) {
    put(out, static_cast<std::uint8_t>(Tag::Thinking));
    put(out, std::string_view(thought->text));
    put(out, std::string_view(thought->signature));
  } else if (const auto* call = std::get_if<ToolUseBlock>(&block)) {
    put(out, static_cast<std::uint8_t>(Tag::Call));
    put(out, std::string_view(call->id));
    put(out, std::string_view(call->name));
    put(out, std::string_view(call->input.dump()));
  }
}

std::optional<Block> read_block(Reader& reader) {
  switch (static_cast<Tag>(reader.number<std::uint8_t>())) {
    case Tag::Text: return TextBlock{std::string(reader.text())};
    case Tag::Thinking: {
      std::string text(reader.text());
      return ThinkingBlock{.text = std::move(text), .signature = std::string(reader.text())};
    }
    case Tag::Call: {
      ToolUseBlock call;
      call.id = reader.text();
      call.name = reader.text();
      auto input = Json::parse(reader.text());
      if (!input) return std::nullopt;
      call.input = std::move(*input);
      return call;
    }
  }
  return std::nullopt;
}

std::optional<SavedTurn> read_turn(Reader& reader) {
  SavedTurn saved;
  saved.keys = reader.texts();
  const auto kind = reader.number<std::uint8_t>();
  if (kind > static_cast<std::uint8_t>(TurnOpening::Tail)) return std::nullopt;
  saved.turn.opening_kind = static_cast<TurnOpening>(kind);
  saved.turn.opening = reader.text();
  saved.turn.tokens = reader.tokens();
  saved.turn.message.role = Role::Assistant;
  for (std::uint32_t left = reader.number<std::uint32_t>(); left > 0 && reader.ok(); --left) {
    auto block = read_block(reader);
    if (!block) return std::nullopt;
    saved.turn.message.blocks.push_back(std::move(*block));
  }
  saved.turn.trailing_specials = reader.texts();
  saved.turn.specials = reader.texts();
  return reader.ok() ? std::optional(std::move(saved)) : std::nullopt;
}

}  // namespace

TurnWriter::TurnWriter(std::string_view scope) {
  bytes_ = kMagic;
  put(bytes_, kVersion);
  put(bytes_, scope);
  count_at_ = bytes_.size();
  put(bytes_, count_);
}

void TurnWriter::add(const SampledTurn& turn, const std::vector<std::string>& keys) {
  ++count_;
  put(bytes_, keys);
  put(bytes_, static_cast<std::uint8_t>(turn.opening_kind));
  put(bytes_, std::string_view(turn.opening));
  put(bytes_, static_cast<std::uint32_t>(turn.tokens.size()));
  for (const std::int32_t token : turn.tokens) put(bytes_, static_cast<std::uint32_t>(token));
  put(bytes_, static_cast<std::uint32_t>(turn.message.blocks.size()));
  for (const Block& block : turn.message.blocks) put_block(bytes_, block);
  put(bytes_, turn.trailing_specials);
  put(bytes_, turn.specials);
}

std::string TurnWriter::finish() && {
  std::string count;
  put(count, count_);
  bytes_.replace(count_at_, count.size(), count);
  put(bytes_, checksum(bytes_));
  return std::move(bytes_);
}

Result<std::vector<SavedTurn>> read_turns(std::string_view scope, std::string_view saved) {
  const auto wrong = [](const char* why) {
    return fail(ErrorKind::InvalidInput, std::string("saved turns cannot be used: ") + why);
  };
  if (!saved.starts_with(kMagic)) return wrong("they do not begin with HTM1");
  if (saved.size() < kMagic.size() + kChecksumBytes) return wrong("they are cut short");
  const std::string_view content = saved.substr(0, saved.size() - kChecksumBytes);
  Reader end(saved.substr(content.size()));
  if (end.number<std::uint64_t>() != checksum(content)) return wrong("they are damaged");
  Reader reader(content.substr(kMagic.size()));
  if (reader.number<std::uint16_t>() != kVersion) return wrong("they are of another version");
  if (reader.text() != scope) return wrong("they belong to another model");
  const std::uint32_t count = reader.number<std::uint32_t>();
  std::vector<SavedTurn> turns;
  for (std::uint32_t i = 0; i < count; ++i) {
    auto turn = read_turn(reader);
    if (!turn) return wrong("a turn is not whole");
    turns.push_back(std::move(*turn));
  }
  if (!reader.ok() || !reader.at_end()) return wrong("bytes follow the last turn");
  return turns;
}

}  // namespace hearth::chat
