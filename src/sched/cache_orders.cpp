// See cache_orders.h.
#include <algorithm>
#include <format>
#include <string>
#include <utility>

#include "sched/cache_orders.h"

namespace hearth::sched {
namespace {

static_assert(static_cast<int>(cache::Tier::None) == static_cast<int>(link::Tier::None));

std::vector<link::TierSpan> told(const std::vector<cache::TierSpan>& spans) {
  std::vector<link::TierSpan> all;
  for (const cache::TierSpan& span : spans)
    all.push_back({.end = span.range.end, .tier = static_cast<link::Tier>(span.tier)});
  return all;
}

link::CacheReply failed(std::uint64_t id, const Error& error) {
  return {.id = id, .failed = true, .error_kind = static_cast<std::uint8_t>(error.kind), .message = error.message};
}

Error no_such_line(const std::string& line) {
  return {ErrorKind::NotFound,
          std::format("no line of this key begins with {}, or several do; `hearth cache list` shows them", line)};
}

}  // namespace

link::ProbeReply CacheOrders::probe(const link::Probe& probe) const {
  return {.id = probe.id,
          .cached_tokens = cache_.usable_tokens(probe.cache_salt, probe.tokens),
          .spans = told(cache_.tiers(cache_.root_of(probe.cache_salt), probe.tokens))};
}

link::CacheReply CacheOrders::list_lines(const link::CacheRequest& request) {
  link::CacheReply reply{.id = request.id};
  const cache::Root& own = cache_.root_of(request.cache_salt);
  const auto now_ms = static_cast<std::uint64_t>(clock_.now_ms());
  for (const cache::KnownLine& line : cache_.desk().known().lines()) {
    const bool is_own = line.root == &own;
    if (!is_own && !request.every_key) continue;
    reply.lines.push_back({.id = line.id,
                           .own = is_own,
                           .pinned = cache_.desk().is_pinned(line.id),
                           .tokens = static_cast<std::uint32_t>(line.tokens.size()),
                           .uses = line.uses,
                           .used_ms_ago = now_ms - std::min(now_ms, line.used_ms),
                           .spans = told(cache_.tiers(*line.root, line.tokens))});
  }
  return reply;
}

// What is asked of one line.
Result<link::CacheReply> CacheOrders::obey_for(const cache::KnownLine& line, const link::CacheRequest& request) {
  link::CacheReply reply{.id = request.id};
  cache::CacheDesk& desk = cache_.desk();
  if (request.action == link::CacheAction::Unpin) {
    reply.numbers["unpinned"] = desk.unpin(line.id) ? 1 : 0;
    return reply;
  }
  if (request.offset == 0) cache_.bring_to_ram(line);
  if (request.action == link::CacheAction::Pin) {
    TRY_ASSIGN(const std::uint64_t bytes, desk.pin(line));
    reply.numbers = {{"pinned_bytes", bytes}, {"all_pinned_bytes", desk.pinned_bytes()}};
    return reply;
  }
  const cache::Hash& identity = cache_.root_of("").hash;
  TRY_ASSIGN(auto part, desk.export_part(line, identity, request.offset, link::kTrunkPartBytesMax,
                                         static_cast<std::uint64_t>(clock_.now_ms())));
  reply.numbers = {{"total_bytes", part.total_bytes}, {"tokens", part.tokens}};
  if (part.bytes.size() < link::kTrunkPartBytesMax)
    desk.end_export();  // who reads on after a full part gets an empty one
  reply.bytes = std::move(part.bytes);
  return reply;
}

Result<link::CacheReply> CacheOrders::import_part(const link::CacheRequest& request) {
  link::CacheReply reply{.id = request.id};
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(request.bytes.data()), request.bytes.size());
  TRY_ASSIGN(const auto taken,
             cache_.desk().import_part(cache_.root_of(request.cache_salt), cache_.root_of("").hash, request.offset,
                                       bytes, static_cast<std::uint64_t>(clock_.now_ms())));
  reply.numbers = {{"bytes", taken.bytes}, {"tokens", taken.tokens}, {"complete", taken.complete ? 1 : 0}};
  return reply;
}

link::CacheReply CacheOrders::obey(const link::CacheRequest& request) {
  Result<link::CacheReply> reply;
  switch (request.action) {
    case link::CacheAction::List: return list_lines(request);
    case link::CacheAction::Clear: {
      const std::uint64_t bytes = cache_.forget(request.every_key ? nullptr : &request.cache_salt);
      return {.id = request.id, .numbers = {{"freed_bytes", bytes}}};
    }
    case link::CacheAction::Import: reply = import_part(request); break;
    case link::CacheAction::Pin:
    case link::CacheAction::Unpin:
    case link::CacheAction::Export: {
      // Pins are the operator's, who may name any line; what goes out as a file is one key's own.
      const bool own_only = request.action == link::CacheAction::Export;
      const cache::KnownLine* line = cache_.known_line(own_only ? &request.cache_salt : nullptr, request.line);
      if (line == nullptr) return failed(request.id, no_such_line(request.line));
      reply = obey_for(*line, request);
      break;
    }
  }
  if (!reply) return failed(request.id, reply.error());
  return std::move(*reply);
}

}  // namespace hearth::sched
