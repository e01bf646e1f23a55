// See async_store.h.
#include "store/async_store.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace hearth::store {
namespace {

constexpr int kReaders = 2;  // one reads while the other verifies
// A conversation of a million tokens is 4,096 blocks, and imports ask for 128 MB ahead: more is a fault of the callers.
constexpr std::size_t kReadsMax = 8192;
constexpr std::size_t kHintsMax = 512;  // behind so many a hint comes too late
// Beside streams the writing thread works this part of the time: what it takes from them is the half of it at most, for it has
// the lowest priority too.
constexpr int kRestsPerWork = 24;
constexpr std::chrono::milliseconds kRestMax{500};
constexpr std::chrono::milliseconds kRestSlice{10};
constexpr std::chrono::seconds kQuiet{5};  // without reads: the memory for them goes back

void give_way() {
#ifdef __linux__
  constexpr int kLowest = 19;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kLowest);
#endif
}

}  // namespace

AsyncStore::AsyncStore(std::unique_ptr<Store> store, Workers workers) : store_(std::move(store)), workers_(workers) {
  if (workers_ == Workers::Caller) return;
  threads_.emplace_back([this] {
    give_way();
    serve(writing_);
  });
  for (int i = 0; i < kReaders; ++i) threads_.emplace_back([this] { serve(reading_); });
}

AsyncStore::~AsyncStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void AsyncStore::push(Lane& lane, Task task, std::uint64_t ticket) {
  {
    const std::lock_guard lock(mutex_);
    lane.tasks.push_back({.task = std::move(task), .ticket = ticket});
  }
  changed_.notify_all();
}

bool AsyncStore::run_one(Lane& lane, std::unique_lock<std::mutex>& lock) {
  if (lane.tasks.empty()) return false;
  Task task = std::move(lane.tasks.front().task);
  lane.tasks.pop_front();
  ++lane.running;
  lock.unlock();
  task();
  task = nullptr;  // what it held may be much to free
  lock.lock();
  --lane.running;
  changed_.notify_all();
  return true;
}

void AsyncStore::serve(Lane& lane) {
  std::unique_lock lock(mutex_);
  const auto is_wanted = [&] { return stopping_ || !lane.tasks.empty(); };
  while (!stopping_) {
    if (run_one(lane, lock) || changed_.wait_for(lock, kQuiet, is_wanted)) continue;
    lock.unlock();
    if (&lane == &reading_) store_->release_read_buffers();
    lock.lock();
    changed_.wait(lock, is_wanted);
  }
}

bool AsyncStore::work() {
  CHECK(workers_ == Workers::Caller);
  std::unique_lock lock(mutex_);
  return run_one(reading_, lock) || run_one(writing_, lock);
}

// In small parts, so that a change of pace is noticed.
void AsyncStore::rest(std::chrono::steady_clock::duration worked) {
  if (workers_ == Workers::Caller) return;
  const auto until = std::chrono::steady_clock::now() +
                     std::min<std::chrono::steady_clock::duration>(worked * kRestsPerWork, kRestMax);
  std::unique_lock lock(mutex_);
  while (pace_ == Pace::Beside && !stopping_ && std::chrono::steady_clock::now() < until)
    changed_.wait_for(lock, kRestSlice);
}

std::uint64_t AsyncStore::write(std::vector<Write> batch) {
  const std::uint64_t number = next_number_++;
  push(writing_, [this, number, records = std::move(batch)] {
    auto places = store_->write(records, [this](auto worked) { rest(worked); });
    const std::lock_guard lock(mutex_);
    written_.push_back({.batch = number, .places = std::move(places), .unreadable = {}});
  });
  return number;
}

std::uint64_t AsyncStore::gather(std::vector<Entry> batch) {
  const std::uint64_t number = next_number_++;
  push(writing_, [this, number, records = std::move(batch)] {
    auto gathered = store_->gather(records, [this](auto worked) { rest(worked); });
    WriteDone done{.batch = number, .places = {}, .unreadable = {}};
    if (gathered) {
      done.places = std::move(gathered->places);
      done.unreadable = std::move(gathered->unreadable);
    } else {
      done.places = std::unexpected(std::move(gathered).error());
    }
    const std::lock_guard lock(mutex_);
    written_.push_back(std::move(done));
  });
  return number;
}

std::uint64_t AsyncStore::read(const Key& key, const Place& place) {
  const std::uint64_t ticket = next_number_++;
  if (reads_waiting() >= kReadsMax) {
    const std::lock_guard lock(mutex_);
    read_.push_back({.ticket = ticket, .bytes = fail(ErrorKind::Overloaded, "too many reads wait for the disk")});
    return ticket;
  }
  const auto task = [this, ticket, key, place] {
    Result<std::shared_ptr<const Bytes>> read = store_->read(key, place);
    const std::lock_guard lock(mutex_);
    read_.push_back({.ticket = ticket, .bytes = std::move(read)});
  };
  push(reading_, task, ticket);
  return ticket;
}

bool AsyncStore::cancel(std::uint64_t ticket) {
  const std::lock_guard lock(mutex_);
  return std::erase_if(reading_.tasks, [&](const Queued& one) { return one.ticket == ticket; }) > 0;
}

std::size_t AsyncStore::reads_waiting() const {
  const std::lock_guard lock(mutex_);
  return reading_.tasks.size();
}

void AsyncStore::will_need(const Place& place) {
  if (reads_waiting() >= kHintsMax) return;
  push(reading_, [this, place] { store_->will_need(place); });
}

void AsyncStore::drop(std::vector<Place> places) {
  std::uint64_t bytes = 0;
  for (const Place& place : places) bytes += kRecordHeaderBytes + place.stored_bytes;
  dropping_bytes_ += bytes;
  push(writing_, [this, bytes, gone = std::move(places)] {
    store_->drop(gone);
    dropping_bytes_ -= bytes;
  });
}

void AsyncStore::save_index(std::vector<Entry> entries) {
  push(writing_, [this, all = std::move(entries)]() mutable {
    const auto saved = store_->save_index(std::move(all));
    const bool is_news = !saved && !index_complained_;
    index_complained_ = !saved;
    if (!saved) index_failed_ = true;
    if (!is_news) return;
    log_warning("store", "the index was not written ({}); the files say the same, and it is tried again",
                saved.error().message);
  });
}

std::optional<WriteDone> AsyncStore::take_write() {
  const std::lock_guard lock(mutex_);
  if (written_.empty()) return std::nullopt;
  WriteDone done = std::move(written_.front());
  written_.pop_front();
  return done;
}

std::optional<ReadDone> AsyncStore::take_read() {
  const std::lock_guard lock(mutex_);
  if (read_.empty()) return std::nullopt;
  ReadDone done = std::move(read_.front());
  read_.pop_front();
  return done;
}

bool AsyncStore::wait_written(std::chrono::milliseconds limit) {
  if (workers_ == Workers::Caller) {
    while (work()) {
    }
    return true;
  }
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return writing_.tasks.empty() && writing_.running == 0; });
}

}  // namespace hearth::store
