"""Who is compared: the command and the configuration of each, one worker, one proxy and one probe port."""

import os
import pathlib
import time

from lib.answers import first_answer
from lib.processes import PROXY_CPU, Failure, Process
from support.ports import free_port

PROBEGATE = """
proxy: {{listen: "127.0.0.1:{port}", backend: "{backend}", limits: {{connections: 20000}}}}
probes: {{listen: "127.0.0.1:{probe}"}}
checks:
  database: {{type: tcp, address: "{checked}", interval: 1h, affects: []}}
  redis: {{type: tcp, address: "{checked}", interval: 1h, affects: []}}
  websocket: {{type: tcp, address: "{checked}", interval: 1h, affects: []}}
log: {{level: warn}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 9900
  {tuning}
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout tunnel 600s
frontend proxy
  bind 127.0.0.1:{port}
  default_backend app
backend app
  http-reuse always
  server app {backend}
frontend probe
  bind 127.0.0.1:{probe}
  http-request return status 200 content-type application/json string '{{"status":"ready"}}'
"""

NGINX = """
daemon off;
{process}
worker_processes 1;
worker_rlimit_nofile {descriptors};
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 19900; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {directory}/client; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream app {{ server {backend}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_read_timeout 600s;
      {tuning}
    }}
  }}
  server {{
    listen 127.0.0.1:{probe} backlog=4096;
    default_type application/json;
    return 200 '{{"status":"ready"}}';
  }}
}}
"""

# At its defaults, with nothing of it reaching for the network.
CADDY = """
{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy {backend}
}}
http://:{probe} {{
  bind 127.0.0.1
  header Content-Type application/json
  respond `{{"status":"ready"}}`
}}
"""

NGINX_64K = "proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;"
COUNTLESS = {"caddy"}  # a Go program moves its stacks, which callgrind does not follow
NAMES = ["probegate", "haproxy", "haproxy-64k", "nginx", "nginx-64k", "caddy", "relay"]
PEERS = NAMES[1:]


class Proxy:
    """One of NAMES in front of `backend` (IPv4:PORT or unix:/path), running after start()."""

    def __init__(self, name, backend, directory, tools, descriptors, around=()):
        self.name = name
        self.port, self.probe = free_port(), free_port()
        self.process = None
        self.directory = pathlib.Path(directory) / f"{name}-{self.port}"
        self.directory.mkdir()
        self._around = list(around)
        self._argv = getattr(self, "_" + name.split("-")[0])(backend, tools, descriptors)

    def _write(self, text, **values):
        file = self.directory / "configuration"
        file.write_text(text.format(port=self.port, probe=self.probe, directory=self.directory, **values))
        return str(file)

    def _probegate(self, backend, tools, descriptors):
        url = backend if backend.startswith("unix:") else f"http://{backend}"
        checked = backend if not backend.startswith("unix:") else f"127.0.0.1:{self.probe}"
        file = self._write(PROBEGATE, backend=url, checked=checked)
        return [os.environ["PROBEGATE_BIN"], "run", "-c", file]

    def _haproxy(self, backend, tools, descriptors):
        server = backend.replace("unix:", "unix@")
        tuning = "tune.bufsize 65536" if self.name.endswith("64k") else ""
        return ["/usr/sbin/haproxy", "-db", "-f", self._write(HAPROXY, backend=server, tuning=tuning)]

    def _nginx(self, backend, tools, descriptors):
        tuning = NGINX_64K if self.name.endswith("64k") else ""
        # callgrind answers questions about the process that it started alone, so under it the worker is the master.
        process = "master_process off;" if self._around else ""
        file = self._write(NGINX, backend=backend, tuning=tuning, descriptors=descriptors, process=process)
        return ["/usr/sbin/nginx", "-e", "stderr", "-p", str(self.directory), "-c", file]

    def _caddy(self, backend, tools, descriptors):
        server = backend.replace("unix:", "unix/")
        return ["/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", self._write(CADDY, backend=server)]

    def _relay(self, backend, tools, descriptors):
        return [str(tools / "relay"), "--listen", f"127.0.0.1:{self.port}", "--backend", backend]

    @property
    def has_probe(self):
        return self.name != "relay"

    def launch(self):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory)}
        self.process = Process(self.name, [*self._around, *self._argv], str(self.directory), PROXY_CPU, env=environment)

    def start(self, patience=20):
        """Runs it until both ports have answered."""
        self.launch()
        deadline = time.monotonic() + patience
        try:
            first_answer(self.port, "/", deadline)
            if self.has_probe:
                first_answer(self.probe, "/health/ready", deadline)
        except SystemExit as error:
            raise Failure(f"{self.name}: {error}; it said:\n{self.process.output()}") from None
        return self

    def stop(self):
        if self.process:
            self.process.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
