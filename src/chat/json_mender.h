// JsonMender: one value as a model wrote it, nearly JSON, into JSON, as it comes. Well-formed JSON passes unchanged; what is
// not is mended where it is clear what was meant (see repairs.h), and types follow the tool's schema. Holds back only
// what the next bytes may still turn. Owned by one call scanner, one thread.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "chat/argument_schema.h"
#include "chat/repairs.h"
#include "chat/stream_parser.h"

namespace hearth::chat {

enum class Notation {
  Json,
  Python,  // (key='value', ...) at the root, Python's literals inside
  Gemma,   // bare keys, strings between <|"|>
};

// What stands around the value: nothing, all of the text is it; the end of a call; an object, {"name": N, "arguments": VALUE}.
enum class Around { Nothing, Call, Wrapper };

class JsonMender {
 public:
  // `schema` and `repairs` outlive the mender.
  JsonMender(ArgumentSchema schema, Notation notation, RepairCounts& repairs, Around around = Around::Nothing);

  void push(std::string_view text);  // stops behind the value; what follows is taken by take_rest()
  // Nothing more comes. A value that only lacks closing brackets becomes whole when the model ended its turn and no
  // required member is missing; what else was held back comes out as it is.
  void finish(TurnEnd end);

  [[nodiscard]] bool done() const { return mode_ == Mode::Done; }      // whole
  [[nodiscard]] bool broken() const { return mode_ == Mode::Broken; }  // never will be
  // Once broken: take_rest() is what ends this call and begins the next one.
  [[nodiscard]] bool next_call_follows() const { return next_call_follows_; }
  [[nodiscard]] std::string take_output();
  [[nodiscard]] std::string take_rest();

 private:
  enum class Mode { Value, String, Bare, Key, Colon, NoColon, After, Done, Broken };
  enum class Sight { No, Wait, Yes };
  enum class Capture { ToText, Coerce, Hoist };
  struct Frame {
    char close = '}';
    ArgumentSchema schema;
    std::vector<std::string> keys;  // of an object, so far
    bool any = false;               // a member or item was written
    int doubled = 0;                // further opening braces that were dropped
  };
  struct Captured {
    Capture what;
    std::size_t depth;  // frames_.size() of the value
    std::string key;    // Hoist
  };

  void run();
  bool step();
  // json_mender.cpp: structure
  bool step_value();
  bool open_container(char c);
  bool step_key();
  bool step_quoted_key(char quote);
  bool step_bare_key();
  bool take_key(std::string key, std::size_t end, Mode next = Mode::Colon);
  [[nodiscard]] Sight lacks_colon(std::string_view key, std::size_t at) const;
  bool step_colon();
  bool step_after();
  bool close_by(char c);
  void close_frame();
  bool end_value();
  bool break_off();
  void close_all();
  void flush();
  // json_mender_text.cpp: texts and words
  bool begin_string(std::string_view delimiter, bool raw);
  bool step_string();
  Sight step_quoted_call(std::string_view rest);
  bool step_escape();
  bool step_unicode_escape();
  [[nodiscard]] Sight is_plain_backslash(char next) const;
  [[nodiscard]] Sight wrong_escape_in_path() const;
  [[nodiscard]] Sight wrong_escape_follows() const;
  [[nodiscard]] bool behind_drive() const;
  void write_backslash();
  void end_string();
  void write_text(std::string_view text);
  void take_plain();
  void read_path(char c);
  // json_mender_ends.cpp: where a text ends
  [[nodiscard]] Sight closes(std::size_t after) const;
  [[nodiscard]] Sight brackets_end(std::size_t at) const;
  [[nodiscard]] Sight behind_root(std::size_t at) const;
  [[nodiscard]] Sight next_call_at(std::size_t at) const;
  [[nodiscard]] Sight delimiter_closes(std::size_t after) const;
  [[nodiscard]] Sight comma_ends(std::size_t after) const;
  [[nodiscard]] Sight key_at(std::size_t at) const;
  [[nodiscard]] Sight closer_at(std::size_t at) const;
  [[nodiscard]] Sight last_closer_at(std::size_t at) const;
  [[nodiscard]] Sight text_member_at(std::size_t at) const;
  bool step_bare();
  [[nodiscard]] Sight bare_end();
  void write_word(std::string_view word);
  [[nodiscard]] static std::string_view literal(std::string_view word);
  [[nodiscard]] static bool is_literal(std::string_view word);
  [[nodiscard]] std::string coerced(const std::string& json_text) const;

  [[nodiscard]] std::size_t after_blank(std::size_t at) const;
  [[nodiscard]] bool in_object() const { return !frames_.empty() && frames_.back().close != ']'; }
  [[nodiscard]] ArgumentSchema value_schema() const;
  void write(std::string_view text) { sinks_.back() += text; }
  void write_gap();
  void begin_item();
  void begin_capture(Capture what, std::string key);
  void count(Repair repair) { repairs_.add(repair); }

  const ArgumentSchema root_;
  const Notation notation_;
  RepairCounts& repairs_;
  const Around around_;
  Mode mode_ = Mode::Value;
  bool last_ = false, cut_ = false, next_call_follows_ = false;  // cut: once last_
  std::string in_;                                               // not yet read from at_ on
  std::size_t at_ = 0;
  std::vector<std::string> sinks_{1};  // the output, and in it what is captured
  std::vector<Captured> captures_;     // one per sink but the first
  std::string gap_;                    // white space and commas not yet written
  std::vector<Frame> frames_;
  ArgumentSchema value_schema_;  // of the member whose key was read
  std::map<std::string, std::string> hoisted_;
  std::size_t bare_bytes_ = 0;  // of the word being read, so far
  // Of the string being read.
  std::string_view delimiter_;
  bool raw_ = false;                        // a backslash is one
  bool dirty_ = false;                      // a quote inside was not escaped: its end must be plainer
  bool path_ = false, path_space_ = false;  // inside C:\...; a space may have ended it
  bool wrong_escape_ = false;               // it holds one: the model did not escape all that it had to
  std::string tail_;                        // its last three characters
  int quoted_calls_ = 0;                    // of Gemma's, open inside it
  // Of its brackets, as far as they are not escaped.
  bool text_begun_ = false, text_is_json_ = false;  // it begins with one
  int text_open_ = 0, text_excess_ = 0;             // excess: closed, but never opened
  bool behind_brace_ = false;                       // nothing but white space since a closing one
};

}  // namespace hearth::chat
