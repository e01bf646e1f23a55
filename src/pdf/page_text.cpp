// See page_text.h.
#include "pdf/page_text.h"

#include <podofo/podofo.h>

#include <cmath>
#include <cstdlib>

namespace hearth::pdf {
namespace {

using PoDoFo::PdfName;
using PoDoFo::PdfObject;
using PoDoFo::PdfVariant;

constexpr int kFormDepthMax = 8;               // forms within forms; real files stay under 4
constexpr std::size_t kOperandsMax = 64;       // before one operator; the largest takes 6
constexpr std::size_t kStepsMax = 20'000'000;  // operators of a page and its forms
constexpr double kSameLine = 2.0;              // points up or down that are still the same line
constexpr double kSpace_thousandths = 180;     // of the font's size, leftwards: a gap that is read as a space

std::string stream_bytes(const PdfObject* object, std::size_t bytes_max) {
  if (!object || !object->HasStream()) return "";
  char* bytes = nullptr;
  PoDoFo::pdf_long size = 0;
  object->GetStream()->GetFilteredCopy(&bytes, &size);
  const std::unique_ptr<char, decltype(&std::free)> owned(bytes, &std::free);
  if (!bytes || size <= 0) return "";
  return {bytes, std::min(static_cast<std::size_t>(size), bytes_max)};
}

PdfObject* resolved(PdfObject* object, PdfObject* near) {
  if (object && object->IsReference() && near->GetOwner()) return near->GetOwner()->GetObject(object->GetReference());
  return object;
}

PdfObject* resource(PdfObject* resources, const char* kind, const std::string& name) {
  if (!resources || !resources->IsDictionary()) return nullptr;
  PdfObject* all = resources->GetIndirectKey(kind);
  return all && all->IsDictionary() ? all->GetIndirectKey(PdfName(name)) : nullptr;
}

}  // namespace

void PageText::read(PoDoFo::PdfPage& page) {
  std::string content;
  PdfObject* contents = page.GetContents();
  if (contents && contents->IsArray()) {
    for (PdfObject& part : contents->GetArray()) {
      content += stream_bytes(resolved(&part, contents), limits_.stream_bytes_max) + "\n";
      if (content.size() > limits_.stream_bytes_max) break;
    }
  } else {
    content = stream_bytes(contents, limits_.stream_bytes_max);
  }
  any_shown_ = false;
  run(content, page.GetResources(), 0);
}

void PageText::run(const std::string& content, PdfObject* resources, int depth) {
  PoDoFo::PdfContentsTokenizer tokens(content.data(), static_cast<long>(content.size()));
  PoDoFo::EPdfContentsType type{};
  const char* word = nullptr;
  PdfVariant value;
  while (tokens.ReadNext(type, word, value)) {
    if (++steps_ > kStepsMax || out_.size() > limits_.text_bytes_max) return;
    if (type == PoDoFo::ePdfContentsType_Variant) {
      if (operands_.size() < kOperandsMax) operands_.push_back(value);
    } else if (type == PoDoFo::ePdfContentsType_Keyword) {
      operate(word, resources, depth);
      operands_.clear();
    }
  }
}

double PageText::number(std::size_t from_end) const {
  if (from_end >= operands_.size()) return 0;
  const PdfVariant& value = operands_[operands_.size() - 1 - from_end];
  return value.IsReal() || value.IsNumber() ? value.GetReal() : 0;
}

void PageText::operate(const std::string& word, PdfObject* resources, int depth) {
  const auto has = [&](auto test) { return !operands_.empty() && test(operands_.back()); };
  const bool has_string = has([](const PdfVariant& v) { return v.IsString() || v.IsHexString(); });
  const auto shown = [&] {
    const auto& text = operands_.back().GetString();
    return std::string(text.GetString(), static_cast<std::size_t>(text.GetLength()));
  };
  if (word == "BT") {
    x_ = y_ = 0;
  } else if (word == "Td") {
    move(number(1), number(0));
  } else if (word == "TD") {
    leading_ = -number(0);
    move(number(1), number(0));
  } else if (word == "Tm") {
    x_ = number(1);
    y_ = number(0);
  } else if (word == "TL") {
    leading_ = number(0);
  } else if (word == "T*" || word == "'" || word == "\"") {
    move(0, leading_ == 0 ? -10 * kSameLine : -leading_);
    if (word != "T*" && has_string) show(shown());
  } else if (word == "Tj") {
    if (has_string) show(shown());
  } else if (word == "TJ") {
    if (has([](const PdfVariant& v) { return v.IsArray(); })) show_array(operands_.back());
  } else if (word == "Tf" && operands_.size() >= 2 && operands_[operands_.size() - 2].IsName()) {
    set_font(operands_[operands_.size() - 2].GetName().GetName(), resources);
  } else if (word == "Do" && has([](const PdfVariant& v) { return v.IsName(); })) {
    paint_form(operands_.back().GetName().GetName(), resources, depth);
  }
}

void PageText::move(double x, double y) {
  x_ += x;
  y_ += y;
}

void PageText::show(const std::string& codes) {
  std::string text;
  font_->append_text(text, codes);
  if (text.empty()) return;
  if (any_shown_ && std::abs(y_ - shown_y_) > kSameLine) {
    out_ += '\n';
  } else if (any_shown_ && x_ != shown_x_ && !out_.empty() && out_.back() != ' ' && out_.back() != '\n' &&
             text.front() != ' ') {
    out_ += ' ';
  }
  any_shown_ = true;
  shown_x_ = x_;
  shown_y_ = y_;
  out_ += text;
}

void PageText::show_array(const PdfVariant& array) {
  std::string codes;
  bool gap = false;
  const auto flush = [&] {
    if (codes.empty()) return;
    if (gap && !out_.empty() && out_.back() != ' ' && out_.back() != '\n') out_ += ' ';
    gap = false;
    show(std::exchange(codes, {}));
  };
  for (const PdfObject& part : array.GetArray()) {
    if (part.IsString() || part.IsHexString()) {
      codes.append(part.GetString().GetString(), static_cast<std::size_t>(part.GetString().GetLength()));
    } else if ((part.IsReal() || part.IsNumber()) && part.GetReal() < -kSpace_thousandths) {
      flush();
      gap = true;
    }
  }
  flush();
}

void PageText::set_font(const std::string& name, PdfObject* resources) {
  PdfObject* font = resource(resources, "Font", name);
  auto& known = fonts_[font];
  if (!known) known = std::make_shared<const Font>(font);
  font_ = known;
}

void PageText::paint_form(const std::string& name, PdfObject* resources, int depth) {
  PdfObject* form = resource(resources, "XObject", name);
  if (depth >= kFormDepthMax || !form || !form->HasStream() ||
      form->GetIndirectKeyAsName("Subtype").GetName() != "Form")
    return;
  PdfObject* own = form->GetIndirectKey("Resources");
  const auto font = font_;
  operands_.clear();
  run(stream_bytes(form, limits_.stream_bytes_max), own ? own : resources, depth + 1);
  font_ = font;
}

}  // namespace hearth::pdf
