// The two messages of grpc.health.v1.Health/Check, in the frames of gRPC. Pure.
//
// Hand-written: the request has one string field, the response one enum field, and the protobuf library (3
// MB, and generated code) would be the largest part of the program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace probegate::checks {

// HealthCheckRequest { string service = 1; }
std::string grpc_health_question(std::string_view service);

// The status of HealthCheckResponse { ServingStatus status = 1; }; empty if frame or message is malformed.
// Unknown fields are skipped, as protobuf requires.
std::optional<std::uint64_t> grpc_serving_status(std::string_view body);

}  // namespace probegate::checks
