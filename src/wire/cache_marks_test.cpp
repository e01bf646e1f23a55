// A cache_control key is seen wherever it stands, and its words in a text are not.
#include "wire/cache_marks.h"

#include <doctest/doctest.h>

using hearth::wire::has_cache_marks;

TEST_CASE("a cache_control object on anything is a cache mark") {
  CHECK(has_cache_marks(R"({"cache_control":{"type":"ephemeral"}})"));
  CHECK(has_cache_marks("{\"system\":[{\"text\":\"a\",\"cache_control\" :\n{\"type\":\"ephemeral\"}}]}"));
}

TEST_CASE("the words cache_control in a text, as a value or with null are no cache mark") {
  CHECK_FALSE(has_cache_marks(R"({"text":"set \"cache_control\":{\"type\":1}"})"));
  CHECK_FALSE(has_cache_marks(R"({"name":"cache_control"})"));
  CHECK_FALSE(has_cache_marks(R"({"cache_control":null})"));
  CHECK_FALSE(has_cache_marks(R"({})"));
}
