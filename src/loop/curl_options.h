// What every transfer by curl is told in the same way: whom to trust, and where a name leads.
#pragma once

#include <string>
#include <vector>

#include "loop/address.h"
#include "loop/curl_multi.h"
#include "loop/tls.h"

namespace probegate::loop {

void append(Curl<curl_slist>& list, const std::string& line);

// Empty where the URL has no such part.
std::string url_part(CURLU* url, CURLUPart what, unsigned flags = 0);

// "name:port:address,address" for CURLOPT_RESOLVE: curl then asks no resolver, and races the addresses
// itself.
std::string pin_of(const std::string& host, std::uint16_t port, const std::vector<Address>& addresses);

// `contexts` outlives the transfer.
CURLcode set_tls(CURL* easy, const TlsSettings& tls, TlsContexts& contexts);

}  // namespace probegate::loop
