#include "config/fields.h"

#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "config/compare.h"
#include "config/describe.h"
#include "config/effective.h"
#include "config/node.h"
#include "config/references.h"
#include "config/scalars.h"
#include "config/secrets.h"
#include "config/wrong_names.h"

namespace probegate::config {
namespace {

Result<std::string> read_secret_file(const std::string& path) {
  constexpr std::size_t kLimit = 64 * 1024;
  auto content = read_file(path, kLimit);
  if (content) content->resize(without_line_ends(*content).size());
  return content;
}

std::shared_ptr<Node> unread_copy(const Node& node) {
  auto copy = std::make_shared<Node>(node);
  copy->shown.clear();
  copy->secret_files.clear();
  for (auto& item : copy->items) item = unread_copy(*item);
  for (auto& entry : copy->entries) entry.value = unread_copy(*entry.value);
  return copy;
}

void collect_secret_files(const Node& node, std::vector<SecretFile>& files) {
  for (const auto& file : node.secret_files) {
    const auto same = [&](const SecretFile& known) { return known.path == file.path; };
    if (std::none_of(files.begin(), files.end(), same)) files.push_back(file);
  }
  for (const auto& entry : node.entries) collect_secret_files(*entry.value, files);
}

// Users may write the secret itself in place of its file, so a path is shown only if its directory exists.
std::string shown_path(const std::string& path) {
  const auto slash = path.rfind('/');
  const bool is_path = path.starts_with('/') && slash > 0 && access(path.substr(0, slash).c_str(), F_OK) == 0;
  return is_path ? quote(path) : "must be the path of a file; the value is not shown";
}

}  // namespace

Fields::Fields() : Fields(std::make_shared<Node>(), std::make_shared<Problems>("")) {}

Fields::Fields(std::shared_ptr<Node> node, std::shared_ptr<Problems> problems)
    : node_(std::move(node)), problems_(std::move(problems)) {}

const std::string& Fields::path() const { return node_->path; }

bool Fields::has(std::string_view key) const { return !is_null(node_->find(key)); }

bool Fields::broken() const { return node_->broken; }

std::vector<std::string> Fields::keys() const {
  std::vector<std::string> keys;
  for (const auto& entry : node_->entries) keys.push_back(entry.key);
  return keys;
}

std::string Fields::from_variable(std::string_view key) const {
  const Node* node = node_->find(key);
  return node == nullptr ? std::string() : node->variable;
}

std::string Fields::written(std::string_view key) const {
  const Node* node = node_->find(key);
  return node != nullptr && node->kind == Node::Kind::scalar && !node->broken ? node->text : std::string();
}

std::string Fields::text(std::string_view key, std::string_view fallback) const {
  const Node* node = scalar(key, "a string");
  std::string value(node ? std::string_view(node->text) : fallback);
  record({std::string(key), "text", yaml_value(value), {}, {}});
  return value;
}

std::optional<std::string> Fields::optional_text(std::string_view key) const {
  const Node* node = scalar(key, "a string");
  record({std::string(key), "text", node ? yaml_value(node->text) : "null", {}, {}});
  if (!node) return std::nullopt;
  return node->text;
}

bool Fields::boolean(std::string_view key, bool fallback) const {
  constexpr std::string_view kExpected = "true or false";
  bool value = fallback;
  if (const Node* node = scalar(key, kExpected)) {
    if (const auto parsed = parse_boolean(node->text)) {
      value = *parsed;
    } else {
      expected(key, kExpected, boolean_hint(node->text));
    }
  }
  record({std::string(key), "boolean", value ? "true" : "false", {}, {}});
  return value;
}

std::int64_t Fields::integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                             std::int64_t max) const {
  const auto what = "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  std::int64_t value = fallback;
  if (const Node* node = scalar(key, what)) {
    const auto parsed = parse_integer(node->text);
    if (parsed && *parsed >= min && *parsed <= max) {
      value = *parsed;
    } else {
      expected(key, what);
    }
  }
  record(
      {std::string(key), "integer", std::to_string(value), {std::to_string(min), std::to_string(max)}, {}});
  return value;
}

int Fields::integer_or_auto(std::string_view key, int fallback, int resolved, int min, int max) const {
  const auto what = "auto or a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  int value = fallback;
  if (const Node* node = scalar(key, what)) {
    const auto parsed = parse_integer(node->text);
    if (node->text == "auto") {
      value = resolved;
    } else if (parsed && *parsed >= min && *parsed <= max) {
      value = static_cast<int>(*parsed);
    } else {
      expected(key, what);
    }
  }
  record({std::string(key),
          "integer_or_auto",
          std::to_string(value),
          {std::to_string(min), std::to_string(max)},
          {}});
  return value;
}

