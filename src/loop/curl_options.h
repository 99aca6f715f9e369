// What every transfer by curl is told in the same way: whom to trust, and where a name leads.
#pragma once

#include <string>
#include <vector>

#include "loop/address.h"
#include "loop/curl_multi.h"
#include "loop/tls.h"

namespace probegate::loop {

// Whether a peer has asked this thread for a client certificate that there is none of, since the last call.
// What curl then reports may be any kind of broken connection.
bool take_certificate_asked();

void append(Curl<curl_slist>& list, const std::string& line);

// "name:port:address,address" for CURLOPT_RESOLVE: curl then asks no resolver, and races the addresses
// itself.
std::string pin_of(const std::string& host, std::uint16_t port, const std::vector<Address>& addresses);

// Sets options of one transfer, and remembers the first that curl refused.
class CurlOptions {
 public:
  explicit CurlOptions(CURL* easy) : easy_(easy) {}

  template <typename Value>
  void set(CURLoption option, Value value) {
    if (const CURLcode code = curl_easy_setopt(easy_, option, value); refused_ == CURLE_OK) refused_ = code;
  }

  // No proxies, signals or names but ours. `pin` and `error` (CURL_ERROR_SIZE bytes) outlive the transfer.
  void set_basics(const std::string& url, const char* protocols, curl_slist* pin, char* error);
  void set_tls(const TlsSettings& tls, TlsContexts& contexts);  // which outlives the transfer

  // Empty when all were taken.
  std::string problem() const;

 private:
  CURL* easy_;
  CURLcode refused_ = CURLE_OK;
};

}  // namespace probegate::loop
