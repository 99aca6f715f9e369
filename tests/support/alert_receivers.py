"""Who gets alerts: an HTTP receiver whose manners the test decides, and a real SMTP server (aiosmtpd)."""

import email
import http.server
import json
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from support.ports import free_port


class Webhook:
    """Keeps what was posted. `statuses` are answered one after the other, the last one for ever; `hang` answers nothing."""

    def __init__(self, statuses=(200,)):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.posts = []  # (path, body)
        self.times = []  # when they came, in seconds
        self.statuses = list(statuses)
        self.hang = False
        self._over = threading.Event()
        webhook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.times.append(time.monotonic())
                webhook.posts.append((self.path, json.loads(body)))
                if webhook.hang:
                    webhook._over.wait()
                    return
                self.send_response(webhook.statuses.pop(0) if len(webhook.statuses) > 1 else webhook.statuses[0])
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def bodies(self):
        return [body for _, body in self.posts]

    @property
    def events(self):
        return [body["event"] for body in self.bodies]

    def close(self):
        self._over.set()
        self._server.shutdown()
        self._server.server_close()


class MailServer:
    """Keeps the mails it took. `login` is (user, password); `tls` a context for STARTTLS, or for all of it: `smtps`."""

    def __init__(self, login=None, tls=None, smtps=False):
        self.port = free_port()
        self.url = f"{'smtps' if smtps else 'smtp'}://127.0.0.1:{self.port}"
        self.mails = []  # (envelope, parsed message)
        self.refuse = False
        self._login = login
        auth = {"authenticator": self._check, "auth_required": True, "auth_require_tls": tls is not None} if login else {}
        how = {"ssl_context": tls} if smtps else {"tls_context": tls}
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **how, **auth)
        self._controller.start()

    def _check(self, _server, _session, _envelope, _mechanism, data):
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self._login, handled=False)

    async def handle_DATA(self, _server, _session, envelope):  # pylint: disable=invalid-name
        if self.refuse:
            return "554 not today"
        self.mails.append((envelope, email.message_from_bytes(envelope.content)))
        return "250 kept"

    @property
    def subjects(self):
        return [mail["Subject"] for _, mail in self.mails]

    def close(self):
        self._controller.stop()
