// The client's side of an HTTP/1.1 request: reads its body from the client's bytes, and writes its answer to
// the client's connection.
//
// Owns: nothing of the connection; parser, kept bytes and stream belong to the session and outlive these.
// Called from: Session and Exchange.
#pragma once

#include <span>
#include <string>

#include "loop/stream.h"
#include "proto/http_parser.h"
#include "proxy/environment.h"
#include "proxy/request_stream.h"

namespace probegate::proxy {

class Http1Body final : public RequestBody {
 public:
  // `kept`: bytes that arrived after the head; they are read first.
  Http1Body(const Environment& environment, proto::HttpParser& parser, std::string& kept)
      : environment_(environment), parser_(parser), kept_(kept) {}

  // Bytes to read from, until take_rest().
  void offer(std::span<const char> bytes) { bytes_ = bytes; }
  bool has_rest() const { return !bytes_.empty(); }
  std::string take_rest();

  Step read(std::string_view& piece) override;
  std::uint64_t received() const override { return parser_.body_bytes(); }
  Refusal problem() const override;

 private:
  const Environment& environment_;
  proto::HttpParser& parser_;
  std::string& kept_;
  std::string taken_;  // taken from kept_
  std::span<const char> bytes_;
};

class Http1Answer final : public ResponseSink {
 public:
  Http1Answer(Environment& environment, loop::Stream& client, const proto::RequestHead& request)
      : environment_(environment), client_(client), request_(request) {}

  bool informational(const proto::ResponseHead& head) override;
  bool go_on() override { return client_.write("HTTP/1.1 100 Continue\r\n\r\n"); }
  bool takes_chunks() const override { return request_.minor > 0; }
  bool begin(const Beginning& beginning) override;
  bool body(std::string_view piece) override { return write(piece, {}); }
  void end(const proto::HeaderFields&) override {}  // the framing of the bytes shows the end
  void upgraded(const proto::ResponseHead& head) override;
  bool busy() const override { return client_.busy(); }

  bool keep_alive() const { return keep_alive_; }    // according to its head
  bool until_close() const { return until_close_; }  // it ends with the connection
  std::uint64_t bytes() const { return bytes_; }     // head and body, as written

 private:
  bool write(std::string_view first, std::string_view second);

  Environment& environment_;
  loop::Stream& client_;
  const proto::RequestHead& request_;
  std::uint64_t bytes_ = 0;
  bool keep_alive_ = false;
  bool until_close_ = false;
};

}  // namespace probegate::proxy
