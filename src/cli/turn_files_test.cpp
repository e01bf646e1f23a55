// Turns over a restart: what is saved comes back, what is damaged is put aside.
#include "cli/turn_files.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/log.h"
#include "base/test_folder.h"
#include "base/test_log.h"
#include "base/test_log_lines.h"
#include "server/fake_engine_process.h"

namespace hearth::cli {
namespace {

struct Served {
  explicit Served(const std::string& name, const std::string& id = "m", const std::string& digest = "")
      : engine(hello(name, digest)) {
    auto model = server::serve_model(id, 0, engine);
    REQUIRE(model);
    models.add(std::move(*model));
  }
  static link::Hello hello(const std::string& name, const std::string& digest) {
    link::Hello hello;
    hello.name = name;
    hello.content_digest = digest;
    hello.context_tokens = 4096;
    hello.special_texts = {"<|im_start|>", "<|im_end|>"};
    return hello;
  }
  // As a server does that has loaded these already.
  std::size_t load(const TurnFiles& files, const server::ServedModels& served = {}) {
    server::ServedModel loaded = *models.all().front();
    files.load(loaded, served);
    turns_ = loaded.turns;
    return turns_->turn_count();
  }
  chat::TurnMemory& turns() const { return turns_ ? *turns_ : *models.all().front()->turns; }
  server::FakeEngineProcess engine;
  server::ServedModels models;

 private:
  std::shared_ptr<chat::TurnMemory> turns_;  // once they were loaded
};

void remember(chat::TurnMemory& turns, const std::string& text = "hello") {
  chat::Message message{.role = chat::Role::Assistant};
  message.blocks.emplace_back(chat::TextBlock{text});
  turns.remember(chat::make_sampled_turn(chat::TurnOpening::Suffix, "<|im_start|>assistant\n", {1, 2, 3}, text, message,
                                         chat::SpecialTexts({"<|im_end|>"})),
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
  CHECK(Served("one").load(TurnFiles(folder.string())) == 1);
  CHECK(Served("two").load(TurnFiles(folder.string())) == 0);

  std::string path;
  for (const auto& file : std::filesystem::directory_iterator(folder)) path = file.path().string();
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::others_read) ==
        std::filesystem::perms::none);
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).seekp(40).put('\x7f');
  CHECK(Served("one").load(TurnFiles(folder.string())) == 0);
  CHECK_FALSE(std::filesystem::exists(path));
  CHECK(std::filesystem::exists(path + ".bad"));
  std::filesystem::remove_all(folder);
  set_log_level(LogLevel::Info);
}

TEST_CASE(
    "a model that is served under another name finds its turns; two names of one model have one memory and one file") {
  const hearth::testing::Quiet quiet;
  const hearth::testing::TestFolder folder;
  TurnFiles files(folder.path());
  const Served first("qwen", "m");
  Served second("qwen", "an-alias");
  CHECK(second.load(files, first.models) == 0);
  remember(second.turns());
  CHECK(first.turns().turn_count() == 1);
  files.save(first.models);
  CHECK(Served("qwen", "a-third-name").load(files) == 1);
}

TEST_CASE(
    "a pipe, a folder or a link in the place of a turn file is put aside with one line of log, and not waited for") {
  const hearth::testing::TestFolder folder;
  TurnFiles files(folder.path());
  const Served before("one");
  remember(before.turns());
  files.save(before.models);
  const std::string path = std::filesystem::directory_iterator(folder.path())->path().string();
  SUBCASE("a pipe") {
    std::filesystem::remove(path);
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  }
  SUBCASE("a folder") {
    std::filesystem::remove(path);
    std::filesystem::create_directory(path);
  }
  SUBCASE("a link") {
    std::filesystem::rename(path, folder.path() + "/elsewhere");
    std::filesystem::create_symlink(folder.path() + "/elsewhere", path);
  }
  const hearth::testing::LogLines log;
  Served after("one");
  CHECK(after.load(TurnFiles(folder.path())) == 0);
  REQUIRE(log.all().size() == 1);
  CHECK(log.all()[0].contains("cannot be used (it is no file)"));
  remember(after.turns());
  CHECK(std::filesystem::exists(std::filesystem::symlink_status(path + ".bad")));
  TurnFiles(folder.path()).save(before.models);
  CHECK(Served("one").load(TurnFiles(folder.path())) == 1);
}

