// Writes a head again in a form that llhttp supports, so that llhttp checks our interpretation of it. For
// heads that are not plain: a method that llhttp does not know, a later version of HTTP/1, a blank before a
// colon, "Transfer-Encoding: identity".
#pragma once

#include <string>

#include "proto/http_message.h"

namespace probegate::proto {

std::string plain_head(const RequestHead& head);
std::string plain_head(const ResponseHead& head);

}  // namespace probegate::proto
