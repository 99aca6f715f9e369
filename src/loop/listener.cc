#include "loop/listener.h"

#include <stdexcept>

namespace probegate::loop {
namespace {

constexpr int kBacklog = 1024;  // the kernel caps it at net.core.somaxconn

}  // namespace

Listener::Listener(Loop& loop, int descriptor, bool is_unix, std::function<void(Stream)> accepted) {
  auto block = std::make_unique<Block>(Block{{}, loop, loop.sink(), this, std::move(accepted)});
  int status = is_unix ? uv_pipe_init(loop.uv(), &block->uv.pipe, 0) : uv_tcp_init(loop.uv(), &block->uv.tcp);
  if (status < 0) throw std::runtime_error("cannot listen: " + error_text(status));
  block->uv.handle.data = block.get();
  block_.reset(block.release());  // from here on a failure closes the handle properly

  status = is_unix ? uv_pipe_open(&block_->uv.pipe, descriptor) : uv_tcp_open(&block_->uv.tcp, descriptor);
  if (status == 0) {
    status = uv_listen(&block_->uv.stream, kBacklog, [](uv_stream_t* server, int error) {
      auto* self = static_cast<Block*>(server->data);
      if (error == 0 && self->owner != nullptr) self->loop.enter(self->sink, [self] { accept(*self); });
    });
  }
  if (status < 0) throw std::runtime_error("cannot listen: " + error_text(status));
}

void Listener::accept(Block& block) {
  const bool is_unix = block.uv.handle.type == UV_NAMED_PIPE;
  Stream stream;
  auto connection = std::make_unique<Stream::Block>(block.loop, &stream, nullptr);
  if (connection->init(is_unix ? AF_UNIX : AF_INET) < 0) return;
  stream.block_.reset(connection.release());
  if (uv_accept(&block.uv.stream, &stream.block_->uv.stream) == 0) block.accepted(std::move(stream));
}

}  // namespace probegate::loop
