#include "loop/curl_options.h"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <new>
#include <tuple>
#include <utility>

namespace probegate::loop {
namespace {

thread_local bool certificate_asked = false;

int on_certificate_asked(SSL*, X509**, EVP_PKEY**) noexcept {
  certificate_asked = true;
  return 0;  // none
}

// `contexts`: the contexts whose store is used; null: curl's own store.
template <bool kAnonymous>
CURLcode on_ssl_context(CURL*, void* context, void* contexts) noexcept {
  try {
    auto* const ours = static_cast<SSL_CTX*>(context);
    if (kAnonymous) SSL_CTX_set_client_cert_cb(ours, &on_certificate_asked);
    if (contexts != nullptr)
      SSL_CTX_set1_cert_store(ours, static_cast<TlsContexts*>(contexts)->system_store());
    return CURLE_OK;
  } catch (...) {
    return CURLE_OUT_OF_MEMORY;
  }
}

}  // namespace

bool take_certificate_asked() { return std::exchange(certificate_asked, false); }

void append(Curl<curl_slist>& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  std::ignore = list.release();
  list.reset(longer);
}

std::string pin_of(const std::string& host, std::uint16_t port, const std::vector<Address>& addresses) {
  std::string pin = host + ":" + std::to_string(port) + ":";
  for (const Address& address : addresses) {
    if (&address != &addresses.front()) pin += ',';
    pin += address.family() == AF_INET6 ? "[" + address.ip() + "]" : address.ip();
  }
  return pin;
}

void CurlOptions::set_basics(const std::string& url, const char* protocols, curl_slist* pin, char* error) {
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, protocols);
  set(CURLOPT_NOPROXY, "*");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // do not wait for curl's resolver thread, should it ever start one
  set(CURLOPT_ERRORBUFFER, error);
  if (pin != nullptr) set(CURLOPT_RESOLVE, pin);
}

std::string CurlOptions::problem() const {
  return refused_ == CURLE_OK ? "" : std::string("curl: ") + curl_easy_strerror(refused_);
}

void CurlOptions::set_tls(const TlsSettings& tls, TlsContexts& contexts) {
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
  set(CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
  if (tls.cert_file && tls.key_file) {
    set(CURLOPT_SSLCERT, tls.cert_file->c_str());
    set(CURLOPT_SSLKEY, tls.key_file->c_str());
    set(CURLOPT_KEYPASSWD, "");  // otherwise OpenSSL asks for a passphrase on the terminal
  }
  const bool anonymous = !tls.cert_file || !tls.key_file;
  const bool system = tls.verify && !tls.ca_file;
  set(CURLOPT_SSL_CTX_FUNCTION, anonymous ? &on_ssl_context<true> : &on_ssl_context<false>);
  // Uses the loop's store, because curl would load its own copy of the CA bundle for each connection.
  set(CURLOPT_SSL_CTX_DATA, system ? static_cast<void*>(&contexts) : nullptr);
  if (tls.verify && tls.ca_file) {
    // Sets the file name, because curl must not reuse a connection that was verified with another CA file.
    set(CURLOPT_CAINFO, tls.ca_file->c_str());
    set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  } else if (tls.verify) {
    set(CURLOPT_CAINFO, static_cast<char*>(nullptr));
    set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  }
}

}  // namespace probegate::loop
