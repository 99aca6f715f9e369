#include "health/check_result.h"

namespace probegate::health {

std::string_view to_string(FailKind kind) {
  switch (kind) {
    case FailKind::config: return "config";
    case FailKind::resolve: return "resolve";
    case FailKind::connect: return "connect";
    case FailKind::tls: return "tls";
    case FailKind::auth: return "auth";
    case FailKind::protocol: return "protocol";
    case FailKind::answer: return "answer";
    case FailKind::missing_tables: return "missing_tables";
    case FailKind::timeout: return "timeout";
    case FailKind::internal: return "internal";
  }
  return "internal";
}

}  // namespace probegate::health
