// The canonicalizer drops or steadies what clients change from turn to turn without meaning it, so that each prompt
// extends the one before. Pure. Rules (each with a test): blocks "x-anthropic-billing-header:..." in the system text go;
// blank text blocks go; messages left without blocks go; deferred tools leave the head; adjacent text blocks stay apart.
#pragma once

#include "chat/conversation.h"

namespace hearth::chat {

[[nodiscard]] Conversation canonicalize(Conversation conversation);

}  // namespace hearth::chat
