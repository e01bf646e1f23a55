// Cells, refusals, delays and crashes of the fake engine; what it says is fake_script.cpp.
#include "engine/fake_engine.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <format>
#include <limits>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "engine/fake_line.h"
#include "engine/fake_tokenizer.h"

namespace hearth::engine {
namespace {

constexpr std::uint32_t kFakePrefillUnit = 256;   // as the real one's
constexpr std::int64_t kSleepSliceMs = 20;        // how late a cancel is heard during a scripted delay
constexpr std::int64_t kForgottenDelayMs = 1000;  // a delay not asked for again since is a new one
constexpr std::size_t kScriptBytesMax = 64U << 20;
constexpr std::string_view kAssistant = "assistant\n";

std::uint64_t chain(std::uint64_t hash, Token token) {
  return mix_u64(hash, static_cast<std::uint64_t>(static_cast<std::uint32_t>(token)));
}

// Words without meaning: letters with a space now and then, and an end after some 40 of them.
Token babble(std::uint64_t hash) {
  const std::uint64_t draw = mix_u64(hash, 77) >> 8;
  if (draw % 40 == 0) return kFakeTurnEnd;
  if (draw % 6 == 1) return ' ';
  return static_cast<Token>('a' + (draw >> 20) % 26);
}

// The position behind the last "<|im_start|>assistant\n", 0 when there is none.
template <class TokenAt>
std::size_t answer_start(std::size_t length, TokenAt token_at) {
  std::size_t mark = length;
  while (mark > 0 && token_at(mark - 1) != kFakeTurnStart) --mark;
  if (mark == 0 || length - mark < kAssistant.size()) return 0;
  for (std::size_t i = 0; i < kAssistant.size(); ++i)
    if (token_at(mark + i) != static_cast<unsigned char>(kAssistant[i])) return 0;
  return mark + kAssistant.size();
}

}  // namespace

FakeEngine::FakeEngine(FakeOptions options)
    : options_(std::move(options)), tokenizer_(std::make_shared<FakeTokenizer>()) {
  const FakeScript& script = options_.script;
  info_.name = script.name;
  info_.architecture = script.architecture;
  info_.description = "scripted engine of the tests";
  info_.chat_template = script.chat_template.empty() ? std::string(fake_chat_template()) : script.chat_template;
  info_.backend = "none";
  info_.kv_types = "none";
  info_.content_digest = hex_of(Digester("hearth fake model 1").add(script.name).finish());
  info_.state_version = "fake 1";
  info_.memory_kind = script.memory_kind;
  info_.follows_grammars = script.grammar || script.rules.empty();
  info_.state_form = options_.state_form;
  info_.exact = options_.exact;
  if (options_.exact) info_.prefill_unit = kFakePrefillUnit;
  info_.context_tokens = info_.trained_context_tokens = script.context_tokens;
  info_.sequences_max = script.sequences;
  info_.batch_tokens_max = options_.batch_tokens_max;
  info_.vocabulary_count = kFakeVocabularyCount;
  const float nothing = std::numeric_limits<float>::quiet_NaN();
  constexpr std::int32_t kNothing = std::numeric_limits<std::int32_t>::min();
  info_.sampling_defaults = {.temperature = nothing,
                             .top_p = nothing,
                             .min_p = nothing,
                             .repeat_penalty = nothing,
                             .top_k = kNothing,
                             .penalty_last_count = kNothing};
  info_.context_limit_tokens = std::max(script.context_tokens, script.context_limit_tokens);
  make_cells(options_.cells == 0 ? script.context_tokens : options_.cells);
}

FakeEngine::~FakeEngine() = default;

FakeEngine::Line& FakeEngine::line_of(Sequence sequence) {
  CHECK(sequence >= 0 && static_cast<std::size_t>(sequence) < lines_.size());
  return lines_[static_cast<std::size_t>(sequence)];
}

const FakeEngine::Line& FakeEngine::line_of(Sequence sequence) const {
  CHECK(sequence >= 0 && static_cast<std::size_t>(sequence) < lines_.size());
  return lines_[static_cast<std::size_t>(sequence)];
}

void FakeEngine::append(Line& line, Token token, std::uint64_t hash) {
  CHECK(!free_cells_.empty());
  const std::uint32_t index = free_cells_.back();
  free_cells_.pop_back();
  cells_[index] = Cell{.token = token, .holders = 1, .hash = hash};
  line.cells.push_back(index);
  ++cells_used_;
}

void FakeEngine::pop(Line& line, std::size_t keep) {
  while (line.cells.size() > keep) {
    const std::uint32_t index = line.cells.back();
    line.cells.pop_back();
    if (--cells_[index].holders > 0) continue;
    free_cells_.push_back(index);
    --cells_used_;
  }
}

// By sequence: where its rows of this batch begin and how many they are. CHECKs what an exact engine asks for.
std::vector<std::uint64_t> FakeEngine::shapes_of(std::span<const Row> rows) const {
  std::vector<std::uint64_t> shapes(options_.exact ? lines_.size() : 0);
  if (!options_.exact) return shapes;
  for (const Row& row : rows) ++shapes[static_cast<std::size_t>(row.sequence)];
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const std::size_t begin = lines_[i].cells.size();
    CHECK(shapes[i] <= 1 || (begin % info_.prefill_unit == 0 && shapes[i] <= info_.prefill_unit));
    if (shapes[i] > 0) shapes[i] = begin << 16U | shapes[i];
  }
  return shapes;
}

