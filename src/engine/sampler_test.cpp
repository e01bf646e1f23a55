// The sampler's settings one by one, ties and broken rows, and the shape of what it draws.
#include "engine/sampler.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "base/random.h"

namespace hearth::engine {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Nothing cuts, nothing penalises.
SamplingSettings open_settings() {
  return {.temperature = 1.0F, .top_k = 0, .top_p = 1.0F, .min_p = 0.0F, .penalty_last_count = 0, .seed = 11};
}

Token sample_once(SamplingSettings settings, std::vector<float> logits, std::vector<Token> history = {},
                  std::uint64_t draw = 0) {
  return Sampler(std::move(settings)).sample(logits, history, draw);
}

// Every token that so many draws gave.
std::set<Token> drawn(const SamplingSettings& settings, const std::vector<float>& logits, int draws = 3000) {
  Sampler sampler(settings);
  std::set<Token> tokens;
  for (int i = 0; i < draws; ++i) tokens.insert(sampler.sample(logits, {}, static_cast<std::uint64_t>(i)));
  return tokens;
}

std::vector<float> random_row(std::size_t count, std::uint64_t seed) {
  std::vector<float> row(count);
  for (std::size_t i = 0; i < count; ++i) row[i] = static_cast<float>(mix_u64(seed, i) % 100'000) / 10'000.0F;
  return row;
}

TEST_CASE("temperature 0 takes the highest logit, of equals the lowest token") {
  auto settings = open_settings();
  settings.temperature = 0;
  CHECK(sample_once(settings, {1, 5, 3, 5}) == 1);
  CHECK(sample_once(settings, {-5, -7}) == 0);
  settings.temperature = -1;
  CHECK(sample_once(settings, {1, 2, 9}) == 2);
  settings.temperature = kNan;
  CHECK(sample_once(settings, {1, 2, 9}) == 2);
}

TEST_CASE("top_k 1 takes the highest whatever the temperature") {
  auto settings = open_settings();
  settings.top_k = 1;
  settings.temperature = 5;
  CHECK(drawn(settings, {1, 1.5, 3, 2.9F}) == std::set<Token>{2});
}

TEST_CASE("top_k keeps the k best, of equals the lowest tokens") {
  auto settings = open_settings();
  settings.top_k = 2;
  CHECK(drawn(settings, {1, 2, 3, 4}) == std::set<Token>{2, 3});
  CHECK(drawn(settings, {2, 2, 2, 2}) == std::set<Token>{0, 1});
  settings.top_k = 3;
  CHECK(drawn(settings, {1, 1, 5, 1}) == std::set<Token>{0, 1, 2});
  settings.top_k = 100;
  CHECK(drawn(settings, {1, 1, 1}) == std::set<Token>{0, 1, 2});
}

TEST_CASE("top_k over the heap's limit keeps the same tokens as the heap would") {
  const auto row = random_row(5000, 3);
  std::vector<Token> order(row.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<Token>(i);
  std::ranges::stable_sort(
      order, [&](Token a, Token b) { return row[static_cast<std::size_t>(a)] > row[static_cast<std::size_t>(b)]; });
  for (const std::int32_t k : {40, 1024, 1025, 3000}) {
    auto settings = open_settings();
    settings.top_k = k;
    settings.temperature = 100;  // all kept ones are about equally likely
    const auto tokens = drawn(settings, row, 20'000);
    const std::set<Token> best(order.begin(), order.begin() + k);
    CHECK(std::ranges::includes(best, tokens));
    CHECK(tokens.size() > static_cast<std::size_t>(k) * 9 / 10);
  }
}

TEST_CASE("top_p keeps the fewest tokens that hold the mass") {
  auto settings = open_settings();
  const std::vector<float> row = {std::log(0.5F), std::log(0.3F), std::log(0.15F), std::log(0.05F)};
  for (const auto& [top_p, kept] :
       {std::pair{0.4F, 1U}, {0.6F, 2U}, {0.79F, 2U}, {0.9F, 3U}, {0.99F, 4U}, {1.0F, 4U}, {0.0F, 1U}}) {
    CAPTURE(top_p);
    settings.top_p = top_p;
    settings.top_k = 0;
    CHECK(drawn(settings, row).size() == kept);
    settings.top_k = 4;
    CHECK(drawn(settings, row).size() == kept);
  }
}

TEST_CASE("top_p after top_k counts the mass of what top_k kept") {
  auto settings = open_settings();
  settings.top_k = 2;
  settings.top_p = 0.6F;  // of {0.4, 0.3} the first holds 0.57
  CHECK(drawn(settings, {std::log(0.4F), std::log(0.3F), std::log(0.3F)}).size() == 2);
  settings.top_p = 0.55F;
  CHECK(drawn(settings, {std::log(0.4F), std::log(0.3F), std::log(0.3F)}).size() == 1);
}

TEST_CASE("min_p drops what is far less likely than the best") {
  auto settings = open_settings();
  const std::vector<float> row = {std::log(0.5F), std::log(0.3F), std::log(0.15F), std::log(0.05F)};
  for (const auto& [min_p, kept] : {std::pair{0.05F, 4U}, {0.2F, 3U}, {0.5F, 2U}, {0.9F, 1U}, {1.0F, 1U}, {0.0F, 4U}}) {
    CAPTURE(min_p);
    settings.min_p = min_p;
    for (const std::int32_t k : {0, 3, 4}) {
      settings.top_k = k;
      CHECK(drawn(settings, row).size() == std::min<std::size_t>(kept, k == 3 ? 3 : 4));
    }
  }
}

TEST_CASE("a bias moves a token and an infinite one decides") {
  auto settings = open_settings();
  settings.temperature = 0;
  settings.logit_bias = {{0, 3.0F}};
  CHECK(sample_once(settings, {1, 2, 3}) == 0);
  settings.logit_bias = {{2, kNever}};
  CHECK(sample_once(settings, {1, 2, 3}) == 1);
  settings.logit_bias = {{1, -kNever}};
  CHECK(sample_once(settings, {1, 2, 3}) == 1);
  settings.temperature = 1;
  CHECK(drawn(settings, {1, 2, 3}) == std::set<Token>{1});
  settings.logit_bias = {{2, kNever}};
  CHECK(drawn(settings, {1, 2, 3}) == std::set<Token>{0, 1});
}

TEST_CASE("a bias for a token that does not exist changes nothing") {
  auto settings = open_settings();
  settings.temperature = 0;
  settings.logit_bias = {{99, 100.0F}, {-1, 100.0F}};
  CHECK(sample_once(settings, {1, 2, 3}, {-5, 99}) == 2);
}

TEST_CASE("penalties look back as far as they were told") {
  auto settings = open_settings();
  settings.temperature = 0;
  settings.presence_penalty = 2;
  settings.penalty_last_count = 2;
  CHECK(sample_once(settings, {3, 2, 0}, {0, 1, 1}) == 0);
  CHECK(sample_once(settings, {3, 2, 0}, {1, 0, 2}) == 1);
  settings.penalty_last_count = -1;
  CHECK(sample_once(settings, {3, 2, 0}, {0, 2, 2, 2, 2}) == 1);
  settings.penalty_last_count = 0;
  CHECK(sample_once(settings, {3, 2, 0}, {0, 0, 0}) == 0);
}

TEST_CASE("presence counts once, frequency each time, repetition divides or multiplies") {
  auto settings = open_settings();
  settings.temperature = 0;
  settings.penalty_last_count = 10;
  settings.presence_penalty = 0.6F;
  CHECK(sample_once(settings, {2, 1.3F}, {0, 0, 0}) == 0);
  settings.presence_penalty = 0;
  settings.frequency_penalty = 0.3F;
  CHECK(sample_once(settings, {2, 1.3F}, {0, 0}) == 0);
  CHECK(sample_once(settings, {2, 1.3F}, {0, 0, 0}) == 1);
  settings.frequency_penalty = 0;
  settings.repeat_penalty = 2;
  CHECK(sample_once(settings, {2, 1.1F}, {0}) == 1);
  CHECK(sample_once(settings, {-1, -1.5F}, {0}) == 1);
}

TEST_CASE("the same seed and index draw the same token, whatever was drawn before") {
  const auto row = random_row(500, 1);
  Sampler one(open_settings());
  Sampler two(open_settings());
  std::vector<Token> tokens;
  for (std::uint64_t i = 0; i < 50; ++i) tokens.push_back(one.sample(row, {}, i));
  for (std::uint64_t i = 50; i > 0; --i) CHECK(two.sample(row, {}, i - 1) == tokens[i - 1]);
  auto other = open_settings();
  other.seed = 12;
  std::size_t same = 0;
  for (std::uint64_t i = 0; i < 50; ++i) same += Sampler(other).sample(row, {}, i) == tokens[i] ? 1 : 0;
  CHECK(same < 25);
}

TEST_CASE("tokens come as often as their probability says, through both ways of selecting") {
  const std::array<double, 5> probability = {0.4, 0.3, 0.15, 0.1, 0.05};
  std::vector<float> row(50, -40.0F);
  for (std::size_t i = 0; i < probability.size(); ++i) row[i * 7] = static_cast<float>(std::log(probability[i]));
  constexpr int kDraws = 20'000;
  for (const std::int32_t k : {0, 20}) {
    for (const float temperature : {1.0F, 0.5F}) {
      auto settings = open_settings();
      settings.top_k = k;
      settings.temperature = temperature;
      Sampler sampler(settings);
      std::array<double, 5> seen{};
      for (int i = 0; i < kDraws; ++i)
        seen[static_cast<std::size_t>(sampler.sample(row, {}, static_cast<std::uint64_t>(i)) / 7)] += 1;
      double mass = 0;
      for (const double p : probability) mass += std::pow(p, 1 / temperature);
      double chi_square = 0;
      for (std::size_t i = 0; i < seen.size(); ++i) {
        const double expected = kDraws * std::pow(probability[i], 1 / temperature) / mass;
        chi_square += (seen[i] - expected) * (seen[i] - expected) / expected;
      }
      CHECK(chi_square < 23.5);  // 4 degrees of freedom, 0.0001
    }
  }
}

TEST_CASE("rows of nothing but -inf, NaN and +inf give a token of the vocabulary") {
  for (const float value : {kNever, kNan, -kNever, 3e38F, -3e38F}) {
    for (const std::size_t count : {1, 2, 100, 3000}) {
      for (const std::int32_t k : {0, 1, 40, 2000}) {
        for (const float temperature : {0.0F, 1e-6F, 1.0F, 1e30F}) {
          SamplingSettings settings;
          settings.top_k = k;
          settings.temperature = temperature;
          settings.repeat_penalty = 1.3F;
          const Token token = sample_once(settings, std::vector<float>(count, value), {0, 1});
          CHECK(token >= 0);
          CHECK(static_cast<std::size_t>(token) < count);
        }
      }
    }
  }
}

TEST_CASE("a NaN among good logits is never taken") {
  for (const std::int32_t k : {0, 2}) {
    auto settings = open_settings();
    settings.top_k = k;
    CHECK(!drawn(settings, {kNan, 1, kNan, 1, kNan}).contains(0));
    settings.temperature = 0;
    CHECK(sample_once(settings, {kNan, 1, 2, kNan}) == 2);
  }
}

}  // namespace
}  // namespace hearth::engine
