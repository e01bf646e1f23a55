// The canonicalizer drops or steadies what clients change from turn to turn without meaning it, so that each prompt
// extends the one before. Pure, but for a line of the debug log that names the rules that changed something.
// The rules and their names: canonical_rules.h; each has a test. Those about what the template sees (call-ids,
// old-thinking) are the renderer's. Adjacent text blocks stay apart. Deferred tools stay in `tools`, marked: the stream
// parser must know their names.
#pragma once

#include "chat/canonical_rules.h"
#include "chat/conversation.h"

namespace hearth::chat {

// `counts`: where each change is added up, or null.
[[nodiscard]] Conversation canonicalize(Conversation conversation, const CanonicalRules& rules = {},
                                        CanonicalCounts* counts = nullptr);

}  // namespace hearth::chat
