// Batches: the message batches of all keys, and the thread that works them off. A request of a batch goes the path of every
// request (messages.h), a few at a time, by turns between keys, at the lowest priority. What is accepted is on disk before it is answered;
// after a restart what has no result yet is run again.
//
//   Waiting -> Running -> Keeping -> Succeeded | Errored       and from Waiting or Running: Canceled, Expired
//                     \-> Waiting again, when the server had no place for it or the model was not there: each has its own time
//
// Threads: requests run on one line; what callers want of the disk is done on another (batch_line.h), for a slow disk must not take the
// workers. Looks at the books come from workers. `mutex_` guards the books
// and is held for moments; who changes a batch's state on disk holds `state_mutex_` first, over the disk.
#pragma once

#include <atomic>
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
#include "server/batch_limits.h"
#include "server/batch_line.h"
#include "server/batch_queue.h"
#include "server/batch_record.h"
#include "server/batch_results.h"
#include "server/batch_store.h"
#include "wire/anthropic_batches.h"

namespace hearth::server {

class Batches {
 public:
  // Answers a request of a batch: everything behind the access check.
  using Answer = std::function<void(std::shared_ptr<http::Exchange>, const BatchOwner&)>;
  using UnixTime = std::function<std::int64_t()>;  // seconds

  Batches(std::string folder, Answer answer, const Clock& clock, UnixTime now_unix_s, BatchLimits limits = {});
  ~Batches() { stop(); }
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;

  // Reads what lies there, and takes calls from then on. Once.
  void load();
  // Begins to work. Once, after load().
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
  // Runs on the line that waits for the disk in its callers' stead: create, cancel, remove, and reading results belong there. Overloaded
  // when calls_max wait there, or with this body (0: it has none) calls_bytes_max; what waits when the server stops is dropped.
  [[nodiscard]] Result<void> call_later(std::size_t body_bytes, std::function<void()> call);
  // The same for what a call goes on with.
  void read_later(std::function<void()> task) { reading_.post(std::move(task)); }

 private:
  struct Batch {
    BatchRecord record;
    bool made = false;                         // its files are whole; before and after that it only holds its place
    std::vector<wire::BatchRequest> requests;  // read when one runs, let go when the batch has ended or memory is short
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
  void let_idle_requests_go_locked(const Batch& kept);
  [[nodiscard]] Result<void> check_room_locked(const BatchOwner& owner, std::size_t bytes) const;
  [[nodiscard]] Result<const Batch*> owned_locked(const BatchOwner& owner, const std::string& id) const;

  const Answer answer_;
  const Clock& clock_;
  const UnixTime now_unix_s_;
  const BatchLimits limits_;
  BatchStore store_;
  const std::int64_t begun_ms_, begun_offset_s_;  // of this run, and how far the wall clock was ahead of clock_ then
  std::atomic<std::size_t> calls_waiting_ = 0, calls_bytes_ = 0;
  bool wall_clock_jumped_ = false;                                    // the line's thread, as the next
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
