"""What every refusal of the program looks like, in one place."""

import json

STATUS = {
    "gate_closed": 503, "paused": 503, "hold_timeout": 503, "hold_full": 503, "draining": 503, "connection_limit": 503,
    "auth_unavailable": 503, "backend_unreachable": 502, "backend_error": 502, "backend_timeout": 504,
    "origin_denied": 403, "bad_request": 400, "header_timeout": 408, "body_too_large": 413, "uri_too_long": 414,
    "header_too_large": 431, "not_found": 404, "loop_detected": 508,
}


def problem(status, headers, body, reason, waiting_for=None, closes=True, refused_as=None):
    """A complete `application/problem+json` for this reason; returns the document.

    `headers` is anything with get(name). `Retry-After` belongs to 503 and to nothing else. `refused_as` is the status of
    a reason that has several.
    """
    assert headers.get("Probegate-Reason") == reason, (status, body[:2000])
    assert status == (refused_as or STATUS[reason])
    assert headers.get("Content-Type") == "application/problem+json"
    assert int(headers.get("Content-Length")) == len(body)
    if closes:
        assert headers.get("Connection").lower() == "close"
    if status == 503:
        assert int(headers.get("Retry-After")) >= 1
    else:
        assert headers.get("Retry-After") is None
    document = json.loads(body)
    assert document["type"] == "about:blank"
    assert document["title"]
    assert document["detail"]
    assert document["status"] == status
    assert document["reason"] == reason
    if waiting_for is not None:
        assert document["waiting_for"] == waiting_for
    return document


def problem_on(connection, reason, waiting_for=None):
    """Reads a refusal from a raw connection, which must then end."""
    head = connection.read_head()
    document = problem(head.status, head, connection.read_body(head), reason, waiting_for)
    assert connection.ends()
    return document


def problem_in(answer, reason, waiting_for=None):
    return problem(answer.status, answer.headers, answer.body, reason, waiting_for)
