// The models this server answers for, in the order they were named; the first is the default. Filled while loading, read
// by every request. Thread-safe; a ServedModel never changes once added and is never removed while requests run.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/canonical_rules.h"
#include "chat/dialect.h"
#include "chat/render_switches.h"
#include "chat/renderer.h"
#include "chat/special_guard.h"
#include "chat/turn_memory.h"
#include "link/messages.h"
#include "models/engine_process.h"
#include "server/admission.h"
#include "server/answer_shape.h"
#include "wire/anthropic_events.h"

namespace hearth::server {

// What the server's owner chose about prompts.
struct PromptSettings {
  chat::CanonicalRules rules;
  chat::HeadOrder head_order = chat::HeadOrder::AsTemplate;
  const chat::Dialect* dialect = nullptr;  // nullptr: as the model's template says
};

struct ServedModel {
  wire::ModelCard card;
  std::shared_ptr<const link::Hello> hello;  // of the first engine; all but context_tokens holds for the later ones
  std::shared_ptr<const chat::Renderer> renderer;
  chat::CanonicalRules rules;
  std::shared_ptr<const chat::SpecialTexts> specials;  // of the vocabulary
  const chat::Dialect* dialect = &chat::generic_dialect();
  std::shared_ptr<AnswerGrammars> grammars = std::make_shared<AnswerGrammars>();
  // Our own turns as they were sampled.
  std::shared_ptr<chat::TurnMemory> turns = std::make_shared<chat::TurnMemory>();
  // Not owned: outlives the HTTP server's threads, and with them every request.
  models::EngineProcess* engine = nullptr;
  // Its jobs that wait and run.
  std::shared_ptr<Admission> admission = std::make_shared<Admission>();

  // Of the engine that runs now: with --ctx auto one that was restarted may have found less memory than the first.
  [[nodiscard]] std::uint32_t context_tokens() const { return engine->hello()->context_tokens; }
  // Of them without growing: a longer prompt may still be refused where memory has become short.
  [[nodiscard]] std::uint32_t live_context_tokens() const;
  [[nodiscard]] wire::ModelCard card_now() const;
};

// What the engine said of itself, made ready to serve under this id.
[[nodiscard]] Result<ServedModel> serve_model(std::string id, std::int64_t created_unix_s,
                                              models::EngineProcess& engine, const PromptSettings& settings = {});
// The same without an engine: enough for prepare_prompt().
[[nodiscard]] Result<ServedModel> describe_model(std::shared_ptr<const link::Hello> hello,
                                                 const PromptSettings& settings);

struct LoadingState {
  bool loading = true;
  std::string name;  // what is being loaded now
  float fraction = 0;
};

class ServedModels {
 public:
  void add(ServedModel model);
  void set_loading(LoadingState state);

  // The model of that id; any other name means the default one. While a model loads, another name is Unavailable: it may
  // be the one that is still to come.
  [[nodiscard]] Result<std::shared_ptr<const ServedModel>> choose(std::string_view name) const;
  // Exactly that id, or nullptr.
  [[nodiscard]] std::shared_ptr<const ServedModel> find(std::string_view id) const;
  [[nodiscard]] std::vector<std::shared_ptr<const ServedModel>> all() const;
  [[nodiscard]] LoadingState loading() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const ServedModel>> models_;  // guarded by mutex_
  LoadingState loading_;                                    // guarded by mutex_
};

}  // namespace hearth::server
