// See service.h.
#include "sched/service.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>
#include <variant>

#include "base/log.h"
#include "engine/free_memory.h"
#include "sched/cache_budget.h"
#include "sched/cache_orders.h"

namespace hearth::sched {
namespace {

// Jobs are refused by the loop long before; this bounds a front that floods the link.
constexpr std::uint32_t kTokensToldMax = 16U << 20;  // the largest context there can be; 64 MiB of a frame's 96
constexpr std::size_t kQueueCountMax = 4096;
// Text and tokens of the segments of some hundred long conversations.
constexpr std::size_t kSegmentBytesMax = 64U << 20;
// Memory pressure is looked at so often; reading it takes tens of microseconds.
constexpr std::int64_t kBudgetEvery_ms = 2000;
// While all jobs wait for the disk it is looked at so often.
constexpr std::chrono::milliseconds kDiskLook{1};
// After Shutdown: for a step that runs, and for what is not on the disk yet. The front waits longer (models/engine_process.h).
constexpr std::chrono::milliseconds kSaveLimit{10'000};
constexpr std::chrono::milliseconds kEndLimit{13'000};
// A bar on a terminal moves by this much.
constexpr float kProgressStep = 0.01F;

template <class T>
std::optional<T> given(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(value)) return std::nullopt;
  } else if (value == std::numeric_limits<T>::min()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

link::Hello hello_of(const engine::Engine& engine, std::uint32_t parallel_jobs) {
  const engine::EngineInfo& info = engine.info();
  const auto tokenizer = engine.tokenizer();
  link::Hello hello;
  hello.name = info.name;
  hello.architecture = info.architecture;
  hello.description = info.description;
  hello.chat_template = info.chat_template;
  hello.context_tokens = info.context_limit_tokens;
  hello.live_context_tokens = info.context_tokens;
  hello.trained_context_tokens = info.trained_context_tokens;
  hello.parallel_jobs = std::min(parallel_jobs, info.sequences_max);
  hello.parameter_count = info.parameter_count;
  hello.weights_bytes = info.weights_bytes;
  hello.bos_text = tokenizer->bos_text();
  hello.eos_text = tokenizer->eos_text();
  hello.adds_bos = tokenizer->adds_bos();
  hello.special_texts = tokenizer->special_texts();
  hello.sampling_defaults.temperature = given(info.sampling_defaults.temperature);
  hello.sampling_defaults.top_k = given(info.sampling_defaults.top_k);
  hello.sampling_defaults.top_p = given(info.sampling_defaults.top_p);
  hello.sampling_defaults.min_p = given(info.sampling_defaults.min_p);
  hello.sampling_defaults.repeat_penalty = given(info.sampling_defaults.repeat_penalty);
  hello.sampling_defaults.penalty_last_count = given(info.sampling_defaults.penalty_last_count);
  hello.memory_kind = std::string(engine::memory_kind_name(info.memory_kind));
  hello.backend = info.backend;
  hello.kv_types = info.kv_types;
  hello.content_digest = info.content_digest;
  return hello;
}

Service::Service(link::Channel& channel, LoopOptions options, std::function<void()> on_link_end)
    : channel_(channel),
      options_(options),
      on_link_end_(std::move(on_link_end)),
      queue_(kQueueCountMax),
      texts_(kQueueCountMax),
      segment_tokens_(kSegmentBytesMax) {}

Service::~Service() {
  channel_.shut_down();
  if (reader_.joinable()) reader_.join();
  if (text_reader_.joinable()) text_reader_.join();
}

// A send fails when the front is gone, which the I/O thread finds out by itself. That a message is too large is a mistake of
// ours: whoever waits for it would wait for ever.
void Service::send(const link::EngineMessage& message) {
  const auto sent = channel_.send(message);
  if (!sent && sent.error().kind == ErrorKind::TooLarge) log_error("sched", "not sent: {}", sent.error().message);
}

int Service::run(const LoadEngine& load) {
  // The link is read from the start, so that an engine whose front dies does not go on loading for minutes.
  reader_ = std::thread([this, tokenizer = tokenizer_promise_.get_future().share(),
                         served = served_promise_.get_future().share()] { read_link(tokenizer, served); });
  float told = 0;
  auto engine = load([&](float fraction) {
    if (fraction < told + kProgressStep && fraction < 1) return;
    told = fraction;
    send(link::LoadProgress{fraction});
  });
  if (!engine) {
    tokenizer_promise_.set_value(nullptr);
    send(link::LoadFailed{.kind = static_cast<std::uint8_t>(engine.error().kind), .message = engine.error().message});
    return 1;
  }
  send(hello_of(**engine, options_.parallel_jobs));
  tokenizer_promise_.set_value((*engine)->tokenizer());
  serve(**engine);
  served_promise_.set_value();
  return 0;
}

void Service::serve(engine::Engine& engine) {
  const Clock& clock = clock_;
  LoopOptions options = options_;
  if (!options.cache_bytes_given) options.cache.ram_bytes_max = cache_bytes_auto(engine::free_ram_bytes());
  cache_bytes_most_ = options.cache.ram_bytes_max;
  Loop loop(
      engine, clock, options, [this](const link::EngineMessage& message) { send(message); },
      open_disk_cache(options.disk, engine.info()));
  std::int64_t budget_checked_ms = clock.now_ms();
  bool works = false;
  while (true) {
    // Without jobs nothing happens before the next message, but that other programs may need the cache's memory.
    auto message = !works         ? queue_.pop_for(std::chrono::milliseconds(kBudgetEvery_ms))
                   : loop.waits() ? queue_.pop_for(kDiskLook)
                                  : queue_.try_pop();
    for (; message; message = queue_.try_pop())
      if (!handle(loop, std::move(*message))) return loop.cache().save_all(kSaveLimit);
    if (queue_.closed()) return;
    works = loop.step();
    if (clock.now_ms() - budget_checked_ms >= kBudgetEvery_ms) {
      budget_checked_ms = clock.now_ms();
      if (const auto free_bytes = engine::free_ram_bytes())
        set_cache_budget(loop, cache_budget(cache_bytes_most_, loop.cache().ram_bytes(), *free_bytes));
    }
  }
}

// What the cache gives up shall be the machine's again, not the allocator's.
void Service::set_cache_budget(Loop& loop, std::uint64_t bytes) {
  const std::uint64_t before = loop.cache().ram_bytes();
  loop.set_cache_budget(bytes);
  if (loop.cache().ram_bytes() < before) engine::give_back_free_memory();
}

// False: the end.
bool Service::handle(Loop& loop, link::FrontMessage&& message) {
  if (auto* job = std::get_if<link::Job>(&message)) {
    loop.submit(std::move(*job));
  } else if (const auto* cancel = std::get_if<link::Cancel>(&message)) {
    loop.cancel(cancel->job);
  } else if (const auto* pause = std::get_if<link::Pause>(&message)) {
    loop.pause(pause->job);
  } else if (const auto* resume = std::get_if<link::Resume>(&message)) {
    loop.resume(resume->job);
  } else if (const auto* probe = std::get_if<link::Probe>(&message)) {
    send(CacheOrders(loop.cache(), clock_).probe(*probe));
  } else if (const auto* order = std::get_if<link::CacheRequest>(&message)) {
    send(CacheOrders(loop.cache(), clock_).obey(*order));
  } else if (const auto* budget = std::get_if<link::CacheBudget>(&message)) {
    cache_bytes_most_ = budget->automatic ? cache_bytes_auto(engine::free_ram_bytes()) : budget->ram_bytes;
    set_cache_budget(loop, cache_bytes_most_);
  } else if (const auto* request = std::get_if<link::StatsRequest>(&message)) {
    send(link::StatsReply{.id = request->id, .counters = loop.counters()});
  } else {
    return !std::holds_alternative<link::Shutdown>(message);
  }
  return true;
}

void Service::read_link(const std::shared_future<TokenizerPointer>& tokenizer, const std::shared_future<void>& served) {
  while (true) {
    auto message = channel_.receive_front_message();
    if (!message) {
      if (message.error().kind != ErrorKind::Unavailable) log_error("sched", "{}", message.error().message);
      break;
    }
    const bool is_loaded = tokenizer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    if (std::holds_alternative<link::Shutdown>(*message)) {
      if (!is_loaded || tokenizer.get() == nullptr) break;
      hand_over(std::move(*message));
      static_cast<void>(served.wait_for(kEndLimit));
      break;
    }
    if (tokenizer.get() == nullptr) return;  // waits for the load to end; it failed, and run() has said so
    if (auto* request = std::get_if<link::TokenizeRequest>(&*message)) {
      if (!text_reader_.joinable()) text_reader_ = std::thread([this, known = tokenizer.get()] { read_texts(*known); });
      while (!texts_.closed() && !texts_.try_push(std::move(*request)))
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } else {
      hand_over(std::move(*message));
    }
  }
  on_link_end_();
  queue_.close();
  texts_.close();
}

// A body of 64 MiB takes seconds to tens of them: on a thread of its own, so that cancels and other jobs are heard meanwhile.
void Service::read_texts(const engine::Tokenizer& tokenizer) {
  while (!texts_.closed())
    if (const auto request = texts_.pop_for(std::chrono::seconds(1))) tokenize(tokenizer, *request);
}

// "Full" is an answer for what asks something; a cancel is never lost: it waits, and with it this thread.
void Service::hand_over(link::FrontMessage&& message) {
  const auto pushed = [&] { return queue_.try_push(std::move(message)); };  // what is refused stays whole
  if (pushed()) return;
  if (const auto* job = std::get_if<link::Job>(&message)) {
    send(link::JobEnd{.job = job->id,
                      .reason = link::EndReason::Failed,
                      .error_kind = static_cast<std::uint8_t>(ErrorKind::Overloaded),
                      .message = "the engine's queue is full; try again later"});
  } else if (const auto* probe = std::get_if<link::Probe>(&message)) {
    send(link::ProbeReply{.id = probe->id});
  } else if (const auto* request = std::get_if<link::StatsRequest>(&message)) {
    send(link::StatsReply{.id = request->id});
  } else if (const auto* order = std::get_if<link::CacheRequest>(&message)) {
    send(link::CacheReply{.id = order->id,
                          .failed = true,
                          .error_kind = static_cast<std::uint8_t>(ErrorKind::Overloaded),
                          .message = "the engine's queue is full; try again later"});
  } else {
    while (!queue_.closed() && !pushed()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Service::tokenize(const engine::Tokenizer& tokenizer, const link::TokenizeRequest& request) {
  link::TokenizeReply reply{.id = request.id};
  for (const link::Segment& segment : request.segments) {
    const auto& tokens = segment.tokens.empty() ? segment_tokens_.tokens(tokenizer, segment.text, segment.parse_special)
                                                : segment.tokens;
    if (!request.count_only) reply.tokens.insert(reply.tokens.end(), tokens.begin(), tokens.end());
    reply.count += static_cast<std::uint32_t>(tokens.size());
    reply.segment_ends.push_back(reply.count);
    if (request.with_pieces && !request.count_only)
      for (const engine::Token token : tokens) reply.pieces.push_back(tokenizer.shown(token));
  }
  // More than any context holds: the count says that it is too long, and the frame has no room for the rest.
  if (reply.count > kTokensToldMax) reply.tokens = {}, reply.pieces = {};
  send(reply);
}

}  // namespace hearth::sched
