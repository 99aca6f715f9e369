// The whole configuration as final types. Every key has a default, set at its field.
//
// Keys of one check type only are not here: the type's file in checks/ reads them from CheckSpec::fields, so
// a new check type changes nothing in this folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/endpoint.h"
#include "base/log.h"
#include "base/startup_timeout.h"
#include "config/conditions.h"
#include "config/fields.h"

namespace probegate::config {

using namespace std::chrono_literals;

enum class Platform { cloud_run, kubernetes, docker, none };

struct TlsOptions {
  std::optional<std::string> ca_file;  // null: the system's certificates
  bool verify = true;
  std::optional<std::string> server_name;  // null: the host of the URL
  int min_days_left = 0;                   // a certificate that expires sooner is "warn"; 0 = off
  std::optional<std::string> cert_file;    // client certificate, for servers that request one
  std::optional<std::string> key_file;
};

struct Backend {
  Endpoint endpoint = Endpoint::tcp("127.0.0.1", 8000);
  std::string authority = "127.0.0.1:8000";  // value of Host when the client sent none
};

struct ProxyTimeouts {  // 0 = off
  Duration header = 10s;
  Duration connect = 2s;
  Duration upgrade = 10s;
  Duration response = 60s;
  Duration idle = 620s;
};

struct ProxyLimits {  // 0 = no limit
  std::uint64_t connections = 10'000;
  std::uint64_t header_bytes = 64 * 1024;
  std::uint64_t body_bytes = 0;
};

struct Cidr {
  std::string text;  // as written, a valid IPv4 or IPv6 network
  bool v6 = false;
  std::uint8_t address[16] = {};  // network order; IPv4 in the first four
  int prefix = 0;
};

// forwarded.trust
struct Trust {
  bool every_peer = false;     // on cloud-run: only the platform's front end can reach the port
  std::vector<Cidr> networks;  // trusted peers and trusted entries of X-Forwarded-For
};

struct Hold {
  std::uint64_t max = 0;  // 0 = refuse at once
  Duration timeout = 10s;
  int per_second = 50;
};

struct WebSocketPolicy {
  std::vector<std::string> origins;  // empty = any
  std::uint64_t max_message = 0;
  Duration idle_timeout{0};
  Duration ping_interval{0};
  Duration max_lifetime{0};
  Duration close_spread{0};      // 0 = a backend's mass Close is passed on at once
  bool refuse_by_close = false;  // refuse: close
};

// proxy.via: which messages get a Via field.
enum class Via { both, response, none };

struct Proxy {
  std::vector<Endpoint> listen;  // empty: no proxy, only probes and checks
  Backend backend;
  int workers = 1;                 // `auto` is resolved to the number of CPUs
  bool websocket_only = false;     // forward: websocket
  bool serve_half_closed = false;  // half_close: serve
  ProxyTimeouts timeouts;
  ProxyLimits limits;
  Trust trust;  // forwarded.trust
  Via via = Via::both;
  Hold hold;
  WebSocketPolicy websocket;
};

struct Probes {
  std::vector<Endpoint> listen;
  bool summary = false;            // details: summary
  std::vector<std::string> hosts;  // allowed Host names of the page, besides localhost and addresses
};

struct GateOptions {
  Duration startup_timeout = 120s;  // 0 = wait forever
  StartupTimeoutPolicy on_startup_timeout = StartupTimeoutPolicy::fail;
};

// The keys that all check types share.
struct CheckSpec {
  std::string name;
  std::string type;
  bool startup = true;
  bool readiness = true;
  bool traffic = false;  // websocket: true
  std::vector<std::string> needs;
  Duration interval = 5s;
  Duration startup_interval = 250ms;
  Duration timeout = 2s;
  Duration initial_delay{0};
  Duration slow{0};
  Duration stable_for{0};      // read for redis only
  Duration max_session = 60s;  // age of a kept session; read for mysql, postgres and redis
  int rise = 1;
  int fall = 3;
  TlsOptions tls;
  Fields fields;         // for the type's own keys
  std::string question;  // what the check asks, for comparison; contains secrets, never shown
};

struct Auth {
  std::string url;
  bool all_requests = false;  // applies_to: all
  Duration timeout = 2s;
  std::vector<std::string> send_headers;
  std::vector<std::string> set_headers;
  std::vector<std::string> stripped;  // set_headers and bypass.header: removed from client requests
  int breaker_failures = 2;
  Duration breaker_recovery = 30s;
  std::optional<std::string> precheck;
  bool allow_when_unavailable = false;
  struct Bypass {
    std::string header;
    std::string secret;
  };
  std::optional<Bypass> bypass;
};

struct Drain {
  Duration delay{0};
  Duration timeout = 8s;
  int close_code = 1001;
  bool wait_for_tunnels = false;           // tunnels: wait
  std::optional<std::string> notice = {};  // {seconds} is replaced
};

struct ReloadOptions {
  bool watch = false;  // reload when the configuration or a secret file changes
};

// Which requests get an access log line.
enum class AccessLines {
  all,
  failures,  // refused, cut off, abandoned by the client, or answered with 5xx
  none,
};

struct LogOptions {
  LogLevel level = LogLevel::info;
  std::optional<LogFormat> format;  // empty: text on a terminal, JSON elsewhere
  AccessLines access = AccessLines::all;
  std::string project;  // Google Cloud project for trace names; empty: only the trace id
};

// One receiver of alerts.
struct Alert {
  std::string to;     // a URL that may contain secrets, also in its path
  std::string shown;  // the same without secrets
  bool mail = false;  // smtp:// or smtps://
  bool slack = false;
  std::vector<std::string> on;
  Duration reminder{0};    // interval of reminders while the problem lasts; 0 = off
  Duration timeout = 10s;  // of one attempt
  std::vector<Condition> thresholds;
  Duration window = 1min;  // time span over which thresholds are evaluated
  std::optional<std::string> from;
  std::vector<std::string> recipients = {"postmaster"};  // RFC 5321 section 4.5.1: every server has one
  std::optional<std::string> user;
  std::optional<std::string> password;
  TlsOptions tls;  // without server_name and min_days_left
};

struct Config {
  Platform platform = Platform::none;  // `auto` is resolved
  Proxy proxy;
  Probes probes;
  GateOptions gate;
  std::vector<CheckSpec> checks;  // file order
  std::optional<Auth> auth;
  Drain drain;
  ReloadOptions reload;
  std::optional<std::string> state_file;
  LogOptions log;
  std::vector<Alert> alerts;
};

}  // namespace probegate::config
