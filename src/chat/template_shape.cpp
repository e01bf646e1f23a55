// See template_shape.h. Each question is one tiny render, and the answer is whether a needle comes out. A template that
// raises an error has answered "no".
#include "chat/template_shape.h"

#include <algorithm>
#include <optional>
#include <string_view>

namespace hearth::chat {
namespace {

// Words no template contains.
constexpr const char* kSystem = "Zsystemneedle";
constexpr const char* kUser = "Zuserneedle";
constexpr const char* kAnswer = "Zanswerneedle";
constexpr const char* kSecond = "Zsecondneedle";
constexpr const char* kResult = "Zresultneedle";
constexpr const char* kTool = "ztoolneedle";
constexpr const char* kKey = "zkeyneedle";
constexpr const char* kOtherKey = "zotherneedle";

class Prober {
 public:
  Prober(const TemplateEngine& engine, const Json& base) : engine_(engine), base_(base) {}

  ContentForm content = ContentForm::Text;

  [[nodiscard]] Json message(const char* role, const char* text) const {
    Json value = text;
    if (content == ContentForm::Parts) value = Json::Array{Json::object({{"type", "text"}, {"text", text}})};
    return Json::object({{"role", role}, {"content", std::move(value)}});
  }
  [[nodiscard]] std::string render(Json::Array messages, const Json& more = Json::object()) const {
    Json variables = base_;
    variables.set("messages", std::move(messages));
    variables.set("add_generation_prompt", false);
    for (const auto& [key, value] : more.as_object()) variables.set(key, value);
    return engine_.render_text(variables).value_or("");
  }

