#include "base/http_date.h"

#include <ctime>

namespace probegate {

void HttpDate::format(std::int64_t second) {
  std::tm utc{};
  const auto time = static_cast<std::time_t>(second);
  gmtime_r(&time, &utc);
  char text[64];
  text_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc));
  second_ = second;
}

}  // namespace probegate
