// Splicing on templates written here, one for each way of dividing turns. The model is simulated: what it samples is
// what its template writes, so a prompt with spliced turns, its tokens spelled out, must equal the plain one.
#include "chat/turn_splice.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/log.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

constexpr std::string_view kCalls =
    "{% for c in m.tool_calls or [] %}<tool_call>\n{\"name\": \"{{ c.function.name }}\", \"arguments\": "
    "{{ c.function.arguments if c.function.arguments is string else c.function.arguments | tojson }}}\n</tool_call>"
    "{% endfor %}";

struct Family {
  std::string name;
  std::string text;
  std::vector<std::string> specials;
  std::string end;  // of an assistant's turn
};

const std::vector<std::string> kMarks = {"<think>", "</think>", "<tool_call>", "</tool_call>"};
std::vector<std::string> with_marks(std::vector<std::string> more) {
  more.insert(more.end(), kMarks.begin(), kMarks.end());
  return more;
}
std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
  return text;
}

std::vector<Family> families() {
  const std::string think = "{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}";
  std::vector<Family> all;
  // ChatML, as Qwen writes it.
  all.push_back({"chatml",
                 "{% for m in messages %}<|im_start|>{{ m.role }}\n" + think +
                     "{{ m.content }}CALLS<|im_end|>\n{% endfor %}"
                     "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
                 with_marks({"<|im_start|>", "<|im_end|>"}), "<|im_end|>"});
  // A thought opened by the generation suffix.
  all.push_back({"opened",
                 "{% for m in messages %}<|im_start|>{{ m.role }}\n" + think +
                     "{{ m.content }}CALLS<|im_end|>\n{% endfor %}"
                     "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}",
                 with_marks({"<|im_start|>", "<|im_end|>"}), "<|im_end|>"});
  // No end of a turn but the next one's beginning, as GLM has it.
  all.push_back({"open-ended",
                 "{% for m in messages %}<|{{ m.role }}|>\n" + think +
                     "{{ m.content }}CALLS{% endfor %}"
                     "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
                 with_marks({"<|user|>", "<|assistant|>", "<|tool|>", "<|system|>"}), "<|user|>"});
  // A header of two special texts, as Llama 3 has it.
  all.push_back({"header",
                 "{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n" + think +
                     "{{ m.content }}CALLS<|eot_id|>{% endfor %}"
                     "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
                 with_marks({"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"}), "<|eot_id|>"});
  // No generation suffix at all, as Mistral has it.
  all.push_back({"tail",
                 "{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content }}CALLS</s>{% else %}"
                 "[INST]{{ m.content }}[/INST]{% endif %}{% endfor %}",
                 with_marks({"[INST]", "[/INST]", "</s>"}), "</s>"});
  for (Family& family : all) family.text = replaced(family.text, "CALLS", kCalls);
  return all;
}

struct Fixture {
  explicit Fixture(const Family& f) : family(f), specials(f.specials) {
    set_log_level(LogLevel::Off);
    auto made = Renderer::create({.text = f.text, .bos_text = "", .eos_text = f.end, .special_texts = f.specials});
    REQUIRE(made);
    renderer = *made;
    conversation.tools = {{.name = "Edit", .description = "", .input_schema = Json::object(), .deferred = false}};
  }

  RememberingPrompt prompt(OldThinking old_thinking = OldThinking::Kept) {
    // As the canonicalizer numbers them.
    for (std::size_t i = 0; i < conversation.messages.size(); ++i)
      conversation.messages[i].number = static_cast<std::uint32_t>(i);
    auto rendered = render_remembering(*renderer, specials, memory, conversation, old_thinking);
    REQUIRE(rendered);
    return std::move(*rendered);
  }
  static std::string spelled(const Prompt& prompt) {
    std::string text;
    for (const auto& segment : prompt.segments) {
      text += segment.text;
      for (const auto token : segment.tokens) text.push_back(static_cast<char>(token));
    }
    return text;
  }
  std::string plain() {
    auto rendered = renderer->render(conversation);
    REQUIRE(rendered);
    return rendered->text();
  }
  void user(std::string text) {
    conversation.messages.push_back({.role = Role::User, .blocks = {TextBlock{std::move(text)}}});
  }
  void result(std::string id, std::string text) {
    conversation.messages.push_back(
        {.role = Role::User,
         .blocks = {ToolResultBlock{
             .tool_use_id = std::move(id), .text = std::move(text), .tool_references = {}, .is_error = false}}});
  }
  // The model answers with `message`, sampling what its template writes, but for `change` made to that.
  void answer(const Message& message, const std::pair<std::string, std::string>& change = {}) {
    const RememberingPrompt asked = prompt();
    REQUIRE(asked.can_remember);
    const std::string before = spelled(asked.prompt);
    conversation.messages.push_back(message);
    user("ZNEXT");
    const std::string after = spelled(prompt().prompt);
    conversation.messages.pop_back();
    REQUIRE(after.starts_with(before));
    const std::size_t end = after.rfind(family.end, after.rfind("ZNEXT"));
    std::string sampled = after.substr(before.size(), end - before.size());
    if (!change.first.empty()) {
      REQUIRE(sampled.contains(change.first));
      sampled = replaced(sampled, change.first, change.second);
    }
    said = before + sampled;
    const std::vector<std::int32_t> tokens(sampled.begin(), sampled.end());
    memory.remember(make_sampled_turn(asked.opening_kind, asked.opening, tokens, sampled, message, specials),
                    asked.said);
  }