Duration Fields::duration(std::string_view key, Duration fallback, Duration min) const {
  std::string what = "a duration such as 250ms, 2s, 1m30s or 1h";
  if (min > Duration{0}) what += ", at least " + format_duration(min);
  Duration value = fallback;
  if (const Node* node = scalar(key, what)) {
    const auto parsed = parse_duration(node->text);
    if (parsed && *parsed >= min) {
      value = *parsed;
    } else {
      expected(key, what, duration_hint(node->text));
    }
  }
  record({std::string(key), "duration", format_duration(value), {}, {}});
  return value;
}

std::uint64_t Fields::size(std::string_view key, std::uint64_t fallback) const {
  constexpr std::string_view kExpected = "a size such as 512, 64KiB, 1MiB or 1GiB";
  std::uint64_t value = fallback;
  if (const Node* node = scalar(key, kExpected)) {
    if (const auto parsed = parse_size(node->text)) {
      value = *parsed;
    } else {
      expected(key, kExpected, size_hint(node->text));
    }
  }
  record({std::string(key), "size", format_size(value), {}, {}});
  return value;
}

std::string Fields::choose(std::string_view key, std::string_view fallback,
                           const std::vector<std::string_view>& allowed) const {
  const auto what = "one of " + joined(allowed);
  std::string value(fallback);
  if (const Node* node = scalar(key, what)) {
    if (std::find(allowed.begin(), allowed.end(), node->text) != allowed.end()) {
      value = node->text;
    } else {
      expected(key, what, value_hint(node->text, allowed));
    }
  }
  record({std::string(key), "choice", yaml_value(value), {allowed.begin(), allowed.end()}, {}});
  return value;
}

Endpoint Fields::endpoint(std::string_view key, std::string_view fallback) const {
  auto value = *Endpoint::parse(fallback);
  if (const Node* node = scalar(key, "host:port, [v6]:port or unix:/path")) {
    if (auto parsed = Endpoint::parse(node->text)) {
      value = std::move(*parsed);
    } else {
      problem(key, quote(node->text) + ": " + parsed.error().message);
    }
  }
  record({std::string(key), "endpoint", yaml_value(value.to_string()), {}, {}});
  return value;
}

std::optional<std::string> Fields::secret(std::string_view key) const {
  return read_secret(key, "secret", [](std::string_view) { return std::string(kHidden); });
}

std::optional<std::string> Fields::private_text(std::string_view key) const {
  refuse_placeholder(key, [](std::string_view text) { return text == kHidden; });
  const Node* node = scalar(key, "a string");
  const auto hide = [](std::string_view text) { return std::string(text.empty() ? text : kHidden); };
  const std::string value = node ? node->text : "";
  record({std::string(key), "text", node ? reloadable(*node, hide) : "null", {}, {}, value});
  if (!node) return std::nullopt;
  return value;
}

std::optional<std::string> Fields::secret_url(std::string_view key) const {
  return plain(key, read_secret(key, "secret_url", hide_in_url));
}

std::optional<std::string> Fields::secret_path_url(std::string_view key) const {
  return plain(key, read_secret(key, "secret_url", hide_path_of_url));
}

std::optional<std::string> Fields::plain(std::string_view key, const std::optional<std::string>& text) const {
  if (!text) return std::nullopt;
  auto address = plain_address(*text);
  if (address) return *std::move(address);
  problem(key, address.error().message);
  break_off(key);
  return std::nullopt;
}

std::optional<std::string> Fields::read_secret(std::string_view key, std::string_view kind,
                                               const Hide& hide) const {
  const std::string twin = std::string(key) + "_file";
  refuse_placeholder(key, has_placeholder);
  const Node* node = scalar(key, "a string");
  const Node* file = scalar(twin, "the path of a file");
  if (has(key) && has(twin)) contradiction(twin, std::string(key) + " is set too; keep one of the two");

  std::optional<std::string> value;
  if (node) {
    value = without_line_ends(node->text);
  } else if (file) {
    const bool is_address = kind == "secret_url";
    node_->secret_files.push_back({file->text, is_address});
    auto content = read_secret_file(file->text);
    if (content && !is_address && begins_with_mark(*content))
      content = failure(
          "begins with a byte order mark, which would become part of the secret; save the file as UTF-8 "
          "without one");
    if (content) {
      value = std::move(*content);
    } else if (!problems_->rendering()) {
      problem(twin, shown_path(file->text) + ": " + content.error().message);
      break_off(twin);
    }
  }
  std::optional<std::string> shown;
  if (!file) shown = node ? reloadable(*node, hide) : "null";
  record({std::string(key), std::string(kind), shown, {}, {}, value.value_or("")});
  record({twin, "file", file ? std::optional(yaml_value(file->text)) : std::nullopt, {}, {}});
  return value;
}

