// The canonicalizer drops or steadies what clients change from turn to turn without meaning it, so that each prompt
// extends the one before. Pure. Rules (each with a test):
// - blocks "x-anthropic-billing-header:..." in the system text, or first in a system message, go;
// - blank text blocks go, and messages left without blocks; neighbours of one role then become one message;
// - the results of parallel calls stand in the order of the calls, before what the user says;
// - a deferred tool's definition is written into the first result that names it (the renderer leaves it out of the head);
// - adjacent text blocks stay apart; a call's raw_input stays as it is.
// Deferred tools stay in `tools`, marked: the stream parser must know their names.
#pragma once

#include "chat/conversation.h"

namespace hearth::chat {

[[nodiscard]] Conversation canonicalize(Conversation conversation);

}  // namespace hearth::chat
