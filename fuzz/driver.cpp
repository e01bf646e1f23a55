// A fuzzer's main() for compilers without libFuzzer: mutates inputs, keeps those that reach new code, and leaves the input
// that ended the process in a file. `NAME_fuzz [--seconds N] [--seed N] [FILE_OR_FOLDER...]`: folders are the corpus and
// are fuzzed from; files alone are only run. One thread. The same seed and corpus give the same inputs in the same order.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" void __sanitizer_set_death_callback(void (*callback)());

namespace {
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kInputBytesMax = 4096;  // what breaks a parser is short; long inputs only cost turns
constexpr std::size_t kCorpusMax = 4096;      // inputs kept; bounds the memory of a long run
constexpr unsigned kInputSecondsMax = 20;     // one input that takes longer, under sanitizers, is a hang
constexpr std::size_t kEdges = 1 << 16;       // the map of code reached; more would not fit the second-level cache

std::array<std::uint8_t, kEdges> edges_hit{};
std::array<std::uint8_t, kEdges> edges_known{};

// What is being run, for the handlers: plain memory, nothing to allocate.
std::array<char, 64> crash_path{};
std::string current;
bool current_left = false;

void leave_input() {
  if (current_left) return;
  current_left = true;
  if (std::FILE* file = std::fopen(crash_path.data(), "wb")) {
    std::fwrite(current.data(), 1, current.size(), file);
    std::fclose(file);
  }
  std::fprintf(stderr, "\nthe input (%zu bytes) is in %s\n", current.size(), crash_path.data());
}

void on_signal(int number) {
  std::fprintf(stderr, "%s\n", number == SIGALRM ? "this input takes too long" : "aborted");
  leave_input();
  std::_Exit(1);
}

// True when the input reached code that none before it did.
bool run(const std::string& input) {
  current = input;
  edges_hit.fill(0);
  alarm(kInputSecondsMax);
  // A copy of exactly its size, so that one byte read past the end is seen.
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  alarm(0);
  bool is_new = false;
  for (std::size_t i = 0; i < kEdges; ++i) {
    if (edges_hit[i] == 0) continue;
    // How often counts in powers of two, as a loop that runs once more is no news.
    const auto bucket = static_cast<std::uint8_t>(1U << (31 - __builtin_clz(edges_hit[i])));
    if ((edges_known[i] & bucket) == 0) is_new = true;
    edges_known[i] |= bucket;
  }
  return is_new;
}

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  std::string next(const std::vector<std::string>& corpus) {
    std::string input = corpus[below(corpus.size())];
    for (std::size_t rounds = std::size_t{1} << below(5); rounds > 0; --rounds) change(input, corpus);
    if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
    return input;
  }

 private:
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }
  char byte() { return static_cast<char>(random_()); }

  void change(std::string& input, const std::vector<std::string>& corpus) {
    if (input.empty()) input.push_back(byte());
    const std::size_t at = below(input.size());
    const std::size_t length = 1 + below(std::min<std::size_t>(input.size() - at, 32));
    switch (below(8)) {
      case 0: input[at] = static_cast<char>(input[at] ^ (1 << below(8))); break;
      case 1: input[at] = byte(); break;
      case 2: input.erase(at, length); break;
      case 3: input.insert(at, 1 + below(4), byte()); break;
      case 4: input.insert(below(input.size() + 1), input.substr(at, length)); break;
      case 5: input[at] = input[below(input.size())]; break;
      case 6: input.resize(at); break;
      default: {
        const std::string& other = corpus[below(corpus.size())];
        if (other.empty()) break;
        const std::size_t from = below(other.size());
        input.insert(at, other.substr(from, 1 + below(64)));
      }
    }
  }

  std::mt19937_64 random_;
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Options {
  long seconds = 10;
  std::uint64_t seed = 1;
  std::vector<fs::path> corpus;  // in the order of their names, whatever the file system's is
  bool only_run = true;
};

bool read_options(int count, char** words, Options& options) {
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if ((word == "--seconds" || word == "--seed") && i + 1 < count) {
      const auto value = std::strtoull(words[++i], nullptr, 10);
      if (word == "--seed")
        options.seed = value;
      else
        options.seconds = static_cast<long>(value);
    } else if (fs::is_directory(word)) {
      options.only_run = false;
      for (const auto& entry : fs::directory_iterator(word)) options.corpus.push_back(entry.path());
    } else if (fs::exists(word)) {
      options.corpus.emplace_back(word);
    } else {
      std::fprintf(stderr, "no such option or file: %s\n", words[i]);
      return false;
    }
  }
  if (options.corpus.empty()) options.only_run = false;
  std::ranges::sort(options.corpus);
  return true;
}

}  // namespace

// GCC calls this at every edge of instrumented code.
extern "C" void __sanitizer_cov_trace_pc() {
  const auto place = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  std::uint8_t& times = edges_hit[(place ^ (place >> 16)) % kEdges];
  if (times < 255) ++times;
}

int main(int count, char** words) {
  Options options;
  if (!read_options(count, words, options)) return 2;
  const std::string name = fs::path(words[0]).filename();
  std::snprintf(crash_path.data(), crash_path.size(), "crash-%.32s-%llu", name.c_str(),
                static_cast<unsigned long long>(options.seed));
  __sanitizer_set_death_callback(leave_input);
  std::signal(SIGABRT, on_signal);
  std::signal(SIGALRM, on_signal);

  std::vector<std::string> corpus = {""};
  for (const auto& path : options.corpus) {
    corpus.push_back(read(path));
    run(corpus.back());
  }
  if (options.only_run) return 0;
  const std::size_t given = corpus.size();
  Mutator mutator(options.seed);
  const auto end = Clock::now() + std::chrono::seconds(options.seconds);
  std::size_t runs = 0;
  for (; Clock::now() < end; ++runs) {
    std::string input = mutator.next(corpus);
    if (!run(input)) continue;
    if (corpus.size() < kCorpusMax)
      corpus.push_back(std::move(input));
    else
      corpus[given + runs % (kCorpusMax - given)] = std::move(input);
  }
  const auto reached = std::ranges::count_if(edges_known, [](auto buckets) { return buckets != 0; });
  std::printf("%s: %zu runs, %zu inputs kept, %td edges\n", name.c_str(), runs, corpus.size(), reached);
  return 0;
}
