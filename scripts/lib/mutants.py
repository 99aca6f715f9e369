"""The faults that scripts/mutate puts in, one at a time, and the suite that must notice each.

A fault is one that a maintainer could make: a clock that is not armed, a limit that is off by one, a refusal that is
gone. `old` occurs exactly once in its file. `suite` is one of Meson's tests, whose cases `only` chooses by Catch2's
patterns, or a file of tests/system, whose cases `only` chooses by pytest's -k.

Left out is what nothing can notice, since another part does it as well: of two lengths, and of a length beside chunks,
llhttp says the same as head_rules.cc, and whoever has bytes kept stops reading without Session::keep().
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    old: str
    new: str
    breaks: str
    suite: str
    only: str = ""


PROXY = "component proxy"
TUNNELS = "component proxy tunnels"
MEMORY = "component proxy memory"

# --- the connections to the backend
BACKEND = [
    Mutant(
        "pool-unbounded", "src/proxy/backend_pool.cc",
        "  if (idle_.size() >= kMostIdle) idle_.erase(idle_.begin());\n", "",
        "a burst leaves as many idle connections to the backend as it had requests", PROXY, "The idle connections*",
    ),
    Mutant(
        "pool-bound-off-by-one", "src/proxy/backend_pool.cc",
        "idle_.size() >= kMostIdle", "idle_.size() > kMostIdle",
        "one more idle connection is kept than the bound says", PROXY, "The idle connections*",
    ),
    Mutant(
        "pool-drops-the-newest", "src/proxy/backend_pool.cc",
        "idle_.erase(idle_.begin())", "idle_.pop_back()",
        "at the bound the newest connection goes, and the oldest, which die first, are kept", PROXY, "The idle connections*",
    ),
    Mutant(
        "pool-keeps-in-a-drain", "src/proxy/backend_pool.cc",
        "  if (environment_.gate->phase >= health::Phase::closing) return;\n", "",
        "a backend that is told to end waits for connections that nobody will use", PROXY, "A connection to the backend is not kept*",
    ),
    Mutant(
        "pool-keeps-reserve", "src/proxy/backend_pool.cc",
        "  if (environment_.share.all().is_reserve(stream.descriptor())) return;\n", "",
        "idle connections hold the descriptors that probes need", PROXY, "A connection to the backend is not kept*",
    ),
    Mutant(
        "pool-own-fault-keeps-idle", "src/proxy/backend_pool.cc",
        "    if (!by_backend) pool_.close_idle();  // may free the descriptors that are missing\n", "",
        "without descriptors new connects fail although idle connections hold some", MEMORY, "A connect that finds no descriptor*",
    ),
    Mutant(
        "pool-idle-outlives-lease", "src/proxy/backend_pool.cc",
        "std::min<Duration>(idle, Millis(lease.until_ms - now))", "idle",
        "an idle connection outlives the time after which traffic must follow the backend's name",
        PROXY, "An idle connection to the backend ends*",
    ),
    Mutant(
        "pool-no-margin", "src/proxy/backend_pool.cc",
        "*keep_alive_seconds - 1", "*keep_alive_seconds",
        "a request races with the backend's own idle timeout", PROXY, "A kept connection is left alone*",
    ),
    Mutant(
        "pool-old-backend", "src/proxy/backend_pool.cc",
        "lease.generation != generation_ || ", "",
        "after a reload requests go on to the backend that is configured no more", PROXY, "A busy connection to the backend*",
    ),
    Mutant(
        "pool-retries-at-closed-gate", "src/proxy/backend_pool.cc",
        " && !gate_closes;", ";",
        "a refusal that closes the gate is tried again until timeouts.connect is over", PROXY, "With a traffic check*",
    ),
    Mutant(
        "loop-keeps-idle-in-a-drain", "src/proxy/data_loop.cc",
        "  backends_.close_idle();\n  std::int64_t", "  std::int64_t",
        "a drain leaves idle connections to the backend open while tunnels end", PROXY, "Idle connections to the backend end*",
    ),
]  # fmt: skip

# --- a request and its answer
EXCHANGE = [
    Mutant(
        "exchange-second-100", "src/proxy/exchange.cc",
        "  if (response.status == 100) continue_deadline_.disarm();\n", "",
        "a client that takes its time with its body is told 100 twice", PROXY, "Expect: 100-continue never*",
    ),
    Mutant(
        "exchange-late-100", "src/proxy/exchange.cc",
        "  if (response.status == 100 && std::exchange(continued_, true)) return true;  // already sent by us\n", "",
        "the backend's 100 follows ours", PROXY, "Expect: 100-continue never*",
    ),
    Mutant(
        "exchange-repeats-delete", "src/proxy/exchange.cc",
        'request_.method == "OPTIONS";', 'request_.method == "OPTIONS" || request_.method == "DELETE";',
        "a request that changes something is sent twice", PROXY, "A request on a kept connection that dies*",
    ),
    Mutant(
        "exchange-repeats-begun", "src/proxy/exchange.cc",
        "safe && reused_ && !heard_ &&", "safe && reused_ &&",
        "a request is sent again although its answer had begun", PROXY, "An answer that has begun*",
    ),
    Mutant(
        "exchange-informational-unbounded", "src/proxy/exchange.cc",
        "++informational_ > kMostInformational", "++informational_ > 100 * kMostInformational",
        "a backend that sends 1xx for ever holds its client for ever", PROXY, "Informational answers without end*",
    ),
    Mutant(
        "exchange-body-limit-off-by-one", "src/proxy/exchange.cc",
        "body_.received() > limit", "body_.received() >= limit",
        "a chunked body of exactly limits.body_bytes is refused", PROXY, "A body of exactly*",
    ),
    Mutant(
        "admission-body-limit-off-by-one", "src/proxy/admission.cc",
        "request.content_length > most", "request.content_length >= most",
        "a body of exactly limits.body_bytes is refused", PROXY, "A body of exactly*",
    ),
    Mutant(
        "exchange-slow-body", "src/proxy/exchange.cc",
        "  if (!fresh && !request_complete_ && too_slow) return;\n", "",
        "a body that comes byte by byte holds its connection for ever", PROXY, "A body that comes byte by byte*",
    ),
    Mutant(
        "exchange-answer-not-rearmed", "src/proxy/exchange.cc",
        "        if (state_ == State::responding) deadline_.arm(environment_.timeouts().idle);\n", "",
        "an answer that goes on for longer than timeouts.response is cut", PROXY, "An answer that goes on*",
    ),
    Mutant(
        "exchange-no-back-pressure", "src/proxy/exchange.cc",
        "  if (sink_.busy()) backend_.read_stop();\n", "",
        "an answer whose reader is slow is kept in memory whole", PROXY, "A reader that stops stops the backend*",
    ),
    Mutant(
        "exchange-reuses-with-rest", "src/proxy/exchange.cc",
        "!upgrade_ && rest.empty() &&", "!upgrade_ &&",
        "what a backend said behind its answer is dropped, and the connection that is out of step used again",
        PROXY, "A kept connection is left alone*",
    ),
    Mutant(
        "exchange-reuses-half-body", "src/proxy/exchange.cc",
        "reusable = request_complete_ && ", "reusable = ",
        "the next request is written behind half of a body", PROXY, "A connection on which half a body*",
    ),
    Mutant(
        "answer-informational-to-1.0", "src/proxy/http1_stream.cc",
        "  if (request_.minor == 0) return true;\n", "",
        "an HTTP/1.0 client takes a 1xx for its answer", PROXY, "Informational answers are relayed*",
    ),
    Mutant(
        "answer-kept-without-length", "src/proxy/http1_stream.cc",
        "                !until_close_ && environment_", "                environment_",
        "an answer that ends with the connection promises that the connection stays", PROXY, "An answer reaches the client*",
    ),
]  # fmt: skip

# --- a client's connection
SESSION = [
    Mutant(
        "session-slow-reader-cut", "src/proxy/session_end.cc",
        "    deadline_.arm(environment_.timeouts().idle);\n  } else {\n    arm_linger();", "    arm_linger();\n  } else {\n    arm_linger();",
        "a slow reader loses the end of its last answer after 2 s", PROXY, "A slow reader gets all of its last answer*",
    ),
    Mutant(
        "session-linger-unbounded", "src/proxy/session.cc",
        "  if (client_ended_) return end();\n  arm_linger();\n", "  if (client_ended_) return end();\n",
        "a client that has taken its last answer and does not close holds its connection for timeouts.idle",
        PROXY, "A slow reader gets all of its last answer*",
    ),
    Mutant(
        "session-linger-for-ever", "src/proxy/session_end.cc",
        "|| next <= Duration::zero()) return end();", ") return end();",
        "a refused body that never ends is read for ever", PROXY, "A refusal survives*",
    ),
    Mutant(
        "session-head-not-timed", "src/proxy/session.cc",
        "    case State::head: deadline_.arm(environment_.timeouts().header); break;\n", "    case State::head: break;\n",
        "on a kept connection a head may take timeouts.idle", PROXY, "A head on a kept connection*",
    ),
    Mutant(
        "session-idle-for-ever", "src/proxy/session.cc",
        "    case State::idle: deadline_.arm(environment_.timeouts().idle); break;\n", "    case State::idle: break;\n",
        "kept connections that nobody uses are never closed", PROXY, "A kept connection that is idle*",
    ),
    Mutant(
        "session-garbage-unanswered", "src/proxy/session.cc",
        "    case Event::error: return refuse(refusal_of(parser_->error()));\n", "    case Event::error: return end();\n",
        "a garbled head is answered by a bare close", PROXY, "A refusal is complete*",
    ),
    Mutant(
        "session-kept-in-a-drain", "src/proxy/session.cc",
        " || environment_.gate->phase >= health::Phase::closing) return linger();", ") return linger();",
        "an answer that was under way when the drain began leaves its connection open", PROXY, "An idle connection ends with FIN*",
    ),
    Mutant(
        "session-drain-drops-request", "src/proxy/session_end.cc",
        "    if (state_ == State::idle && client_.readable()) return;\n", "",
        "a request that has arrived already is dropped by the drain", PROXY, "A request that has arrived when*",
    ),
    Mutant(
        "session-hold-starts-anew", "src/proxy/session.cc",
        "hold.timeout - Millis(age_ms - held_after_ms_)", "hold.timeout",
        "a gate that opens and closes again makes a request wait for hold.timeout each time", PROXY, "With a traffic check*",
    ),
    Mutant(
        "session-auth-not-timed", "src/proxy/session.cc",
        "  deadline_.arm(auth_->timeout());\n", "",
        "an auth thread that hangs holds every request for ever", PROXY, "When the auth thread itself hangs*",
    ),
    Mutant(
        "session-verdict-beats-gate", "src/proxy/session.cc",
        "  if (environment_.gate->open()) return begin_exchange();\n", "  return begin_exchange();\n",
        "a request whose verdict comes after the gate has closed goes to the backend", PROXY, "A gate that closes while the service is asked*",
    ),
    Mutant(
        "refusal-body-to-head", "src/proxy/refusal.cc",
        "  if (!form.head_only) out.append(content.body);\n", "  out.append(content.body);\n",
        "the body of a refusal to HEAD is taken for the next answer", PROXY, "A refusal to HEAD*",
    ),
]  # fmt: skip

# --- who is let in
ADMISSION = [
    Mutant(
        "admission-two-origins", "src/proxy/admission.cc",
        'request.fields.count("origin") == 1 &&\n         std::any_of', "std::any_of",
        "of two Origin fields the first alone is judged", TUNNELS, "Origins are allowed*",
    ),
    Mutant(
        "admission-in-a-drain", "src/proxy/admission.cc",
        "environment.gate->phase >= health::Phase::closing", "environment.gate->phase > health::Phase::closing",
        "a request that is complete after the drain began goes to the backend", PROXY, "A refusal is complete*",
    ),
    Mutant(
        "auth-redirect-allows", "src/proxy/auth_protocol.cc",
        "response.status <= 299", "response.status <= 399",
        "an auth service that redirects to its login page lets everybody in", "unit proxy", "A status is a verdict*",
    ),
    Mutant(
        "auth-two-bypasses", "src/proxy/auth_protocol.cc",
        "!auth.bypass || request.fields.count(auth.bypass->header) != 1", "!auth.bypass",
        "of two bypass fields the first alone is judged", PROXY, "The bypass lets whoever knows*",
    ),
    Mutant(
        "auth-own-fault-counts", "src/proxy/auth_client.cc",
        "answer.ours || took", "took",
        "our own lack of memory opens the breaker of a service that is well", PROXY, "A question that could not be asked*",
    ),
    Mutant(
        "trust-nearest-hop", "src/proxy/trust.cc",
        "      if (!is_further_hop(client, trust.networks)) return client;\n", "      return client;\n",
        "a trusted hop is taken for the client", "unit proxy", "The client is the last entry*",
    ),
    Mutant(
        "trust-link-local", "src/proxy/trust.cc",
        "bytes.at[0] == 127 || (bytes.at[0] == 169 && bytes.at[1] == 254)", "bytes.at[0] == 127",
        "a platform's own front end is named as the client", "unit proxy", "By default loopback*",
    ),
    Mutant(
        "limits-one-descriptor-each", "src/proxy/shared_limits.cc",
        "(ceiling_ - surplus_) / 2", "(ceiling_ - surplus_)",
        "connections are promised descriptors that the other hop needs", PROXY, "Connections are limited so*",
    ),
    Mutant(
        "limits-uneven", "src/proxy/shared_limits.cc",
        "+ kMostAhead <= mine", "+ 100 * kMostAhead <= mine",
        "one loop takes the connections of all", PROXY, "A loop with more connections*",
    ),
    Mutant(
        "limits-no-order", "src/proxy/shared_limits.cc",
        "    if (all_->per_loop_[i].oldest.load(std::memory_order_relaxed) >= ticket) continue;\n", "    continue;\n",
        "held requests of one loop overtake older ones of another", PROXY, "Releases are spaced*",
    ),
    Mutant(
        "loop-queue-forgotten", "src/proxy/data_loop.cc",
        "  for (const auto& listener : listeners_) listener->accept_rest();\n", "",
        "who waits in the queue when the port closes is reset", PROXY, "All loops together answer*",
    ),
    Mutant(
        "loop-keeps-memory", "src/proxy/data_loop.cc",
        "  ::malloc_trim(0);\n", "",
        "an idle instance keeps the memory of its last burst for ever", MEMORY, "The memory of a burst*",
    ),
    Mutant(
        "loop-trims-always", "src/proxy/data_loop.cc",
        "most_sessions_ < kWorthIt || ", "",
        "every few connections that end cost milliseconds of every tunnel", MEMORY, "The memory of a burst*",
    ),
    Mutant(
        "listener-accepts-all", "src/loop/listener.cc",
        "kPerTurn = 64;", "kPerTurn = 100'000;",
        "a flood of connections starves those that are open", "component loop", "Listener takes no more*",
    ),
    Mutant(
        "listener-spins", "src/loop/listener.cc",
        "        failures.fetch_add(1, std::memory_order_relaxed);\n        return pause(kPause);",
        "        failures.fetch_add(1, std::memory_order_relaxed);\n        return;",
        "without descriptors the loop spins", "component loop", "Listener without descriptors neither*",
    ),
]  # fmt: skip

# --- tunnels
TUNNEL = [
    Mutant(
        "tunnel-idle-one-way", "src/proxy/tunnel.cc",
        "over(last_frame_ms_ + millis(policy.idle_timeout))", "over(last_client_ms_ + millis(policy.idle_timeout))",
        "a tunnel in which only the backend speaks ends as idle", TUNNELS, "An idle tunnel ends with 1001*",
    ),
    Mutant(
        "tunnel-same-lifetime", "src/proxy/tunnel.cc",
        "  return whole - whole * (random() % 1000) / 10'000;\n", "  return whole - random() % 2;\n",
        "a generation of tunnels comes back as one", TUNNELS, "Lifetimes are spread*",
    ),
    Mutant(
        "tunnel-pong-ignored", "src/proxy/tunnel.cc",
        "    if (last_client_ms_ >= pinged_ms_) pinged_ms_ = 0;\n", "",
        "a client that answers every ping is cut", TUNNELS, "A silent client is pinged*",
    ),
    Mutant(
        "tunnel-no-back-pressure", "src/proxy/tunnel.cc",
        "    if (stream(to).busy()) stream(from).read_stop();\n", "",
        "what a slow reader does not take is kept in memory whole", TUNNELS, "A reader that stops stops the writer*",
    ),
    Mutant(
        "tunnel-close-in-a-frame", "src/proxy/tunnel_end.cc",
        "} else if (from.tracker.at_boundary()) {", "} else {",
        "a Close of ours lands in the middle of a frame", TUNNELS, "A drain closes a tunnel towards*",
    ),
    Mutant(
        "tunnel-fin-to-the-wrong-side", "src/proxy/tunnel_end.cc",
        "if (client_.close_due == 0 && backend_has_said_all) send_fin(client_);",
        "if (backend_.close_due == 0 && backend_has_said_all) send_fin(backend_);",
        "after both Closes the backend is ended first, and its client keeps TIME_WAIT", TUNNELS, "A Close of one side*",
    ),
    Mutant(
        "tunnel-blames-backend", "src/proxy/tunnel_end.cc",
        "is_client(by) ? code::kProtocolError : code::kInternalError", "code::kProtocolError",
        "a client is told 1002 for what its backend did", TUNNELS, "A tunnel's end is told*",
    ),
    Mutant(
        "tunnel-close-unanswered", "src/proxy/tunnel_end.cc",
        "client_.tracker.closed() ? echo_of(client_.tracker.close_code()) : code::kServiceRestart", "code::kServiceRestart",
        "a client that closes with 3001 is answered 1012", TUNNELS, "A client that waits for the answer*",
    ),
    Mutant(
        "tunnel-end-moves-away", "src/proxy/tunnel_end.cc",
        "  if (end_by_ms_ != 0 && end_by_ms_ <= by) return;\n", "",
        "a peer that goes on sending puts its tunnel's end off", TUNNELS, "What the peers do after our Close*",
    ),
    Mutant(
        "tunnel-drains-at-once", "src/proxy/data_loop.cc",
        "session.tunnelling() ? first + spread * rank++ / tunnels : Duration::zero()", "Duration::zero()",
        "all clients of an instance that drains come back at once", PROXY, "Tunnels are closed one after another*",
    ),
]  # fmt: skip

# --- HTTP/1.1 and WebSocket on the wire
PROTO = [
    Mutant(
        "head-trailer-pragma", "src/proto/head_rules.cc",
        '"pragma",', "",
        "a trailer says what only a head may say", "unit proto", "Who asks and what the content is*",
    ),
    Mutant(
        "head-chunks-in-1.0", "src/proto/head_rules.cc",
        '    if (head.minor == 0) return bad("Transfer-Encoding in an HTTP/1.0 request");\n', "",
        "a hop that does not know chunks sees another request", "unit proto", "A request whose length*",
    ),
    Mutant(
        "head-nominated-framing", "src/proto/head_rules.cc",
        '  if (control.names_framing) return bad("Connection names a field that frames the message");\n', "",
        "Connection takes the length of a request away", "unit proto", "A request whose length*",
    ),
    Mutant(
        "head-options-off-by-one", "src/proto/head_rules.cc",
        "++control.options > kMostConnectionOptions", "++control.options >= kMostConnectionOptions",
        "one option less is taken in Connection than promised", "unit proto", "Connection names up to*",
    ),
    Mutant(
        "head-fields-off-by-one", "src/proto/head_scan.cc",
        "fields.size() == most", "fields.size() + 1 == most",
        "one field less is taken than the limit says", "unit proto", "A head over a limit*",
    ),
    Mutant(
        "head-204-with-a-body", "src/proto/head_rules.cc",
        "    if (head.status == 204 && announced) head.keep_alive = false;\n", "",
        "the body that a 204 announced is taken for the next answer", "unit proto", "An answer says whether*,An answer's body*",
    ),
    Mutant(
        "parser-extensions-unbounded", "src/proto/http_parser.cc",
        "    if (chunk_framing_ > kPlain) chunk_extensions_ += chunk_framing_ - kPlain;\n", "",
        "a body of chunk extensions goes on for ever", "unit proto", "Chunk extensions are rationed*",
    ),
    Mutant(
        "parser-blank-lines-unbounded", "src/proto/http_parser.cc",
        "if (++blank_bytes_ > limits_.head_bytes) return", "if (++blank_bytes_ == 0) return",
        "empty lines before a head go on for ever", "unit proto", "A head over a limit*",
    ),
    Mutant(
        "forward-proxy-credentials", "src/proto/http_forward.cc",
        "    case FieldName::keep_alive:\n    case FieldName::proxy:\n    case FieldName::transfer_encoding:\n    case FieldName::upgrade:\n    case FieldName::ambiguous: return;",
        "    case FieldName::keep_alive:\n    case FieldName::transfer_encoding:\n    case FieldName::upgrade:\n    case FieldName::ambiguous: return;\n    case FieldName::proxy: break;",
        "Proxy-Authorization, which is for this hop, goes on", "unit proto", "Fields for one hop*",
    ),
    Mutant(
        "forward-ambiguous", "src/proto/http_forward.cc",
        "    case FieldName::ambiguous: return;", "      return;\n    case FieldName::ambiguous: break;",
        "x_forwarded_for goes on and is read as X-Forwarded-For", "unit proto", "A name that an app may read*",
    ),
    Mutant(
        "forward-untrusted-host", "src/proto/http_forward.cc",
        "      if (!client.trusted) return;\n      seen.forwarded_host = true;", "      seen.forwarded_host = true;",
        "anybody says which host was asked for", "unit proto", "An untrusted client's word*",
    ),
    Mutant(
        "forward-untrusted-address", "src/proto/http_forward.cc",
        "client.trusted && seen.forwarded_for", "seen.forwarded_for",
        "anybody says who the client is", "unit proto", "An untrusted client's word*",
    ),
    Mutant(
        "forward-max-forwards", "src/proto/http_forward.cc",
        "number(*left - 1)", "number(*left)",
        "a loop that Max-Forwards was to end goes on", "unit proto", "Max-Forwards counts down*",
    ),
    Mutant(
        "forward-nominated-of-answer", "src/proto/http_forward.cc",
        "    if (nominated.contains(field.name)) continue;\n    head.field(field);", "    head.field(field);",
        "fields that a backend meant for its hop alone reach the client", "unit proto", "An answer goes on without*",
    ),
    Mutant(
        "forward-trailer-unasked", "src/proto/http_forward.cc",
        "if (!chunked || !view.trailers) continue;", "if (!chunked) continue;",
        "Trailer announces what does not come", PROXY, "Trailers of an answer*",
    ),
    Mutant(
        "forward-204-length", "src/proto/http_forward.cc",
        "response.status >= 200 && response.status != 204", "response.status >= 200",
        "a 204 has a length", "unit proto", "An answer's framing*",
    ),
    Mutant(
        "frames-code-1005", "src/proto/ws_frames.cc",
        "(code >= 1007 && code <= 1014)", "(code >= 1005 && code <= 1014)",
        "a Close with 1005 goes on, which may stand on no wire", "unit proto", "Every frame that breaks a rule*",
    ),
    Mutant(
        "frames-code-4999", "src/proto/ws_frames.cc",
        "return code <= 4999;", "return code < 4999;",
        "a Close with 4999, which is an app's own, breaks the protocol", "unit proto", "Every close code*",
    ),
    Mutant(
        "frames-server-masks", "src/proto/ws_frames.cc",
        "if (((header_[1] & kMask) != 0) != masked_) {\n    fault_", "if (masked_ && (header_[1] & kMask) == 0) {\n    fault_",
        "masked frames of a server go on", "unit proto", "A frame with the wrong masking*",
    ),
    Mutant(
        "frames-control-off-by-one", "src/proto/ws_frames.cc",
        "is_control() && length > kMostControl", "is_control() && length >= kMostControl",
        "a Ping of 125 bytes breaks the protocol", "unit proto", "Every kind of frame*",
    ),
    Mutant(
        "frames-length-not-shortest", "src/proto/ws_frames.cc",
        "length <= (extended == 2 ? kMostControl : 0xffffu)", "length < (extended == 2 ? kMostControl : 0xffffu)",
        "125 bytes announced in the longer form go on", "unit proto", "Every frame that breaks a rule*",
    ),
    Mutant(
        "frames-message-off-by-one", "src/proto/ws_frames.cc",
        "length > max_message_ - message_bytes_", "length >= max_message_ - message_bytes_",
        "a message of exactly websocket.max_message is refused", "unit proto", "A message over the limit*",
    ),
    Mutant(
        "frames-message-not-counted-anew", "src/proto/ws_frames.cc",
        "    ++messages_;\n    message_bytes_ = 0;\n", "    ++messages_;\n",
        "the bytes of all messages count against websocket.max_message", "unit proto", "A message over the limit*",
    ),
    Mutant(
        "frames-control-reserved-bits", "src/proto/ws_frames.cc",
        "(!extensions_ || is_control())", "!extensions_",
        "a compressed Ping, which there is not, goes on", "unit proto", "Every frame that breaks a rule*",
    ),
    Mutant(
        "handshake-version", "src/proto/ws_handshake.cc",
        'request.fields.get(FieldName::websocket_version) != "13"', 'request.fields.get(FieldName::websocket_version) < "13"',
        "a version that nobody speaks is upgraded", "unit proto", "An upgrade request needs one key*",
    ),
    Mutant(
        "handshake-accept", "src/proto/ws_handshake.cc",
        "  if (fields.get(FieldName::websocket_accept) != offered.accept)\n    return \"Sec-WebSocket-Accept does not match the key\";\n", "",
        "an answer to another handshake opens a tunnel", "unit proto", "A wrong 101 is refused*",
    ),
]  # fmt: skip

# --- what is judged
HEALTH = [
    Mutant(
        "health-fall-off-by-one", "src/health/health_model.cc",
        "state.consecutive_failures >= policies_[check].fall", "state.consecutive_failures > policies_[check].fall",
        "a check falls one failure late", "unit health", "A passing check falls*",
    ),
    Mutant(
        "health-rise-off-by-one", "src/health/health_model.cc",
        "state.consecutive_passes < policy.rise", "state.consecutive_passes <= policy.rise",
        "a check rises one pass late", "unit health", "rise passes in a row*",
    ),
    Mutant(
        "health-rise-with-gaps", "src/health/health_model.cc",
        "  state.consecutive_passes = 0;\n  state.error = std::move(error);", "  state.error = std::move(error);",
        "passes with failures between them count as passes in a row", "unit health", "rise passes in a row*",
    ),
    Mutant(
        "health-stable-off-by-one", "src/health/health_model.cc",
        "answering < policy.stable_for", "answering <= policy.stable_for",
        "stable_for asks for more than it says", "unit health", "stable_for must go by*",
    ),
    Mutant(
        "health-warn-is-pass", "src/health/health_model.cc",
        "state.error ? CheckStatus::warn : CheckStatus::pass", "CheckStatus::pass",
        "warnings are shown as passes", "unit health", "A pass over the slow limit*",
    ),
    Mutant(
        "health-slow-at-limit", "src/health/health_model.h",
        "latency > policy.slow;", "latency >= policy.slow;",
        "an answer exactly at the slow limit is a warning", "unit health", "A pass over the slow limit*",
    ),
    Mutant(
        "health-stability-survives-refusal", "src/health/health_model.cc",
        "  passing_since_[check].reset();\n  change(check, CheckStatus::fail, wall, transitions);", "  change(check, CheckStatus::fail, wall, transitions);",
        "a backend that refused a moment ago counts as stable", "unit health", "A refusal starts the time*",
    ),
    Mutant(
        "gate-deadline-late", "src/health/gate.cc",
        "now >= deadline()", "now > deadline()",
        "the start times out one look late", "unit health", "Gate fails at the deadline*",
    ),
    Mutant(
        "gate-closed-by-readiness", "src/health/gate.cc",
        "model.policies()[i].affects.traffic && model.states()[i].status", "model.policies()[i].affects.readiness && model.states()[i].status",
        "a dependency that is down takes the traffic of everybody away", "unit health", "Gate stays open*,Gate closes while*",
    ),
    Mutant(
        "gate-frozen-time-counts", "src/health/gate.h",
        "policy_.startup_timeout + excused_; }", "policy_.startup_timeout; }",
        "a start that was frozen by the platform times out", "unit health", "Gate does not count frozen*",
    ),
    Mutant(
        "gate-resumes-open", "src/health/gate.cc",
        "  draining_ = false;\n  if (pause_)", "  draining_ = false;\n  judged_ = GateState::open;\n  if (pause_)",
        "a drain that is called off opens a gate that was not", "unit health", "Gate resumes*",
    ),
    Mutant(
        "gate-times-out-before-it-opens", "src/health/gate.cc",
        "  } else if (may_pass && startup_passing(model)) {", "  } else if (next_deadline() && now >= deadline() && !timed_out_) {\n    timed_out_ = true;\n    judged_ = GateState::failed;\n  } else if (may_pass && startup_passing(model)) {",
        "a start that is ready in the turn of its deadline fails", "unit health", "Gate that can open in the very turn*",
    ),
    Mutant(
        "breaker-off-by-one", "src/health/circuit_breaker.cc",
        "++word.failures < static_cast", "++word.failures <= static_cast",
        "the breaker opens one failure late", "unit health", "So many failures in a row*",
    ),
    Mutant(
        "breaker-never-forgets", "src/health/circuit_breaker.cc",
        "      word.failures = 0;\n", "",
        "failures days apart open the breaker", "unit health", "So many failures in a row*",
    ),
    Mutant(
        "breaker-many-trials", "src/health/circuit_breaker.cc",
        "word.state == State::trial || floor_ms", "floor_ms",
        "everybody is let through while one trial was meant", "unit health", "An open breaker refuses*",
    ),
    Mutant(
        "breaker-old-success", "src/health/circuit_breaker.cc",
        "    if (word.period != ticket.period) return false;\n    if (word.state == State::closed && !ticket.trial) {\n      word.failures = 0;",
        "    if (word.state == State::closed && !ticket.trial) {\n      word.failures = 0;",
        "what was asked before the breaker opened closes it", "unit health", "What tickets of an earlier period*",
    ),
    Mutant(
        "breaker-trial-is-lost", "src/health/circuit_breaker.cc",
        "    if (word.state != State::trial || word.period != ticket.period) return false;\n    word.state = State::open;\n    return true;",
        "    return false;",
        "a client that leaves with the trial keeps the breaker open for ever", "unit health", "A trial whose asker leaves*",
    ),
    Mutant(
        "readiness-in-a-drain", "src/health/readiness_json.cc",
        '  if (snapshot.gate == GateState::draining) return {"draining", false};\n', '  if (snapshot.gate == GateState::draining) return {"draining", true};\n',
        "an instance that drains is given new clients", "unit health", "Each document says its word*",
    ),
    Mutant(
        "readiness-mysql-is-no-datastore", "src/health/readiness_json.cc",
        ' || check_type == "mysql" ||', " ||",
        "mysql is shown as a component, postgres and redis as datastores", "unit health", "The application/health+json document*",
    ),
    Mutant(
        "history-unbounded", "src/health/history.cc",
        "  if (events_.size() == kEvents) events_.pop_front();\n", "",
        "events of weeks are kept in memory", "unit health", "A history keeps the newest*",
    ),
]  # fmt: skip

# --- what is asked
CHECKS = [
    Mutant(
        "schedule-locks-the-account", "src/checks/schedule.cc",
        "login_refused && !state.passing() ? refused_logins_ + 1 : 0", "0",
        "a wrong password is tried until the account is locked", "unit checks", "Schedule asks ever more slowly*",
    ),
    Mutant(
        "schedule-jitter-lengthens", "src/checks/schedule.cc",
        "1.0 - kJitter * chance", "1.0 + kJitter * chance",
        "a check comes later than its interval", "unit checks", "Schedule's jitter*",
    ),
    Mutant(
        "schedule-crash-loop", "src/checks/schedule.cc",
        "  crashes_ = finished.crashed ? crashes_ + 1 : 0;\n", "  crashes_ = finished.crashed ? 1 : 0;\n",
        "a check that crashes is made again ten times a second", "unit checks", "Schedule restarts*",
    ),
    Mutant(
        "expectation-range-end", "src/checks/expectations.cc",
        "status <= range.second", "status < range.second",
        "299 is not among 200-299", "component checks", "HTTP check passes on the status*",
    ),
    Mutant(
        "expectation-at-most", "src/checks/expectations.cc",
        "number(value) <= number(right_)", "number(value) < number(right_)",
        "the limit itself is not at most the limit", "component checks", "JSON conditions compare numbers*",
    ),
    Mutant(
        "certificate-fails-early", "src/checks/transport.cc",
        "return CheckResult::warn(FailKind::tls", "return CheckResult::fail(FailKind::tls",
        "a certificate that ends in a week takes the service away now", "component checks", "HTTP check verifies https*",
    ),
    Mutant(
        "runner-believes-late-reports", "src/checks/runner.cc",
        "job.in_flight && report.attempt == job.attempt", "job.in_flight",
        "what an attempt says after its deadline is taken for the next one's answer", "component checks", "Runner that was suspended does not believe*",
    ),
    Mutant(
        "runner-absence-is-a-timeout", "src/checks/runner.cc",
        "    if (late > kBeat) return repeat(job, late);  // the answer may have arrived meanwhile\n", "",
        "a short absence of ours is booked as the dependency's timeout", "component checks", "Runner does not book a timeout*",
    ),
    Mutant(
        "postgres-own-lack", "src/checks/postgres_errors.cc",
        "for (const int lack : {EMFILE, ENFILE})", "for (const int lack : {ENFILE})",
        "our own lack of descriptors is booked as the server's failure", "unit checks", "Our own lack of descriptors*",
    ),
    Mutant(
        "postgres-missing-database", "src/checks/postgres_errors.cc",
        'sqlstate == "3D000" || sqlstate == "42501"', 'sqlstate == "42501"',
        "a database that does not exist is told as a server that cannot be reached", "unit checks", "A SQLSTATE decides*",
    ),
    Mutant(
        "message-secret-at-the-cut", "src/checks/presentable.cc",
        "shortened(one_line(valid_utf8(secrets.masked(message.substr(0, kLongestRead)))), kLongestMessage)",
        "secrets.masked(shortened(one_line(valid_utf8(message.substr(0, kLongestRead))), kLongestMessage))",
        "a secret that control characters part, or the cut, is shown", "unit checks", "A message is one line*,A secret at the cut*",
    ),
    Mutant(
        "message-secret-shown", "src/checks/presentable.cc",
        "secrets.masked(message.substr(0, kLongestRead))", "message.substr(0, kLongestRead)",
        "a server's words repeat the password into the log", "unit checks", "A message is one line*",
    ),
    Mutant(
        "header-secret-shown", "src/checks/transport.cc",
        "    if (is_harmless_header(name)) continue;\n    secrets.push_back(value);", "    if (!is_harmless_header(name)) continue;\n    secrets.push_back(value);",
        "a token of a header is shown where a peer repeats it", "component checks", "HTTP check*",
    ),
]  # fmt: skip

# --- what is configured
CONFIG = [
    Mutant(
        "config-slow-at-timeout", "src/config/read_checks.cc",
        "check.slow >= check.timeout", "check.slow > check.timeout",
        "a slow limit that nothing can reach is taken", "unit config", "Every invalid file*",
    ),
    Mutant(
        "config-needs-in-a-circle", "src/config/read_checks.cc",
        "    cycles.visit(check);\n", "",
        "checks that wait for each other are taken, and the gate never opens", "unit config", "Every invalid file*",
    ),
    Mutant(
        "config-interval-unbounded", "src/config/read_checks.cc",
        'fields.duration("startup_interval", check.startup_interval, kShortestInterval)', 'fields.duration("startup_interval", check.startup_interval)',
        "a startup_interval of 0 asks without a pause", "unit config", "Every invalid file*",
    ),
    Mutant(
        "config-cloud-run-budget", "src/config/read_config.cc",
        "value.delay + value.timeout >= kCloudRunStop", "value.delay + value.timeout > kCloudRunStop",
        "a drain of exactly the 10 s after which Cloud Run kills is taken", "unit config", "Every invalid file*,Cloud Run's ten seconds*",
    ),
    Mutant(
        "config-close-code-1006", "src/config/read_config.cc",
        " && code != 1006;", ";",
        "a close code that no browser takes is sent to all of them", "unit config", "Every invalid file*",
    ),
    Mutant(
        "config-own-backend", "src/config/read_config.cc",
        "  if (own == config.proxy.listen.end()) return;\n", "  return;\n",
        "a gate that is its own backend asks itself for ever", "unit config", "The gate as its own backend*",
    ),
    Mutant(
        "config-shared-address", "src/config/read_config.cc",
        "(covers(a, b) || covers(b, a))", "covers(a, b)",
        "two addresses that overlap are taken, and one cannot be bound", "unit config", "A list of addresses*,Every invalid file*",
    ),
    Mutant(
        "config-unknown-precheck", "src/config/read_config.cc",
        "  check_precheck(root, config);\n", "  if (false) check_precheck(root, config);\n",
        "an auth.precheck that names no check is never noticed", "unit config", "Every invalid file*",
    ),
    Mutant(
        "config-trust-nobody", "src/config/read_proxy.cc",
        "platform == Platform::cloud_run && !nobody", "platform == Platform::cloud_run",
        "forwarded.trust: [] trusts everybody on Cloud Run", "unit config", "Who is trusted*",
    ),
    Mutant(
        "config-user-without-password", "src/config/read_alerts.cc",
        '  if (alert.user && !alert.password) fields.problem("user", "user needs password or password_file");\n', "",
        "mail without its password is found out by the first outage", "unit config", "Every invalid file*",
    ),
    Mutant(
        "config-webhook-shown", "src/config/secrets.cc",
        "  url->parameters.clear();\n", "",
        "the parameters of a webhook, which are its password, are shown", "unit config", "Of an address only*,No secret reaches*",
    ),
    Mutant(
        "config-unit-twice", "src/config/scalars.cc",
        "    ++next;\n    text.remove_prefix(name.size());", "    text.remove_prefix(name.size());",
        "1m1m is two minutes to this reader alone", "unit config", "Durations take*",
    ),
    Mutant(
        "config-size-overflow", "src/config/scalars.cc",
        "(unit == 1 && !text.empty()) || *number > kMaxSize / unit", "unit == 1 && !text.empty()",
        "a size too large becomes a small one", "unit config", "Sizes take*",
    ),
    Mutant(
        "config-octal", "src/config/scalars.cc",
        "text.size() > 1 && text.starts_with('0')", "text.empty()",
        "010 is ten here and eight elsewhere", "unit config", "Integers have no*",
    ),
    Mutant(
        "config-timeout-is-a-question", "src/config/compare.cc",
        '"timeout", "rise", ', '"rise", ',
        "a new timeout forgets what was known of the dependency", "unit config", "Pace*",
    ),
    Mutant(
        "condition-at-least", "src/config/conditions.cc",
        "return *seen >= limit;", "return *seen > limit;",
        "the limit itself does not raise an alert", "unit config", "Conditions compare*",
    ),
]  # fmt: skip

# --- who is told
ALERTS = [
    Mutant(
        "alert-at-every-start", "src/alerts/policy.cc",
        "    if (opened_) fell(event.check, watch, moment, out);\n", "    fell(event.check, watch, moment, out);\n",
        "every start is told as an outage", "unit alerts", "A start is told once*",
    ),
    Mutant(
        "alert-told-twice", "src/alerts/policy.cc",
        'event.to == "fail" && !watch.down', 'event.to == "fail"',
        "what stays down is told at every failure", "unit alerts", "A check that is down is told once*",
    ),
    Mutant(
        "alert-flap-off-by-one", "src/alerts/policy.cc",
        "watch.falls.size() >= kFlaps", "watch.falls.size() > kFlaps",
        "one more change is told before it is called flapping", "unit alerts", "A check that flaps*",
    ),
    Mutant(
        "alert-flap-window", "src/alerts/policy.cc",
        "  while (moment.now - watch.falls.front() > kFlapWindow) watch.falls.pop_front();\n", "",
        "four outages in a year are flapping", "unit alerts", "Slow changes are no flapping*",
    ),
    Mutant(
        "alert-reminds-always", "src/alerts/policy.cc",
        "    trouble.told = moment.now;\n    tell({trouble.kind", "    tell({trouble.kind",
        "after the first reminder every look is one", "unit alerts", "What stays wrong*",
    ),
    Mutant(
        "alert-restart-storm", "src/alerts/policy.cc",
        "restarts_.told && moment.now - *restarts_.told < kRestartPause", "restarts_.told && moment.now < *restarts_.told",
        "every restart of a backend in a crash loop is told", "unit alerts", "Restarts of the backend*",
    ),
    Mutant(
        "alert-up-untold", "src/alerts/policy.cc",
        "  if (held_.erase(check) > 0) return;  // the failure was not reported either\n", "  held_.erase(check);\n",
        "a planned stop is told as the end of an outage that nobody was told of", "unit alerts", "A planned stop*",
    ),
    Mutant(
        "alert-mail-head", "src/alerts/message.cc",
        "return c < ' ' || c > '~'; }, '?');", "return c < '\\t'; }, '?');",
        "a server's words add a line to the head of a mail", "unit alerts", "A mail is a whole one*",
    ),
    Mutant(
        "alert-slack-mentions", "src/alerts/message.cc",
        "      case '<': out += \"&lt;\"; break;\n", "",
        "a server's words call everybody in the channel", "unit alerts", "Slack gets a text*",
    ),
    Mutant(
        "alert-forgets-nothing", "src/alerts/policy.cc",
        "  std::erase_if(checks_, gone);\n", "",
        "a check that a reload took away is told as it was when it comes back", "unit alerts", "A check that a reload took away*",
    ),
    Mutant(
        "delivery-asks-in-vain", "src/alerts/delivery.cc",
        "!permanent && queue.attempts < kAttempts", "queue.attempts < kAttempts",
        "a receiver that said no is asked again", "tests/system/alerts_test.py", "says_no_is_not_asked_again",
    ),
    Mutant(
        "delivery-hammers", "src/alerts/delivery.cc",
        "kFirstPause * (1 << (2 * (queue.attempts - 1)))", "kFirstPause",
        "a receiver that is overloaded is asked every second", "tests/system/alerts_test.py", "that_fails_is_tried_again",
    ),
    Mutant(
        "delivery-gives-up", "src/alerts/delivery.cc",
        "status == 429 || status >= 500", "status == 429",
        "an alert that meets a receiver's 500 is lost", "tests/system/alerts_test.py", "that_fails_is_tried_again",
    ),
]  # fmt: skip

MUTANTS = [*BACKEND, *EXCHANGE, *SESSION, *ADMISSION, *TUNNEL, *PROTO, *HEALTH, *CHECKS, *CONFIG, *ALERTS]
