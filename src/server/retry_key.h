// A request that is asked again while its first is still being answered (a proxy or a client gave up on a connection that
// we still see open) joins the running job instead of computing the same twice. Two requests with the same body may also
// be meant as two samples; only what cannot be that is joined. Pure functions, any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

#include "http/http.h"
#include "wire/anthropic_request.h"

namespace hearth::server {

class SharedJob;

// 128 bits over all that makes the answer and its reader: whose key, which model, which session, every byte of the body.
struct RetryKey {
  std::uint64_t high = 0, low = 0;
  friend auto operator<=>(const RetryKey&, const RetryKey&) = default;
};
[[nodiscard]] RetryKey retry_key(const http::Request& request, std::uint64_t owner, std::string_view model_id);

// Whether a running job with the same key is this request's own: the SDKs count their repetitions, Claude Code names its
// session and agent (which never ask the same twice), and a greedy or seeded answer is the same answer anyway.
[[nodiscard]] bool may_be_repetition(const http::Request& request, const wire::MessagesRequest& decoded);

// The jobs that run now, by key. Thread-safe.
class RunningJobs {
 public:
  // A stream more of it is expected (SharedJob::reserve); nullptr: there is none that can be joined.
  [[nodiscard]] std::shared_ptr<SharedJob> find(const RetryKey& key);
  // Of two with one key the later one is found.
  void add(const RetryKey& key, const std::shared_ptr<SharedJob>& job);

 private:
  mutable std::mutex mutex_;
  std::map<RetryKey, std::weak_ptr<SharedJob>> jobs_;  // guarded by mutex_; ended ones are dropped as it grows
  std::size_t sweep_at_ = 64;                          // guarded by mutex_
};

}  // namespace hearth::server
