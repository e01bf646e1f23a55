// See retry_key.h.
#include "server/retry_key.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/random.h"
#include "server/shared_job.h"

namespace hearth::server {
namespace {

constexpr std::array<std::string_view, 2> kSessionHeaders = {"x-claude-code-session-id", "x-claude-code-agent-id"};

// Two chains with different seeds. Not made to withstand an attacker: who can choose the body holds the key already, and
// finds only his own jobs.
class Chain {
 public:
  void add(std::string_view bytes) {
    step(bytes.size());
    for (; bytes.size() >= sizeof(std::uint64_t); bytes.remove_prefix(sizeof(std::uint64_t))) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), sizeof word);
      step(word);
    }
    std::uint64_t rest = 0;
    std::memcpy(&rest, bytes.data(), bytes.size());
    step(rest);
  }
  void step(std::uint64_t word) {
    key.high = mix_u64(key.high ^ word, 1);
    key.low = mix_u64(key.low + word, 2);
  }
  RetryKey key{.high = 0x7265747279, .low = 0x6b6579};
};

}  // namespace

RetryKey retry_key(const http::Request& request, std::uint64_t owner, std::string_view model_id) {
  Chain chain;
  chain.step(owner);
  chain.add(model_id);
  for (const std::string_view name : kSessionHeaders) {
    const std::string* value = request.header(name);
    chain.add(value != nullptr ? std::string_view(*value) : std::string_view());
  }
  chain.add(request.body);
  return chain.key;
}

bool may_be_repetition(const http::Request& request, const wire::MessagesRequest& decoded) {
  const std::string* count = request.header("x-stainless-retry-count");
  if (count != nullptr && !count->empty() && *count != "0") return true;
  if (request.header(kSessionHeaders[0]) != nullptr) return true;
  return decoded.seed.has_value() || decoded.temperature == 0.0F;
}

std::shared_ptr<SharedJob> RunningJobs::find(const RetryKey& key) {
  const std::lock_guard lock(mutex_);
  const auto at = jobs_.find(key);
  if (at == jobs_.end()) return nullptr;
  auto job = at->second.lock();
  return job && job->reserve() ? job : nullptr;
}

void RunningJobs::add(const RetryKey& key, const std::shared_ptr<SharedJob>& job) {
  const std::lock_guard lock(mutex_);
  jobs_.insert_or_assign(key, job);
  if (jobs_.size() < sweep_at_) return;
  std::erase_if(jobs_, [](const auto& entry) { return entry.second.expired(); });
  sweep_at_ = std::max<std::size_t>(64, 2 * jobs_.size());
}

}  // namespace hearth::server
