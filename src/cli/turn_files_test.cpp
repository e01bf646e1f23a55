// Turns over a restart: what is saved comes back, what is damaged is put aside.
#include "cli/turn_files.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "base/log.h"
#include "server/fake_engine_process.h"

namespace hearth::cli {
namespace {

struct Served {
  explicit Served(const std::string& name) : engine(hello(name)) {
    auto model = server::serve_model("m", 0, engine);
    REQUIRE(model);
    models.add(std::move(*model));
  }
  static link::Hello hello(const std::string& name) {
    link::Hello hello;
    hello.name = name;
    hello.context_tokens = 4096;
    hello.special_texts = {"<|im_start|>", "<|im_end|>"};
    return hello;
  }
  chat::TurnMemory& turns() const { return *models.all().front()->turns; }
  server::FakeEngineProcess engine;
  server::ServedModels models;
};

void remember(chat::TurnMemory& turns) {
  chat::Message message{.role = chat::Role::Assistant};
  message.blocks.emplace_back(chat::TextBlock{"hello"});
  turns.remember(chat::make_sampled_turn(chat::TurnOpening::Suffix, "<|im_start|>assistant\n", {1, 2, 3}, "hello",
                                         message, chat::SpecialTexts({"<|im_end|>"})),
                 7);
}

TEST_CASE("turns outlive the server, for the same model and template only; a damaged file is put aside") {
  set_log_level(LogLevel::Off);
  const auto folder = std::filesystem::temp_directory_path() / "hearth-turn-files-test";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  {
    const Served before("one");
    remember(before.turns());
    TurnFiles files(folder.string());
    files.save(before.models);
  }
  const Served after("one");
  TurnFiles(folder.string()).load(*after.models.all().front());
  CHECK(after.turns().turn_count() == 1);
  const Served other("two");
  TurnFiles(folder.string()).load(*other.models.all().front());
  CHECK(other.turns().turn_count() == 0);

  std::string path;
  for (const auto& file : std::filesystem::directory_iterator(folder)) path = file.path().string();
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::others_read) ==
        std::filesystem::perms::none);
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).seekp(40).put('\x7f');
  const Served again("one");
  TurnFiles(folder.string()).load(*again.models.all().front());
  CHECK(again.turns().turn_count() == 0);
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(std::filesystem::exists(path + ".bad"));
  std::filesystem::remove_all(folder);
  set_log_level(LogLevel::Info);
}

TEST_CASE("without a folder nothing is written or read") {
  const Served served("one");
  remember(served.turns());
  TurnFiles files("");
  files.save(served.models);
  files.load(*served.models.all().front());
  CHECK(served.turns().turn_count() == 1);
}

}  // namespace
}  // namespace hearth::cli
