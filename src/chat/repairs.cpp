// See repairs.h.
#include "chat/repairs.h"

namespace hearth::chat {

Json to_json(const RepairCounts& repairs) {
  Json json = Json::object();
  for (std::size_t i = 0; i < kRepairNames.size(); ++i) {
    const std::uint64_t count = repairs.of(static_cast<Repair>(i));
    if (count != 0) json.set(kRepairNames[i], count);
  }
  return json;
}

}  // namespace hearth::chat
