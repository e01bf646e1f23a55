// PDFs in a body: read where a reader is given, refused or noted where it cannot read them.
#include <doctest/doctest.h>

#include <string>

#include "wire/anthropic_request.h"

using namespace hearth;
using namespace hearth::wire;

namespace {

std::string body_with(const std::string& content) {
  return R"({"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"Read","input":{}}]},)"
         R"({"role":"user","content":[)" +
         content + "]}]}";
}
std::string pdf_of(const std::string& base64) {
  return R"({"type":"document","title":"T","source":{"type":"base64","media_type":"application/pdf","data":")" +
         base64 + "\"}}";
}
// Says what it was given; "bad" is no PDF and "busy" is not the sender's fault.
Result<std::string> echo(std::string_view pdf) {
  if (pdf == "bad") return fail(ErrorKind::InvalidInput, "the file is no PDF that can be read");
  if (pdf == "busy") return fail(ErrorKind::Overloaded, "try again");
  return "text of " + std::string(pdf);
}
std::string first_text(const std::string& content) {
  const auto request = decode_messages(body_with(content), echo);
  if (!request) return "error: " + request.error().message;
  const auto& block = request->conversation.messages[1].blocks.at(0);
  if (const auto* text = std::get_if<chat::TextBlock>(&block)) return text->text;
  return std::get<chat::ToolResultBlock>(block).text;
}

}  // namespace

TEST_CASE("a PDF that a person sends is its text, or refused with its place and reason") {
  CHECK(first_text(pdf_of("aGk=")) == "T\ntext of hi");
  CHECK(first_text(pdf_of("aG\\nk")) == "T\ntext of hi");
  CHECK(first_text(pdf_of("YmFk")) == "error: messages.1.content.0.source.data: the file is no PDF that can be read");
  CHECK(first_text(pdf_of("a*")) == "error: messages.1.content.0.source.data: is no base64");
  CHECK(first_text(pdf_of("")) == "error: messages.1.content.0.source.data: is empty");
}

TEST_CASE("a PDF in a tool result is its text or a note, so that the session lives on") {
  const auto result = [](const std::string& base64) {
    return R"({"type":"tool_result","tool_use_id":"t","content":[)" + pdf_of(base64) + "]}";
  };
  CHECK(first_text(result("aGk=")) == "T\ntext of hi");
  CHECK(first_text(result("YmFk")) == "T\n[PDF omitted: the file is no PDF that can be read]");
}

TEST_CASE("what is not the sender's fault is not called so") {
  const auto request = decode_messages(body_with(pdf_of("YnVzeQ==")), echo);
  REQUIRE_FALSE(request);
  CHECK(request.error().kind == ErrorKind::Overloaded);
}

TEST_CASE("other sources are left to those who read them, and count_tokens reads PDFs too") {
  CHECK(first_text(R"({"type":"document","source":{"type":"text","data":"D"}})") == "D");
  CHECK(first_text(R"({"type":"document","source":{"type":"base64","media_type":"image/png","data":"aGk="}})")
            .starts_with("error: messages.1.content.0.source: documents of source type \"base64\" cannot be read"));
  CHECK(decode_count_tokens(body_with(pdf_of("aGk=")), echo).has_value());
  CHECK_FALSE(decode_count_tokens(body_with(pdf_of("aGk="))).has_value());
}