  // The model calls a tool, sampling what its template writes for the call before its result. False: the template writes
  // a new turn otherwise than it opens one.
  bool call_and_result(const std::string& id, const std::string& thought) {
    const RememberingPrompt asked = prompt();
    REQUIRE(asked.can_remember);
    const std::string before = spelled(asked.prompt);
    Message message{.role = Role::Assistant, .blocks = {}};
    if (!thought.empty()) message.blocks.emplace_back(ThinkingBlock{.text = thought, .signature = id});
    message.blocks.emplace_back(ToolUseBlock{
        .id = id, .name = "Edit", .input = Json::object({{"file", "a"}, {"text", "xZARGUMENT"}}), .raw_input = {}});
    conversation.messages.push_back(message);
    result(id, "ZRESULT");
    const std::string after = spelled(prompt().prompt);
    if (!after.starts_with(before)) return false;
    const std::size_t argument = after.find("ZARGUMENT", before.size());
    REQUIRE(argument != std::string::npos);
    const std::size_t end = after.find(family.end, argument);
    REQUIRE(end != std::string::npos);
    const std::string sampled = after.substr(before.size(), end - before.size());
    said = before + sampled;
    const std::vector<std::int32_t> tokens(sampled.begin(), sampled.end());
    memory.remember(make_sampled_turn(asked.opening_kind, asked.opening, tokens, sampled, message, specials),
                    asked.said);
    return true;
  }

  const Family family;
  const SpecialTexts specials;
  TurnMemory memory;
  std::shared_ptr<const Renderer> renderer;
  Conversation conversation;
  std::string said;  // what the state of the last answered turn holds
};

Block call(std::string id, Json input) {
  return ToolUseBlock{.id = std::move(id), .name = "Edit", .input = std::move(input), .raw_input = {}};
}
// Everything in a template that looks like a special text.
std::vector<std::string> specials_in(const std::string& text) {
  std::vector<std::string> found = {"[INST]",
                                    "[/INST]",
                                    "[TOOL_CALLS]",
                                    "[TOOL_RESULTS]",
                                    "[/TOOL_RESULTS]",
                                    "[AVAILABLE_TOOLS]",
                                    "[/AVAILABLE_TOOLS]",
                                    "</s>",
                                    "<tool_call>",
                                    "</tool_call>",
                                    "<think>",
                                    "</think>",
                                    "[e~[",
                                    "]~b]",
                                    "<minimax:tool_call>",
                                    "</minimax:tool_call>",
                                    "<|turn>",
                                    "<turn|>",
                                    "<|tool_call>",
                                    "<tool_call|>",
                                    "<|tool_response>",
                                    "<tool_response|>",
                                    "<|channel>",
                                    "<channel|>",
                                    "<|tool>",
                                    "<tool|>",
                                    "<|\"|>"};
  const std::regex mark("<\\|[a-z_]+\\|>|<｜[^<>]+?｜>");
  for (auto at = std::sregex_iterator(text.begin(), text.end(), mark); at != std::sregex_iterator(); ++at)
    found.push_back(at->str());
  return found;
}
Message turn(std::string thought, std::string text, std::vector<Block> calls = {}) {
  static int signatures = 0;
  Message message{.role = Role::Assistant, .blocks = {}};
  if (!thought.empty())
    message.blocks.emplace_back(ThinkingBlock{.text = std::move(thought), .signature = std::to_string(++signatures)});
  if (!text.empty()) message.blocks.emplace_back(TextBlock{std::move(text)});
  for (Block& block : calls) message.blocks.push_back(std::move(block));
  return message;
}

}  // namespace

