// See messages.h.
#include "server/messages.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/random.h"
#include "server/message_stream.h"
#include "server/prepared_prompt.h"
#include "wire/cache_marks.h"

namespace hearth::server {
namespace {

// What of the request outlives its conversation.
struct JobSettings {
  std::uint32_t max_tokens = 0;
  link::Sampling sampling;
  std::string cache_salt;
};

JobSettings job_settings(const wire::MessagesRequest& request) {
  JobSettings settings;
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
                                    const KeepAliveRules& keep_alive) {
  const auto& messages = request.conversation.messages;
  const bool continues = !messages.empty() && messages.back().role == chat::Role::Assistant;
  return {.delivery = request.stream ? Delivery::Events : Delivery::Folded,
          .kind = continues ? wire::AnswerKind::Continuation : wire::AnswerKind::Fresh,
          .model = request.model,
          .stop_sequences = request.stop_sequences,
          .max_tokens = request.max_tokens,
          .cache_marks = wire::has_cache_marks(body) ? CacheMarks::Some : CacheMarks::None,
          .parallel_tools = request.parallel_tools,
          .keep_alive = keep_alive};
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
  admitted.job.cache_salt = std::move(settings.cache_salt);
  admitted.parser = std::move(prepared.parser);
  admitted.turn = std::move(prepared.turn);
  return admitted;
}

wire::PdfText pdf_text_by(documents::PdfReader& pdfs) {
  return [&pdfs](std::string_view pdf) { return pdfs.text(pdf); };
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

void answer_message(const std::shared_ptr<Call>& call, const ServedModels& models, documents::PdfReader& pdfs,
                    const KeepAliveRules& keep_alive) {
  const Clock& clock = call->clock();
  const std::int64_t parse_from_us = clock.now_us();

  // Decode: the body becomes a conversation and its settings, or a 400 that names the place.
  auto request = wire::decode_messages(call->request().body, pdf_text_by(pdfs));
  if (!request) return call->respond_error(request.error());
  call->record.times.parse_us = clock.now_us() - parse_from_us;
  call->record.model = request->model;
  call->record.message_count = request->conversation.messages.size();

  // Choose the model: any name is served, unknown ones by the default.
  auto chosen = models.choose(request->model);
  if (!chosen) return call->respond_error(chosen.error());
  const std::shared_ptr<const ServedModel> model = *chosen;
  const std::uint32_t context_tokens = model->context_tokens();

  // Open the stream. Beyond this point `stream` alone answers, on the I/O thread; when the prompt is certain to fit, its
  // headers go out now, and otherwise once its tokens are counted (too long must be a 400).
  auto stream =
      std::make_shared<MessageStream>(call, model, stream_options(*request, call->request().body, keep_alive));
  const bool fits = prompt_tokens_bound(*request, call->request().body.size()) < model->live_context_tokens();
  const auto& exchange = call->exchange();
  exchange->drop_body();  // a stream that waits its turn keeps the prompt's tokens, not its text
  exchange->post([stream, fits] { stream->begin(fits ? HeadersGo::AtOnce : HeadersGo::WhenAdmitted); });

  // Canonicalise and render: the conversation becomes the prompt's segments.
  JobSettings settings = job_settings(*request);
  settings.cache_salt = call->record.cache_salt;
  const std::int64_t render_from_us = clock.now_us();
  auto prepared = prepare_prompt(*model, std::move(request->conversation), answer_wishes(*request));
  if (!prepared) return exchange->post([stream, error = prepared.error()] { stream->fail(error); });
  const std::int64_t tokenize_from_us = clock.now_us();
  const std::int64_t render_us = tokenize_from_us - render_from_us;

  // Tokenise, in the engine; then check the length, submit, and stream what comes.
  std::vector<link::Segment> segments = std::exchange(prepared->segments, {});
  model->engine->tokenize(
      std::move(segments), false,
      [call, stream, context_tokens, settings = std::move(settings), prepared = std::move(*prepared), render_us,
       tokenize_from_us](Result<link::TokenizeReply> reply) mutable {
        auto proceed = [call, stream, context_tokens, settings = std::move(settings), prepared = std::move(prepared),
                        render_us, tokenize_from_us, reply = std::move(reply)]() mutable {
          if (stream->over()) return;
          if (!reply) return stream->fail(reply.error());
          call->record.times.render_us = render_us;
          call->record.times.tokenize_us = call->clock().now_us() - tokenize_from_us;
          auto admitted = admit(std::move(*reply), std::move(prepared), std::move(settings), context_tokens);
          if (!admitted) return stream->fail(admitted.error());
          stream->run(std::move(*admitted));
        };
        call->exchange()->post(std::move(proceed));
      });
}

void answer_count_tokens(const std::shared_ptr<Call>& call, const ServedModels& models, documents::PdfReader& pdfs) {
  auto request = wire::decode_count_tokens(call->request().body, pdf_text_by(pdfs));
  if (!request) return call->respond_error(request.error());
  call->exchange()->drop_body();
  auto chosen = models.choose(request->model);
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