// No file can be opened while it lives, also not by root.
class NoDescriptors {
 public:
  NoDescriptors() {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_CASE("turns that cannot be read for now stay where they are, and are there with the new ones afterwards") {
  const hearth::testing::TestFolder folder;
  TurnFiles files(folder.path());
  const Served before("one");
  remember(before.turns());
  files.save(before.models);
  const std::string path = std::filesystem::directory_iterator(folder.path())->path().string();
  const auto size = std::filesystem::file_size(path);
  const hearth::testing::LogLines log;
  Served after("one");
  TurnFiles next(folder.path());
  {
    const NoDescriptors none;
    CHECK(after.load(next) == 0);
    remember(after.turns(), "another");
    next.save(after.models);
    next.save(after.models);
  }
  REQUIRE(log.all().size() == 1);
  CHECK(log.all()[0].contains("cannot be read now"));
  CHECK(log.all()[0].ends_with("the file stays as it is, and is tried again"));
  CHECK(std::filesystem::file_size(path) == size);
  next.save(after.models);
  CHECK(Served("one").load(TurnFiles(folder.path())) == 2);
  CHECK(log.all().size() == 1);
}

TEST_CASE(
    "turns that could not be written are written when the folder takes them, with one line of log for all tries") {
  const hearth::testing::TestFolder folder;
  const std::string below = folder.path() + "/cache";
  TurnFiles files(below);
  const Served served("one");
  remember(served.turns());
  const hearth::testing::LogLines log;
  for (int minute = 0; minute < 3; ++minute) files.save(served.models);
  REQUIRE(log.all().size() == 1);
  CHECK(log.all()[0].contains("the turns could not be kept"));
  std::filesystem::create_directory(below);
  files.save(served.models);
  CHECK(Served("one").load(TurnFiles(below)) == 1);
  CHECK(log.all().size() == 1);
  std::filesystem::remove_all(below);
  remember(served.turns(), "another");
  files.save(served.models);
  CHECK(log.all().size() == 2);
}

TEST_CASE("turns go with a model's content: a renamed file loses none, and another model of the same name finds none") {
  const hearth::testing::Quiet quiet;
  const hearth::testing::TestFolder folder;
  TurnFiles files(folder.path());
  const Served before("qwen", "m", "aa");
  remember(before.turns());
  files.save(before.models);
  CHECK(Served("renamed", "m", "aa").load(files) == 1);
  CHECK(Served("qwen", "m", "bb").load(files) == 0);
  CHECK(Served("qwen", "m").load(files) == 0);  // which of the two it is is not certain
}

TEST_CASE("without a folder nothing is written or read") {
  Served served("one");
  remember(served.turns());
  TurnFiles files("");
  files.save(served.models);
  CHECK(served.load(files) == 1);
}

TEST_CASE(
    "turns of models that were not served for long are given up, those in use never; other files are left alone") {
  const hearth::testing::Quiet quiet;
  const hearth::testing::TestFolder folder;
  const auto model = [](int number) { return Served("one", "m", "digest-" + std::to_string(number)); };
  const auto keep = [&](int number) {
    const Served served = model(number);
    remember(served.turns());
    TurnFiles(folder.path()).save(served.models);
    const auto files = std::filesystem::directory_iterator(folder.path());
    for (const auto& file : files)  // each a minute older than the one before
      std::filesystem::last_write_time(file, file.last_write_time() - std::chrono::minutes(1));
  };
  std::ofstream(folder.path() + "/notes.txt") << "mine";
  for (int number = 0; number < 16; ++number) keep(number);
  CHECK(model(0).load(TurnFiles(folder.path())) == 1);
  keep(16);
  keep(17);
  CHECK(model(0).load(TurnFiles(folder.path())) == 1);
  CHECK(model(1).load(TurnFiles(folder.path())) == 0);
  CHECK(model(2).load(TurnFiles(folder.path())) == 0);
  CHECK(model(3).load(TurnFiles(folder.path())) == 1);
  CHECK(model(17).load(TurnFiles(folder.path())) == 1);
  CHECK(std::filesystem::exists(folder.path() + "/notes.txt"));
}

}  // namespace
}  // namespace hearth::cli
