// Properties of the parser over generated calls: what a family's template makes of a call, the parser reads back as that
// call. Seeded; the same on every machine. One thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hearth::golden {

struct PropertyCount {
  std::size_t passed = 0;
  std::size_t failed = 0;
};
// `templates`: a folder of chat templates; without it only the dialects' own tables write. `only`: one dialect's name, or
// empty for all. Says on standard output what fails.
[[nodiscard]] PropertyCount run_properties(const std::string& templates, std::string_view only);

}  // namespace hearth::golden
