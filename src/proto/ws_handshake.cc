#include "proto/ws_handshake.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>

#include "base/text.h"

namespace probegate::proto {
namespace {

std::string base64(std::span<const unsigned char> bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '\0');
  std::array<unsigned char, 64> buffer{};  // at most 20 bytes of input: 28 characters and EVP's NUL
  EVP_EncodeBlock(buffer.data(), bytes.data(), static_cast<int>(bytes.size()));
  std::copy_n(buffer.begin(), out.size(), out.begin());
  return out;
}

// One per thread: with EVP_sha1(), OpenSSL 3 looks up the digest by name on every use, which costs four times
// the digest itself. A context that keeps the digest avoids the lookup.
class Sha1 {
 public:
  using Digest = std::array<unsigned char, 20>;

  Digest of(std::string_view first, std::string_view second) {
    Digest digest{};
    const bool done = method_ && context_ &&
                      EVP_DigestInit_ex2(context_.get(), fresh_ ? method_.get() : nullptr, nullptr) == 1 &&
                      EVP_DigestUpdate(context_.get(), first.data(), first.size()) == 1 &&
                      EVP_DigestUpdate(context_.get(), second.data(), second.size()) == 1 &&
                      EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1;
    if (!done) throw std::runtime_error("OpenSSL does not provide SHA-1, which WebSocket handshakes require");
    fresh_ = false;
    return digest;
  }

 private:
  struct Free {
    void operator()(EVP_MD* method) const { EVP_MD_free(method); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD, Free> method_{EVP_MD_fetch(nullptr, "SHA1", nullptr)};
  std::unique_ptr<EVP_MD_CTX, Free> context_{EVP_MD_CTX_new()};
  bool fresh_ = true;
};

// 16 bytes in base64 are 22 characters of the alphabet and two of padding.
bool is_key(std::string_view text) {
  const auto in_alphabet = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return text.size() == 24 && text.ends_with("==") && std::all_of(text.begin(), text.end() - 2, in_alphabet);
}

template <typename Visit>
void for_each_element(const HeaderFields& fields, FieldName name, Visit visit) {
  for (const HeaderField& field : fields) {
    if (field.known != name) continue;
    ListReader list(field.value);
    for (std::string_view element; list.next(element);) visit(element);
  }
}

// "permessage-deflate; client_max_window_bits" -> "permessage-deflate"
std::string extension_name(std::string_view element) {
  return to_lower(trim(element.substr(0, element.find(';'))));
}

bool contains(const std::vector<std::string>& list, std::string_view wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

}  // namespace

std::string websocket_key(std::span<const unsigned char, 16> random) { return base64(random); }

std::string websocket_accept(std::string_view key) {
  static constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  thread_local Sha1 sha1;
  return base64(sha1.of(key, kGuid));
}

std::optional<HandshakeError> check_upgrade_request(const RequestHead& request) {
  if (request.fields.count(FieldName::websocket_key) != 1)
    return HandshakeError{400, "not exactly one Sec-WebSocket-Key"};
  if (!is_key(request.fields.get(FieldName::websocket_key))) {
    return HandshakeError{400, "a Sec-WebSocket-Key that is not 16 bytes in base64"};
  }
  if (request.fields.count(FieldName::websocket_version) != 1) {
    return HandshakeError{400, "not exactly one Sec-WebSocket-Version"};
  }
  if (request.fields.get(FieldName::websocket_version) != "13") {
    return HandshakeError{426, "a Sec-WebSocket-Version other than 13"};
  }
  return std::nullopt;
}

OfferedHandshake OfferedHandshake::of(const RequestHead& request) {
  OfferedHandshake offered;
  offered.accept = websocket_accept(request.fields.get(FieldName::websocket_key));
  for_each_element(request.fields, FieldName::websocket_protocol,
                   [&](std::string_view element) { offered.subprotocols.emplace_back(element); });
  for_each_element(request.fields, FieldName::websocket_extensions,
                   [&](std::string_view element) { offered.extensions.push_back(extension_name(element)); });
  return offered;
}

std::optional<std::string> check_upgrade_response(const ResponseHead& response,
                                                  const OfferedHandshake& offered) {
  const HeaderFields& fields = response.fields;
  if (response.status != 101) return "status " + std::to_string(response.status) + " instead of 101";
  if (response.minor < 1) return "a 101 in HTTP/1.0";
  if (fields.count(FieldName::upgrade) != 1 || !iequals(fields.get(FieldName::upgrade), "websocket")) {
    return "Upgrade is not websocket";
  }
  if (!fields.has_token(FieldName::connection, "upgrade")) return "Connection does not name Upgrade";
  if (fields.count(FieldName::websocket_accept) != 1) return "not exactly one Sec-WebSocket-Accept";
  if (fields.get(FieldName::websocket_accept) != offered.accept)
    return "Sec-WebSocket-Accept does not match the key";

  const auto subprotocols = fields.count(FieldName::websocket_protocol);
  const auto subprotocol = fields.get(FieldName::websocket_protocol);
  if (subprotocols > 1) return "two Sec-WebSocket-Protocol fields";
  if (subprotocols == 1 && !contains(offered.subprotocols, subprotocol)) {
    return "the subprotocol \"" + std::string(subprotocol) + "\" was not offered";
  }

  std::optional<std::string> wrong;
  for_each_element(fields, FieldName::websocket_extensions, [&](std::string_view element) {
    const std::string name = extension_name(element);
    if (!wrong && !contains(offered.extensions, name))
      wrong = "the extension \"" + name + "\" was not offered";
  });
  return wrong;
}

}  // namespace probegate::proto
