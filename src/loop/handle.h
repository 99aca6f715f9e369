// Handle<Block>: sole owner of a libuv handle, and the only caller of uv_close.
//
// A Block is a heap struct with the members `uv` (the handle, or a union of handles), `loop`, `sink` and
// `owner`. Destroying the Handle clears `owner`, so that no callback reaches a destroyed object, and closes
// the handle; the Block exists until the close callback frees it. Therefore every object of this folder may
// be destroyed at any time, also inside its own callback.
#pragma once

#include <uv.h>

#include <memory>

#include "loop/loop.h"

namespace probegate::loop {

struct CloseHandle {
  template <typename Block>
  void operator()(Block* block) const noexcept {
    block->owner = nullptr;
    block->sink = block->loop.root_sink();
    uv_close(reinterpret_cast<uv_handle_t*>(&block->uv),
             [](uv_handle_t* handle) { delete static_cast<Block*>(handle->data); });
  }
};

template <typename Block>
using Handle = std::unique_ptr<Block, CloseHandle>;

}  // namespace probegate::loop
