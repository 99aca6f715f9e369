#include "checks/postgres_tls.h"

#include <sys/stat.h>

#include <algorithm>

#include "loop/tls_files.h"

namespace probegate::checks {
namespace {

constexpr const char* kNowhere = "/dev/null/none";  // no such file; libpq rejects a device
constexpr const char* kUsualBundle = "/etc/ssl/certs/ca-certificates.crt";
constexpr const char* kModes[] = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};

std::optional<std::string> find(const PostgresParameters& parameters, const std::string& keyword) {
  const auto found = parameters.find(keyword);
  return found == parameters.end() ? std::nullopt : std::optional(found->second);
}

std::size_t strength(const std::string& mode) {
  return static_cast<std::size_t>(std::find(std::begin(kModes), std::end(kModes), mode) - std::begin(kModes));
}

// libpq rejects such a key when it connects.
std::optional<std::string> open_to_others(const std::string& key) {
  struct stat info {};
  if (::stat(key.c_str(), &info) != 0) return std::nullopt;
  const auto others = info.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
  if ((info.st_mode & static_cast<mode_t>(others)) == 0) return std::nullopt;
  return "is readable by others, which libpq rejects; use mode 0600, or 0640 if root owns it";
}

class Reader {
 public:
  Reader(const config::CheckSpec& spec, PostgresSettings& settings)
      : fields_(spec.fields), tls_(spec.tls), parameters_(settings.parameters), settings_(settings) {}

  void read() {
    for (const auto& [keyword, file] :
         {std::pair("sslrootcert", tls_.ca_file), std::pair("sslcert", tls_.cert_file),
          std::pair("sslkey", tls_.key_file)}) {
      if (file) parameters_[keyword] = *file;
    }
    look_at_files();
    const auto root = find(parameters_, "sslrootcert");
    if (root == "system") {
      const auto bundle = loop::system_bundle();
      if (bundle.empty() && !fields_.problems().rendering())
        problem("sslrootcert", "no system CA file found; name one");
      parameters_["sslrootcert"] = bundle.empty() ? kUsualBundle : bundle;
      at_least("verify-full", "sslrootcert=system");
    } else if (root) {
      at_least("verify-ca", tls_.ca_file ? "tls.ca_file" : "sslrootcert");
    } else if (parameters_.contains("sslcert")) {
      at_least("require", tls_.cert_file ? "tls.cert_file" : "sslcert");
    }
    if (fields_.has("tls")) refuse_useless_section();
    const bool verifies = strength(mode()) >= strength("verify-ca");
    const auto bundle = loop::system_bundle();
    if (verifies) parameters_.try_emplace("sslrootcert", bundle.empty() ? kUsualBundle : bundle);
    for (const char* file : {"sslrootcert", "sslcert", "sslcrl"}) parameters_.try_emplace(file, kNowhere);
  }

 private:
  std::string mode() const { return find(parameters_, "sslmode").value_or("prefer"); }

  // Reports at the key of that name, otherwise at the URL, without the value.
  void problem(const std::string& keyword, const std::string& message) {
    if (fields_.has(keyword)) return fields_.problem(keyword, message);
    fields_.problem("url", keyword + ": " + message);
  }

  // Validates the files; those of `tls` were validated before.
  void look_at_files() {
    const auto root = tls_.ca_file ? std::nullopt : find(parameters_, "sslrootcert");
    const auto certificate = find(parameters_, "sslcert");
    const auto key = find(parameters_, "sslkey");
    if (certificate && !key) problem("sslcert", "needs sslkey, its private key");
    if (key && !certificate) problem("sslkey", "needs sslcert, its certificate");
    if (fields_.problems().rendering()) return;
    const auto look = [&](const char* keyword, const std::optional<std::string>& wrong) {
      if (wrong) problem(keyword, *wrong);
      return !wrong;
    };
    if (root && root != "system") look("sslrootcert", loop::authorities_problem(*root));
    const bool right =
        !certificate || tls_.cert_file || look("sslcert", loop::certificate_problem(*certificate));
    if (!key) return;
    const bool locked = parameters_.contains("sslpassword");  // has a passphrase, which only libpq uses
    if (!tls_.key_file && !locked && look("sslkey", loop::key_problem(*key)) && certificate && right) {
      look("sslkey", loop::pair_problem(*certificate, *key));
    }
    if (const auto open = open_to_others(*key)) {
      if (tls_.key_file) {
        fields_.section("tls").problem("key_file", *open);
      } else {
        problem("sslkey", *open);
      }
    }
  }

  void at_least(const char* least, const std::string& because) {
    if (mode() == "disable") {
      problem("sslmode", "disable turns TLS off, so " + because + " has no effect; remove one of the two");
    } else if (strength(mode()) < strength(least)) {
      parameters_["sslmode"] = least;
    }
  }

  void refuse_useless_section() {
    const bool sockets_only =
        !settings_.hosts.empty() && std::all_of(settings_.hosts.begin(), settings_.hosts.end(),
                                                [](const PostgresHost& host) { return host.is_socket(); });
    const bool says_something = tls_.ca_file || tls_.cert_file;
    if (sockets_only) {
      fields_.contradiction("tls", "a unix socket does not use TLS, so tls has no effect; remove tls");
    } else if (mode() == "disable" && !says_something) {
      fields_.contradiction("tls",
                            "sslmode=disable turns TLS off, so tls has no effect; remove one of the two");
    }
  }

  const config::Fields& fields_;
  const config::TlsOptions& tls_;
  PostgresParameters& parameters_;
  const PostgresSettings& settings_;
};

}  // namespace

void complete_postgres_tls(const config::CheckSpec& spec, PostgresSettings& settings) {
  Reader(spec, settings).read();
}

}  // namespace probegate::checks
