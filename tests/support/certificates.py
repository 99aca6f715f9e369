"""A private authority, and the certificates it issues, as files."""

import os
import subprocess

_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def _openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


class Authority:
    """`file` is what a client trusts it by."""

    def __init__(self, directory, name="authority"):
        self._directory = directory
        self._key = os.path.join(directory, f"{name}.key")
        self.file = os.path.join(directory, f"{name}.pem")
        _openssl("req", "-x509", *_NEW_KEY, "-keyout", self._key, "-out", self.file, "-days", "3650", "-subj", f"/CN={name}")

    def issue(self, names="DNS:localhost,IP:127.0.0.1", days=30, name="server"):
        """(certificate file, key file), readable by everybody; -1 days: it has ended yesterday."""
        key, request, cert, extensions = (os.path.join(self._directory, f"{name}.{end}") for end in ("key", "csr", "pem", "ext"))
        with open(extensions, "w") as file:
            file.write(f"subjectAltName={names}\n")
        _openssl("req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", "/CN=probegate-test")
        _openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-CAcreateserial",
                 "-days", str(days), "-extfile", extensions, "-out", cert)
        os.chmod(key, 0o644)  # servers run as somebody else
        return cert, key