TEST_CASE("prompts with spliced turns say what plain ones say, and extend the state of the turn before") {
  for (const Family& family : families()) {
    CAPTURE(family.name);
    Fixture f(family);
    const std::string thought = family.name == "tail" ? "" : "I think.";
    const auto check = [&](std::size_t spliced_count) {
      const RememberingPrompt next = f.prompt();
      CHECK(next.spliced_count == spliced_count);
      CHECK(Fixture::spelled(next.prompt) == f.plain());
      CHECK(Fixture::spelled(next.prompt).starts_with(f.said));
      CHECK(std::ranges::is_sorted(next.prompt.boundary_segments));
    };
    f.user("one");
    f.answer(turn(thought, "First answer, with </tool_call>\nand \"quotes\"."));
    f.user("two");
    check(1);
    f.answer(turn(thought, "Editing.",
                  {call("t1", Json::object({{"file", "a"}, {"text", "x"}})), call("t2", Json::object())}));
    f.result("t1", "done");
    f.result("t2", "also done </tool_call>");
    check(2);
    f.answer(turn(thought, "", {call("t3", Json::object({{"n", 5}}))}));
    f.result("t3", "done");
    check(3);
    f.answer(turn(thought, "All done."));
    f.user("three");
    check(4);
  }
}

TEST_CASE("on real templates a spliced turn keeps its thoughts, and each prompt extends the state of the turn before") {
  // Where there are none the templates above are all that is tried.
  const char* named = std::getenv("HEARTH_TEMPLATES");
  const std::filesystem::path folder = named != nullptr ? named : "../shared/templates";
  if (!std::filesystem::is_directory(folder)) {
    MESSAGE("no templates at ", folder.string(), " (HEARTH_TEMPLATES names another folder)");
    return;
  }
  struct Real {
    const char* file;
    const char* end;
  };
  for (const Real& real :
       {Real{"Qwen-Qwen3-0.6B", "<|im_end|>"}, Real{"Qwen3.5-4B", "<|im_end|>"}, Real{"Qwen3-Coder", "<|im_end|>"},
        Real{"google-gemma-4-31B-it", "<|tool_response>"}, Real{"openai-gpt-oss-120b", "<|call|>"},
        Real{"meta-llama-Llama-3.1-8B-Instruct", "<|eot_id|>"},
        Real{"deepseek-ai-DeepSeek-V3.1", "<｜end▁of▁sentence｜>"},
        Real{"deepseek-ai-DeepSeek-V3.2", "<｜end▁of▁sentence｜>"}, Real{"GLM-4.6", "<|observation|>"},
        Real{"mistralai-Mistral-Nemo-Instruct-2407", "</s>"}, Real{"MiniMax-M2", "[e~["}}) {
    const std::string name = real.file;
    CAPTURE(name);
    const auto text = read_file((folder / (name + ".jinja")).string(), std::size_t{1} << 20);
    REQUIRE(text);
    bool tried = false;
    for (const Thinking thinking : {Thinking::Enabled, Thinking::Disabled}) {
      if (tried) break;
      Fixture f({.name = name, .text = *text, .specials = specials_in(*text), .end = real.end});
      f.conversation.thinking = thinking;
      f.user("one");
      const bool thinks = thinking == Thinking::Enabled;
      if (!f.call_and_result("t1", thinks ? "I look at it." : "")) continue;
      REQUIRE(f.call_and_result("t2", thinks ? "And once more." : ""));
      tried = true;
      f.user("Thanks. And now something else.");
      const RememberingPrompt next = f.prompt();
      const std::string plain = f.plain().starts_with(f.said) ? "extends" : "does not extend";
      const std::string line = std::format("{}{}: {} of 2 turns as sampled; the plain prompt {} the turn before", name,
                                           thinks ? ", thinking" : "", next.spliced_count, plain);
      MESSAGE(line);
      CHECK(next.spliced_count == 2);
      CHECK(Fixture::spelled(next.prompt).starts_with(f.said));
    }
    CHECK(tried);
  }
}

TEST_CASE("a turn that came back re-written stands in the prompt as it was sampled") {
  for (const Family& family : families()) {
    CAPTURE(family.name);
    Fixture f(family);
    const std::string thought = family.name == "tail" ? "" : "I think.";
    f.user("one");
    f.answer(turn(thought, "", {call("t1", Json::object({{"file", "a"}, {"count", 2}}))}),
             {R"("count":)", R"( "count" :   )"});
    // The client's way of writing the same: another order of keys.
    auto& back = std::get<ToolUseBlock>(f.conversation.messages.back().blocks.back());
    back.input = Json::object({{"count", 2}, {"file", "a"}});
    f.result("t1", "done");
    const RememberingPrompt next = f.prompt();
    CHECK(next.spliced_count == 1);
    CHECK(Fixture::spelled(next.prompt).starts_with(f.said));
    CHECK_FALSE(f.plain().starts_with(f.said));
  }
}

