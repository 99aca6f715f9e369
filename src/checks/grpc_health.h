// The two messages of grpc.health.v1.Health/Check, in the frames of gRPC. Pure.
//
// Written and read by hand: the question is one string field, the answer one enum field, and protobuf's
// library (3 MB, and generated code) would be the largest part of the program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace probegate::checks {

// HealthCheckRequest { string service = 1; }
std::string grpc_health_question(std::string_view service);

// The number of HealthCheckResponse { ServingStatus status = 1; }; nothing where frame or message is broken.
// Fields we do not know are skipped, as protobuf wants it.
std::optional<std::uint64_t> grpc_serving_status(std::string_view body);

}  // namespace probegate::checks
