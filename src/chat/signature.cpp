// See signature.h.
#include "chat/signature.h"

#include "base/random.h"

namespace hearth::chat {

std::string make_signature() { return random_id("hearth1", 32); }

}  // namespace hearth::chat
