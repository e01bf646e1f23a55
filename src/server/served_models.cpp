// See served_models.h.
#include "server/served_models.h"

#include <format>
#include <utility>

#include "base/check.h"

namespace hearth::server {

Result<ServedModel> describe_model(std::shared_ptr<const link::Hello> hello, const PromptSettings& settings) {
  CHECK(hello != nullptr);
  ServedModel model;
  TRY_ASSIGN(model.renderer,
             chat::Renderer::create({.text = hello->chat_template,
                                     .bos_text = hello->bos_text,
                                     .eos_text = hello->eos_text,
                                     .special_texts = hello->special_texts,
                                     .switches = chat::render_switches(settings.rules, settings.head_order)}));
  model.specials = std::make_shared<const chat::SpecialTexts>(hello->special_texts);
  model.dialect = settings.dialect != nullptr ? settings.dialect
                                              : &chat::choose_dialect(hello->chat_template, hello->special_texts);
  model.rules = settings.rules;
  model.hello = std::move(hello);
  return model;
}

Result<ServedModel> serve_model(std::string id, std::int64_t created_unix_s, models::EngineProcess& engine,
                                const PromptSettings& settings) {
  TRY_ASSIGN(ServedModel model, describe_model(engine.hello(), settings));
  model.card = {.id = std::move(id),
                .display_name = model.hello->name,
                .created_unix_s = created_unix_s,
                .context_tokens = model.hello->context_tokens};
  if (model.card.display_name.empty()) model.card.display_name = model.card.id;
  model.engine = &engine;
  return model;
}

std::uint32_t ServedModel::live_context_tokens() const {
  const auto hello_now = engine->hello();
  return hello_now->live_context_tokens != 0 ? hello_now->live_context_tokens : hello_now->context_tokens;
}

wire::ModelCard ServedModel::card_now() const {
  wire::ModelCard now = card;
  now.context_tokens = context_tokens();
  return now;
}

void ServedModels::add(ServedModel model) {
  CHECK(model.engine != nullptr && model.renderer != nullptr && model.specials != nullptr && model.hello != nullptr);
  const std::lock_guard lock(mutex_);
  models_.push_back(std::make_shared<const ServedModel>(std::move(model)));
}

void ServedModels::set_loading(LoadingState state) {
  const std::lock_guard lock(mutex_);
  loading_ = std::move(state);
}

Result<std::shared_ptr<const ServedModel>> ServedModels::choose(std::string_view name) const {
  if (auto exact = find(name)) return exact;
  const std::lock_guard lock(mutex_);
  if (!models_.empty() && !loading_.loading) return models_.front();
  const std::string what = models_.empty() ? "the model" : "the model " + loading_.name;
  return fail(ErrorKind::Unavailable, std::format("{} is still loading ({} %); try again in a moment", what,
                                                  static_cast<int>(loading_.fraction * 100)));
}

std::shared_ptr<const ServedModel> ServedModels::find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  for (const auto& model : models_) {
    if (model->card.id == id) return model;
  }
  return nullptr;
}

std::vector<std::shared_ptr<const ServedModel>> ServedModels::all() const {
  const std::lock_guard lock(mutex_);
  return models_;
}

LoadingState ServedModels::loading() const {
  const std::lock_guard lock(mutex_);
  return loading_;
}

}  // namespace hearth::server
