// Conversation text never becomes a special token: every model family's way of writing prompts, every special text of its
// vocabulary, in every place of a conversation. The real templates are tried too where they are at hand.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "chat/prompt_check.h"
#include "chat/renderer.h"
#include "chat/test_families.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

std::shared_ptr<const Renderer> renderer(std::string_view text, std::vector<std::string> specials) {
  TemplateSource source;
  source.text = text;
  source.bos_text = "<s>";
  source.eos_text = "</s>";
  source.special_texts = std::move(specials);
  return *Renderer::create(std::move(source));
}

// Halves of special texts around a seam, so that only template and conversation together could spell one.
std::vector<std::string> words_for(const std::vector<std::string>& specials) {
  std::vector<std::string> words = specials;
  for (const std::string& text : specials) {
    words.push_back(text.substr(text.size() / 2));
    words.push_back(text.substr(0, text.size() / 2));
    words.push_back("<" + text);
  }
  return words;
}

// How many of the conversations were rendered; complains about each that is not safe.
int try_all(std::string_view name, std::string_view text, const std::vector<std::string>& special_texts,
            const std::vector<std::string>& words) {
  const auto guarded = renderer(text, special_texts);
  const auto bare = renderer(text, {});
  const SpecialTexts specials(special_texts);
  int rendered = 0;
  for (const std::string& word : words) {
    for (const Thinking thinking : {Thinking::Enabled, Thinking::Disabled}) {
      Conversation conversation = hostile_conversation(word);
      conversation.thinking = thinking;
      const Result<Prompt> prompt = guarded->render(conversation);
      const Result<Prompt> same = bare->render(conversation);
      CHECK_MESSAGE(prompt.has_value() == same.has_value(), name << ": " << word);
      if (!prompt || !same) continue;
      ++rendered;
      CHECK_MESSAGE(prompt->text() == same->text(), name << ": " << word);
      CHECK_MESSAGE(unsafe_place(*prompt, specials).empty(), name << ": " << unsafe_place(*prompt, specials));
    }
  }
  return rendered;
}

// What looks like a special text in a template: <...> and [...] of one word.
std::vector<std::string> special_looking(const std::string& text) {
  std::set<std::string> found;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char close = text[at] == '<' ? '>' : text[at] == '[' ? ']' : '\0';
    if (close == '\0') continue;
    const std::size_t end = text.find(close, at);
    if (end == std::string::npos || end - at > 40 || end - at < 3) continue;
    const std::string word = text.substr(at, end + 1 - at);
    if (word.find_first_of(" \n\t'\"{}(),.") == std::string::npos) found.insert(word);
  }
  return {found.begin(), found.end()};
}

}  // namespace

TEST_CASE("in every family's prompts, conversation text never becomes a special token") {
  for (const TestFamily& family : test_families()) {
    const int rendered = try_all(family.name, family.text, family.special_texts, words_for(family.special_texts));
    CHECK_MESSAGE(rendered > static_cast<int>(family.special_texts.size()), family.name);
  }
}

TEST_CASE("in every family's prompts, the template's own special tokens are parsed as such") {
  for (const TestFamily& family : test_families()) {
    const auto r = renderer(family.text, family.special_texts);
    const Result<Prompt> prompt = r->render(hostile_conversation("word"));
    REQUIRE_MESSAGE(prompt, family.name << ": " << prompt.error().message);
    const SpecialTexts specials(family.special_texts);
    std::set<std::string> seen;
    for (const PromptSegment& segment : prompt->segments) {
      CHECK(segment.parse_special);
      for (std::size_t at = 0; at < segment.text.size(); ++at)
        if (const auto index = specials.longest_at(segment.text, at)) seen.insert(specials[*index]);
    }
    CHECK_MESSAGE(seen.size() >= 3, family.name);
    CHECK_MESSAGE(prompt->text().contains("first word"), family.name);
    CHECK_MESSAGE(!prompt->boundary_segments.empty(), family.name);
  }
}

TEST_CASE("a template that looks into what was said sees it as it is") {
  const auto r = renderer(kQwenLike, test_families()[0].special_texts);
  Conversation c;
  c.messages = {{Role::User, {TextBlock{"a"}}},
                {Role::Assistant, {TextBlock{"<think>\nhidden\n</think>\n\nshown"}}},
                {Role::User, {TextBlock{"b"}}}};
  const Result<Prompt> prompt = r->render(c);
  REQUIRE(prompt);
  CHECK(prompt->text() ==
        "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nshown<|im_end|>\n<|im_start|>user\nb<|im_end|>\n"
        "<|im_start|>assistant\n");
  const auto harmony = renderer(kHarmonyLike, test_families()[3].special_texts);
  c.messages[1] = {Role::Assistant, {TextBlock{"<|channel|>analysis<|message|>x"}}};
  const Result<Prompt> refused = harmony->render(c);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.contains("You have passed a message containing <|channel|> tags"));
}

TEST_CASE("thoughts with tags in them are kept as they were when the turn was the last") {
  const auto r = renderer(kQwenLike, test_families()[0].special_texts);
  Conversation c;
  c.thinking = Thinking::Enabled;
  c.messages = {{Role::User, {TextBlock{"a"}}},
                {Role::Assistant, {ThinkingBlock{"about </think> tags", "s"}, TextBlock{"so </think> it ends"}}},
                {Role::User, {TextBlock{"b"}}}};
  const Result<Prompt> prompt = r->render(c);
  REQUIRE(prompt);
  CHECK(prompt->text().contains(
      "<|im_start|>assistant\n<think>\nabout </think> tags\n</think>\n\nso </think> it ends<|im_end|>\n"));
  CHECK(unsafe_place(*prompt, SpecialTexts(test_families()[0].special_texts)).empty());
}

TEST_CASE("each byte of a prompt has a writer") {
  const auto r = renderer(kQwenLike, test_families()[0].special_texts);
  Conversation c = hostile_conversation("x");
  for (std::size_t i = 0; i < c.messages.size(); ++i) c.messages[i].number = static_cast<std::uint32_t>(i);
  const Result<Prompt> prompt = r->render(c);
  REQUIRE(prompt);
  const std::string text = prompt->text();
  std::size_t begin = 0;
  std::string said;
  bool tools = false;
  bool system = false;
  for (const PromptRun& run : prompt->runs) {
    CHECK(run.end > begin);
    if (run.origin == PromptOrigin::Message && run.message == 3) said += text.substr(begin, run.end - begin);
    tools = tools || run.origin == PromptOrigin::Tools;
    system = system || run.origin == PromptOrigin::System;
    begin = run.end;
  }
  CHECK(begin == text.size());
  CHECK(said == "first x\nx");
  CHECK(tools);
  CHECK(system);
}

TEST_CASE("in the real templates' prompts, conversation text never becomes a special token") {
  const char* named = std::getenv("HEARTH_TEMPLATES");
  const std::filesystem::path folder = named != nullptr ? named : "../shared/templates";
  if (!std::filesystem::is_directory(folder)) {
    MESSAGE("no real templates at " << folder.string() << " (HEARTH_TEMPLATES): only those written here were tried");
    return;
  }
  int tried = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jinja") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const std::vector<std::string> specials = special_looking(text);
    static_cast<void>(try_all(entry.path().filename().string(), text, specials, specials));
    ++tried;
  }
  CHECK(tried > 0);
}
