// TLS for a client, without I/O: ciphertext in, plaintext out. OpenSSL 3 over memory BIOs, so it fits any
// transport.
//
// Errors: a TlsClient that failed stays failed; why() is one sentence for people. Thread: that of the
// contexts.
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
  std::optional<std::string> ca_file;  // empty: the system's authorities
  bool verify = true;
  std::optional<std::string> cert_file = {};  // who we are, with key_file; for a server that asks
  std::optional<std::string> key_file = {};
};

struct FreeOpenSsl {
  void operator()(SSL_CTX* context) const noexcept;
  void operator()(SSL* ssl) const noexcept;
  void operator()(X509_STORE* store) const noexcept;
};

// What every TLS connection of one loop shares. Reading authorities takes milliseconds, so each set is read
// once, at its first use, the system's once for all loops; files that settings name are read again only when
// one of them was replaced.
class TlsContexts {
 public:
  TlsContexts();
  ~TlsContexts();
  TlsContexts(const TlsContexts&) = delete;
  TlsContexts& operator=(const TlsContexts&) = delete;

  // Ours for as long as the contexts live, or until the next call with the same files.
  Result<SSL_CTX*> client(const TlsSettings& settings);
  static X509_STORE* system_store();  // for libraries that bring their own SSL_CTX; any thread's

 private:
  struct Entry {
    std::unique_ptr<SSL_CTX, FreeOpenSsl> context;
    std::string files;  // which they were
  };
  std::map<std::string, Entry> contexts_;  // by what they were made from
};

class TlsClient {
 public:
  enum class State {
    handshake,
    open,
    ended,  // the peer sent close_notify
    failed,
  };

  // Begins the handshake: take() has its first bytes.
  TlsClient(TlsContexts& contexts, const TlsSettings& settings);
  ~TlsClient();

  State state() const { return state_; }
  const std::string& why() const { return why_; }

  // Bytes from the peer, at most one read buffer at a time; then read() until it gives 0, and send what
  // take() gives.
  void feed(std::span<const char> ciphertext);
  // Plaintext from the peer; 0: no more for now, or no more at all (see state()).
  std::size_t read(std::span<char> plaintext);
  // False once failed. Only while open.
  [[nodiscard]] bool write(std::string_view plaintext);
  void end();          // close_notify: we send no more
  std::string take();  // ciphertext for the peer

  std::optional<Duration> certificate_left(WallTime now) const;
  // The peer wanted to know who we are, and was told nothing. With TLS 1.3 it refuses that only when our
  // handshake is over.
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
  bool anonymous_ = false;  // it asked who we are, and got no certificate
};

// For libraries that do TLS by themselves and give us the session, null before there is one: whether the
// handshake is over, and what is then wrong with the peer's certificate for this name.
bool handshake_done(const SSL* session);
std::optional<std::string> peer_problem(const SSL* session, const std::string& name);
std::optional<Duration> peer_certificate_left(const SSL* session, WallTime now);

// How long until the certificate ends; negative: it has.
std::optional<Duration> certificate_left(const X509* certificate, WallTime now);

}  // namespace probegate::loop
