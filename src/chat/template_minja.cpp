// TemplateEngine on libminja: the one door to it. It parses with std::regex and recursion, so hostile templates are
// bounded before they reach it. What cannot be bounded here is a template's own work: an endless loop in a template runs
// for ever, so a template is trusted as far as the model file it came from.
#include <chrono>
#include <cstddef>
#include <ctime>
#include <format>
#include <stdexcept>
#include <string_view>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wnon-virtual-dtor"
#include <minja/minja.hpp>
#pragma GCC diagnostic pop

#include "chat/template_engine.h"

namespace hearth::chat {
namespace {

// The largest real template is 40 KB; std::regex costs stack by the byte.
constexpr std::size_t kTemplateBytesMax = 256U << 10;
constexpr std::size_t kCommentBytesMax = 512;
constexpr int kNestingMax = 100;
// A prompt of 64 MiB is over every context window.
constexpr std::size_t kRenderedBytesMax = 64U << 20;

// Long comments are emptied: the regular expression that skips them recurses once per byte.
std::string without_long_comments(std::string_view text) {
  std::string out;
  while (true) {
    const std::size_t open = text.find("{#");
    const std::size_t close = open == std::string_view::npos ? open : text.find("#}", open + 2);
    if (close == std::string_view::npos) break;
    out += text.substr(0, open);
    std::string_view comment = text.substr(open, close + 2 - open);
    if (comment.size() > kCommentBytesMax) {
      out += comment.substr(0, comment[2] == '-' ? 3 : 2);
      out += comment.substr(comment.size() - (comment[comment.size() - 3] == '-' ? 3 : 2));
    } else {
      out += comment;
    }
    text.remove_prefix(close + 2);
  }
  out += text;
  return out;
}

int deepest_nesting(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  for (const char c : text) {
    if (c == '(' || c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if ((c == ')' || c == ']' || c == '}') && depth > 0) --depth;
  }
  return deepest;
}

minja::Value to_value(const Json& json) {
  if (json.is_null()) return {};
  if (json.is_boolean()) return minja::Value(json.as_boolean());
  if (json.is_integer()) return minja::Value(json.as_integer());
  if (json.is_number()) return minja::Value(json.as_number());
  if (json.is_string()) return minja::Value(json.as_string());
  if (json.is_array()) {
    minja::Value array = minja::Value::array();
    for (const Json& element : json.as_array()) array.push_back(to_value(element));
    return array;
  }
  minja::Value object = minja::Value::object();
  for (const auto& [key, member] : json.as_object()) object.set(minja::Value(key), to_value(member));
  return object;
}

minja::Value strftime_now() {
  return minja::Value::callable([](const std::shared_ptr<minja::Context>&, minja::ArgumentsValue& arguments) {
    arguments.expectArgs("strftime_now", {1, 1}, {0, 0});
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm local{};
    localtime_r(&now, &local);
    char text[256] = {};
    const std::size_t size = std::strftime(text, sizeof text, arguments.args[0].get<std::string>().c_str(), &local);
    return minja::Value(std::string(text, size));
  });
}

// Minja's own knows neither ensure_ascii nor separators. Text stays as it is, as Hugging Face's tojson leaves it.
minja::Value tojson() {
  return minja::Value::callable([](const std::shared_ptr<minja::Context>&, minja::ArgumentsValue& arguments) {
    if (arguments.args.empty()) throw std::runtime_error("tojson needs a value");
    const minja::Value indent = arguments.args.size() > 1 ? arguments.args[1] : arguments.get_named("indent");
    return minja::Value(arguments.args[0].dump(indent.is_number() ? static_cast<int>(indent.to_int()) : -1, true));
  });
}

// A test minja lacks.
std::string without_undefined_test(std::string text) {
  const auto replace_all = [&](std::string_view from, std::string_view to) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  };
  replace_all("is not undefined", "is defined");
  replace_all("is undefined", "is not defined");
  return text;
}

// The template's own words: minja adds " at row 3, column 7:" and the lines around it.
std::string first_words(std::string_view message) { return std::string(message.substr(0, message.find(" at row "))); }

class MinjaTemplate final : public TemplateEngine {
 public:
  explicit MinjaTemplate(std::shared_ptr<minja::TemplateNode> root) : root_(std::move(root)) {}

  [[nodiscard]] Result<std::string> render(const Json& variables) const override {
    std::shared_ptr<minja::Context> context;
    std::string rendered;
    std::string failure;
    try {
      context = minja::Context::make(to_value(variables));
      context->set("strftime_now", strftime_now());
      context->set("tojson", tojson());
      rendered = root_->render(context);
    } catch (const std::exception& error) {
      failure = first_words(error.what());
      if (failure.empty()) failure = "no reason given";
    }
    release(context);
    if (!failure.empty()) return fail(ErrorKind::InvalidInput, std::move(failure));
    if (rendered.size() > kRenderedBytesMax)
      return fail(ErrorKind::TooLarge,
                  std::format("the rendered prompt has {} bytes; the limit is {}", rendered.size(), kRenderedBytesMax));
    return rendered;
  }

 private:
  // A macro holds the context that holds the macro: without this every render would leak its variables.
  static void release(const std::shared_ptr<minja::Context>& context) {
    if (!context) return;
    for (const minja::Value& key : context->keys()) context->set(key, minja::Value());
  }

  std::shared_ptr<minja::TemplateNode> root_;
};

}  // namespace

Result<std::unique_ptr<const TemplateEngine>> TemplateEngine::compile(const std::string& text) {
  if (text.size() > kTemplateBytesMax)
    return fail(ErrorKind::InvalidInput,
                std::format("the template has {} bytes; the limit is {}", text.size(), kTemplateBytesMax));
  const std::string source = without_undefined_test(without_long_comments(text));
  if (deepest_nesting(source) > kNestingMax)
    return fail(ErrorKind::InvalidInput, "the template's brackets nest too deep");
  try {
    // As Hugging Face's library compiles chat templates.
    std::shared_ptr<minja::TemplateNode> root =
        minja::Parser::parse(source, {.trim_blocks = true, .lstrip_blocks = true, .keep_trailing_newline = false});
    return std::unique_ptr<const TemplateEngine>(std::make_unique<MinjaTemplate>(std::move(root)));
  } catch (const std::exception& error) {
    return fail(ErrorKind::InvalidInput, first_words(error.what()));
  }
}

}  // namespace hearth::chat