Result<DecodeOutcome> FakeEngine::decode(std::span<const Row> rows) {
  CHECK(!rows.empty() && rows.size() <= options_.batch_tokens_max);
  for (const Row& row : rows) {
    CHECK(row.sequence >= 0 && static_cast<std::size_t>(row.sequence) < lines_.size());
    CHECK(line_of(row.sequence).imported == 0);
    CHECK(row.token >= 0 && row.token < static_cast<Token>(kFakeVocabularyCount));
  }
  if (std::exchange(decode_fails_, false)) return fail(ErrorKind::Internal, "the fake engine was told to fail");
  if (rows.size() > free_cells_.size()) return DecodeOutcome::NoRoom;
  if (options_.on_pass) options_.on_pass(rows);

  std::vector<std::size_t> length_before(lines_.size());
  for (std::size_t i = 0; i < lines_.size(); ++i) length_before[i] = lines_[i].cells.size();
  const std::vector<std::uint64_t> shapes = shapes_of(rows);
  logits_.clear();
  logits_offset_of_row_.assign(rows.size(), -1);
  bool later = false;
  for (std::size_t i = 0; i < rows.size() && !later; ++i) {
    const Row& row = rows[i];
    Line& line = lines_[static_cast<std::size_t>(row.sequence)];
    CHECK(row.position >= 0 && static_cast<std::size_t>(row.position) == line.cells.size());
    const std::uint64_t next_hash = chain(hash_of(line), row.token);
    append(line, row.token,
           options_.exact ? mix_u64(next_hash, shapes[static_cast<std::size_t>(row.sequence)]) : next_hash);
    CHECK(line.cells.size() <= info_.context_tokens);
    if (!row.wants_logits) continue;
    const std::uint64_t hash = cells_[line.cells.back()].hash;
    const FakeRule* rule = nullptr;
    const Token next = next_token(line, rule);
    if (rule != nullptr) {
      const std::size_t added = line.cells.size() - length_before[static_cast<std::size_t>(row.sequence)];
      const bool first = line.continuation.said_tokens == 0 || added > 1;
      later = !wait_for(line, hash, first ? rule->first_token_delay_ms : rule->token_delay_ms);
      if (!later && rule->crash_after_tokens == line.continuation.said_tokens) crash_if_due(*rule);
    }
    write_logits(i, hash, next);
  }
  std::int64_t decode_rows = 0;
  std::int64_t prefill_rows = 0;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const auto added = static_cast<std::int64_t>(lines_[i].cells.size() - length_before[i]);
    (added == 1 ? decode_rows : prefill_rows) += added;
    if (later && added > 0) {
      pop(lines_[i], length_before[i]);
      lines_[i].answer_start = 0;
    }
  }
  if (later) return DecodeOutcome::Later;
  const std::int64_t sleep_us = prefill_rows * options_.script.prefill_us_per_token +
                                (decode_rows > 0 ? options_.script.decode_ms_per_token * 1000 : 0);
  if (sleep_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(sleep_us));
  return DecodeOutcome::Done;
}

