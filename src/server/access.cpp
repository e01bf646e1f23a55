// See access.h.
#include "server/access.h"

#include <algorithm>
#include <cctype>
#include <format>

#include "base/random.h"

namespace hearth::server {
namespace {

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool ends_with_ignoring_case(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && equal_ignoring_case(text.substr(text.size() - end.size()), end);
}

bool is_ip4(std::string_view host) {
  return !host.empty() && std::ranges::count(host, '.') == 3 &&
         std::ranges::all_of(host, [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

// A name can be rebound to any address by its owner; an address written out cannot.
bool is_address(std::string_view host) { return is_ip4(host) || host.contains(':'); }

bool host_allowed(const AccessRules& rules, std::string_view host) {
  if (is_loopback_host(host) || equal_ignoring_case(host, rules.bind_host)) return true;
  // Bound to all addresses, this machine is spoken to by whichever it has.
  if (!is_loopback_host(rules.bind_host) && is_address(host)) return true;
  return std::ranges::any_of(rules.allowed_hosts,
                             [&](const auto& allowed) { return equal_ignoring_case(host, allowed); });
}

// Whether the request gives this key: x-api-key, or Authorization: Bearer. Claude Code may send both; either may be right.
bool has_key(const http::Request& request, std::string_view key) {
  if (const auto* header = request.header("x-api-key"); header && equal_in_constant_time(*header, key)) return true;
  const auto* header = request.header("authorization");
  if (!header) return false;
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view text = *header;
  if (text.size() < kBearer.size() || !equal_ignoring_case(text.substr(0, kBearer.size()), kBearer)) return false;
  return equal_in_constant_time(text.substr(kBearer.size()), key);
}

// Nothing, or a colon and digits. In "127.0.0.1:80@evil.example" what looks like the port is a password, and the host evil.
bool is_port(std::string_view text) {
  return text.empty() ||
         (text[0] == ':' && std::ranges::all_of(text.substr(1), [](char c) { return c >= '0' && c <= '9'; }));
}

}  // namespace

std::string_view host_without_port(std::string_view host) {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    return end == std::string_view::npos || !is_port(host.substr(end + 1)) ? host : host.substr(1, end - 1);
  }
  // More than one colon without brackets is an IPv6 address, not a port.
  if (std::ranges::count(host, ':') > 1) return host;
  const auto colon = std::min(host.find(':'), host.size());
  return is_port(host.substr(colon)) ? host.substr(0, colon) : host;
}

bool is_loopback_host(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (equal_ignoring_case(host, "localhost") || ends_with_ignoring_case(host, ".localhost")) return true;
  return host == "::1" || (is_ip4(host) && host.starts_with("127."));
}

bool equal_in_constant_time(std::string_view given, std::string_view secret) {
  // This runs on the thread that all streams share: who sends much shall not keep it busy.
  constexpr std::size_t kGivenBytesMax = 4096;
  if (given.size() > kGivenBytesMax) return false;
  unsigned difference = given.size() == secret.size() ? 0U : 1U;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char other = secret.empty() ? '\0' : secret[i % secret.size()];
    difference |= static_cast<unsigned char>(given[i] ^ other);
  }
  return difference == 0;
}

bool origin_allowed(const AccessRules& rules, std::string_view origin) {
  for (const auto& allowed : rules.allowed_origins) {
    if (allowed == "*" || equal_ignoring_case(origin, allowed)) return true;
  }
  const auto scheme_end = origin.find("://");
  if (scheme_end == std::string_view::npos) return false;  // "null": a sandboxed page or a file
  return is_loopback_host(host_without_port(origin.substr(scheme_end + 3)));
}

Result<void> check_access(const AccessRules& rules, const http::Request& request, KeyNeeded key_needed) {
  // Without a Host header it is no browser: nothing to protect against.
  if (const auto* host = request.header("host"); host && !host_allowed(rules, host_without_port(*host))) {
    return fail(ErrorKind::Forbidden,
                std::format("the Host header '{}' is not one of this server's names; start it with --allow-host {}",
                            *host, host_without_port(*host)));
  }
  if (const auto* origin = request.header("origin"); origin && !origin_allowed(rules, *origin)) {
    return fail(ErrorKind::Forbidden,
                std::format("pages of the origin '{}' may not use this server; start it with --allow-origin {}",
                            *origin, *origin));
  }
  if (key_needed == KeyNeeded::No || rules.api_keys.empty()) return {};
  if (std::ranges::any_of(rules.api_keys, [&](const auto& key) { return has_key(request, key); })) return {};
  const bool gave_one = request.header("x-api-key") || request.header("authorization");
  return fail(ErrorKind::Unauthorized,
              gave_one ? "invalid API key: it is not the one this server was started with"
                       : "this server needs its API key: send it as x-api-key or as Authorization: Bearer KEY");
}

std::uint64_t owner_of(const AccessRules& rules, const http::Request& request) {
  const auto key = std::ranges::find_if(rules.api_keys, [&](const auto& one) { return has_key(request, one); });
  if (key == rules.api_keys.end()) return 0;
  // 64 bits are to keep keys apart, not to hide them: it goes to the engine, which may hear the key, and into owner-only
  // files of batches, beside their requests. The cache's files hold only a hash of it and of the folder's secret.
  std::uint64_t hash = key->size();
  for (const char byte : *key) hash = mix_u64(hash ^ static_cast<unsigned char>(byte), 0x6b6579);
  return hash;
}

std::string cache_salt(const AccessRules& rules, const http::Request& request) {
  const std::uint64_t owner = rules.cache_sharing == CacheSharing::All ? 0 : owner_of(rules, request);
  return owner == 0 ? "" : std::format("key-{:016x}", owner);
}

bool is_operator(const AccessRules& rules, const http::Request& request) {
  return rules.api_keys.size() < 2 || has_key(request, rules.api_keys.front());
}

Result<void> check_bind(const AccessRules& rules) {
  if (is_loopback_host(rules.bind_host) || !rules.api_keys.empty()) return {};
  return fail(ErrorKind::InvalidInput,
              std::format("--host {} lets other machines use this server, and there is no API key: give one with "
                          "--api-key KEY, --api-key-file FILE or HEARTH_API_KEY, or leave --host at 127.0.0.1",
                          rules.bind_host));
}

}  // namespace hearth::server
