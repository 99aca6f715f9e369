// Validates the files of TLS settings before any connection: that they are readable and have the expected
// content. Errors: a readable message without the content of any file. Thread: any; reads files.
#pragma once

#include <optional>
#include <string>

namespace probegate::loop {

// Error of a file of CA certificates.
std::optional<std::string> authorities_problem(const std::string& file);
// Error of a client certificate (with its chain), and of a private key without a passphrase.
std::optional<std::string> certificate_problem(const std::string& file);
std::optional<std::string> key_problem(const std::string& file);
// Error if two valid files do not belong together.
std::optional<std::string> pair_problem(const std::string& certificate, const std::string& key);

// The system's CA certificates as one file, for libraries that need a file: SSL_CERT_FILE, otherwise
// OpenSSL's default, otherwise the usual paths of distributions. Empty: there is none.
std::string system_bundle();

}  // namespace probegate::loop
