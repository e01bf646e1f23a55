// What counts as a count: the clients' own forms, and nothing a person might say.
#include "chat/budget_text.h"

#include <doctest/doctest.h>

#include <string>

using hearth::chat::is_budget_text;

TEST_CASE("the clients' counts of tokens and money are known") {
  CHECK(is_budget_text("<system-reminder>\nToken usage: 12345/200000; 187655 remaining\n</system-reminder>"));
  CHECK(is_budget_text("<system-reminder>\nToken usage: 12345/200000; 187655 remaining\n</system-reminder>\n"));
  CHECK(is_budget_text("<system-reminder>\nUSD budget: $0.12/$5; $4.88 remaining\n</system-reminder>"));
  CHECK(is_budget_text(
      "<system-reminder>\nOutput tokens \u2014 turn: 1.2k / 10k \u00B7 session: 34k\n</system-reminder>"));
  CHECK(is_budget_text("<total_tokens>14999000 tokens left</total_tokens>"));
  CHECK(is_budget_text("<total_tokens>Infinite tokens left</total_tokens>"));
  CHECK(is_budget_text("<system-reminder>\n<total_tokens>5 tokens left</total_tokens>\n</system-reminder>"));
  CHECK(is_budget_text("<system_warning>Token usage: 35000/1000000; 965000 remaining</system_warning>"));
  CHECK(is_budget_text("<budget:token_budget>1000000</budget:token_budget>"));
}

TEST_CASE("what says anything else is kept") {
  CHECK_FALSE(is_budget_text(""));
  CHECK_FALSE(is_budget_text("12"));
  CHECK_FALSE(is_budget_text("Token usage: 1/2; 1 remaining"));  // a user may ask about such a line
  CHECK_FALSE(is_budget_text("<system-reminder>\nToken usage: 1/2; please be brief\n</system-reminder>"));
  CHECK_FALSE(is_budget_text("<system-reminder>\nToken usage: none\n</system-reminder>"));
  CHECK_FALSE(is_budget_text("<system-reminder>\nToday is 2026-11-20\n</system-reminder>"));
  CHECK_FALSE(
      is_budget_text("<system-reminder>\nToken usage: 1/2; 1 remaining\nThe file changed.\n</system-reminder>"));
  CHECK_FALSE(is_budget_text("<system-reminder></system-reminder>"));
  CHECK_FALSE(is_budget_text("<system-reminder>" + std::string(600, '1') + " tokens left</system-reminder>"));
  CHECK_FALSE(is_budget_text("<total_tokens> tokens left</total_tokens>"));
}
