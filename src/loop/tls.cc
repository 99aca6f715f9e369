#include "loop/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <new>

namespace probegate::loop {
namespace {

// Images with only a copied CA bundle have no hashed directory for OpenSSL.
constexpr const char* kBundles[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"};

bool has_hashed_certificates(const char* directory) {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(directory, error)) {
    if (file.path().extension() == ".0") return true;
  }
  return false;
}

bool readable(const char* path) {
  struct stat info {};
  return ::stat(path, &info) == 0;
}

// Identifies a file version: another or a rewritten file has another text.
Result<std::string> identity(const std::optional<std::string>& file, const std::string& what) {
  if (!file) return std::string();
  struct stat info {};
  if (::stat(file->c_str(), &info) != 0)
    return failure("cannot read " + what + " in " + *file + ": the file does not exist");
  return std::to_string(info.st_ino) + " " + std::to_string(info.st_mtim.tv_sec) + "." +
         std::to_string(info.st_mtim.tv_nsec) + " ";
}

// From a hashed directory, OpenSSL reads a CA certificate only when needed. A bundle is parsed
// completely, which costs about 50 ms of the loop once, and 2 MB. So the directory is preferred unless
// the environment selects one.
std::unique_ptr<X509_STORE, FreeOpenSsl> load_system_store() {
  std::unique_ptr<X509_STORE, FreeOpenSsl> store(X509_STORE_new());
  if (!store) throw std::bad_alloc();
  const bool chosen = std::getenv(X509_get_default_cert_file_env()) != nullptr ||
                      std::getenv(X509_get_default_cert_dir_env()) != nullptr;
  if (!chosen && has_hashed_certificates(X509_get_default_cert_dir())) {
    X509_STORE_load_path(store.get(), X509_get_default_cert_dir());
  } else {
    X509_STORE_set_default_paths(store.get());  // honours SSL_CERT_FILE and SSL_CERT_DIR
    for (const char* bundle : kBundles) {
      if (chosen || readable(X509_get_default_cert_file())) break;
      if (readable(bundle) && X509_STORE_load_file(store.get(), bundle) == 1) break;
    }
  }
  ERR_clear_error();
  return store;
}

std::unique_ptr<SSL_CTX, FreeOpenSsl> make_context(bool verify) {
  std::unique_ptr<SSL_CTX, FreeOpenSsl> context(SSL_CTX_new(TLS_client_method()));
  if (!context) throw std::bad_alloc();
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);  // saves 34 KiB per idle connection
  SSL_CTX_set_verify(context.get(), verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  return context;
}

std::string openssl_reason() {
  const unsigned long code = ERR_peek_error();
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown reason";
}

int no_passphrase(char*, int, int, void*) noexcept { return 0; }

Result<void> load_own_certificate(SSL_CTX* context, const TlsSettings& settings) {
  SSL_CTX_set_default_passwd_cb(context, &no_passphrase);
  const auto problem = [](const std::string& what, const std::string& file) {
    const auto reason = openssl_reason();
    ERR_clear_error();
    return failure("cannot read the " + what + " in " + file + ": " + reason);
  };
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, settings.cert_file->c_str()) != 1)
    return problem("certificate", *settings.cert_file);
  if (SSL_CTX_use_PrivateKey_file(context, settings.key_file->c_str(), SSL_FILETYPE_PEM) != 1)
    return problem("key", *settings.key_file);
  return {};
}

bool is_ip(const std::string& name) {
  ASN1_OCTET_STRING* ip = a2i_IPADDRESS(name.c_str());
  ASN1_OCTET_STRING_free(ip);
  ERR_clear_error();
  return ip != nullptr;
}

// Every record begins with its type (20 to 23) and the major version 3.
bool looks_like_tls(char first) { return first >= 20 && first <= 23; }

}  // namespace

void FreeOpenSsl::operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
void FreeOpenSsl::operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
void FreeOpenSsl::operator()(X509_STORE* store) const noexcept { X509_STORE_free(store); }

