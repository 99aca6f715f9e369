#include "config/secrets.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "load_fixture.h"

namespace probegate::config {
namespace {

// A directory of its own, gone with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = std::filesystem::temp_directory_path() / "probegate-config-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  std::string write(const std::string& name, std::string_view content) const {
    const std::string file = path_ / name;
    std::ofstream(file) << content;
    return file;
  }
  std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::optional<std::string> password_from(const std::string& file) {
  const auto loaded = load_yaml("checks: {a: {type: postgres, password_file: " + file + "}}");
  CHECK(loaded.problems == Lines{});
  CHECK(loaded.effective.find("password_file: " + file) != std::string::npos);
  CHECK(loaded.effective.find("password: ") == std::string::npos);
  return loaded.config.checks.at(0).fields.secret("password");
}

TEST_CASE("A secret file gives its content without the line ends behind it") {
  const TemporaryDirectory directory;
  CHECK(password_from(directory.write("plain", "geheim")) == "geheim");
  CHECK(password_from(directory.write("newline", "geheim\n")) == "geheim");
  CHECK(password_from(directory.write("crlf", "geheim\r\n")) == "geheim");
  CHECK(password_from(directory.write("two", "geheim\n\n")) == "geheim");
  CHECK(password_from(directory.write("mixed", "geheim\r\n\n")) == "geheim");
  CHECK(password_from(directory.write("blanks", " geheim \n")) == " geheim ");
  CHECK(password_from(directory.write("dollar", "${A}$$")) == "${A}$$");
  CHECK(password_from(directory.write("empty", "")) == "");
}

TEST_CASE(
    "A mark of the byte order before a password is a mistake, and before an address it is no part of it") {
  const TemporaryDirectory directory;
  const auto file = directory.write("marked", "\xEF\xBB\xBFgeheim\n");
  const auto problems = problems_of("checks: {a: {type: postgres, password_file: " + file + "}}");
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].find("checks.a.password_file") != std::string::npos);
  CHECK(problems[0].find("byte order mark") != std::string::npos);
  CHECK(problems[0].find("geheim") == std::string::npos);
  const auto url = directory.write("url", "\xEF\xBB\xBFpostgres://u:p@h/d\n");
  const auto loaded = load_yaml("checks: {a: {type: postgres, url_file: " + url + "}}");
  CHECK(loaded.problems == Lines{});
  CHECK(loaded.config.checks.at(0).fields.secret_url("url") == "postgres://u:p@h/d");
}

TEST_CASE("Blanks around a secret are named by their place") {
  CHECK(blanks_around("geheim").empty());
  CHECK(blanks_around("geheim\r\n\n").empty());
  CHECK(blanks_around("").empty());
  CHECK(blanks_around("ge heim").empty());
  CHECK(blanks_around("geheim \n") == "ends with whitespace");
  CHECK(blanks_around("\tgeheim") == "begins with whitespace or an empty line");
  CHECK(blanks_around("\ngeheim") == "begins with whitespace or an empty line");
  CHECK(blanks_around(" geheim\t") == "begins and ends with whitespace");
}

TEST_CASE("A secret file that is missing, a directory, too large or a silent pipe is no hang and no crash") {
  const TemporaryDirectory directory;
  const auto problem = [](const std::string& file) {
    return problems_of("checks: {a: {type: postgres, password_file: " + file + "}}");
  };
  CHECK(problem("/nonexistent").at(0).ends_with("cannot read: No such file or directory"));
  CHECK(problem("/tmp").at(0).ends_with("cannot read: Is a directory"));
  CHECK(problem(directory.write("large", std::string(64 * 1024 + 1, 'x')))
            .at(0)
            .ends_with("larger than 64 KiB, the limit"));
  const auto pipe = directory.file("pipe");
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(problem(pipe).empty());
}

TEST_CASE("Of an address only what is no secret is shown") {
  CHECK(hide_in_url("postgres://u:p@h:5432/d?sslmode=require") == "postgres://***@h:5432/d?sslmode=require");
  CHECK(hide_in_url("postgres://u:a/b@h/d") == "postgres://***");
  CHECK(hide_in_url("/ws?access_token=t") == "/ws?***");
  CHECK(hide_in_url("unix:/run/s?password=p") == "unix:/run/s?***");
  CHECK(hide_in_url("host=h password=p") == "***");
  CHECK(hide_in_url("host=h user=u") == "***");
  CHECK(hide_in_url("geheim") == "***");
  CHECK(hide_path_of_url("https://hooks.example/T/B/x") == "https://hooks.example/***");
  CHECK(hide_path_of_url("https://hooks.example/?key=x") == "https://hooks.example/***");
  CHECK(hide_path_of_url("smtp://u:p@mail.example") == "smtp://***@mail.example");
  CHECK(hide_path_of_url("https://u:p/w@hooks.example/") == "https://***");
  CHECK(hide_path_of_url("geheim") == "***");
}

TEST_CASE("No secret reaches the effective configuration") {
  const auto loaded = load_yaml(R"(
checks:
  a: {type: postgres, url: "postgres://u:geheim@h/d", password: geheim}
  b: {type: http, url: "http://h/?token=geheim", headers: {authorization: Bearer geheim, X-Api-Key: geheim, x-unknown: geheim, origin: seen}}
auth: {url: "http://u:geheim@h", bypass: {header: x-b, secret: geheim}}
alerts: [{to: "https://hooks.example/geheim"}]
)");
  CHECK(loaded.problems == Lines{});
  CHECK(loaded.effective.find("geheim") == std::string::npos);
  CHECK(loaded.effective.find("origin: seen") != std::string::npos);
  CHECK(loaded.config.auth->bypass->secret == "geheim");
  CHECK(loaded.config.checks.at(1).fields.headers("headers").at(0).second == "Bearer geheim");
}

TEST_CASE("No secret reaches an error message") {
  const auto problems = problems_of(R"(
proxy: {listen: "http://u:geheim@h", backend: "ftp://u:geheim@h", workers: "x://u:geheim@h"}
checks:
  a: {type: postgres, url: [geheim], password: {a: geheim}}
  b: {type: http, url: "http://h", url_file: /x, headers: {authorization: "a\ngeheim"}}
auth: {url: "ftp://geheim@h"}
alerts: [{to: "gopher://geheim"}]
)");
  CHECK(problems.size() == 9);
  for (const auto& problem : problems) CHECK(problem.find("geheim") == std::string::npos);
}

TEST_CASE("A header's value may come from a file") {
  const TemporaryDirectory directory;
  const auto file = directory.write("token", "Bearer geheim\n");
  const auto loaded =
      load_yaml("checks: {a: {type: http, url: \"http://h\", headers: {Authorization_file: " + file + "}}}");
  CHECK(loaded.problems == Lines{});
  using Headers = std::vector<std::pair<std::string, std::string>>;
  CHECK(loaded.config.checks.at(0).fields.headers("headers") == Headers{{"Authorization", "Bearer geheim"}});
  CHECK(loaded.effective.find("{Authorization_file: " + file + "}") != std::string::npos);
}

}  // namespace
}  // namespace probegate::config
