// DiskPatience: which reads a disk does not answer (a network folder whose server is gone, a drive that was pulled out), so that no
// prompt waits for them. A disk that only is slow answers one after another: a read is late when none of them was answered for ten
// seconds since it was asked for, or it not for a minute. After that the disk is asked nothing for a minute, or until it answers.
// Times are the steady clock's. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>

namespace hearth::cache {

using Ticket = std::uint64_t;

class DiskPatience {
 public:
  void asked(Ticket ticket, std::uint64_t now_ms) { asked_ms_.emplace(ticket, now_ms); }
  void answered(Ticket ticket, std::uint64_t now_ms) {
    asked_ms_.erase(ticket);
    answered_ms_ = now_ms;
    silent_until_ms_ = 0;
  }
  void forget(Ticket ticket) { asked_ms_.erase(ticket); }

  [[nodiscard]] bool is_late(Ticket ticket, std::uint64_t now_ms) const {
    const auto found = asked_ms_.find(ticket);
    if (found == asked_ms_.end()) return false;
    return now_ms - std::max(found->second, answered_ms_) >= kSilenceMs || now_ms - found->second >= kWaitMs;
  }
  // True: it was not known before that the disk is silent.
  [[nodiscard]] bool give_up(std::uint64_t now_ms) {
    const bool is_news = !is_silent(now_ms);
    silent_until_ms_ = now_ms + kWaitMs;
    return is_news;
  }
  [[nodiscard]] bool is_silent(std::uint64_t now_ms) const { return now_ms < silent_until_ms_; }

 private:
  static constexpr std::uint64_t kSilenceMs = 10'000, kWaitMs = 60'000;

  std::unordered_map<Ticket, std::uint64_t> asked_ms_;  // of reads whose outcome somebody waits for
  std::uint64_t answered_ms_ = 0, silent_until_ms_ = 0;
};

}  // namespace hearth::cache
