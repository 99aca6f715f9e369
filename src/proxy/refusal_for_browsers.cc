#include "proxy/refusal_for_browsers.h"

#include "base/html_text.h"
#include "proto/ws_frames.h"
#include "proto/ws_handshake.h"

namespace probegate::proxy {
namespace {

using metrics::Reason;

// The hash in the policy is of kStyle; tests/system/browser_refusal_test.py compares them.
constexpr std::string_view kStyle =
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 "
    "1rem}small{opacity:.7}";
constexpr std::string_view kFields =
    "Content-Type: text/html; charset=utf-8\r\nContent-Security-Policy: default-src 'none'; style-src "
    "'sha256-GKLJH1VA9/mOo5a+ZJjSZJltQrOTPJK6bntrZy0ERm4='; base-uri 'none'; form-action 'none'; "
    "frame-ancestors "
    "'none'\r\nX-Content-Type-Options: nosniff\r\n";

struct Sentences {
  std::string_view title;
  std::string_view text;
};

Sentences sentences(Reason reason) {
  switch (reason) {
    case Reason::gate_closed:
    case Reason::hold_timeout:
    case Reason::hold_full:
      return {"Not ready yet", "The service is starting or waits for something it needs."};
    case Reason::paused: return {"Maintenance", "The service is paused for maintenance."};
    case Reason::draining: return {"Restarting", "This instance of the service is shutting down."};
    default: return {"Busy", "The service cannot take more requests right now."};
  }
}

}  // namespace

Relayed refusal_page(Reason reason, unsigned retry_after, std::string_view request_id, bool repeatable) {
  const auto [title, text] = sentences(reason);
  const std::string seconds = std::to_string(retry_after);
  std::string body = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  body += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  body += "<meta name=\"color-scheme\" content=\"light dark\">\n";
  if (repeatable) body += "<meta http-equiv=\"refresh\" content=\"" + seconds + "\">\n";
  body += "<title>";
  body.append(title).append("</title>\n<style>").append(kStyle).append("</style>\n</head>\n<body>\n<h1>");
  body.append(title).append("</h1>\n<p>").append(text).append("</p>\n<p>");
  body.append(repeatable ? "This page tries again in " : "Send it again in ").append(seconds);
  body.append(retry_after == 1 ? " second" : " seconds").append(".</p>\n<p><small>");
  body.append(metrics::to_string(reason)).append(", request ").append(escaped_html(request_id));
  body.append("</small></p>\n</body>\n</html>\n");
  return {std::string(kFields), std::move(body)};
}

std::optional<std::uint16_t> refusal_close_code(Reason reason) {
  constexpr std::uint16_t kTryAgainLater = 1013;
  switch (reason) {
    case Reason::draining: return proto::close_code::kServiceRestart;
    case Reason::gate_closed:
    case Reason::paused:
    case Reason::hold_timeout:
    case Reason::hold_full:
    case Reason::connection_limit:
    case Reason::auth_unavailable: return kTryAgainLater;
    default: return std::nullopt;
  }
}

std::string write_refusal_by_close(Reason reason, std::uint16_t code, const proto::RequestHead& upgrade,
                                   std::string_view date) {
  const auto offered = proto::OfferedHandshake::of(upgrade);
  std::string out = "HTTP/1.1 101 Switching Protocols\r\nDate: ";
  out.append(date).append("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
  out.append(offered.accept).append("\r\nProbegate-Reason: ").append(metrics::to_string(reason));
  if (!offered.subprotocols.empty())
    out.append("\r\nSec-WebSocket-Protocol: ").append(offered.subprotocols.front());
  out.append("\r\n\r\n");
  return out.append(proto::make_close(code, metrics::to_string(reason)).view());
}

}  // namespace probegate::proxy
