// TLS for tests: certificates made on the spot, and a server side that stands before any plain-text peer.
//
//   Authority ca("test authority");
//   FakePeer peer(loop, {...});
//   TlsFront front(loop, ca.issue({.names = {"localhost"}}), peer.endpoint());
#pragma once

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "loop/listen_socket.h"
#include "loop/listener.h"
#include "loop/loop.h"
#include "loop/stream.h"

namespace probegate::test {

struct FreeTls {
  void operator()(X509* p) const { X509_free(p); }
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
};
template <typename T>
using Tls = std::unique_ptr<T, FreeTls>;

struct Certificate {
  Tls<EVP_PKEY> key;
  Tls<X509> x509;
};

struct CertificateWish {
  std::vector<std::string> names = {"localhost"};  // DNS names; an IP as "IP:127.0.0.1"
  long starts_in_days = -2;
  long ends_in_days = 30;
};

// A row of a table: what a client that asks for `server_name` makes of such a certificate.
struct TlsCase {
  std::string name;
  CertificateWish wish;
  std::string server_name;
  std::string why;  // it is refused; empty: it is not
};

inline void add_extension(X509* subject, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, subject, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) throw std::runtime_error("bad certificate extension " + value);
  X509_add_ext(subject, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signed by `issuer`, or by itself.
inline Certificate make_certificate(const std::string& common_name, const CertificateWish& wish,
                                    bool authority, const Certificate* issuer) {
  static long serial = 1;
  Certificate made{Tls<EVP_PKEY>(EVP_EC_gen("P-256")), Tls<X509>(X509_new())};
  X509* x509 = made.x509.get();
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x509), wish.starts_in_days * 86'400);
  X509_gmtime_adj(X509_getm_notAfter(x509), wish.ends_in_days * 86'400);
  X509_set_pubkey(x509, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  const Certificate& signer = issuer != nullptr ? *issuer : made;
  X509_set_issuer_name(x509, X509_get_subject_name(signer.x509.get()));
  add_extension(x509, signer.x509.get(), NID_basic_constraints, authority ? "critical,CA:TRUE" : "CA:FALSE");
  std::string alternatives;
  for (const std::string& name : wish.names) {
    alternatives += (alternatives.empty() ? "" : ",") + (name.starts_with("IP:") ? name : "DNS:" + name);
  }
  if (!authority && !alternatives.empty()) {
    add_extension(x509, signer.x509.get(), NID_subject_alt_name, alternatives);
  }
  if (X509_sign(x509, signer.key.get(), EVP_sha256()) == 0) throw std::runtime_error("cannot sign");
  return made;
}

inline Certificate self_signed(const CertificateWish& wish = {}) {
  return make_certificate("self-signed", wish, false, nullptr);
}

// A private authority and the file that a client is given to trust it.
class Authority {
 public:
  explicit Authority(const std::string& name)
      : root_(make_certificate(name, {}, true, nullptr)),
        file_("/tmp/probegate-ca-" + std::to_string(::getpid()) + "-" + name + ".pem") {
    FILE* out = std::fopen(file_.c_str(), "w");
    if (out == nullptr) throw std::runtime_error("cannot write " + file_);
    PEM_write_X509(out, root_.x509.get());
    std::fclose(out);
  }
  ~Authority() { std::filesystem::remove(file_); }
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  const std::string& file() const { return file_; }
  // The name under which OpenSSL looks for it in a directory.
  std::string hash() const {
    char text[16];
    std::snprintf(text, sizeof text, "%08lx",
                  X509_NAME_hash_ex(X509_get_subject_name(root_.x509.get()), nullptr, nullptr, nullptr));
    return text;
  }
  Certificate issue(const CertificateWish& wish = {}) const {
    return make_certificate("issued", wish, false, &root_);
  }

 private:
  Certificate root_;
  std::string file_;
};

// Ends TLS and passes the plain bytes on to `target`, both ways. Handles one direction at a time in 16 KiB
// pieces and does not care about back-pressure: tests send little through it.
class TlsFront {
 public:
  TlsFront(loop::Loop& loop, Certificate certificate, Endpoint target, int newest_version = TLS1_3_VERSION,
           const Endpoint& listen = Endpoint::tcp("127.0.0.1", 0))
      : loop_(loop),
        certificate_(std::move(certificate)),
        target_(std::move(target)),
        context_(SSL_CTX_new(TLS_server_method())),
        socket_(*loop::ListenSocket::bind(listen)),
        listener_(loop, *socket_.duplicate(), false, [this](loop::Stream stream) {
          links_.push_back(std::make_unique<Link>(*this, std::move(stream)));
        }) {
    SSL_CTX_set_max_proto_version(context_.get(), newest_version);
    SSL_CTX_set_security_level(context_.get(), 0);  // so that a test may offer a version nobody should speak
    SSL_CTX_use_certificate(context_.get(), certificate_.x509.get());
    SSL_CTX_use_PrivateKey(context_.get(), certificate_.key.get());
  }

  const Endpoint& endpoint() const { return socket_.endpoint(); }
  std::uint16_t port() const { return endpoint().port; }
  std::size_t connections() const { return links_.size(); }
  std::string server_name() const { return links_.back()->server_name; }  // SNI of the newest client
  bool client_said_goodbye() const { return links_.back()->goodbye; }     // close_notify of the newest client

 private:
  struct Link {
    struct Side final : loop::StreamObserver {
      explicit Side(Link& l) : link(l) {}
      void on_connected(int) override { link.pump(); }
      void on_data(std::span<const char> bytes) override { link.on_data(*this, bytes); }
      void on_end() override { link.on_end(*this); }
      void on_lost(int) override { link.close(); }
      Link& link;
      loop::Stream stream;
    };

    Link(TlsFront& front, loop::Stream client)
        : outer(*this), inner(*this), ssl(SSL_new(front.context_.get())) {
      SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
      SSL_set_accept_state(ssl.get());
      outer.stream = std::move(client);
      outer.stream.set_observer(outer);
      outer.stream.read_start();
      int status = 0;
      inner.stream =
          loop::Stream::connect(front.loop_, *loop::Address::literal(front.target_), inner, status);
      inner.stream.read_start();
    }

    void on_data(Side& side, std::span<const char> bytes) {
      if (&side == &outer) {
        BIO_write(SSL_get_rbio(ssl.get()), bytes.data(), static_cast<int>(bytes.size()));
      } else {
        to_client.append(bytes.data(), bytes.size());
      }
      pump();
    }

    void on_end(Side& side) {
      if (&side == &outer) return inner.stream.half_close();
      pump();
      SSL_shutdown(ssl.get());
      flush();
      outer.stream.half_close();
    }

    void pump() {
      ERR_clear_error();
      if (!SSL_is_init_finished(ssl.get())) SSL_do_handshake(ssl.get());
      if (SSL_is_init_finished(ssl.get())) {
        if (const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name)) server_name = name;
        char plain[16'384];
        int size = 0;
        while ((size = SSL_read(ssl.get(), plain, sizeof plain)) > 0) {
          if (!inner.stream.write({plain, static_cast<std::size_t>(size)})) return close();
        }
        goodbye = (SSL_get_shutdown(ssl.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
        if (!to_client.empty()) SSL_write(ssl.get(), to_client.data(), static_cast<int>(to_client.size()));
        to_client.clear();
      }
      flush();
    }

    void flush() {
      BIO* out = SSL_get_wbio(ssl.get());
      std::string bytes(BIO_ctrl_pending(out), '\0');
      if (bytes.empty() || !outer.stream.is_open()) return;
      BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
      if (!outer.stream.write(bytes)) close();
    }

    void close() {
      outer.stream.close();
      inner.stream.close();
    }

    Side outer, inner;
    Tls<SSL> ssl;
    std::string to_client;
    std::string server_name;
    bool goodbye = false;
  };

  loop::Loop& loop_;
  Certificate certificate_;
  Endpoint target_;
  Tls<SSL_CTX> context_;
  loop::ListenSocket socket_;
  std::vector<std::unique_ptr<Link>> links_;
  loop::Listener listener_;
};

}  // namespace probegate::test
