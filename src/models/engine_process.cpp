// The one way to get an EngineProcess.
#include "models/engine_process.h"

#include <utility>

#include "models/supervisor.h"

namespace hearth::models {

Result<std::unique_ptr<EngineProcess>> EngineProcess::start(EngineSpec spec, Progress progress) {
  TRY_ASSIGN(WakePipe wake, WakePipe::open());
  auto supervisor = std::make_unique<Supervisor>(std::move(spec), std::move(progress), std::move(wake));
  TRY(supervisor->launch());
  return supervisor;
}

}  // namespace hearth::models
