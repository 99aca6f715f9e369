#include "config/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace probegate::config {
namespace {

constexpr std::size_t kMaxNodes = 10'000;
constexpr std::size_t kMaxDepth = 32;
constexpr std::size_t kMaxKeyBytes = 256;
constexpr const char* kNoAliases = "aliases (*name) are not allowed; write the value out";

// The text split into lines, to convert yaml-cpp's marks (lines and byte columns from 0).
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text), starts_{0} {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }

  std::string_view line(std::size_t number) const {
    if (number >= starts_.size()) return {};
    const auto rest = text_.substr(starts_[number]);
    return rest.substr(0, rest.find('\n'));
  }

  std::string_view from(const YAML::Mark& mark) const {
    const auto line = static_cast<std::size_t>(std::max(mark.line, 0));
    if (line >= starts_.size()) return {};
    return text_.substr(
        std::min(starts_[line] + static_cast<std::size_t>(std::max(mark.column, 0)), text_.size()));
  }

  // Columns count characters, as editors do, not bytes. Counting continues from the previous mark, because a
  // line may be 1 MiB long.
  Mark mark(const YAML::Mark& mark) {
    if (mark.is_null()) return {1, 1};
    const auto column = static_cast<std::size_t>(mark.column);
    if (mark.line != last_.line || column < last_.column) last_ = {mark.line, 0, 0};
    const auto passed = line(static_cast<std::size_t>(mark.line)).substr(0, column).substr(last_.column);
    last_.inside += std::count_if(passed.begin(), passed.end(), [](char c) { return (c & 0xC0) == 0x80; });
    last_.column += passed.size();
    return {mark.line + 1, mark.column + 1 - static_cast<int>(last_.inside)};
  }

  Mark mark_at(std::size_t offset) {
    const auto next = std::upper_bound(starts_.begin(), starts_.end(), offset);
    YAML::Mark mark;
    mark.line = static_cast<int>(next - starts_.begin()) - 1;
    mark.column = static_cast<int>(offset - *(next - 1));
    return this->mark(mark);
  }

 private:
  struct Position {
    int line = 0;
    std::size_t column = 0;     // in bytes
    std::ptrdiff_t inside = 0;  // of these, UTF-8 continuation bytes
  };

  std::string_view text_;
  std::vector<std::size_t> starts_;
  Position last_;
};

// Length of the well-formed UTF-8 sequence at the front (RFC 3629: no surrogates, no overlong forms), or 0.
std::size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t size = lead >= 0xC2 && lead <= 0xDF   ? 2
                           : (lead & 0xF0) == 0xE0        ? 3
                           : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                          : 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
  if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
  return size;
}

// Reports bytes that must not reach yaml-cpp; true when there are none.
bool check_bytes(std::string_view text, Lines& lines, Problems& problems) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto size = utf8_sequence(text.substr(i));
    if (size == 0) {
      problems.add(lines.mark_at(i), "", "not UTF-8, the only encoding allowed");
      return false;
    }
    const bool line_end = c == '\n' || (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n');
    if ((c < 0x20 && c != '\t' && !line_end) || c == 0x7F) {
      problems.add(lines.mark_at(i), "", "a control character; write it as an escape such as \"\\x1b\"");
      return false;
    }
    i += size;
  }
  return true;
}

bool quote_is_closed(std::string_view text) {
  const char quote = text.front();
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '"' || i + 1 >= text.size() || text[i + 1] != quote) return true;
      ++i;  // '' is a quote inside '...'
    }
  }
  return false;
}

