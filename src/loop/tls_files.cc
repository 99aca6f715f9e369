#include "loop/tls_files.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "loop/tls.h"

namespace probegate::loop {
namespace {

constexpr const char* kBundles[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                    "/etc/ssl/cert.pem"};

std::optional<std::string> unreadable(const std::string& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0 || ::access(file.c_str(), R_OK) != 0) {
    return "cannot read: " + std::string(std::strerror(errno));
  }
  if (S_ISDIR(info.st_mode)) return "cannot read: it is a directory";
  return std::nullopt;
}

// Keys with a passphrase are not supported; do not ask on the terminal.
int no_passphrase(char*, int, int, void*) noexcept { return 0; }

std::unique_ptr<SSL_CTX, FreeOpenSsl> make_context() {
  std::unique_ptr<SSL_CTX, FreeOpenSsl> context(SSL_CTX_new(TLS_client_method()));
  if (!context) throw std::bad_alloc();
  SSL_CTX_set_default_passwd_cb(context.get(), &no_passphrase);
  return context;
}

// OpenSSL's error queue is per thread; clear it, so that others do not read our errors.
struct ForgetErrors {
  ~ForgetErrors() { ERR_clear_error(); }
};

}  // namespace

std::optional<std::string> authorities_problem(const std::string& file) {
  if (auto problem = unreadable(file)) return problem;
  const ForgetErrors forget;
  if (SSL_CTX_load_verify_file(make_context().get(), file.c_str()) == 1) return std::nullopt;
  return "contains no certificate in PEM format";
}

std::optional<std::string> certificate_problem(const std::string& file) {
  if (auto problem = unreadable(file)) return problem;
  const ForgetErrors forget;
  if (SSL_CTX_use_certificate_chain_file(make_context().get(), file.c_str()) == 1) return std::nullopt;
  return "contains no certificate in PEM format";
}

std::optional<std::string> key_problem(const std::string& file) {
  if (auto problem = unreadable(file)) return problem;
  const ForgetErrors forget;
  if (SSL_CTX_use_PrivateKey_file(make_context().get(), file.c_str(), SSL_FILETYPE_PEM) == 1) {
    return std::nullopt;
  }
  return "contains no private key in PEM format without a passphrase";
}

std::optional<std::string> pair_problem(const std::string& certificate, const std::string& key) {
  const ForgetErrors forget;
  const auto context = make_context();
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) == 1 &&
      SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) == 1 &&
      SSL_CTX_check_private_key(context.get()) == 1) {
    return std::nullopt;
  }
  return "is not the private key of the certificate";
}

std::string system_bundle() {
  if (const char* chosen = std::getenv(X509_get_default_cert_file_env()); chosen != nullptr) return chosen;
  if (::access(X509_get_default_cert_file(), R_OK) == 0) return X509_get_default_cert_file();
  for (const char* bundle : kBundles) {
    if (::access(bundle, R_OK) == 0) return bundle;
  }
  return "";
}

}  // namespace probegate::loop