// True when the delay is over; else sleeps a slice of it.
bool FakeEngine::wait_for(Line& line, std::uint64_t hash, std::int64_t delay_ms) {
  if (delay_ms <= 0) return true;
  const std::int64_t now_ms = SteadyClock().now_ms();
  if (line.delay_hash != hash || now_ms > line.delay_until_ms + kForgottenDelayMs) {
    line.delay_hash = hash;
    line.delay_until_ms = now_ms + delay_ms;
  }
  const std::int64_t left_ms = line.delay_until_ms - now_ms;
  if (left_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(std::min(left_ms, kSleepSliceMs)));
  if (left_ms > kSleepSliceMs) return false;
  line.delay_hash = 0;
  return true;
}

void FakeEngine::crash_if_due(const FakeRule& rule) {
  if (!options_.state_path.empty()) {
    const std::string key = std::format("{}", &rule - options_.script.rules.data());
    Json state = Json::object();
    if (auto text = read_file(options_.state_path, kScriptBytesMax); text && !text->empty())
      if (auto parsed = Json::parse(*text); parsed && parsed->is_object()) state = std::move(*parsed);
    const Json* count = state.find(key);
    const std::int64_t crashed = count != nullptr && count->is_integer() ? count->as_integer() : 0;
    if (crashed >= rule.crash_times) return;
    state.set(key, crashed + 1);
    CHECK(write_file_atomically(options_.state_path, state.dump()));
  }
  std::abort();
}

// Brings line.rule and line.continuation to the line's present tokens.
void FakeEngine::update_answer(Line& line) const {
  const auto token_at = [&](std::size_t i) { return cells_[line.cells[i]].token; };
  const std::size_t length = line.cells.size();
  if (line.answer_start != 0 && length == line.said_until + 1 && token_at(length - 1) != kFakeTurnStart) {
    // One more token: when it is the answer's own, nothing has to be looked at again.
    if (line.rule == nullptr) {
      line.said_until = length;
      return;
    }
    FakeContinuation& known = line.continuation;
    if (known.said_tokens < known.text.size() && known.text[known.said_tokens] == token_at(length - 1)) {
      ++known.said_tokens;
      line.said_until = length;
      return;
    }
  }
  if (line.answer_start != 0 && length == line.said_until) return;
  line.rule = nullptr;
  line.said_until = length;
  line.answer_start = answer_start(length, token_at);
  if (line.answer_start == 0) return;
  std::vector<Token> tokens(length);
  for (std::size_t i = 0; i < length; ++i) tokens[i] = token_at(i);
  const FakePrompt prompt = read_fake_prompt(std::span(tokens).first(line.answer_start));
  line.rule = find_fake_rule(options_.script, prompt);
  if (line.rule != nullptr)
    line.continuation =
        continue_fake_answer(fake_answer(*line.rule, prompt), std::span(tokens).subspan(line.answer_start));
}

Token FakeEngine::next_token(Line& line, const FakeRule*& rule) const {
  update_answer(line);
  rule = line.rule;
  if (rule == nullptr) return babble(cells_[line.cells.back()].hash);
  const FakeContinuation& known = line.continuation;
  return known.said_tokens < known.text.size() ? known.text[known.said_tokens] : kFakeTurnEnd;
}

std::optional<Token> FakeEngine::expected_next(std::span<const Token> tokens) const {
  const std::size_t start = answer_start(tokens.size(), [&](std::size_t i) { return tokens[i]; });
  if (start != 0) {
    const FakePrompt prompt = read_fake_prompt(tokens.first(start));
    if (const FakeRule* rule = find_fake_rule(options_.script, prompt); rule != nullptr) {
      const FakeContinuation next = continue_fake_answer(fake_answer(*rule, prompt), tokens.subspan(start));
      if (next.said_tokens >= next.text.size()) return std::nullopt;
      return next.text[next.said_tokens];
    }
  }
  std::uint64_t hash = kFakeHashSeed;
  for (const Token token : tokens) hash = chain(hash, token);
  const Token next = babble(hash);
  if (next == kFakeTurnEnd) return std::nullopt;
  return next;
}

