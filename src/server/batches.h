// Batches: the message batches of all keys, and the thread that works them off. A request of a batch goes the path of every
// request (messages.h), a few at a time and at the lowest priority. What is accepted is on disk before it is answered;
// after a restart what has no result yet is run again.
//
//   Waiting -> Running -> Succeeded | Errored       and from Waiting or Running: Canceled, Expired
//                     \-> Waiting again, when the server had no place for it or the model was not there
//
// Threads: the calls come from workers; requests run on one thread of its own. One mutex guards batches and files.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "server/batch_exchange.h"
#include "server/batch_store.h"
#include "wire/anthropic_batches.h"

namespace hearth::server {

// Whose a batch is, as the hall sees a request of it.
struct BatchOwner {
  std::uint64_t owner = 0;
  std::string cache_salt;
};

struct BatchLimits {
  std::size_t batches_max = 100;                   // of all keys, ended ones included
  std::size_t bytes_max = std::size_t{512} << 20;  // of their requests
  std::size_t running_max = 4;                     // requests at once
  std::int64_t expires_after_s = 7L * 24 * 3600;   // not run by then: expired
  std::int64_t kept_after_s = 29L * 24 * 3600;     // then an ended batch is forgotten
};

class Batches {
 public:
  // Answers a request of a batch: everything behind the access check.
  using Answer = std::function<void(std::shared_ptr<http::Exchange>, const BatchOwner&)>;
  using UnixTime = std::function<std::int64_t()>;  // seconds

  Batches(std::string folder, Answer answer, const Clock& clock, UnixTime now_unix_s, BatchLimits limits = {});
  ~Batches() { stop(); }
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  // Reads what lies there and begins to work. Once.
  void start();
  // What runs is cut and will be run again after a restart. Idempotent.
  void stop();

  [[nodiscard]] Result<wire::BatchCard> create(const BatchOwner& owner, std::vector<wire::BatchRequest> requests);
  // NotFound for another key's.
  [[nodiscard]] Result<wire::BatchCard> find(const BatchOwner& owner, const std::string& id) const;
  // Newest first.
  [[nodiscard]] std::vector<wire::BatchCard> list(const BatchOwner& owner) const;
  [[nodiscard]] Result<wire::BatchCard> cancel(const BatchOwner& owner, const std::string& id);
  [[nodiscard]] Result<void> remove(const BatchOwner& owner, const std::string& id);
  // JSON lines, in the order of the requests.
  [[nodiscard]] Result<std::string> results(const BatchOwner& owner, const std::string& id) const;

 private:
  static constexpr const char* kRequestsFile = "requests";
  static constexpr std::int64_t kRest_ms = 5000;  // until a server that had no place is asked again
  enum class ItemState : std::uint8_t { Waiting, Running, Succeeded, Errored, Canceled, Expired };
  struct Batch {
    std::string id;
    BatchOwner owner;
    std::uint64_t number = 0;  // in the order they came
    std::int64_t created_unix_s = 0;
    std::optional<std::int64_t> cancel_unix_s, ended_unix_s;
    std::size_t bytes = 0;  // of its requests
    std::vector<ItemState> items;
    std::vector<wire::BatchRequest> requests;  // read when the first one runs, let go when the batch has ended
    std::map<std::size_t, std::weak_ptr<BatchExchange>> running;  // one that nobody answers comes back as cut short
  };

  // The batches' thread.
  void run();
  [[nodiscard]] std::function<void()> next_task();
  void start_items();
  [[nodiscard]] std::shared_ptr<BatchExchange> start_item(Batch& batch, std::size_t index);
  void item_done(const std::string& id, std::size_t index, int status, const std::string& body);
  void expire_and_forget();

  // REQUIRES: mutex_ is held.
  [[nodiscard]] bool load_locked(const std::string& id);
  [[nodiscard]] Result<void> write_state_locked(const Batch& batch);
  void set_result_locked(Batch& batch, std::size_t index, ItemState state, const Json& line);
  void end_rest_locked(Batch& batch, ItemState state);
  void end_if_done_locked(Batch& batch);
  [[nodiscard]] bool read_requests_locked(Batch& batch);
  [[nodiscard]] Result<const Batch*> owned_locked(const BatchOwner& owner, const std::string& id) const;
  [[nodiscard]] wire::BatchCard card_locked(const Batch& batch) const;
  void post(std::function<void()> task);

  const Answer answer_;
  const Clock& clock_;
  const UnixTime now_unix_s_;
  const BatchLimits limits_;
  const BatchExchange::Line line_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  BatchStore store_;
  std::map<std::string, Batch> batches_;
  std::deque<std::function<void()>> tasks_;
  std::multimap<std::int64_t, std::function<void()>> timers_;  // due on clock_, in milliseconds
  std::size_t running_count_ = 0;
  std::int64_t rest_until_ms_ = 0;  // the server had no place: nothing is begun before
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace hearth::server