TlsContexts::TlsContexts() = default;
TlsContexts::~TlsContexts() = default;

// One store for all loops, because each check has a loop; the store has its own lock. The
// environment selects it.
X509_STORE* TlsContexts::system_store() {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<X509_STORE, FreeOpenSsl>> stores;
  std::string places;
  for (const char* variable : {"SSL_CERT_FILE", "SSL_CERT_DIR"}) {
    const char* const place = std::getenv(variable);
    places += std::string(place != nullptr ? place : "") + '\n';
  }
  const std::lock_guard lock(mutex);
  auto& store = stores[places];
  if (!store) store = load_system_store();
  return store.get();
}

Result<SSL_CTX*> TlsContexts::client(const TlsSettings& settings) {
  const auto ca_file = settings.verify ? settings.ca_file : std::nullopt;
  const bool own = settings.cert_file && settings.key_file;
  std::string files;
  for (const auto& [file, what] : {std::pair(ca_file, "the CA certificates"),
                                   std::pair(own ? settings.cert_file : std::nullopt, "the certificate"),
                                   std::pair(own ? settings.key_file : std::nullopt, "the key")}) {
    auto which = identity(file, what);
    if (!which) return failure(which.error().message);
    files += *which;
  }
  const char nul = '\0';  // never occurs in a path
  Entry& entry = contexts_[(settings.verify ? "verified" : "any") + (nul + ca_file.value_or("")) + nul +
                           (own ? *settings.cert_file + nul + *settings.key_file : "")];
  if (entry.context && entry.files == files) return entry.context.get();

  auto context = make_context(settings.verify);
  ERR_clear_error();
  if (ca_file && SSL_CTX_load_verify_file(context.get(), ca_file->c_str()) != 1) {
    const auto reason = openssl_reason();
    ERR_clear_error();
    return failure("cannot read the CA certificates in " + *ca_file + ": " + reason);
  }
  if (settings.verify && !ca_file) SSL_CTX_set1_cert_store(context.get(), system_store());
  if (own) {
    if (auto loaded = load_own_certificate(context.get(), settings); !loaded)
      return failure(loaded.error().message);
  }
  entry = {std::move(context), std::move(files)};
  return entry.context.get();
}

TlsClient::TlsClient(TlsContexts& contexts, const TlsSettings& settings) : name_(settings.server_name) {
  const auto context = contexts.client(settings);
  if (!context) {
    state_ = State::failed;
    why_ = context.error().message;
    return;
  }
  if (settings.verify && name_.empty()) {
    state_ = State::failed;
    why_ = "no name to verify the certificate against; set tls.server_name";
    return;
  }
  ssl_.reset(SSL_new(*context));
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
  if (!ssl_ || in == nullptr || out == nullptr) throw std::bad_alloc();
  SSL_set_bio(ssl_.get(), in, out);
  if (!settings.cert_file) {
    SSL_set_app_data(ssl_.get(), this);
    SSL_CTX_set_client_cert_cb(*context, &TlsClient::on_certificate_asked);
  }
  if (is_ip(name_)) {  // an address is never sent as SNI (RFC 6066 section 3)
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), name_.c_str());
  } else if (!name_.empty()) {
    SSL_set_tlsext_host_name(ssl_.get(), name_.c_str());
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (settings.verify) SSL_set1_host(ssl_.get(), name_.c_str());
  }
  SSL_set_connect_state(ssl_.get());
  advance();
}

TlsClient::~TlsClient() = default;

int TlsClient::on_certificate_asked(SSL* ssl, X509**, EVP_PKEY**) noexcept {
  static_cast<TlsClient*>(SSL_get_app_data(ssl))->anonymous_ = true;
  return 0;  // none
}

void TlsClient::feed(std::span<const char> ciphertext) {
  // Data after close_notify is dropped; storing it would need unlimited memory.
  if (state_ == State::failed || state_ == State::ended || ciphertext.empty()) return;
  if (!heard_ && !looks_like_tls(ciphertext.front())) {
    state_ = State::failed;
    why_ = "the peer does not speak TLS: it answered in plain text";
    return;
  }
  heard_ = true;
  if (BIO_write(SSL_get_rbio(ssl_.get()), ciphertext.data(), static_cast<int>(ciphertext.size())) <= 0) {
    throw std::bad_alloc();
  }
  if (state_ == State::handshake) advance();
}

