// Batches: the message batches of all keys, and the thread that works them off. A request of a batch goes the path of every
// request (messages.h), a few at a time, by turns between keys, at the lowest priority. What is accepted is on disk before it is answered;
// after a restart what has no result yet is run again.
//
//   Waiting -> Running -> Keeping -> Succeeded | Errored       and from Waiting or Running: Canceled, Expired
//                     \-> Waiting again, when the server had no place for it or the model was not there: each has its own time
//
// Threads: the calls come from workers; requests run on one line, results are read on another (batch_line.h). `mutex_` guards the books
// and is held for moments; who changes a batch's state on disk holds `state_mutex_` first, over the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "server/batch_exchange.h"
#include "server/batch_line.h"
#include "server/batch_queue.h"
#include "server/batch_record.h"
#include "server/batch_results.h"
#include "server/batch_store.h"
#include "wire/anthropic_batches.h"

namespace hearth::server {

struct BatchLimits {
  std::size_t owner_batches_max = 100;                   // of one key, ended ones included
  std::size_t owner_bytes_max = std::size_t{512} << 20;  // of their requests and results; only new ones are refused
  std::size_t text_bytes_max = kBatchTextBytesMax;       // of one batch's requests as they are stored
  std::size_t batches_max = 1000;                        // of all keys
  std::size_t bytes_max = std::size_t{2} << 30;   // and without a folder only owner_bytes_max: they lie in memory
  std::size_t running_max = 4;                    // requests at once
  std::int64_t expires_after_s = 7L * 24 * 3600;  // not run by then: expired
  std::int64_t kept_after_s = 29L * 24 * 3600;    // then an ended batch is forgotten
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

  // Reads what lies there: before any call. Once.
  void load();
  // Begins to work. Once.
  void start();
  // No further request begins, and what runs is cut as soon as the one that is being prepared is; it runs again after a restart.
  // Results can be read on. Returns at once.
  void begin_stop() { line_.begin_stop(); }
  // Waits for that, and ends the readers too. Idempotent, like begin_stop().
  void stop();

  [[nodiscard]] Result<wire::BatchCard> create(const BatchOwner& owner, std::vector<wire::BatchRequest> requests);
  // NotFound for another key's.
  [[nodiscard]] Result<wire::BatchCard> find(const BatchOwner& owner, const std::string& id) const;
  // Newest first.
  [[nodiscard]] std::vector<wire::BatchCard> list(const BatchOwner& owner) const;
  [[nodiscard]] Result<wire::BatchCard> cancel(const BatchOwner& owner, const std::string& id);
  [[nodiscard]] Result<void> remove(const BatchOwner& owner, const std::string& id);
  // InvalidInput before it has ended.
  [[nodiscard]] Result<std::unique_ptr<BatchResults>> results(const BatchOwner& owner, const std::string& id) const;
  // On the line that reads results.
  void read_later(std::function<void()> task) { reading_.post(std::move(task)); }

 private:
  struct Batch {
    BatchRecord record;
    bool made = false;                         // its files are whole; before and after that it only holds its place
    std::vector<wire::BatchRequest> requests;  // read when the first one runs, let go when the batch has ended
    std::map<std::size_t, std::weak_ptr<BatchExchange>> running;  // one that nobody answers comes back as cut short
    BatchQueue queue;
    std::int64_t expires_ms = 0, forgotten_ms = 0;  // when, on clock_: what the wall clock says may change
    std::int64_t unread_until_ms = 0;               // its requests could not be read: not tried before
  };
  // A request that may run now.
  struct Choice {
    Batch* batch = nullptr;
    std::size_t index = 0;
  };
  struct ItemResult {
    std::string id;
    std::size_t index = 0;
    BatchItem state = BatchItem::Errored;
    std::string line;
    int starts = 0;  // before the one that brought it
  };

  // The line's thread, and load() before it.
  void look_around();
  void start_items();
  void start_item(const std::string& id, std::size_t index);
  void read_requests(const std::string& id);
  void item_done(const std::string& id, std::size_t index, int status, const std::string& body);
  void keep_result(const ItemResult& result), keep_later(const ItemResult& result);
  [[nodiscard]] Result<void> write_result(const ItemResult& result);
  void expire_and_forget();
  void watch_wall_clock();
  void set_due(Batch& batch) const;
  [[nodiscard]] std::int64_t wall_offset_s() const { return now_unix_s_() - clock_.now_ms() / 1000; }
  void cut_running();

  // Any thread. What has ended already, or is gone, is let be; nothing has changed where an end cannot be kept.
  [[nodiscard]] Result<void> end_rest(const std::string& id, BatchItem rest);
  void end_if_done(const std::string& id);
  // REQUIRES: state_mutex_ is held.
  void end_if_done_held(const std::string& id);
  // REQUIRES: mutex_ is held.
  [[nodiscard]] std::optional<Choice> next_item_locked();
  void take_item_locked(Batch& batch, std::size_t index);
  [[nodiscard]] std::shared_ptr<BatchExchange> open_exchange_locked(Batch& batch, std::size_t index);
  void send_back_locked(Batch& batch, std::size_t index);
  [[nodiscard]] Result<void> check_room_locked(const BatchOwner& owner, std::size_t bytes) const;
  [[nodiscard]] Result<const Batch*> owned_locked(const BatchOwner& owner, const std::string& id) const;

  const Answer answer_;
  const Clock& clock_;
  const UnixTime now_unix_s_;
  const BatchLimits limits_;
  BatchStore store_;
  const std::int64_t begun_ms_, begun_offset_s_;  // of this run, and how far the wall clock was ahead of clock_ then
  bool wall_clock_jumped_ = false;                // the line's thread, as the next
  std::map<std::pair<std::string, std::size_t>, ItemResult> unkept_;  // results that the disk has not taken yet

  std::mutex state_mutex_;
  mutable std::mutex mutex_;
  std::map<std::string, Batch> batches_;
  std::size_t running_count_ = 0;   // requests that run or whose result is being kept
  bool alone_ = false;              // one that was running when a server ended runs with no other
  std::int64_t rest_until_ms_ = 0;  // the server had no place: nothing is begun before
  int sent_back_in_a_row_ = 0;
  std::map<std::uint64_t, std::uint64_t> turns_;  // owner -> when one of its requests was begun last, counted in turn_
  std::uint64_t turn_ = 0;
  BatchLine line_, reading_;  // last: what they run uses all of the above
};

}  // namespace hearth::server