 private:
  const TemplateEngine& engine_;
  const Json& base_;
};

bool holds(const std::string& text, std::string_view needle) { return text.find(needle) != std::string::npos; }

void probe_system(const Prober& prober, TemplateShape& shape) {
  const auto says = [&](const char* role, const char* text) { return prober.message(role, text); };
  shape.system_role = holds(prober.render({says("system", kSystem), says("user", kUser)}), kSystem);
  const std::string middle = prober.render({says("system", "Head."), says("user", kUser), says("system", kSystem),
                                            says("assistant", kAnswer), says("user", kSecond)});
  const std::size_t at = middle.find(kSystem);
  shape.system_anywhere =
      shape.system_role && at != std::string::npos && middle.find(kUser) < at && at < middle.find(kAnswer);
}

Json calling_message(const Prober& prober, const Json::Array& all_arguments, EmptyContentForm empty,
                     const char* text = "") {
  Json message = prober.message("assistant", text);
  if (empty == EmptyContentForm::Null && *text == 0) message.set("content", nullptr);
  Json calls = Json::array();
  for (const Json& arguments : all_arguments) {
    calls.push(Json::object({{"id", calls.as_array().empty() ? "call00001" : "call00002"},
                             {"type", "function"},
                             {"function", Json::object({{"name", kTool}, {"arguments", arguments}})}}));
  }
  message.set("tool_calls", std::move(calls));
  return message;
}

void probe_tools(const Prober& prober, TemplateShape& shape) {
  const Json parameters = Json::object(
      {{"type", "object"},
       {"properties", Json::object({{kKey, Json::object({{"type", "string"}, {"description", "A key."}})}})},
       {"required", Json::Array{kKey}}});
  const Json function = Json::object({{"name", kTool}, {"description", "A tool."}, {"parameters", parameters}});
  const Json tools =
      Json::object({{"tools", Json::Array{Json::object({{"type", "function"}, {"function", function}})}}});
  const Json user = prober.message("user", kUser);
  shape.tools = holds(prober.render({user}, tools), kTool);
  const std::string head = prober.render({prober.message("system", kSystem), user}, tools);
  const std::size_t system_at = head.find(kSystem);
  shape.system_before_tools = shape.tools && shape.system_role && system_at != std::string::npos &&
                              system_at < std::min(head.find(kTool), head.size());

  Json result = prober.message("tool", kResult);
  result.set("tool_call_id", "call00001").set("name", kTool);
  const Json object = Json::object({{kKey, "v"}});
  const Json text = object.dump();
  const std::string as_json = std::string("\"") + kKey + "\"";
  shape.tool_calls = false;
  for (const EmptyContentForm empty : {EmptyContentForm::EmptyText, EmptyContentForm::Null}) {
    const auto call = [&](const Json& arguments) {
      const std::string out = prober.render({user, calling_message(prober, {arguments}, empty), result}, tools);
      return out.empty() ? prober.render({user, calling_message(prober, {arguments}, empty)}, tools) : out;
    };
    const std::string from_object = call(object);
    const std::string from_text = call(text);
    // How the arguments came out: as JSON or in some form of the template's own (tags), but not as another
    // language's notation of an object.
    const auto after_call = [&](const std::string& out) { return out.substr(std::min(out.size(), out.find(kUser))); };
    const bool object_good = holds(after_call(from_object), kKey) && !holds(from_object, std::string("'") + kKey + "'");
    const bool text_good = holds(after_call(from_text), as_json) && !holds(from_text, std::string("\\\"") + kKey);
    if (!object_good && !text_good) continue;
    shape.tool_calls = true;
    shape.empty_content = empty;
    shape.arguments = object_good ? ArgumentsForm::Object : ArgumentsForm::Text;
    shape.text_arguments_accepted = text_good;
    break;
  }
  if (!shape.tool_calls) {
    shape.tool_role = false;
    shape.call_form = CallForm::Json;  // the one written for it
    return;
  }
  const auto form = [&](const Json& arguments) {
    return shape.arguments == ArgumentsForm::Object ? arguments : Json(arguments.dump());
  };
  const Json called = calling_message(prober, {form(object)}, shape.empty_content);
  shape.tool_role = holds(prober.render({user, called, result}, tools), kResult);
  const std::string written = prober.render({user, called});
  if (holds(written, std::string("functions.") + kTool + ":0") && !holds(written, "call00001"))
    shape.call_ids = CallIdForm::Functions;
  if (holds(written, std::string("<tool_call>\n{\"name\": \"") + kTool)) shape.call_form = CallForm::Json;
  if (holds(written, std::string("<tool_call>\n<function=") + kTool)) shape.call_form = CallForm::Tagged;
  const auto writes = [&](const Json& message, const char* needle) {
    const std::string out = prober.render({user, message, result});
    const std::string alone = out.empty() ? prober.render({user, message}) : out;
    return holds(alone, kKey) && holds(alone, needle);
  };
  const Json other = form(Json::object({{kOtherKey, "v"}}));
  shape.parallel_calls = writes(calling_message(prober, {form(object), other}, shape.empty_content), kOtherKey);
  shape.text_beside_calls = writes(calling_message(prober, {form(object)}, shape.empty_content, kAnswer), kAnswer);
}

std::vector<std::string> specials_in(std::string_view text, const SpecialTexts& specials) {
  std::vector<std::string> found;
  for (std::size_t at = 0; at < text.size();) {
    if (const std::optional<std::uint32_t> index = specials.longest_at(text, at)) {
      found.push_back(specials[*index]);
      at += specials[*index].size();
    } else {
      ++at;
    }
  }
  return found;
}

// The special text that opens every turn is the first of the generation suffix (<|im_start|>, <start_of_turn>). Where the
// user's turn has its own (<|user|>, [INST]), it is the last one before the user's words.
void probe_turns(const Prober& prober, const SpecialTexts& specials, TemplateShape& shape) {
  const Json::Array one{prober.message("user", kUser)};
  for (const Thinking thinking : {Thinking::ModelDefault, Thinking::Enabled, Thinking::Disabled}) {
    Json variables = Json::object();
    set_thinking_variables(variables, thinking);
    const std::string without = prober.render(one, variables);
    variables.set("add_generation_prompt", true);
    const std::string with = prober.render(one, variables);
    if (with.starts_with(without))
      shape.generation_suffixes[static_cast<std::size_t>(thinking)] = with.substr(without.size());
  }
  const auto add = [&](const std::string& text) {
    if (std::ranges::find(shape.turn_openings, text) == shape.turn_openings.end()) shape.turn_openings.push_back(text);
  };
  const std::vector<std::string> suffix = specials_in(shape.generation_suffixes[0], specials);
  if (!suffix.empty() && shape.generation_suffixes[0].starts_with(suffix.front())) add(suffix.front());
  const std::string talk = prober.render(
      {prober.message("user", kUser), prober.message("assistant", kAnswer), prober.message("user", kSecond)});
  const std::size_t answer = talk.find(kAnswer);
  const std::size_t second = talk.find(kSecond);
  if (answer == std::string::npos || second == std::string::npos || second < answer) return;
  const std::vector<std::string> gap = specials_in(std::string_view(talk).substr(answer, second - answer), specials);
  const bool opened = std::ranges::any_of(gap, [&](const std::string& text) {
    return std::ranges::find(shape.turn_openings, text) != shape.turn_openings.end();
  });
  if (!opened && !gap.empty()) add(gap.back());
}

}  // namespace

void set_thinking_variables(Json& variables, Thinking thinking, OldThinking old_thinking) {
  // Old thoughts stay in the prompt where the template lets us choose: dropping them would change the prefix.
  if (old_thinking == OldThinking::Kept) {
    variables.set("preserve_thinking", true);
    variables.set("clear_thinking", false);
    variables.set("keep_past_thinking", true);
  }
  if (thinking == Thinking::ModelDefault) return;
  variables.set("enable_thinking", thinking == Thinking::Enabled);
  variables.set("thinking", thinking == Thinking::Enabled);
}

TemplateShape probe_template(const TemplateEngine& engine, const Json& base_variables, const SpecialTexts& specials) {
  TemplateShape shape;
  Prober prober(engine, base_variables);
  if (!holds(prober.render({prober.message("user", kUser)}), kUser)) {
    prober.content = ContentForm::Parts;
    if (!holds(prober.render({prober.message("user", kUser)}), kUser)) prober.content = ContentForm::Text;
  }
  shape.content = prober.content;
  probe_system(prober, shape);
  probe_tools(prober, shape);
  probe_turns(prober, specials, shape);
  if (shape.tool_role && shape.content == ContentForm::Text && shape.arguments == ArgumentsForm::Object) {
    Json variables = base_variables;
    set_thinking_variables(variables, Thinking::ModelDefault);
    shape.old_thoughts = probe_old_thoughts(engine, variables);
  }
  return shape;
}

}  // namespace hearth::chat