TEST_CASE("a turn the client changed is rendered as it is now") {
  for (const Family& family : families()) {
    CAPTURE(family.name);
    Fixture f(family);
    const std::string thought = family.name == "tail" ? "" : "I think.";
    f.user("one");
    f.answer(turn(thought, "Text.", {call("t1", Json::object({{"file", "a"}}))}));
    std::get<ToolUseBlock>(f.conversation.messages.back().blocks.back()).input = Json::object({{"file", "b"}});
    f.result("t1", "done");
    const RememberingPrompt next = f.prompt();
    CHECK(next.spliced_count == 0);
    CHECK(Fixture::spelled(next.prompt) == f.plain());
  }
}

TEST_CASE("boundaries stand where they stood, but for those within a spliced turn") {
  Fixture f(families().front());
  f.user("one");
  f.answer(turn("Hm.", "Yes."));
  f.user("two");
  const auto positions = [](const Prompt& prompt) {
    std::vector<std::size_t> at;
    std::size_t end = 0;
    for (std::size_t i = 0, next = 0; i < prompt.segments.size(); ++i) {
      end += prompt.segments[i].text.size() + prompt.segments[i].tokens.size();
      if (next < prompt.boundary_segments.size() && prompt.boundary_segments[next] == i) {
        at.push_back(end);
        ++next;
      }
    }
    return at;
  };
  auto plain = f.renderer->render(f.conversation);
  REQUIRE(plain);
  CHECK(positions(f.prompt().prompt) == positions(*plain));
  CHECK(f.prompt().prompt.generation_suffix == plain->generation_suffix);
}

TEST_CASE("a template that writes one call per message keeps the turns it splits plain") {
  Family family = families().front();
  family.text =
      "{% for m in messages %}{% if m.tool_calls and m.tool_calls | length > 1 %}{{ raise_exception('one') }}{% endif "
      "%}"
      "<|im_start|>{{ m.role }}\n{{ m.content }}CALLS<|im_end|>\n{% endfor %}"
      "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
  family.text = replaced(family.text, "CALLS", kCalls);
  Fixture f(family);
  f.user("one");
  const Message both = turn("", "Text.", {call("t1", Json::object()), call("t2", Json::object())});
  const auto asked = f.prompt();
  f.memory.remember(
      make_sampled_turn(asked.opening_kind, asked.opening, {1, 2}, "Text.<tool_call>..</tool_call>", both, f.specials),
      asked.said);
  f.conversation.messages.push_back(both);
  f.result("t1", "a");
  f.result("t2", "b");
  f.user("two");
  CHECK(f.prompt().spliced_count == 0);
  CHECK(Fixture::spelled(f.prompt().prompt) == f.plain());
}

TEST_CASE("one turn without a certain place does not keep the others from theirs") {
  Fixture f(families().front());
  f.user("one");
  f.answer(turn("", "First."));
  f.user("two");
  f.answer(turn("", "Second."));
  f.user("three");
  REQUIRE(f.prompt().spliced_count == 2);
  // What ends the second turn is none of what its own text ends with.
  const auto second =
      f.memory.find(f.conversation.messages[3],
                    said_hash(said_hash(said_hash(0, f.conversation.messages[0]), f.conversation.messages[1]),
                              f.conversation.messages[2]),
                    {});
  REQUIRE(second);
  SampledTurn odd = *second;
  odd.trailing_specials = {"</tool_call>"};
  f.memory.remember(odd, said_hash(said_hash(said_hash(0, f.conversation.messages[0]), f.conversation.messages[1]),
                                   f.conversation.messages[2]));
  CHECK(f.prompt().spliced_count == 1);
  CHECK(Fixture::spelled(f.prompt().prompt) == f.plain());
}

TEST_CASE("what cannot be remembered says so: a continued answer and a forced call") {
  Fixture f(families().front());
  f.user("one");
  CHECK(f.prompt().can_remember);
  f.conversation.tool_choice = ToolChoice::Any;
  CHECK_FALSE(f.prompt().can_remember);
  f.conversation.tool_choice = ToolChoice::Auto;
  f.conversation.messages.push_back(turn("", "It is"));
  CHECK_FALSE(f.prompt().can_remember);
}

TEST_CASE("a server that leaves old thoughts to the template splices no turn that has any") {
  Fixture f(families().front());
  f.user("one");
  f.answer(turn("Hm.", "Yes."));
  f.user("two");
  f.answer(turn("", "No."));
  f.user("three");
  CHECK(f.prompt().spliced_count == 2);
  CHECK(f.prompt(OldThinking::AsTemplate).spliced_count == 1);
}

TEST_CASE("the conversation is the same after rendering") {
  Fixture f(families().front());
  f.user("one");
  f.answer(turn("Hm.", "Yes.", {call("t1", Json::object({{"a", 1}}))}));
  f.result("t1", "x");
  const std::string before = f.plain();
  static_cast<void>(f.prompt());
  CHECK(f.plain() == before);
}
