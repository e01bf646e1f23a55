// See properties.h.
#include "properties.h"

namespace hearth::golden {

PropertyCount run_properties(const std::vector<ToolList>& tools, std::string_view only) {
  (void)tools;
  (void)only;
  return {};
}

}  // namespace hearth::golden
