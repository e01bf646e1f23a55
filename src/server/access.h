// Who may speak to this server: the API key, and the Host and Origin headers that tell a local program from a web page
// in the user's browser (DNS rebinding, cross-site requests). Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/http.h"

namespace hearth::server {

// Whether what was computed for one key's prompts may be used for another's. Shared, the time of an answer tells whether
// somebody else asked with the same words before.
enum class CacheSharing { PerKey, All };

struct AccessRules {
  std::string bind_host = "127.0.0.1";
  std::vector<std::string> api_keys;  // none: no key is asked for; none of them is empty
  CacheSharing cache_sharing = CacheSharing::PerKey;
  std::vector<std::string> allowed_hosts;    // beside loopback and bind_host, without a port
  std::vector<std::string> allowed_origins;  // whole origins, "https://example.org"; beside loopback ones
};

enum class KeyNeeded { Yes, No };

// Unauthorized or Forbidden, with the next step in words.
[[nodiscard]] Result<void> check_access(const AccessRules& rules, const http::Request& request, KeyNeeded key_needed);

// Whose request it is: a number of the API key, the same after every restart; 0 where no keys are asked for.
// REQUIRES: check_access allowed the request.
[[nodiscard]] std::uint64_t owner_of(const AccessRules& rules, const http::Request& request);

// What keeps the cache of this request's key apart from the others': the same for the same key after every restart. Empty
// when all share one cache. REQUIRES: check_access allowed the request.
[[nodiscard]] std::string cache_salt(const AccessRules& rules, const http::Request& request);

// Of several keys the first is the operator's: what changes the server for all is for that one.
[[nodiscard]] bool is_operator(const AccessRules& rules, const http::Request& request);

// Whether a browser page of this origin may read our answers.
[[nodiscard]] bool origin_allowed(const AccessRules& rules, std::string_view origin);

// A server that others than this machine can reach must have a key.
[[nodiscard]] Result<void> check_bind(const AccessRules& rules);

// "localhost", "x.localhost", 127.0.0.0/8, "::1", with or without brackets.
[[nodiscard]] bool is_loopback_host(std::string_view host);
// "[::1]:80" -> "::1", "example:80" -> "example".
[[nodiscard]] std::string_view host_without_port(std::string_view host);

// Takes the same time wherever the two differ; only the length of `given` shows.
[[nodiscard]] bool equal_in_constant_time(std::string_view given, std::string_view secret);

}  // namespace hearth::server
