// The identity of a model by what its files hold, whatever they are called and wherever they lie: so that state on a disk is
// found again after a move, and never used with another model of the same name. Any thread.
#pragma once

#include <string>

#include "base/digest.h"
#include "base/result.h"
#include "engine/gguf_probe.h"

namespace hearth::engine {

// Of a model's file, and of the others of a split one. Not every byte is read, which would take as long as loading: the size, the
// first 16 MiB (all metadata, the vocabulary, the table of tensors), 4 KiB at 4,096 places spread over the file, and of
// every tensor of the first file its beginning, middle and end. Takes some 30 ms when the file is in memory anyway.
[[nodiscard]] Result<Digest> model_digest(const std::string& path, const GgufHeader& header);

}  // namespace hearth::engine
