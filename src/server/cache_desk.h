// The desk of the prefix cache, /v1/hearth/cache/...: what people may ask of it and have done (docs/cache-desk.md). What is
// about one key's prompts answers for that key; what touches others' is for the operator, the first key.
#pragma once

#include <memory>
#include <string>

#include "documents/pdf_reader.h"
#include "server/access.h"
#include "server/call.h"
#include "server/request_log.h"
#include "server/served_models.h"

namespace hearth::server {

// Who asks, as far as the desk cares.
struct Viewer {
  std::string salt;
  bool is_operator = false;
  bool shares = false;  // several keys have one cache: a line may hold another key's words
};
[[nodiscard]] Viewer viewer_of(const AccessRules& rules, const Call& call);

void answer_cache_stats(const std::shared_ptr<Call>& call, const ServedModels& models);
void answer_cache_list(const std::shared_ptr<Call>& call, const ServedModels& models, const Viewer& viewer);
void answer_cache_why(const std::shared_ptr<Call>& call, const RequestLog& log, const Viewer& viewer);
void answer_cache_probe(const std::shared_ptr<Call>& call, const ServedModels& models, documents::PdfReader& pdfs);
enum class Hold { Pin, Unpin };
void answer_cache_hold(const std::shared_ptr<Call>& call, const ServedModels& models, Hold hold);
void answer_cache_clear(const std::shared_ptr<Call>& call, const ServedModels& models, const Viewer& viewer);
void answer_cache_export(const std::shared_ptr<Call>& call, const ServedModels& models);
void answer_cache_import(const std::shared_ptr<Call>& call, const ServedModels& models);

}  // namespace hearth::server
