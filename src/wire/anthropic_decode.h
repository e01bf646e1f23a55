// What the files of the Messages decoder share, and nobody else includes: paths for error messages, reading one member
// with its type checked, and the steps of decode_messages. Each step moves strings out of the body's Json: a
// 400 KB conversation is copied once, by the JSON reader. Any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "chat/conversation.h"
#include "wire/anthropic_request.h"

namespace hearth::wire::decode {

// A place in the body, linked from leaf to root on the stack: spelled out only when something is wrong there.
class Path {
 public:
  Path() = default;
  [[nodiscard]] Path at(std::string_view key) const { return Path(this, key, 0); }
  [[nodiscard]] Path at(std::size_t index) const { return Path(this, {}, index); }
  [[nodiscard]] std::string text() const;  // "messages.2.content.0"
  // InvalidInput whose message is "PATH: complaint".
  [[nodiscard]] std::unexpected<Error> wrong(std::string_view complaint) const;
  [[nodiscard]] std::unexpected<Error> wrong_type(std::string_view wanted, const Json& got) const;

 private:
  Path(const Path* parent, std::string_view key, std::size_t index) : parent_(parent), key_(key), index_(index) {}
  const Path* parent_ = nullptr;  // lives longer: every Path is a local of a caller up the stack
  std::string_view key_;          // empty: an index
  std::size_t index_ = 0;
};

// The member of that name, for moving from; nullptr when absent or null (which clients use for "absent").
[[nodiscard]] Json* member(Json& object, std::string_view key);

// One member of an object, its type checked. `path` is the object's.
[[nodiscard]] Result<std::string> required_string(Json& object, std::string_view key, const Path& path);
[[nodiscard]] Result<std::string> optional_string(Json& object, std::string_view key, const Path& path);
// Required, and 1 to kNameBytesMax bytes long.
[[nodiscard]] Result<std::string> required_name(Json& object, std::string_view key, const Path& path);
[[nodiscard]] Result<bool> optional_boolean(Json& object, std::string_view key, const Path& path);
// A user's word inside an error message: short, and whole characters.
[[nodiscard]] std::string quoted(std::string_view word);

// Settings: everything of the body that is neither system, messages nor tools.
[[nodiscard]] Result<void> read_settings(Json& body, const Path& path, MessagesRequest& request);
[[nodiscard]] Result<std::uint32_t> read_max_tokens(Json& body, const Path& path);

[[nodiscard]] Result<void> read_tools(Json& body, const Path& path, MessagesRequest& request);

// One element of a message's content.
[[nodiscard]] Result<chat::Block> read_block(Json& block, chat::Role role, const Path& path);
[[nodiscard]] Result<chat::Block> read_tool_result(Json& block, const Path& path);
// The text of a document or search_result block. `images`: what becomes of a part that no text can show.
enum class Unshowable { Refuse, Note };
[[nodiscard]] Result<std::string> read_document(Json& block, Unshowable unshowable, const Path& path);
// Replaces the source of each PDF by its text, for the steps above.
[[nodiscard]] Result<void> read_pdfs(Json& body, const PdfText& pdf_text, const Path& path);
[[nodiscard]] Result<std::string> read_search_result(Json& block, const Path& path);

}  // namespace hearth::wire::decode
