// The plan on made-up measures, and the probe on a tiny model of real sizes.
#include "engine/memory_plan.h"

#include <doctest/doctest.h>

#include <string>

#include "engine/memory_probe.h"
#include "tiny_models.h"

namespace hearth::engine {
namespace {

constexpr std::uint64_t kGiB = 1ULL << 30U;
constexpr std::uint64_t kMiB = 1ULL << 20U;

PoolUse pool(std::uint64_t weights, std::uint64_t context, std::uint64_t compute, std::uint64_t free,
             const char* name = "RAM") {
  return {
      .name = name, .weights_bytes = weights, .context_bytes = context, .compute_bytes = compute, .free_bytes = free};
}

EngineOptions tiny_options(tiny_models::Kind kind) {
  EngineOptions options;
  const auto path = tiny_models::path(kind);
  REQUIRE(path);
  options.model_path = *path;
  options.threads = 1;
  return options;
}

ContextPlan plan_of(const EngineOptions& options) {
  const auto header = probe_gguf(options.model_path);
  REQUIRE(header);
  const auto plan = plan_context(options, *header);
  if (!plan) FAIL(plan.error().message);
  return *plan;
}

}  // namespace

TEST_CASE("the automatic context is the largest that every pool can hold") {
  struct Case {
    std::uint64_t free;
    std::uint32_t expected;
  };
  // 10 GiB of weights, 100 KiB per token, 64 MiB of buffers; 1/32 of what is free stays free.
  for (const Case& is : {Case{64 * kGiB, 131072}, Case{16 * kGiB, 56832}, Case{11 * kGiB, 6144},
                         Case{10 * kGiB + 512 * kMiB, 0}, Case{10 * kGiB, 0}, Case{1 * kGiB, 0}, Case{0, 0}}) {
    CAPTURE(is.free);
    const Measure small = {pool(10 * kGiB, 4096ULL * 102400, 64 * kMiB, is.free)};
    const Measure large = {pool(10 * kGiB, 32768ULL * 102400, 64 * kMiB, is.free)};
    const std::uint32_t tokens = largest_context(small, 4096, large, 32768, 131072);
    CHECK(tokens == is.expected);
    CHECK(tokens % kContextStep == 0);
    if (tokens == 0) continue;
    const Measure chosen = {pool(10 * kGiB, tokens * 102400ULL, 64 * kMiB, is.free)};
    CHECK(fits(chosen));
  }
}

TEST_CASE("the tightest pool decides, and a pool that holds nothing does not") {
  const Measure small = {pool(8 * kGiB, 0, 0, 100 * kGiB), pool(kGiB, 4096 * 65536ULL, 0, 4 * kGiB, "GPU"),
                         pool(0, 0, 0, 0, "GPU1")};
  const Measure large = {pool(8 * kGiB, 0, 0, 100 * kGiB), pool(kGiB, 32768 * 65536ULL, 0, 4 * kGiB, "GPU"),
                         pool(0, 0, 0, 0, "GPU1")};
  CHECK(largest_context(small, 4096, large, 32768, 1U << 20U) == 45056);
  CHECK(fits(small));
}

TEST_CASE("a model trained for less than the usual smallest context still loads") {
  const Measure small = {pool(kMiB, kMiB, kMiB, kGiB)};
  const Measure large = {pool(kMiB, 8 * kMiB, kMiB, kGiB)};
  CHECK(largest_context(small, 1024, large, 8192, 1024) == 1024);
}

TEST_CASE("a context that grows begins with a quarter of what RAM holds beside the weights, and with all of a GPU's") {
  const auto line = [](std::uint64_t free, const char* where) {
    SizeLine made{.small_tokens = 4096, .large_tokens = 32768};
    made.small = {pool(8 * kGiB, 4096ULL * 102400, 0, free, where)};
    made.large = {pool(8 * kGiB, 32768ULL * 102400, 0, free, where)};
    return made;
  };
  CHECK(start_context(line(48 * kGiB, "RAM"), 131072) == 104704);
  CHECK(start_context(line(200 * kGiB, "RAM"), 131072) == 131072);
  CHECK(start_context(line(9 * kGiB, "RAM"), 131072) == kStartTokens);
  CHECK(start_context(line(9 * kGiB, "RAM"), 20480) == 20480);
  CHECK(start_context(line(9 * kGiB, "GPU"), 131072) == 131072);
}

TEST_CASE("growing counts what is freed, what hides in mapped files and what waits outside the pool") {
  SizeLine line{.small_tokens = 4096, .large_tokens = 32768};
  line.small = {pool(8 * kGiB, 4096ULL * 131072, 0, 16 * kGiB)};
  line.large = {pool(8 * kGiB, 32768ULL * 131072, 0, 16 * kGiB)};
  const auto room = [&](std::uint64_t free, std::uint64_t hidden, std::uint64_t outside) {
    return room_to_grow(line, {pool(hidden, 0, 0, free)}, 32768, 65536, outside);
  };
  // 4 GiB held, 8 GiB (and 1/64) wanted, a reserve of 256 MiB.
  CHECK(room(5 * kGiB, 0, 0) == 5 * kGiB + 4 * kGiB - 8 * kGiB - 128 * kMiB - 256 * kMiB);
  CHECK_FALSE(room(4 * kGiB, 0, 0));
  CHECK(room(4 * kGiB, 0, kGiB));  // what rests outside may go
  CHECK_FALSE(room(6 * kGiB, 5 * kGiB, 0));
  CHECK(room(20 * kGiB, 0, 0) < 20 * kGiB);  // until the old one is freed there is no more than now
  CHECK_FALSE(room_to_grow(SizeLine{}, {}, 4096, 8192, 0));
}

TEST_CASE("what a context holds of RAM is read off the line, and a GPU's memory is not RAM") {
  SizeLine line{.small_tokens = 4096, .large_tokens = 32768};
  line.small = {pool(8 * kGiB, 4096ULL * 131072, 0, 16 * kGiB), pool(kGiB, 4096ULL * 65536, 0, 16 * kGiB, "GPU")};
  line.large = {pool(8 * kGiB, 32768ULL * 131072, 0, 16 * kGiB), pool(kGiB, 32768ULL * 65536, 0, 16 * kGiB, "GPU")};
  CHECK(held_bytes(line, 32768) == 4 * kGiB);
  CHECK(held_bytes(line, 65536) >= 8 * kGiB);
  CHECK(held_bytes(line, 65536) <= 8 * kGiB + 128 * kMiB);  // beyond what was measured: 1/64 more
  CHECK(held_bytes(SizeLine{}, 32768) == 0);
}

TEST_CASE("measured plans: a given context stays as it is, or grows to --ctx-max") {
  EngineOptions options = tiny_options(tiny_models::Kind::Hybrid);
  CHECK(plan_of(options).context_limit_tokens == 131072);
  options.context_tokens = 4096;
  CHECK(plan_of(options).context_limit_tokens == 4096);
  options.context_max_tokens = 10000;
  CHECK(plan_of(options).context_tokens == 4096);
  CHECK(plan_of(options).context_limit_tokens == 10240);
  options.context_tokens = 0;
  CHECK(plan_of(options).context_limit_tokens == 10240);
}

TEST_CASE("measured plans: a context never grows across the length where a model's angles change") {
  EngineOptions options = tiny_options(tiny_models::Kind::Attention);
  auto header = probe_gguf(options.model_path);
  REQUIRE(header);
  const auto plan = [&] {
    const auto made = plan_context(options, *header);
    if (!made) FAIL(made.error().message);
    return *made;
  };
  header->numbers[header->architecture + ".rope.scaling.original_context_length"] = 6000;
  options.context_tokens = 4096;
  options.context_max_tokens = 16384;
  CHECK(plan().context_limit_tokens == 5888);
  options.context_tokens = 8192;
  CHECK(plan().context_limit_tokens == 16384);
  options.context_tokens = 0;
  CHECK(plan().context_tokens > 6000);
  options.context_max_tokens = 5120;
  CHECK(plan().context_limit_tokens == 5120);
}

TEST_CASE("sequences are many where they are free, few where each keeps a state") {
  CHECK(choose_sequences(4, 0, 0) == 32);
  CHECK(choose_sequences(128, 0, 0) == 156);
  CHECK(choose_sequences(4, 60 * kMiB, 64 * kGiB) == 10);
  CHECK(choose_sequences(4, 400 * kMiB, 8 * kGiB) == 6);
  CHECK(choose_sequences(4, 4 * kGiB, 8 * kGiB) == 5);
}

TEST_CASE("a shortage names every number and the next step") {
  const Measure measure = {pool(17 * kGiB + 307 * kMiB, 6 * kGiB, 400 * kMiB, 14 * kGiB)};
  const Error some =
      no_memory(measure, {.model = "big.gguf", .context_tokens = 131072, .context_fits = 30720, .state_bytes = kGiB});
  CHECK(some.kind == ErrorKind::NoMemory);
  for (const char* word : {"big.gguf", "131072", "17.3 GiB weights", "5.0 GiB KV cache", "1.0 GiB sequence state",
                           "400 MiB compute", "free are 14.0 GiB", "--ctx 30720", "--cache-type-k q8_0"})
    CHECK_MESSAGE(some.message.find(word) != std::string::npos, word, " in ", some.message);
  const Error none = no_memory(measure, {.model = "big.gguf", .context_tokens = 4096});
  CHECK(none.message.find("smaller model") != std::string::npos);
}

TEST_CASE("measured plans: automatic is what the model was trained for when there is room") {
  using tiny_models::Kind;
  for (const Kind kind : {Kind::Attention, Kind::Hybrid, Kind::Moe, Kind::Window}) {
    CAPTURE(tiny_models::kind_name(kind));
    EngineOptions options = tiny_options(kind);
    CHECK(plan_of(options).context_tokens == 131072);
    options.context_tokens = 5000;
    CHECK(plan_of(options).context_tokens == 5120);
    CHECK(plan_of(options).sequences_max == (kind == Kind::Attention || kind == Kind::Moe ? 32 : 10));
  }
}

TEST_CASE("an exact engine is planned with a context for every job") {
  EngineOptions options = tiny_options(tiny_models::Kind::Hybrid);
  options.context_tokens = 4096;
  options.exact = true;
  options.parallel_jobs = 1;
  const ContextPlan one = plan_of(options);
  options.parallel_jobs = 5;
  const ContextPlan five = plan_of(options);
  CHECK(one.contexts == 1);
  CHECK(five.contexts == 5);
  CHECK(five.sequences_max == 1);
  CHECK(one.context_bytes > 0);
  CHECK(five.context_bytes == 5 * one.context_bytes);
}

TEST_CASE("a context that no machine holds is refused before anything is allocated, unless the user insists") {
  EngineOptions options = tiny_options(tiny_models::Kind::Attention);
  options.context_tokens = 1U << 27U;
  options.kv_type_k = options.kv_type_v = KvType::F32;  // 128 GiB
  const auto header = probe_gguf(options.model_path);
  REQUIRE(header);
  const auto refused = plan_context(options, *header);
  REQUIRE(!refused);
  CHECK(refused.error().kind == ErrorKind::NoMemory);
  CHECK(refused.error().message.find("128.0 GiB KV cache") != std::string::npos);
  options.check_memory = false;
  CHECK(plan_context(options, *header));
}

}  // namespace hearth::engine
