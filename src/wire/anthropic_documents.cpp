// PDFs in a body become documents of text before anything else looks at it. In a tool result a PDF that cannot be read
// becomes a note, as an image does there; in what a person sends it is refused in words.
#include <format>
#include <utility>

#include "wire/anthropic_decode.h"

namespace hearth::wire::decode {
namespace {

constexpr std::string_view kPdf = "application/pdf";

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

Result<std::string> from_base64(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 4 * 3);
  unsigned bits = 0;
  int count = 0;
  bool ended = false;
  for (const char c : text) {
    if (c == '\n' || c == '\r' || c == ' ') continue;
    if (c == '=') {
      ended = true;
      continue;
    }
    const int value = base64_value(c);
    if (value < 0 || ended) return fail(ErrorKind::InvalidInput, "is no base64");
    bits = bits << 6 | static_cast<unsigned>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count & 0xFF));
    }
  }
  return out;
}

// The document's source, if it is a PDF to be read here.
Json* pdf_source(Json& block) {
  if (!block.is_object() || block.string_at("type") != "document") return nullptr;
  Json* source = member(block, "source");
  if (source == nullptr || source->string_at("type") != "base64") return nullptr;
  const std::string media_type = source->string_at("media_type", kPdf);
  return media_type == kPdf ? source : nullptr;
}

Result<std::string> text_of(const Json& source, const PdfText& pdf_text) {
  TRY_ASSIGN(const std::string bytes, from_base64(source.string_at("data")));
  if (bytes.empty()) return fail(ErrorKind::InvalidInput, "is empty");
  return pdf_text(bytes);
}

Result<void> read_pdf(Json& block, Unshowable unshowable, const PdfText& pdf_text, const Path& path) {
  Json* source = pdf_source(block);
  if (source == nullptr) return {};
  Result<std::string> text = text_of(*source, pdf_text);
  if (!text && text.error().kind != ErrorKind::InvalidInput) return std::unexpected(std::move(text).error());
  const Path at_source = path.at("source");
  if (!text && unshowable == Unshowable::Refuse) return at_source.at("data").wrong(text.error().message);
  if (!text) text = std::format("[PDF omitted: {}]", text.error().message);
  *source = Json::object({{"type", "text"}, {"media_type", "text/plain"}, {"data", std::move(*text)}});
  return {};
}

Result<void> read_pdfs_in(Json& content, Unshowable unshowable, const PdfText& pdf_text, const Path& path) {
  if (!content.is_array()) return {};
  Json::Array& blocks = content.as_array();
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const Path at = path.at(i);
    TRY(read_pdf(blocks[i], unshowable, pdf_text, at));
    if (!blocks[i].is_object() || blocks[i].string_at("type") != "tool_result") continue;
    if (Json* inner = member(blocks[i], "content"))
      TRY(read_pdfs_in(*inner, Unshowable::Note, pdf_text, at.at("content")));
  }
  return {};
}

}  // namespace

Result<void> read_pdfs(Json& body, const PdfText& pdf_text, const Path& path) {
  Json* messages = member(body, "messages");
  if (messages == nullptr || !messages->is_array()) return {};
  const Path at = path.at("messages");
  Json::Array& all = messages->as_array();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].is_object()) continue;
    const Path at_message = at.at(i);
    if (Json* content = member(all[i], "content"))
      TRY(read_pdfs_in(*content, Unshowable::Refuse, pdf_text, at_message.at("content")));
  }
  return {};
}

}  // namespace hearth::wire::decode
