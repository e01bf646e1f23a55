// See cache_settings.h.
#include "server/cache_settings.h"

namespace hearth::server {
namespace {

constexpr std::int64_t kRamBytesMax = std::int64_t{1} << 44;

Result<link::CacheBudget> budget_of(const std::string& body) {
  TRY_ASSIGN(const Json asked, Json::parse(body));
  const Json* ram = asked.is_object() ? asked.find("ram_bytes") : nullptr;
  if (ram != nullptr && ram->is_string() && ram->as_string() == "auto") return link::CacheBudget{};
  if (ram != nullptr && ram->is_integer() && ram->as_integer() >= 0 && ram->as_integer() <= kRamBytesMax)
    return link::CacheBudget{.automatic = false, .ram_bytes = static_cast<std::uint64_t>(ram->as_integer())};
  return fail(ErrorKind::InvalidInput, "ram_bytes: give a number of bytes, 0 for no cache in RAM, or \"auto\"");
}

}  // namespace

void answer_cache_budget(const std::shared_ptr<Call>& call, const ServedModels& models) {
  const auto budget = budget_of(call->request().body);
  if (!budget) return call->respond_error(budget.error());
  for (const auto& model : models.all()) model->engine->set_cache_budget(*budget);
  const Json set = budget->automatic ? Json("auto") : Json(budget->ram_bytes);
  call->respond_json(200, Json::object({{"ram_bytes", set}}));
}

}  // namespace hearth::server
