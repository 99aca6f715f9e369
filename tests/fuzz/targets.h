// The fuzz targets: each takes any bytes and aborts when a promise of the codecs is broken.
#pragma once

#include <cstddef>
#include <cstdint>

void fuzz_http_request(const std::uint8_t* data, std::size_t size);
void fuzz_http_response(const std::uint8_t* data, std::size_t size);
void fuzz_ws_frames(const std::uint8_t* data, std::size_t size);
void fuzz_ws_handshake(const std::uint8_t* data, std::size_t size);
