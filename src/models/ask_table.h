// AskTable: questions to the engine that have one reply each (tokenise, stats, the cache). What is unanswered when an engine dies
// is asked again of the next one. A value without threads; its owner has the mutex and calls `done` outside of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "link/messages.h"

namespace hearth::models {

// One less than a job's: a question takes milliseconds, so one that is open at two deaths in a row is the cause.
inline constexpr unsigned kAskDeathsMax = 2;

using AskDone = std::function<void(Result<link::EngineMessage>)>;

// A question that left the table with its answer, for the caller to deliver.
struct AnsweredAsk {
  AskDone done;
  Result<link::EngineMessage> reply;
};

class AskTable {
 public:
  AskTable(std::size_t asks_max, std::size_t bytes_max) : asks_max_(asks_max), bytes_max_(bytes_max) {}

  // False when too many, or too many bytes, are in flight.
  [[nodiscard]] bool add(std::uint64_t id, std::shared_ptr<const link::FrontMessage> question, std::size_t bytes,
                         AskDone done);
  // nullopt: nobody asked, or the reply is not of the kind that the question wants.
  [[nodiscard]] std::optional<AnsweredAsk> answered(std::uint64_t id, link::EngineMessage reply);
  // Charges a death to each; returns those that have had their last chance.
  [[nodiscard]] std::vector<AnsweredAsk> engine_died(std::string_view how);
  [[nodiscard]] std::vector<AnsweredAsk> end_all(const Error& reason);
  // Everything unanswered, in the order it was asked.
  [[nodiscard]] std::vector<std::shared_ptr<const link::FrontMessage>> questions() const;
  [[nodiscard]] std::size_t size() const { return asks_.size(); }

 private:
  struct Ask {
    std::shared_ptr<const link::FrontMessage> question;
    std::size_t bytes = 0;
    AskDone done;
    unsigned deaths = 0;
  };
  using Asks = std::map<std::uint64_t, Ask>;
  AnsweredAsk remove(Asks::iterator at, Result<link::EngineMessage> reply);

  const std::size_t asks_max_;
  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;  // of all in asks_
  Asks asks_;
};

}  // namespace hearth::models
