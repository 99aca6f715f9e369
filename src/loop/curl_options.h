// Options that all curl transfers share: trusted certificates and resolved addresses.
#pragma once

#include <string>
#include <vector>

#include "loop/address.h"
#include "loop/curl_multi.h"
#include "loop/tls.h"

namespace probegate::loop {

// Whether a peer has requested a client certificate on this thread since the last call, and none is set. In
// this case curl may report any kind of broken connection.
bool take_certificate_asked();

void append(Curl<curl_slist>& list, const std::string& line);

// "name:port:address,address" for CURLOPT_RESOLVE: curl then does not resolve the name, and tries
// the addresses concurrently.
std::string pin_of(const std::string& host, std::uint16_t port, const std::vector<Address>& addresses);

// Sets options of one transfer and records the first one that curl rejects.
class CurlOptions {
 public:
  explicit CurlOptions(CURL* easy) : easy_(easy) {}

  template <typename Value>
  void set(CURLoption option, Value value) {
    if (const CURLcode code = curl_easy_setopt(easy_, option, value); refused_ == CURLE_OK) refused_ = code;
  }

  // Disables proxies, signals and name resolution. `pin` and `error` (CURL_ERROR_SIZE bytes) must
  // outlive the transfer.
  void set_basics(const std::string& url, const char* protocols, curl_slist* pin, char* error);
  void set_tls(const TlsSettings& tls, TlsContexts& contexts);  // `contexts` must outlive the transfer

  // Empty if all were accepted.
  std::string problem() const;

 private:
  CURL* easy_;
  CURLcode refused_ = CURLE_OK;
};

}  // namespace probegate::loop