void FakeEngine::write_logits(std::size_t row_index, std::uint64_t hash, Token next) {
  const std::size_t offset = logits_.size();
  logits_offset_of_row_[row_index] = static_cast<std::int64_t>(offset);
  logits_.resize(offset + kFakeVocabularyCount);
  for (std::uint32_t token = 0; token < kFakeVocabularyCount; ++token)
    logits_[offset + token] = static_cast<float>(mix_u64(hash, token) >> 40) * 0x1p-22F;
  logits_[offset + static_cast<std::size_t>(next)] += options_.certainty;
}

std::span<const float> FakeEngine::logits(std::size_t row_index) const {
  CHECK(row_index < logits_offset_of_row_.size() && logits_offset_of_row_[row_index] >= 0);
  return std::span(logits_).subspan(static_cast<std::size_t>(logits_offset_of_row_[row_index]), kFakeVocabularyCount);
}

std::uint32_t FakeEngine::usable_prefix(Sequence sequence, std::uint32_t length, std::uint32_t wanted) const {
  const Line& line = line_of(sequence);
  CHECK(wanted <= length && line.imported == 0);
  if (wanted == length) return wanted;
  switch (info_.memory_kind) {
    case MemoryKind::Attention: return wanted;
    case MemoryKind::Recurrent:
    case MemoryKind::Hybrid: return 0;
    case MemoryKind::Window:
      return length - wanted <= options_.script.window_tokens && wanted >= line.cut_floor ? wanted : 0;
  }
  return 0;
}

bool FakeEngine::truncate(Sequence sequence, std::uint32_t keep) {
  Line& line = line_of(sequence);
  const auto length = static_cast<std::uint32_t>(line.cells.size());
  CHECK(keep == 0 || usable_prefix(sequence, length, keep) == keep);
  if (keep == 0) {
    clear(sequence);
    return true;
  }
  if (refuses_) return false;
  pop(line, keep);
  line.answer_start = 0;
  return true;
}

bool FakeEngine::fork(Sequence from, Sequence to, std::uint32_t count) {
  const Line& source = line_of(from);
  Line& target = line_of(to);
  CHECK(from != to && target.cells.empty() && target.imported == 0);
  CHECK(usable_prefix(from, static_cast<std::uint32_t>(source.cells.size()), count) == count);
  if (refuses_) return false;
  target.cells.assign(source.cells.begin(), source.cells.begin() + count);
  for (const std::uint32_t index : target.cells) ++cells_[index].holders;
  target.answer_start = 0;
  target.cut_floor = source.cut_floor;
  return true;
}

void FakeEngine::clear(Sequence sequence) {
  Line& line = line_of(sequence);
  pop(line, 0);
  line.answer_start = 0;
  line.imported = line.cut_floor = 0;
}

std::vector<Token> FakeEngine::tokens_of(Sequence sequence) const {
  std::vector<Token> tokens;
  for (const std::uint32_t index : lines_[static_cast<std::size_t>(sequence)].cells)
    tokens.push_back(cells_[index].token);
  return tokens;
}

Result<std::unique_ptr<Engine>> load_fake_engine(const EngineOptions& options) {
  static constexpr std::string_view kScheme = "fake:";
  CHECK(options.model_path.starts_with(kScheme));
  const std::string path = options.model_path.substr(kScheme.size());
  FakeOptions fake;
  if (!path.empty()) {
    TRY_ASSIGN(const std::string text, read_file(path, kScriptBytesMax));
    TRY_ASSIGN(fake.script, parse_fake_script(text));
  }
  if (options.context_tokens != 0)
    fake.script.context_tokens = std::min(fake.script.context_tokens, options.context_tokens);
  if (options.context_max_tokens != 0) fake.script.context_limit_tokens = options.context_max_tokens;
  fake.batch_tokens_max = std::max<std::uint32_t>(options.batch_tokens, 1);
  fake.exact = options.exact;
  fake.script.sequences =
      options.exact ? options.parallel_jobs : std::max(fake.script.sequences, options.parallel_jobs);
  if (const char* state = std::getenv("HEARTH_FAKE_STATE"); state != nullptr) fake.state_path = state;
  return std::make_unique<FakeEngine>(std::move(fake));
}

}  // namespace hearth::engine
