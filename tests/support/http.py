"""A plain HTTP client: one request, one answer."""

import http.client
import json as jsonlib

from support.waiting import PATIENCE


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return jsonlib.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:2000]!r}"


def request(port, path, method="GET", headers=None, body=None, timeout=PATIENCE, **options):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, headers=headers or {}, body=body, **options)
        response = connection.getresponse()
        return Answer(response, response.read())
    finally:
        connection.close()
