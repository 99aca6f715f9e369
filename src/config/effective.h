// The effective configuration: every key that was read, in reading order, as YAML that can be loaded again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/node.h"

namespace probegate::config {

std::string effective_yaml(const Node& root);

std::string yaml_value(std::string_view text);  // one scalar; `$` is doubled, since loading expands it
std::string yaml_key(std::string_view text);
std::string yaml_list(const std::vector<std::string>& texts);

}  // namespace probegate::config
