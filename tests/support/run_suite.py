"""Runs a Python suite for Meson: run_suite.py FOLDER [PYTEST_OPTION...]. Where the suite lacks something, it is skipped.

scripts/test needs none of this: it installs what the suites need, and counts their cases.
"""

import glob
import importlib.util
import os
import shutil
import subprocess
import sys

SKIPPED = 77  # as Meson reads it
SERVERS = ["pymysql", "psycopg2", "redis"]
MODULES = {
    "lint": ["pytest", "yaml"],
    "system": ["pytest", "xdist", "aiohttp", "aiosmtpd", "google.protobuf", "grpc", "jsonschema", "pyte", "selenium", "websockets",
               "yaml", *SERVERS],
    "container": ["pytest", "yaml", *SERVERS],
}  # fmt: skip
PROGRAMS = {
    "lint": [],
    "system": ["chromedriver", "chromium", "curl", "mariadbd", "node", "openssl", "pgbouncer", "postgres", "prometheus", "promtool",
               "redis-server"],
    "container": ["podman"],
}  # fmt: skip
PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/bin", "/usr/sbin", *glob.glob("/usr/lib/postgresql/*/bin")])


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package around it
        return False


def main(folder: str, *options: str) -> int:
    suite = os.path.basename(folder)
    missing = [f"the Python module {name}" for name in MODULES[suite] if not is_module(name)]
    missing += [name for name in PROGRAMS[suite] if not shutil.which(name, path=PLACES)]
    if missing:
        print(f"{suite} is skipped, it lacks {', '.join(missing)}: `scripts/install-packages test` installs them")
        return SKIPPED
    return subprocess.run([sys.executable, "-B", "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *options, folder]).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
