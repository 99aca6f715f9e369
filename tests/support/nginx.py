"""A real nginx in front of something."""

import os
import socket
import subprocess

from support.ports import free_port
from support.process import Child
from support.waiting import wait_until

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


class Nginx:
    """`servers`: the server blocks, in which PORT is the port that it gets and DIRECTORY a place for files."""

    def __init__(self, directory, servers, host="127.0.0.1"):
        self.port = free_port()
        place = os.path.join(directory, f"nginx-{self.port}")
        os.mkdir(place)
        file = os.path.join(place, "nginx.conf")
        servers = servers.replace("PORT", str(self.port)).replace("DIRECTORY", place)
        with open(file, "w") as out:
            out.write(_CONFIG.format(directory=place, servers=servers))
        self._child = Child("nginx", ["/usr/sbin/nginx", "-p", place, "-c", file, "-e", "stderr"],
                            os.path.join(place, "log"))
        wait_until(lambda: self._accepts(host), "nginx to accept")

    def _accepts(self, host):
        assert self._child.alive, self._child.output()
        socket.create_connection((host, self.port), timeout=1).close()
        return True

    def output(self):
        return self._child.output()

    def close(self):
        self._child.stop()


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
