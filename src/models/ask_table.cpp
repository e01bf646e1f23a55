// The rules of AskTable.
#include "models/ask_table.h"

#include <format>
#include <utility>

namespace hearth::models {
namespace {

bool answers(const link::FrontMessage& question, const link::EngineMessage& reply) {
  if (std::holds_alternative<link::TokenizeRequest>(question))
    return std::holds_alternative<link::TokenizeReply>(reply);
  if (std::holds_alternative<link::StatsRequest>(question)) return std::holds_alternative<link::StatsReply>(reply);
  if (std::holds_alternative<link::Probe>(question)) return std::holds_alternative<link::ProbeReply>(reply);
  if (std::holds_alternative<link::CacheRequest>(question)) return std::holds_alternative<link::CacheReply>(reply);
  return false;
}

}  // namespace

bool AskTable::add(std::uint64_t id, std::shared_ptr<const link::FrontMessage> question, std::size_t bytes,
                   AskDone done) {
  if (asks_.size() >= asks_max_ || bytes > bytes_max_ - bytes_) return false;
  bytes_ += bytes;
  asks_.emplace(id, Ask{.question = std::move(question), .bytes = bytes, .done = std::move(done)});
  return true;
}

std::optional<AnsweredAsk> AskTable::answered(std::uint64_t id, link::EngineMessage reply) {
  const auto at = asks_.find(id);
  if (at == asks_.end()) return std::nullopt;
  if (!answers(*at->second.question, reply)) return std::nullopt;
  return remove(at, std::move(reply));
}

std::vector<AnsweredAsk> AskTable::engine_died(std::string_view how) {
  std::vector<AnsweredAsk> ended;
  for (auto at = asks_.begin(); at != asks_.end();) {
    const auto here = at++;
    if (++here->second.deaths < kAskDeathsMax) continue;
    ended.push_back(remove(here, fail(ErrorKind::Internal,
                                      std::format("the engine died {} times in a row on this text (last: {}); see the "
                                                  "server's log for the cause",
                                                  here->second.deaths, how))));
  }
  return ended;
}

std::vector<AnsweredAsk> AskTable::end_all(const Error& reason) {
  std::vector<AnsweredAsk> ended;
  while (!asks_.empty()) ended.push_back(remove(asks_.begin(), std::unexpected(reason)));
  return ended;
}

std::vector<std::shared_ptr<const link::FrontMessage>> AskTable::questions() const {
  std::vector<std::shared_ptr<const link::FrontMessage>> all;
  for (const auto& [id, ask] : asks_) all.push_back(ask.question);
  return all;
}

AnsweredAsk AskTable::remove(Asks::iterator at, Result<link::EngineMessage> reply) {
  AnsweredAsk ended{.done = std::move(at->second.done), .reply = std::move(reply)};
  bytes_ -= at->second.bytes;
  asks_.erase(at);
  return ended;
}

}  // namespace hearth::models
