// Check types with the keys of the real ones, for tests of the floors below checks/.
#pragma once

#include "config/load.h"

namespace probegate::config {

inline void read_stub(const CheckSpec& spec, const Config&) {
  const Fields& fields = spec.fields;
  if (spec.type == "postgres") {
    fields.secret_url("url");
    fields.optional_text("host");
    fields.optional_text("port");
    fields.optional_text("user");
    fields.secret("password");
    fields.optional_text("dbname");
    fields.optional_text("sslmode");
    fields.optional_text("sslrootcert");
    fields.optional_text("sslcert");
    fields.optional_text("sslkey");
    fields.optional_text("options");
    fields.text_list("tables", {});
    fields.private_text("query");
    fields.optional_text("expect");
    fields.boolean("writable", false);
  } else if (spec.type == "redis") {
    fields.secret_url("url");
    fields.optional_text("user");
    fields.secret("password");
    fields.text("mode", "auto");
    fields.integer("database", 0, 0, 1'000'000);
    fields.optional_text("sentinel_user");
    fields.secret("sentinel_password");
    fields.boolean("sentinel_tls", false);
    fields.boolean("write", true);
    fields.text("role", "any");
  } else if (spec.type == "mysql") {
    fields.secret_url("url");
    for (const char* key : {"host", "port", "user", "dbname"}) fields.optional_text(key);
    fields.secret("password");
    fields.text_list("tables", {});
    fields.private_text("query");
    fields.optional_text("expect");
    fields.boolean("writable", false);
  } else if (spec.type == "grpc") {
    fields.secret_url("url");
    fields.text("service", "");
    fields.headers("headers");
  } else if (spec.type == "websocket") {
    fields.secret_url("url");
    fields.headers("headers");
    fields.text_list("subprotocols", {});
    fields.text_list("expect_status", {"101"});
    fields.boolean("ping", true);
    fields.private_text("send");
    fields.optional_text("expect");
  } else if (spec.type == "http") {
    fields.secret_url("url");
    fields.optional_text("socket");
    fields.text("method", "GET");
    fields.headers("headers");
    fields.private_text("body");
    fields.text_list("expect_status", {"200-299"});
    fields.optional_text("expect_body");
    fields.text_map("expect_header");
    fields.text_map("expect_json");
  } else if (spec.type == "tcp") {
    fields.endpoint("address", "127.0.0.1:1");
    fields.private_text("send");
    fields.optional_text("expect");
  }
}

inline CheckTypes stub_types() {
  return {{"postgres", "mysql", "redis", "websocket", "http", "grpc", "tcp"}, read_stub};
}

}  // namespace probegate::config