void Fields::refuse_placeholder(std::string_view key, bool (*stands_in)(std::string_view)) const {
  const Node* written = scalar(key, "a string");
  if (written == nullptr || !stands_in(written->text)) return;
  problem(key, kFillIn);
  break_off(key);
}

void Fields::report(const Node& node, std::string_view path, std::string_view message, bool at_key) const {
  if (!node.variable.empty()) {
    problems_->add_variable(node.variable, message);
  } else {
    problems_->add(at_key ? node.key_mark : node.mark, path, message);
  }
}

void Fields::break_off(std::string_view key) const {
  for (const auto& name : {std::string(key), std::string(key) + "_file"}) {
    if (Node* node = node_->find(name)) node->broken = true;
  }
}

void Fields::problem(std::string_view key, std::string_view message) const {
  const Node* node = node_->find(key);
  if (is_null(node)) {  // a value read from a file is reported at its _file key
    if (const Node* twin = node_->find(std::string(key) + "_file"); !is_null(twin)) {
      if (!twin->broken) report(*twin, join_path(node_->path, std::string(key) + "_file"), message, false);
      return;
    }
  }
  if (node && node->broken) return;
  report(node ? *node : *node_, join_path(node_->path, key), message, !node);
}

void Fields::item_problem(std::string_view key, std::size_t item, std::string_view message) const {
  const Node* node = node_->find(key);
  if (!node || item >= node->items.size()) return problem(key, message);
  if (node->items[item]->broken) return;
  report(*node->items[item], join_path(node_->path, key), message, false);
}

void Fields::entry_problem(std::string_view key, std::string_view entry, std::string_view message) const {
  const Node* map = node_->find(key);
  const Node* node = map ? map->find(entry) : nullptr;
  if (!node) return problem(key, message);
  if (node->broken) return;
  report(*node, join_path(join_path(node_->path, key), entry), message, false);
}

void Fields::contradiction(std::string_view key, std::string_view message) const {
  const Node* node = node_->find(key);
  if (node && node->broken) return;
  report(node ? *node : *node_, join_path(node_->path, key), message, true);
}

void Fields::problem_here(std::string_view message) const { report(*node_, node_->path, message, true); }

void Fields::expected(std::string_view key, std::string_view what, std::string_view hint) const {
  Node& node = *node_->find(key);
  problem(key, "must be " + std::string(what) + ", not " + describe(node) + std::string(hint));
  node.broken = true;
}

const Node* Fields::scalar(std::string_view key, std::string_view what) const {
  const Node* node = node_->find(key);
  if (is_null(node) || node->broken) return nullptr;
  if (node->kind == Node::Kind::scalar) return node;
  expected(key, what);
  return nullptr;
}

void Fields::record(Shown shown) const {
  for (auto& known : node_->shown) {
    if (known.key == shown.key) {
      known = std::move(shown);
      return;
    }
  }
  node_->shown.push_back(std::move(shown));
}

void Fields::show(std::string_view key, std::string_view value) const {
  for (auto& known : node_->shown) {
    if (known.key == key) known.value = yaml_value(value);
  }
}

void Fields::leave_out(std::string_view key) const {
  for (auto& known : node_->shown) {
    if (known.key == key) known.printed = false;
  }
}

void Fields::allow_unknown_keys() const { node_->open = true; }

void Fields::know(const std::vector<std::string_view>& keys) const {
  for (const auto key : keys) {
    const auto same = [&](const Shown& shown) { return shown.key == key; };
    if (std::none_of(node_->shown.begin(), node_->shown.end(), same))
      node_->shown.push_back({std::string(key), "unread", std::nullopt, {}, {}});
  }
}

std::vector<SecretFile> Fields::secret_files() const {
  std::vector<SecretFile> files;
  collect_secret_files(*node_, files);
  return files;
}

Fields Fields::unread() const { return {unread_copy(*node_), std::make_shared<Problems>("")}; }

std::string Fields::question() const { return question_of(*node_); }

}  // namespace probegate::config
