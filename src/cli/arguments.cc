#include "cli/arguments.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/redaction.h"
#include "base/url.h"

namespace probegate::cli {
namespace {

bool takes_header(const std::string& option) { return option == "--header" || option == "-H"; }

std::string shown_header(const std::string& header) {
  const auto colon = std::min(header.find(':'), header.size());
  return is_harmless_header(header.substr(0, colon)) ? header : header.substr(0, colon) + ":***";
}

}  // namespace

std::string shown_argument(const std::string& before, const std::string& argument) {
  if (takes_header(before)) return shown_header(argument);
  const auto equals = argument.find('=');
  if (argument.starts_with("--") && equals != std::string::npos) {
    const auto option = argument.substr(0, equals);
    return option + "=" + shown_argument(option, argument.substr(equals + 1));
  }
  return argument.starts_with('/') || argument.starts_with('-') ? argument : redact_url(argument);
}

Arguments::Arguments(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) texts_.emplace_back(argv[i]);
  for (auto& text : texts_) pointers_.push_back(text.data());
  pointers_.push_back(nullptr);
  for (int i = 1; i < argc; ++i) {
    const auto& text = texts_[static_cast<std::size_t>(i)];
    auto shown = shown_argument(texts_[static_cast<std::size_t>(i) - 1], text);
    if (shown == text) continue;
    shown.resize(text.size(), '\0');  // overwrites the whole argument
    std::memcpy(argv[i], shown.data(), shown.size());
  }
}

std::string without_secrets(std::string text, const std::vector<std::string>& arguments) {
  std::string before;
  for (const auto& argument : arguments) {
    const auto shown = shown_argument(std::exchange(before, argument), argument);
    if (shown == argument) continue;
    for (auto at = text.find(argument); at != std::string::npos;
         at = text.find(argument, at + shown.size())) {
      text.replace(at, argument.size(), shown);
    }
  }
  return text;
}

}  // namespace probegate::cli