// Builds the tree from yaml-cpp's events. Throws YAML::ParserException for errors after which parsing cannot
// continue; other errors go to Problems.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(Lines& lines, Problems& problems) : lines_(lines), problems_(problems) {}

  std::shared_ptr<Node> take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (!started_) {
      started_ = true;
      return;
    }
    const bool marker = lines_.line(static_cast<std::size_t>(mark.line)).starts_with("---");
    throw YAML::ParserException(
        mark, marker || ended_by_dots(mark) ? "several documents; only one is allowed" : after_the_end(mark));
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add(mark, Node::Kind::null, "", ""); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw YAML::ParserException(mark, kNoAliases);
  }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    throw YAML::ParserException(mark, "anchors (&name) are not allowed; write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    const auto source = lines_.from(mark);
    if (tag == "!" && (source.starts_with('"') || source.starts_with('\'')) && !quote_is_closed(source)) {
      throw YAML::ParserException(mark, "unterminated quote");
    }
    add(mark, Node::Kind::scalar, tag, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, Node::Kind::list, tag);
  }
  void OnSequenceEnd() override { stack_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(mark, Node::Kind::map, tag);
  }
  void OnMapEnd() override { stack_.pop_back(); }

 private:
  struct Level {
    std::string path;
    std::shared_ptr<Node> node;                            // owners: its parent, or root_, and this stack
    std::optional<std::pair<std::string, Mark>> key = {};  // key that waits for its value
    bool duplicate = false;                                // the key is already in the mapping
    std::map<std::string, int> lines = {};                 // line of each key so far
  };

  bool ended_by_dots(const YAML::Mark& mark) const {
    for (auto line = mark.line - 1; line >= 0; --line) {
      const auto text = lines_.line(static_cast<std::size_t>(line));
      if (text.starts_with("...")) return true;
      if (text.find_first_not_of(" \t\r") != std::string_view::npos && !text.starts_with('#')) return false;
    }
    return false;
  }

  // The message when the first keys are indented more than the following ones.
  std::string after_the_end(const YAML::Mark& mark) const {
    const bool map = root_ && root_->kind == Node::Kind::map;
    if (!map || root_->mark.column <= mark.column + 1) return "unexpected text after the end of the mapping";
    return "line " + std::to_string(mark.line + 1) + " is indented less than the first key (line " +
           std::to_string(root_->mark.line) + "); give both the same indentation";
  }

  // The path of the next value.
  std::string next_path() const {
    if (stack_.empty()) return "";
    const auto& level = stack_.back();
    if (level.node->kind == Node::Kind::list) return item_path(level.path, level.node->items.size());
    return level.key ? join_path(level.path, level.key->first) : level.path;
  }

  void open(const YAML::Mark& mark, Node::Kind kind, const std::string& tag) {
    if (stack_.size() >= kMaxDepth) throw YAML::ParserException(mark, "nested too deeply");
    auto path = next_path();
    auto node = add(mark, kind, tag, "");
    stack_.push_back({std::move(path), std::move(node)});
  }

  std::shared_ptr<Node> add(const YAML::Mark& mark, Node::Kind kind, const std::string& tag,
                            const std::string& text) {
    if (!tag.empty() && tag != "?" && tag != "!")
      throw YAML::ParserException(mark, "tags (!name) are not allowed");
    if (++count_ > kMaxNodes) throw YAML::ParserException(mark, "too many values");
    auto* parent = stack_.empty() ? nullptr : &stack_.back();
    if (parent && parent->node->kind == Node::Kind::map && !parent->key) {
      begin_entry(*parent, mark, kind, text);
      return nullptr;
    }
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->mark = node->key_mark = lines_.mark(mark);
    node->text = text;
    if (!parent) {
      root_ = node;
    } else if (parent->node->kind == Node::Kind::list) {
      parent->node->items.push_back(node);
    } else {
      node->key_mark = parent->key->second;
      if (kind == Node::Kind::null) node->mark = node->key_mark;  // yaml-cpp's mark may be on a later line
      if (!parent->duplicate) parent->node->entries.push_back({parent->key->first, node});
      parent->key.reset();
    }
    return node;
  }

  void begin_entry(Level& level, const YAML::Mark& mark, Node::Kind kind, const std::string& key) {
    if (kind != Node::Kind::scalar) throw YAML::ParserException(mark, "a key must be plain text");
    if (key.size() > kMaxKeyBytes) throw YAML::ParserException(mark, "a key longer than 256 bytes");
    level.key = {key, lines_.mark(mark)};
    const auto [first, is_new] = level.lines.emplace(key, mark.line + 1);
    level.duplicate = !is_new;
    if (level.duplicate) {
      problems_.add(level.key->second, next_path(),
                    "duplicate key, the first one is on line " + std::to_string(first->second));
    }
  }

  Lines& lines_;
  Problems& problems_;
  std::vector<Level> stack_;
  std::shared_ptr<Node> root_;  // owners: this until take_root(), then load()
  std::size_t count_ = 0;
  bool started_ = false;
};

std::size_t indent_of(std::string_view line) {
  const auto indent = line.find_first_not_of(' ');
  return indent == std::string_view::npos ? line.size() : indent;
}

bool has_content(std::string_view line) {
  const auto begin = line.find_first_not_of(" \t\r");
  return begin != std::string_view::npos && line[begin] != '#';
}

