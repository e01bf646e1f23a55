// Fuzzes the way of a request into a prompt: decoding, canonicalizing, rendering by each family's template. Whatever the
// body says, no segment holds a special text that is not the template's, and the runs cover the text.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/utf8.h"
#include "chat/canonicalizer.h"
#include "chat/prompt_check.h"
#include "chat/renderer.h"
#include "chat/test_families.h"
#include "wire/anthropic_request.h"

namespace {

using namespace hearth;
using namespace hearth::chat;

struct Family {
  std::shared_ptr<const Renderer> renderer;
  SpecialTexts specials;
};

const std::vector<Family>& families() {
  static const std::vector<Family> all = [] {
    set_log_level(LogLevel::Off);
    std::vector<Family> made;
    for (const TestFamily& family : test_families()) {
      TemplateSource source;
      source.text = family.text;
      source.bos_text = "<s>";
      source.eos_text = "</s>";
      source.special_texts = family.special_texts;
      made.push_back({*Renderer::create(std::move(source)), SpecialTexts(family.special_texts)});
    }
    return made;
  }();
  return all;
}

void check(const Family& family, Conversation conversation, const CanonicalRules& rules) {
  conversation = canonicalize(std::move(conversation), rules);
  const Result<Prompt> prompt = family.renderer->render(conversation);
  if (!prompt) {
    CHECK(prompt.error().kind == ErrorKind::InvalidInput);
    CHECK(is_valid_utf8(prompt.error().message));
    return;
  }
  CHECK(unsafe_place(*prompt, family.specials).empty());
  for (std::size_t i = 0; i < prompt->boundary_segments.size(); ++i) {
    CHECK(prompt->boundary_segments[i] < prompt->segments.size());
    CHECK(i == 0 || prompt->boundary_segments[i - 1] < prompt->boundary_segments[i]);
  }
}

}  // namespace

// The first byte chooses the family, the next two the rules that are off; the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  CanonicalRules rules;
  const unsigned off = data[1] + 256U * data[2];
  for (std::size_t i = 0; i < kCanonicalRuleCount; ++i)
    if ((off >> i & 1U) != 0) rules.switch_off(static_cast<CanonicalRule>(i));
  auto request = wire::decode_count_tokens(std::string_view(reinterpret_cast<const char*>(data) + 3, size - 3));
  if (request) check(families()[data[0] % families().size()], std::move(request->conversation), rules);
  return 0;
}
