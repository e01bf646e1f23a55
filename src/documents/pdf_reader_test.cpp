// The reader around its program: what it hands over, what it remembers, and programs that hang, flood, die or are not there.
#include "documents/pdf_reader.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "documents/filter_process.h"

using namespace hearth;
using namespace hearth::documents;
using std::chrono::milliseconds;

namespace {

// A program of these lines of sh, for one test.
class Script {
 public:
  explicit Script(const std::string& lines) {
    std::string name = (std::filesystem::temp_directory_path() / "hearth-filter-XXXXXX").string();
    const int descriptor = ::mkstemp(name.data());
    REQUIRE(descriptor >= 0);
    ::close(descriptor);
    path_ = name;
    std::ofstream(path_) << "#!/bin/sh\n" << lines << "\n";
    ::chmod(path_.c_str(), 0700);
  }
  ~Script() { std::filesystem::remove(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Result<FilterOutcome> run(const Script& script, std::string_view input, std::size_t output_max = 1 << 20,
                          milliseconds limit = milliseconds(20'000)) {
  return run_filter(script.path(), input, output_max, std::chrono::steady_clock::now() + limit);
}

}  // namespace

TEST_CASE("all of the input reaches the program and all of its output comes back, however much it is") {
  const Script cat("exec /bin/cat");
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{3'000'000}}) {
    const std::string input(size, 'x');
    const auto outcome = run(cat, input, 4'000'000);
    REQUIRE(outcome);
    CHECK(outcome->end == FilterEnd::Exited);
    CHECK(outcome->exit_code == 0);
    CHECK(outcome->output == input);
  }
}

TEST_CASE("a program that does not read, hangs, floods, dies or fails is told apart") {
  CHECK(run(Script("exit 3"), std::string(1'000'000, 'x'))->exit_code == 3);
  CHECK(run(Script("exec /bin/sleep 60"), "x", 100, milliseconds(200))->end == FilterEnd::TooLong);
  CHECK(run(Script("exec /bin/cat /dev/zero"), "x", 100'000)->end == FilterEnd::TooMuch);
  CHECK(run(Script("kill -9 $$"), "x")->end == FilterEnd::Killed);
  CHECK(run(Script("exec >&- <&-; exec /bin/sleep 60"), "x")->end == FilterEnd::Killed);
  CHECK(run_filter("/nonexistent/program", "x", 100, std::chrono::steady_clock::now() + milliseconds(1000))
            .error()
            .kind == ErrorKind::Unavailable);
}

TEST_CASE("the program inherits no environment and no descriptors") {
  ::setenv("HEARTH_TEST_SECRET", "seen", 1);
  const auto outcome = run(Script("echo \"[$HEARTH_TEST_SECRET]\"; ls /proc/self/fd 2>/dev/null | /usr/bin/wc -l"), "");
  REQUIRE(outcome);
  CHECK(outcome->output.starts_with("[]\n"));
  ::unsetenv("HEARTH_TEST_SECRET");
}

TEST_CASE("text is text, a refusal has the program's words, and a death has ours") {
  const Script reads("echo -n 'the text'");
  CHECK(PdfReader(reads.path()).text("%PDF") == "the text");
  const Script refuses("echo -n 'the PDF is encrypted'; exit 1");
  const auto refused = PdfReader(refuses.path()).text("%PDF");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::InvalidInput);
  CHECK(refused.error().message == "the PDF is encrypted");
  const Script dies("kill -11 $$");
  CHECK(PdfReader(dies.path()).text("%PDF").error().message.contains("cannot be read"));
  CHECK(PdfReader("").text("%PDF").error().message.contains("not read by this build"));
  CHECK(PdfReader(reads.path(), {.file_bytes_max = 3}).text("%PDF").error().kind == ErrorKind::InvalidInput);
}

TEST_CASE("a file is read once however often it comes, and what is kept is bounded") {
  const std::string log =
      (std::filesystem::temp_directory_path() / ("hearth-reads-" + std::to_string(::getpid()))).string();
  const Script counts("echo read >> " + log + "; exec /bin/cat");
  const auto reads = [&] {
    std::ifstream file(log);
    return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
  };
  PdfReader reader(counts.path(), {.kept_bytes_max = 1000});
  for (int i = 0; i < 3; ++i) CHECK(reader.text("one") == "one");
  CHECK(reads() == 1);
  CHECK(reader.text(std::string(600, 'a')).has_value());
  CHECK(reader.text(std::string(600, 'b')).has_value());
  CHECK(reader.text("one") == "one");  // was dropped for the others
  CHECK(reads() == 4);
  std::filesystem::remove(log);
}

TEST_CASE("many requests at once wait for their turn and all are answered") {
  const Script slow("/bin/sleep 0.02; exec /bin/cat");
  PdfReader reader(slow.path());
  std::vector<std::jthread> threads;
  std::vector<std::string> answers(8);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    threads.emplace_back([&, i] { answers[i] = reader.text("file " + std::to_string(i % 4)).value_or("failed"); });
  }
  threads.clear();
  for (std::size_t i = 0; i < answers.size(); ++i) CHECK(answers[i] == "file " + std::to_string(i % 4));
}
