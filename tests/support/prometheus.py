"""A Prometheus of one's own that scrapes one target very often."""

import json
import os
import subprocess
import tempfile
import urllib.parse

from support.http import request
from support.ports import free_port
from support.server_process import ServerProcess
from support.waiting import wait_for


def promtool(*arguments, text=None, cwd=None):
    """Runs promtool and returns its exit code and what it said."""
    done = subprocess.run(["promtool", *map(str, arguments)], input=text, text=True, capture_output=True, cwd=cwd,
                          timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


class Prometheus(ServerProcess):
    def __init__(self, target, rules=()):
        super().__init__("Prometheus", tempfile.mkdtemp(prefix="probegate-prometheus-"))
        self.port = free_port()
        config = {"global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"},
                  "rule_files": [str(rule) for rule in rules],
                  "scrape_configs": [{"job_name": "probegate", "static_configs": [{"targets": [target]}]}]}
        with open(os.path.join(self.home, "prometheus.yml"), "w") as file:
            json.dump(config, file)  # JSON is YAML

    def _argv(self):
        return ["prometheus", f"--config.file={self.home}/prometheus.yml", f"--storage.tsdb.path={self.home}/data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]

    def _answers(self):
        return request(self.port, "/-/ready").status == 200

    def _ask(self, path):
        return request(self.port, path).json

    def query(self, expression):
        """The samples that the expression has now; an expression that Prometheus does not take is an error."""
        answer = request(self.port, "/api/v1/query", method="POST",
                         headers={"Content-Type": "application/x-www-form-urlencoded"},
                         body=urllib.parse.urlencode({"query": expression})).json
        assert answer["status"] == "success", f"{answer.get('error')}: {expression}"
        return answer["data"]["result"]

    def wait_for(self, expression, accept=bool):
        return wait_for(lambda: self.query(expression), accept, f"samples of {expression}")

    def target(self):
        """What it thinks of its target: `health`, `lastError`."""
        (target,) = self._ask("/api/v1/targets")["data"]["activeTargets"]
        return target

    def rules(self):
        return [rule for group in self._ask("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]

    def metadata(self):
        return self._ask("/api/v1/metadata")["data"]
