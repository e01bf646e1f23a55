// See messages.h.
#include "server/messages.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "server/prepared_prompt.h"
#include "server/request_class.h"
#include "wire/cache_marks.h"

namespace hearth::server {
namespace {

// What of the request outlives its conversation.
struct JobSettings {
  std::uint32_t max_tokens = 0;
  link::Sampling sampling;
  link::Priority priority = link::Priority::Interactive;
  std::uint64_t owner = 0;
  std::string cache_salt;
};

JobSettings job_settings(const wire::MessagesRequest& request, const RequestRecord& record, CameBy came_by) {
  JobSettings settings;
  settings.priority = came_by == CameBy::Batch ? link::Priority::Batch
                                               : priority_of(request, static_cast<std::size_t>(record.body_bytes));
  settings.owner = record.owner;
  settings.cache_salt = record.cache_salt;
  settings.max_tokens = request.max_tokens;
  settings.sampling.temperature = request.temperature;
  settings.sampling.top_p = request.top_p;
  settings.sampling.top_k = request.top_k;
  settings.sampling.seed = request.seed;
  return settings;
}

AnswerWishes answer_wishes(const wire::MessagesRequest& request) {
  AnswerWishes wishes{.parallel_calls = request.parallel_tools == wire::ParallelTools::Allowed};
  if (const Json* schema = request.output_format.find("schema")) wishes.output_schema = *schema;
  return wishes;
}

MessageStreamOptions stream_options(const wire::MessagesRequest& request, std::string_view body,
                                    const MessageDesk& desk, CameBy came_by) {
  const auto& messages = request.conversation.messages;
  const bool continues = !messages.empty() && messages.back().role == chat::Role::Assistant;
  const Delivery whole = came_by == CameBy::Batch ? Delivery::Kept : Delivery::Folded;
  return {.delivery = request.stream ? Delivery::Events : whole,
          .kind = continues ? wire::AnswerKind::Continuation : wire::AnswerKind::Fresh,
          .model = request.model,
          .stop_sequences = request.stop_sequences,
          .max_tokens = request.max_tokens,
          .cache_marks = wire::has_cache_marks(body) ? CacheMarks::Some : CacheMarks::None,
          .parallel_tools = request.parallel_tools,
          .keep_alive = desk.keep_alive,
          .output = desk.output};
}

// One token must be left for the answer, so a prompt may have one fewer than the context.
Result<AdmittedJob> admit(link::TokenizeReply reply, PreparedPrompt prepared, JobSettings settings,
                          std::uint32_t context_tokens) {
  const std::uint32_t prompt_tokens = reply.count;
  if (prompt_tokens == 0) return fail(ErrorKind::InvalidInput, "messages: the prompt is empty");
  if (prompt_tokens >= context_tokens) return std::unexpected(wire::prompt_too_long(prompt_tokens, context_tokens - 1));
  AdmittedJob admitted;
  admitted.job.prompt = std::move(reply.tokens);
  admitted.job.boundaries =
      boundary_positions(prepared.boundary_segments, reply.segment_ends, admitted.job.prompt.size());
  admitted.job.tokens_max = std::min(settings.max_tokens, context_tokens - prompt_tokens);
  admitted.job.sampling = std::move(settings.sampling);
  if (prepared.shape.grammar != nullptr) admitted.job.grammar = *prepared.shape.grammar;
  admitted.job.thought = std::move(prepared.shape.thought);
  admitted.job.thought.tokens_max = thought_tokens(admitted.job.thought.tokens_max, admitted.job.tokens_max);
  admitted.job.shown_controls = std::move(prepared.shape.shown_controls);
  admitted.job.priority = settings.priority;
  admitted.job.owner = settings.owner;
  admitted.job.cache_salt = std::move(settings.cache_salt);
  admitted.parser = std::move(prepared.parser);
  admitted.turn = std::move(prepared.turn);
  return admitted;
}

wire::PdfText pdf_text_by(documents::PdfReader& pdfs) {
  return [&pdfs](std::string_view pdf) { return pdfs.text(pdf); };
}

// The job that this request's stream will hear: one that runs already, or a new one with a place in the queue.
struct JobAndPart {
  std::shared_ptr<SharedJob> job;
  bool attached = false;
};
Result<JobAndPart> find_or_open_job(const std::shared_ptr<Call>& call, const std::shared_ptr<const ServedModel>& model,
                                    const wire::MessagesRequest& request, MessageDesk& desk, CameBy came_by) {
  Metrics& metrics = call->log().metrics();
  if (came_by == CameBy::Batch)
    return JobAndPart{std::make_shared<SharedJob>(call, model, model->admission->enter_batch(), metrics)};
  const RetryKey key = retry_key(call->request(), call->record.owner, model->card.id);
  if (may_be_repetition(call->request(), request)) {
    if (auto running = desk.running.find(key)) {
      log_info("server", "{}: asks for what is being answered already, and joins it", call->request_id());
      metrics.attached(model->card.id);
      return JobAndPart{.job = std::move(running), .attached = true};
    }
  }
  auto ticket = model->admission->enter(desk.waiting_max + model->hello->parallel_jobs);
  if (!ticket) {
    metrics.refused(model->card.id);
    call->set_retry_after_s(model->admission->retry_after_s(model->hello->parallel_jobs));
    return std::unexpected(ticket.error());
  }
  auto job = std::make_shared<SharedJob>(call, model, std::move(*ticket), metrics);
  desk.running.add(key, job);
  return JobAndPart{std::move(job)};
}

// Canonicalise, render and tokenise; then check the length, and submit. What goes wrong is the job's failure, which its
// streams tell. On the worker up to the engine's tokeniser, then on the I/O thread.
void prepare_and_run(const std::shared_ptr<Call>& call, const std::shared_ptr<const ServedModel>& model,
                     const std::shared_ptr<SharedJob>& job, wire::MessagesRequest request, JobSettings settings) {
  const Clock& clock = call->clock();
  const auto& exchange = call->exchange();
  const std::int64_t render_from_us = clock.now_us();
  auto prepared = prepare_prompt(*model, std::move(request.conversation), answer_wishes(request));
  if (!prepared) return exchange->post([job, error = prepared.error()] { job->fail(error); });
  const std::int64_t tokenize_from_us = clock.now_us();
  const std::int64_t render_us = tokenize_from_us - render_from_us;
  const std::uint32_t context_tokens = model->context_tokens();

  std::vector<link::Segment> segments = std::exchange(prepared->segments, {});
  model->engine->tokenize(
      std::move(segments), false,
      [call, job, context_tokens, settings = std::move(settings), prepared = std::move(*prepared), render_us,
       tokenize_from_us](Result<link::TokenizeReply> reply) mutable {
        auto proceed = [call, job, context_tokens, settings = std::move(settings), prepared = std::move(prepared),
                        render_us, tokenize_from_us, reply = std::move(reply)]() mutable {
          if (job->abandoned()) return;
          if (!reply) return job->fail(reply.error());
          call->record.times.render_us = render_us;
          call->record.times.tokenize_us = call->clock().now_us() - tokenize_from_us;
          auto admitted = admit(std::move(*reply), std::move(prepared), std::move(settings), context_tokens);
          if (!admitted) return job->fail(admitted.error());
          job->run(std::move(*admitted));
        };
        call->exchange()->post(std::move(proceed));
      });
}

}  // namespace

std::size_t prompt_tokens_bound(const wire::MessagesRequest& request, std::size_t body_bytes) {
  // Turn marks of a message, the words a template puts around a tool, and its preamble; all generous.
  constexpr std::size_t kPerMessage_bytes = 128;
  constexpr std::size_t kPerTool_bytes = 256;
  constexpr std::size_t kTemplate_bytes = 4096;
  const auto& conversation = request.conversation;
  return body_bytes + body_bytes / 4 + kTemplate_bytes + kPerMessage_bytes * conversation.messages.size() +
         kPerTool_bytes * conversation.tools.size();
}

void answer_message(const std::shared_ptr<Call>& call, MessageDesk& desk, CameBy came_by) {
  const Clock& clock = call->clock();
  const std::int64_t parse_from_us = clock.now_us();

  // Decode: the body becomes a conversation and its settings, or a 400 that names the place.
  auto request = wire::decode_messages(call->request().body, pdf_text_by(desk.pdfs));
  if (!request) return call->respond_error(request.error());
  call->record.times.parse_us = clock.now_us() - parse_from_us;
  call->record.model = request->model;
  call->record.message_count = request->conversation.messages.size();

  // Choose the model: any name is served, unknown ones by the default.
  auto chosen = desk.models.choose(request->model);
  if (!chosen) return call->respond_error(chosen.error());
  const std::shared_ptr<const ServedModel> model = *chosen;
  call->record.served_model = model->card.id;

  // Find the job, or take a place in the queue: a queue that is full is a 529.
  auto found = find_or_open_job(call, model, *request, desk, came_by);
  if (!found) return call->respond_error(found.error());
  const auto& [job, attached] = *found;
  JobSettings settings = job_settings(*request, call->record, came_by);
  call->record.kind = name_of(settings.priority);
  call->record.attached = attached;

  // Open the stream. Beyond this point `stream` alone answers, on the I/O thread; when the prompt is certain to fit, its
  // headers go out now, and otherwise once its tokens are counted (too long must be a 400).
  auto stream =
      std::make_shared<MessageStream>(call, model, job, stream_options(*request, call->request().body, desk, came_by));
  const bool fits = prompt_tokens_bound(*request, call->request().body.size()) < model->live_context_tokens();
  const auto& exchange = call->exchange();
  exchange->drop_body();  // a stream that waits its turn keeps the prompt's tokens, not its text
  exchange->post([stream, fits] { stream->begin(fits ? HeadersGo::AtOnce : HeadersGo::WhenAdmitted); });

  // Make the prompt, submit it, and stream what comes.
  if (!attached) prepare_and_run(call, model, job, std::move(*request), std::move(settings));
}

void answer_count_tokens(const std::shared_ptr<Call>& call, MessageDesk& desk) {
  auto request = wire::decode_count_tokens(call->request().body, pdf_text_by(desk.pdfs));
  if (!request) return call->respond_error(request.error());
  call->exchange()->drop_body();
  auto chosen = desk.models.choose(request->model);
  if (!chosen) return call->respond_error(chosen.error());
  auto prepared = prepare_prompt(**chosen, std::move(request->conversation));
  if (!prepared) return call->respond_error(prepared.error());
  (*chosen)->engine->tokenize(std::move(prepared->segments), true, [call](Result<link::TokenizeReply> reply) {
    call->exchange()->post([call, reply = std::move(reply)] {
      if (!reply) return call->respond_error(reply.error());
      call->respond_json(200, Json::object({{"input_tokens", reply->count}}));
    });
  });
}

}  // namespace hearth::server