// The nearest line above that is indented less (with `otherwise`: differently); 0: none.
int line_above(const Lines& lines, int number, bool otherwise) {
  const auto indent = indent_of(lines.line(static_cast<std::size_t>(number) - 1));
  for (int above = number - 1; above > 0; --above) {
    const auto line = lines.line(static_cast<std::size_t>(above) - 1);
    if (!has_content(line)) continue;
    if (otherwise ? indent_of(line) != indent : indent_of(line) < indent) return above;
  }
  return 0;
}

// A key indented below a key that already has a value: a common mistake, which YAML parses as
// a multi-line string.
bool report_deeper_key(int number, const Lines& lines, Problems& problems) {
  const auto line = lines.line(static_cast<std::size_t>(number) - 1);
  const int above = line_above(lines, number, false);
  if (above == 0) return false;
  const auto upper = trim(lines.line(static_cast<std::size_t>(above) - 1));
  const auto colon = upper.find(": ");
  const auto key = trim(line);
  if (key.find(':') == std::string_view::npos || colon == std::string_view::npos) return false;
  problems.add({number, static_cast<int>(indent_of(line)) + 1}, "",
               "line " + std::to_string(number) + " is indented more than line " + std::to_string(above) +
                   ", whose key already has a value; give both the same indentation, or quote the text");
  return true;
}

std::string explain_indentation(int number, const Lines& lines) {
  const auto indent = indent_of(lines.line(static_cast<std::size_t>(number) - 1));
  std::string text = "the indentation matches none of the lines above: line " + std::to_string(number) +
                     " is indented by " + std::to_string(indent);
  if (const int above = line_above(lines, number, true); above > 0) {
    text += ", line " + std::to_string(above) + " by " +
            std::to_string(indent_of(lines.line(static_cast<std::size_t>(above) - 1)));
  }
  return text;
}

// yaml-cpp's messages describe its grammar; these describe the mistake.
std::string explain(const YAML::ParserException& error, Lines& lines) {
  const auto line = lines.line(static_cast<std::size_t>(std::max(error.mark.line, 0)));
  if (error.msg.find("flow") != std::string::npos) {
    if (line.find("${") != std::string_view::npos)
      return "a value with ${...} inside [ ] or { } needs quotes";
    return "a [ or { is not closed, or closed twice, or a value inside needs quotes";
  }
  if (error.msg == "illegal map value") return "unexpected colon; check the indentation, or quote the text";
  if (error.msg == "end of map not found" || error.msg == "end of sequence not found") {
    return explain_indentation(error.mark.line + 1, lines);
  }
  if (error.msg == "the referenced anchor is not defined") return kNoAliases;
  if (error.msg == "unknown token") return "a value cannot begin with this character; quote the text";
  return error.msg;
}

void report(const YAML::ParserException& error, Lines& lines, Problems& problems) {
  if (!error.mark.is_null()) {
    const auto line = lines.line(static_cast<std::size_t>(error.mark.line));
    const auto tab = line.find('\t');
    if (tab != std::string_view::npos && line.find_first_not_of(" \t") > tab) {
      problems.add({error.mark.line + 1, static_cast<int>(tab) + 1}, "",
                   "a TAB in the indentation; YAML indents with spaces only");
      return;
    }
  }
  const bool colon = error.msg == "illegal map value" && !error.mark.is_null();
  if (colon && report_deeper_key(error.mark.line + 1, lines, problems)) return;
  problems.add(lines.mark(error.mark), "", explain(error, lines));
}

}  // namespace

std::shared_ptr<Node> parse_document(const std::string& text, Problems& problems) {
  if (text.size() > kMaxDocumentBytes) {
    problems.add({}, "", "larger than 1 MiB, the limit");
    return nullptr;
  }
  const std::string_view bom = "\xEF\xBB\xBF";  // yaml-cpp skips it too, and does not count it
  const auto body = std::string_view(text).substr(text.starts_with(bom) ? bom.size() : 0);
  Lines lines(body);
  if (!check_bytes(body, lines, problems)) return nullptr;

  std::istringstream stream{std::string(body)};
  TreeBuilder builder(lines, problems);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::ParserException& error) {
    report(error, lines, problems);
    return nullptr;
  }
  auto root = builder.take_root();
  if (!root || root->kind == Node::Kind::null) return std::make_shared<Node>();
  if (root->kind != Node::Kind::map) {
    problems.add(root->mark, "", "the file must be a mapping of keys to values, such as \"proxy:\"");
    return nullptr;
  }
  root->mark = root->key_mark = {1, 1};
  return root;
}

}  // namespace probegate::config
