// The files that TLS settings name, looked at before anything is connected: whether they can be read and hold
// what they should. Errors: one sentence for people, without the content of any file. Thread: any; reads
// files.
#pragma once

#include <optional>
#include <string>

namespace probegate::loop {

// Of a file of authorities.
std::optional<std::string> authorities_problem(const std::string& file);
// Of a client certificate (with its chain), and of a private key without a passphrase.
std::optional<std::string> certificate_problem(const std::string& file);
std::optional<std::string> key_problem(const std::string& file);
// Of two files that are each right: whether they belong together.
std::optional<std::string> pair_problem(const std::string& certificate, const std::string& key);

// The system's authorities as one file, for libraries that take nothing else: SSL_CERT_FILE, else OpenSSL's
// own, else where distributions put it. Empty: there is none.
std::string system_bundle();

}  // namespace probegate::loop
