// AsyncStore: a Store behind threads of its own, so that no caller ever waits for a disk. Writes, drops and indexes are done in the
// order they were asked for, by one thread that gives way to everything else; reads by two others, oldest first. Results are
// picked up by the caller when it likes. One thread calls (but for the threads inside).
//
// With Workers::Caller there are no threads: work() does the oldest request. Tests and simulations choose the moments so.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "store/store.h"

namespace hearth::store {

enum class Workers { Threads, Caller };
// Beside running streams the writing thread rests most of the time; alone, or when the program ends, it does not.
enum class Pace { Beside, Alone };

struct WriteDone {
  std::uint64_t batch = 0;
  Result<std::vector<Place>> places;
  std::vector<Store::Unreadable> unreadable;  // of a gathering: left out of `places`
};
struct ReadDone {
  std::uint64_t ticket = 0;
  Result<std::shared_ptr<const Bytes>> bytes;
};

class AsyncStore {
 public:
  AsyncStore(std::unique_ptr<Store> store, Workers workers);
  ~AsyncStore();  // what was not begun is not done
  AsyncStore(const AsyncStore&) = delete;
  AsyncStore& operator=(const AsyncStore&) = delete;

  // Numbers to know the results by. A batch becomes one extent.
  std::uint64_t write(std::vector<Write> batch);
  std::uint64_t gather(std::vector<Entry> batch);
  // Where too many wait already its outcome is there at once: Overloaded.
  std::uint64_t read(const Key& key, const Place& place);
  // True: the read was not begun and is not done; nothing will come of it.
  bool cancel(std::uint64_t ticket);
  void will_need(const Place& place);  // a hint; forgotten where many wait already
  void drop(std::vector<Place> places);
  void save_index(std::vector<Entry> entries);
  [[nodiscard]] bool take_index_failure() { return index_failed_.exchange(false); }  // true: one was not written
  void later(std::function<void()> work) { push(writing_, std::move(work)); }     // by the writing thread, in its turn
  [[nodiscard]] std::uint64_t dropping_bytes() const { return dropping_bytes_; }  // of drops that were not done yet

  [[nodiscard]] std::optional<WriteDone> take_write();
  [[nodiscard]] std::optional<ReadDone> take_read();

  void set_pace(Pace pace) { pace_ = pace; }
  // Waits until everything that was asked of the writing thread is done. False: it is not, and the time is over.
  [[nodiscard]] bool wait_written(std::chrono::milliseconds limit);
  bool work();  // Workers::Caller only. False: there was nothing to do

  [[nodiscard]] Store& store() { return *store_; }  // what is thread-safe of it
  [[nodiscard]] const Store& store() const { return *store_; }

 private:
  using Task = std::function<void()>;
  struct Queued {
    Task task;
    std::uint64_t ticket = 0;  // of a read
  };
  struct Lane {
    std::deque<Queued> tasks;  // guarded by mutex_; of the writing lane as many as its caller lets be pending
    std::size_t running = 0;
  };

  void push(Lane& lane, Task task, std::uint64_t ticket = 0);
  [[nodiscard]] std::size_t reads_waiting() const;
  bool run_one(Lane& lane, std::unique_lock<std::mutex>& lock);
  void serve(Lane& lane);
  void rest(std::chrono::steady_clock::duration worked);

  const std::unique_ptr<Store> store_;
  const Workers workers_;
  std::atomic<Pace> pace_ = Pace::Alone;
  std::atomic<std::uint64_t> dropping_bytes_ = 0;
  std::atomic<bool> index_failed_ = false;
  bool index_complained_ = false;  // the writing thread's: said once, until one is written again
  std::uint64_t next_number_ = 1;  // the caller's

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Lane writing_, reading_;
  std::deque<WriteDone> written_;  // guarded by mutex_
  std::deque<ReadDone> read_;      // guarded by mutex_
  bool stopping_ = false;          // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace hearth::store
