// The vocabulary is built, not stored: for each word in order, the merges known so far are applied as a tokenizer would, and
// what is left in pieces is joined from left to right by new merges of lower rank. Frequent words first.
#include "tiny_vocabulary.h"

#include <array>
#include <map>
#include <sstream>
#include <utility>

#include <llama.h>

namespace hearth::tiny_models {
namespace {

// Words that also occur after a space get both forms; our own list, roughly by how often coding agents meet them.
constexpr const char* kWords =
    "the to of and a in is that for it you with on this be as are or not have from by if an at your can will file use "
    "code we do all which has when was but they one so no any only there what their should would more each other new "
    "use used using user users name names value values type types path paths line lines text string strings number "
    "numbers list lists data time date key keys id ids set get put post let var const function return returns class "
    "struct enum public private static void int char bool float double long short unsigned signed true false null nil "
    "none self super import export include define default case switch break continue while else elif then end begin "
    "try catch except finally raise throw throws error errors warning message messages content contents role system "
    "assistant tool tools call calls result results input output command commands run test tests build make check "
    "read write open close edit create delete remove add update change changes move copy find search match pattern "
    "replace insert append print log debug info version config option options argument arguments parameter parameters "
    "required property properties description object array json schema request response server client api model models "
    "token tokens prompt context cache memory thread process session agent task tasks work first last next before "
    "after "
    "current start stop wait done example examples note notes important must never always may might could about into "
    "over under out up down back here where how why who than some such same these those them its our his her he she my "
    "me us also just like need want please help thanks yes okay right left good best most many much few very well too "
    "now still again because since until between without within through during against above below directory folder "
    "project source target module package packages library dependency install git commit branch merge status diff "
    "repository main master root home usr bin src lib docs readme license python javascript typescript rust java bash "
    "shell script html css http https www com org github linux windows mac cpp hpp std size length count index item "
    "items element elements node nodes tree map vector buffer byte bytes bit bits hash table row rows column columns "
    "query database sql select where order group limit join field fields record method methods interface abstract "
    "override virtual template namespace operator const auto this template inline extern typedef sizeof async await "
    "yield lambda def pass with assert global local print range len str dict tuple format split strip join replace "
    "startswith endswith lower upper sort sorted filter reduce max min sum abs round random math time sleep exit main "
    "argv env environment variable variables constant expression statement block scope comment comments document "
    "documentation explain describe implement implementation fix bug bugs issue issues feature features support "
    "supported allow allowed ensure provide provided following instead unless however therefore example possible "
    "available information question answer answers step steps plan think thinking reason simple small large big long "
    "short fast slow high low old different specific general full empty single multiple given based known common "
    "world hello people person way day year part place thing things point hand case week company number group problem "
    "fact water man woman child life being down state country school great found keep look come made take see know "
    "think say tell give show turn ask seem feel leave call try";
constexpr const char* kGlued =  // no space before; each its own pre-token
    "ing ed er tion ment able ly es al ity ness (( )) () (); ); {} [] [ ] == != <= >= => -> :: && || ++ -- += -= // /* "
    "*/ "
    "/** ## ### ``` ** __ .. ... <? ?> </ /> \", \": {\" \"} \"} }, }} {{ [\" \"] \\\" \\n '' \"\" (' ') (\" \") .\" "
    ",\" -- --- ==== ~/";

using Pieces = std::vector<std::string>;

// GPT-2's alphabet: each byte has one printable character; the printable ones stand for themselves.
std::array<std::string, 256> byte_alphabet() {
  std::array<std::string, 256> alphabet;
  const auto utf8 = [](unsigned code) {
    if (code < 0x80) return std::string(1, static_cast<char>(code));
    return std::string{static_cast<char>(0xC0U | (code >> 6U)), static_cast<char>(0x80U | (code & 0x3FU))};
  };
  unsigned next = 256;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    alphabet[byte] = utf8(printable ? byte : next++);
  }
  return alphabet;
}

class Builder {
 public:
  Builder() : alphabet_(byte_alphabet()) {
    for (const std::string& letter : alphabet_) add_token(letter);
  }

