// Reads requests with llhttp alone, strict or lenient, without the rules of src/proto in front of it, as many
// a backend does. What the proxy lets through must be the same requests to both, neither more nor fewer.
#pragma once

#include <llhttp.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace probegate::test {

struct ReadRequest {
  std::string method, target, body;
  std::string fields;  // "name: value\n" for each, trailers included
  bool upgrade = false;
  bool done = false;
};

struct SecondReading {
  std::vector<ReadRequest> requests;
  std::string error;  // empty: all of it was read
  std::string rest;   // behind an upgrade
};

namespace detail {

inline SecondReading& reading(llhttp_t* parser) { return *static_cast<SecondReading*>(parser->data); }

template <std::string ReadRequest::*Member>
int append(llhttp_t* parser, const char* at, std::size_t size) {
  (reading(parser).requests.back().*Member).append(at, size);
  return 0;
}

template <char... Text>
int append_text(llhttp_t* parser) {
  (reading(parser).requests.back().fields += ... += Text);
  return 0;
}

inline llhttp_settings_t second_settings() {
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_message_begin = [](llhttp_t* parser) {
    reading(parser).requests.emplace_back();
    return 0;
  };
  settings.on_url = append<&ReadRequest::target>;
  settings.on_body = append<&ReadRequest::body>;
  settings.on_header_field = append<&ReadRequest::fields>;
  settings.on_header_value = append<&ReadRequest::fields>;
  settings.on_header_field_complete = append_text<':', ' '>;
  settings.on_header_value_complete = append_text<'\n'>;
  settings.on_headers_complete = [](llhttp_t* parser) {
    ReadRequest& request = reading(parser).requests.back();
    request.method = llhttp_method_name(static_cast<llhttp_method_t>(parser->method));
    request.upgrade = parser->upgrade != 0;
    return 0;
  };
  settings.on_message_complete = [](llhttp_t* parser) {
    reading(parser).requests.back().done = true;
    return 0;
  };
  return settings;
}

inline bool is_known_method(std::string_view method) {
  for (int number = HTTP_DELETE; number <= HTTP_UNLINK; ++number) {
    if (method == llhttp_method_name(static_cast<llhttp_method_t>(number))) return true;
  }
  return false;
}

}  // namespace detail

// A method that llhttp does not know is read as POST; the first request has its own name all the same.
inline SecondReading read_again(std::string_view bytes, bool lenient) {
  const std::string method(bytes.substr(0, std::min(bytes.find(' '), bytes.size())));
  if (method.size() < bytes.size() && !method.empty() && !detail::is_known_method(method)) {
    SecondReading result = read_again("POST" + std::string(bytes.substr(method.size())), lenient);
    if (!result.requests.empty()) result.requests.front().method = method;
    return result;
  }
  static const llhttp_settings_t settings = detail::second_settings();
  SecondReading result;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &result;
  if (lenient) {
    llhttp_set_lenient_headers(&parser, 1);
    llhttp_set_lenient_chunked_length(&parser, 1);
    llhttp_set_lenient_keep_alive(&parser, 1);
  }
  const llhttp_errno_t error = llhttp_execute(&parser, bytes.data(), bytes.size());
  if (error == HPE_PAUSED_UPGRADE) {
    const auto read = static_cast<std::size_t>(llhttp_get_error_pos(&parser) - bytes.data());
    result.rest = bytes.substr(read);
  } else if (error != HPE_OK) {
    result.error = llhttp_errno_name(error);
  }
  return result;
}

}  // namespace probegate::test
