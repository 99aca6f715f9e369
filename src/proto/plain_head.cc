#include "proto/plain_head.h"

#include "base/text.h"

namespace probegate::proto {
namespace {

void append_fields(const HeaderFields& fields, std::string& out) {
  for (const HeaderField& field : fields) {
    if (field.known == FieldName::transfer_encoding && iequals(field.value, "identity")) continue;
    out.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  out.append("\r\n");
}

}  // namespace

// Llhttp gives POST no special meaning.
std::string plain_head(const RequestHead& head) {
  std::string out = "POST ";
  out.append(head.target).append(" HTTP/1.").append(std::to_string(head.minor)).append("\r\n");
  append_fields(head.fields, out);
  return out;
}

std::string plain_head(const ResponseHead& head) {
  std::string out = "HTTP/1." + std::to_string(head.minor) + " " + std::to_string(head.status) + " ";
  out.append(head.reason).append("\r\n");
  append_fields(head.fields, out);
  return out;
}

}  // namespace probegate::proto
