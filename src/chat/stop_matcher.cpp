// See stop_matcher.h.
#include "chat/stop_matcher.h"

#include <algorithm>
#include <cstddef>

namespace hearth::chat {
namespace {

// Whether `tail` could still grow into `sequence`.
bool begins(std::string_view sequence, std::string_view tail) {
  return tail.size() < sequence.size() && sequence.starts_with(tail);
}

}  // namespace

StopMatcher::Step StopMatcher::push(std::string_view text) {
  held_ += text;
  return step(More::MayCome);
}

StopMatcher::Step StopMatcher::finish() { return step(More::None); }

StopMatcher::Step StopMatcher::step(More more) {
  const std::string_view held = held_;
  // The earliest place where a sequence stands or may come to stand decides, so that how the text is cut never does.
  for (std::size_t at = 0; at < held.size(); ++at) {
    const std::string_view rest = held.substr(at);
    const std::string* shortest = nullptr;
    bool may_grow = false;
    for (const std::string& sequence : sequences_) {
      if (sequence.empty()) continue;
      if (rest.starts_with(sequence)) {
        if (shortest == nullptr || sequence.size() < shortest->size()) shortest = &sequence;
      } else if (more == More::MayCome && begins(sequence, rest)) {
        may_grow = true;
      }
    }
    // The shortest of several, at once: the text before it is the same, and waiting for a longer one would make the
    // answer depend on how the text was cut.
    if (shortest != nullptr) {
      Step decided{.text = std::string(held.substr(0, at)), .matched = *shortest};
      held_.clear();
      return decided;
    }
    if (may_grow) {
      Step decided{.text = std::string(held.substr(0, at)), .matched = std::nullopt};
      held_.erase(0, at);
      return decided;
    }
  }
  Step decided{.text = std::move(held_), .matched = std::nullopt};
  held_.clear();
  return decided;
}

}  // namespace hearth::chat