  void add_word(const std::string& word) {
    Pieces pieces;
    for (const char letter : word) pieces.push_back(alphabet_[static_cast<unsigned char>(letter)]);
    merge_known(pieces);
    while (pieces.size() > 1) {
      ranks_.emplace(std::pair(pieces[0], pieces[1]), ranks_.size());
      built_.merges.push_back(pieces[0] + " " + pieces[1]);
      add_token(pieces[0] + pieces[1]);
      pieces[0] += pieces[1];
      pieces.erase(pieces.begin() + 1);
      merge_known(pieces);
    }
  }

  Vocabulary finish() {
    built_.first_special = static_cast<std::uint32_t>(built_.tokens.size());
    built_.end_of_text = add_special("<|endoftext|>", LLAMA_TOKEN_TYPE_CONTROL);
    built_.turn_start = add_special("<|im_start|>", LLAMA_TOKEN_TYPE_CONTROL);
    built_.turn_end = add_special("<|im_end|>", LLAMA_TOKEN_TYPE_CONTROL);
    for (const char* text :
         {"<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"})
      add_special(text, LLAMA_TOKEN_TYPE_USER_DEFINED);
    return std::move(built_);
  }

 private:
  void merge_known(Pieces& pieces) const {
    for (;;) {
      auto best = ranks_.end();
      std::size_t at = 0;
      for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
        const auto found = ranks_.find({pieces[i], pieces[i + 1]});
        if (found == ranks_.end() || (best != ranks_.end() && found->second >= best->second)) continue;
        best = found;
        at = i;
      }
      if (best == ranks_.end()) return;
      pieces[at] += pieces[at + 1];
      pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
  }

  void add_token(const std::string& token) {
    if (!known_.emplace(token, known_.size()).second) return;
    built_.tokens.push_back(token);
    built_.types.push_back(LLAMA_TOKEN_TYPE_NORMAL);
  }

  std::uint32_t add_special(const std::string& text, llama_token_type type) {
    built_.tokens.push_back(text);
    built_.types.push_back(type);
    return static_cast<std::uint32_t>(built_.tokens.size() - 1);
  }

  std::array<std::string, 256> alphabet_;
  std::map<std::pair<std::string, std::string>, std::size_t> ranks_;
  std::map<std::string, std::size_t> known_;
  Vocabulary built_;
};

}  // namespace

const Vocabulary& vocabulary() {
  static const Vocabulary kBuilt = [] {
    Builder builder;
    for (std::size_t width = 2; width <= 32; width *= 2) builder.add_word(std::string(width, ' '));
    for (std::size_t width = 3; width <= 27; width += 4)
      builder.add_word(std::string(width, ' '));  // indents before a word
    builder.add_word("\n\n");
    builder.add_word("\t\t");
    std::istringstream words(kWords);
    for (std::string word; words >> word;) {
      builder.add_word(" " + word);
      builder.add_word(word);
    }
    std::istringstream glued(kGlued);
    for (std::string word; glued >> word;) builder.add_word(word);
    for (const char* opening : {" {", " (",  " [", " \"", " '",  " =",  " ==", " +",  " -", " *", " /", " <",
                                " >", " //", " #", " &&", " ||", " ->", " =>", " !=", " :", " $", " `"})
      builder.add_word(opening);
    for (const char* ending :
         {";\n", "{\n", "}\n", ")\n", ",\n", ":\n", ".\n", "\":", "\",\n", ");\n", " {\n", "();\n"})
      builder.add_word(ending);
    return builder.finish();
  }();
  return kBuilt;
}

bool is_plain(const std::string& token) {
  // In the alphabet, U+0100..U+0120 are the control characters and the space; only space, newline and tab are plain.
  for (std::size_t i = 0; i < token.size(); ++i) {
    const auto byte = static_cast<unsigned char>(token[i]);
    if (byte < 0x80) continue;
    if (byte != 0xC4 || i + 1 == token.size()) return false;
    const auto low = static_cast<unsigned char>(token[++i]);
    if (low != 0xA0 && low != 0x8A && low != 0x89) return false;
  }
  return true;
}

}  // namespace hearth::tiny_models
