"""A real nginx in front of something."""

import os
import subprocess

from support.ports import accepts, free_port
from support.server_process import ServerProcess

_CONFIG = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
{servers}
}}
"""


class Nginx(ServerProcess):
    """`servers`: the server blocks, in which PORT is the port that it gets and DIRECTORY a place for files."""

    def __init__(self, directory, servers, host="127.0.0.1"):
        self.port = free_port()
        super().__init__("nginx", os.path.join(directory, f"nginx-{self.port}"))
        os.mkdir(self.home)
        self._host = host
        self._file = os.path.join(self.home, "nginx.conf")
        servers = servers.replace("PORT", str(self.port)).replace("DIRECTORY", self.home)
        with open(self._file, "w") as out:
            out.write(_CONFIG.format(directory=self.home, servers=servers))

    def _argv(self):
        return ["/usr/sbin/nginx", "-p", self.home, "-c", self._file, "-e", "stderr"]

    def _answers(self):
        return accepts(self.port, self._host)


def tls_front(directory, certificate, target, address):
    """Ends TLS as a platform's front end does, and connects to `target` (host:port) from this address."""
    cert, key = certificate
    return Nginx(directory, f"""
  server {{
    listen 127.0.0.1:PORT ssl;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    location / {{
      proxy_pass http://{target};
      proxy_bind {address};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
    }}
  }}""")


def curl(url, *options):
    """What curl prints, and nothing of an error page: it fails at 400 and above."""
    done = subprocess.run(["curl", "--silent", "--show-error", "--fail", "--max-time", "20", *options, url], check=True,
                          capture_output=True, text=True, timeout=30)
    return done.stdout