void TlsClient::advance() {
  ERR_clear_error();  // the error queue is per thread and may contain errors of another library
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    state_ = State::open;
  } else {
    fail(result);
  }
}

void TlsClient::fail(int result) {
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
  if (error == SSL_ERROR_ZERO_RETURN) {
    state_ = State::ended;
    return;
  }
  why_ = told(state_ == State::handshake ? "TLS handshake failed: " : "TLS error: ");
  state_ = State::failed;
  ERR_clear_error();
}

std::string TlsClient::told(std::string_view what) const {
  const long verdict = SSL_get_verify_result(ssl_.get());
  const bool verifying = (SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) != 0;
  if (state_ == State::handshake && verifying && verdict != X509_V_OK) {
    std::string text = X509_verify_cert_error_string(verdict);
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH) {
      text += ": the peer's certificate is not for " + name_;
    }
    return text;
  }
  std::string text = std::string(what) + openssl_reason();
  if (anonymous_) text += " (the peer asked for a client certificate, and none is set; see tls.cert_file)";
  return text;
}

std::size_t TlsClient::read(std::span<char> plaintext) {
  if (state_ != State::open) return 0;
  ERR_clear_error();
  std::size_t size = 0;
  const int result = SSL_read_ex(ssl_.get(), plaintext.data(), plaintext.size(), &size);
  if (result == 1) return size;
  fail(result);
  return 0;
}

bool TlsClient::write(std::string_view plaintext) {
  if (state_ == State::failed) return false;
  if (plaintext.empty()) return true;
  ERR_clear_error();
  std::size_t written = 0;  // a memory BIO accepts all data
  const int result = SSL_write_ex(ssl_.get(), plaintext.data(), plaintext.size(), &written);
  if (result != 1) fail(result);
  return result == 1;
}

void TlsClient::end() {
  if (!ssl_ || state_ == State::failed || state_ == State::handshake) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

std::string TlsClient::take() {
  if (!ssl_) return {};
  BIO* out = SSL_get_wbio(ssl_.get());
  std::string bytes(BIO_ctrl_pending(out), '\0');
  if (!bytes.empty()) BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

std::optional<Duration> TlsClient::certificate_left(WallTime now) const {
  if (!ssl_) return std::nullopt;
  return loop::certificate_left(SSL_get0_peer_certificate(ssl_.get()), now);
}

bool handshake_done(const SSL* session) { return session != nullptr && SSL_is_init_finished(session) == 1; }

std::optional<std::string> peer_problem(const SSL* session, const std::string& name) {
  const long verdict = SSL_get_verify_result(session);
  if (verdict != X509_V_OK) return X509_verify_cert_error_string(verdict);
  X509* certificate = SSL_get0_peer_certificate(session);
  if (certificate == nullptr) return "the peer has no certificate";
  const bool fits = is_ip(name) ? X509_check_ip_asc(certificate, name.c_str(), 0) == 1
                                : X509_check_host(certificate, name.data(), name.size(),
                                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
  if (fits) return std::nullopt;
  return "hostname mismatch: the peer's certificate is not for " + name;
}

std::optional<Duration> peer_certificate_left(const SSL* session, WallTime now) {
  return session != nullptr ? certificate_left(SSL_get0_peer_certificate(session), now) : std::nullopt;
}

std::optional<Duration> certificate_left(const X509* certificate, WallTime now) {
  if (certificate == nullptr) return std::nullopt;
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return std::nullopt;
  // Computed in seconds first: year 9999, often used for "never", does not fit into 64 bits of nanoseconds.
  const std::chrono::seconds left(
      ::timegm(&end) - std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
  return std::min(left, std::chrono::seconds(std::chrono::hours(24) * 36'500));
}

}  // namespace probegate::loop
