// TLS client without I/O: converts between ciphertext and plaintext. Uses OpenSSL 3 with memory BIOs, so it
// works with any transport.
//
// Errors: a failed TlsClient stays failed; why() is a readable message. Thread: that of the contexts.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace probegate::loop {

struct TlsSettings {
  std::string server_name;             // for SNI and verification; an IP literal is verified as an IP
  std::optional<std::string> ca_file;  // empty: the system's CA certificates
  bool verify = true;
  std::optional<std::string> cert_file = {};  // client certificate, with key_file
  std::optional<std::string> key_file = {};
};

struct FreeOpenSsl {
  void operator()(SSL_CTX* context) const noexcept;
  void operator()(SSL* ssl) const noexcept;
  void operator()(X509_STORE* store) const noexcept;
};

// The TLS contexts shared by all connections of one loop. Reading CA certificates takes milliseconds, so each
// set is read once, at its first use, and the system's set once for all loops; configured files are read
// again only when one of them was replaced.
class TlsContexts {
 public:
  TlsContexts();
  ~TlsContexts();
  TlsContexts(const TlsContexts&) = delete;
  TlsContexts& operator=(const TlsContexts&) = delete;

  // Owned by the contexts; valid as long as they exist, or until the next call with the same files.
  Result<SSL_CTX*> client(const TlsSettings& settings);
  static X509_STORE* system_store();  // for libraries with their own SSL_CTX; any thread

 private:
  struct Entry {
    std::unique_ptr<SSL_CTX, FreeOpenSsl> context;
    std::string files;  // identity of the files
  };
  std::map<std::string, Entry> contexts_;  // key: the settings
};

class TlsClient {
 public:
  enum class State {
    handshake,
    open,
    ended,  // the peer sent close_notify
    failed,
  };

  // Begins the handshake: take() returns its first bytes.
  TlsClient(TlsContexts& contexts, const TlsSettings& settings);
  ~TlsClient();

  State state() const { return state_; }
  const std::string& why() const { return why_; }

  // Bytes from the peer, at most one read buffer at a time; then call read() until it returns 0, and send the
  // bytes of take().
  void feed(std::span<const char> ciphertext);
  // Plaintext from the peer; 0: no more for now, or no more at all (see state()).
  std::size_t read(std::span<char> plaintext);
  // False once failed. Only while open.
  [[nodiscard]] bool write(std::string_view plaintext);
  void end();          // sends close_notify; no more data can be sent
  std::string take();  // ciphertext for the peer

  std::optional<Duration> certificate_left(WallTime now) const;
  // The peer requested a client certificate and none is set. With TLS 1.3 it can refuse that only after our
  // handshake is done.
  bool asked_in_vain() const { return anonymous_; }

 private:
  void advance();
  void fail(int result);
  std::string told(std::string_view what) const;
  static int on_certificate_asked(SSL* ssl, X509** certificate, EVP_PKEY** key) noexcept;

  std::unique_ptr<SSL, FreeOpenSsl> ssl_;
  std::string name_;
  State state_ = State::handshake;
  std::string why_;
  bool heard_ = false;      // the peer has sent something
  bool anonymous_ = false;  // it requested a client certificate and got none
};

// For libraries that do TLS themselves and give access to the session, which is null at first: whether the
// handshake is done, and then the error of the peer's certificate for this name.
bool handshake_done(const SSL* session);
std::optional<std::string> peer_problem(const SSL* session, const std::string& name);
std::optional<Duration> peer_certificate_left(const SSL* session, WallTime now);

// The time until the certificate expires; negative: expired.
std::optional<Duration> certificate_left(const X509* certificate, WallTime now);

}  // namespace probegate::loop
