"""Servers that lie to their check: the check fails, and nobody else notices. Fakes on purpose: no real server does this."""

import os
import threading

import pytest

from support import metrics, probegate
from support.liars import Http, MariaDb, Postgres, redis_answer
from support.probegate import command
from support.waiting import wait_for, wait_until

MIB = 2**20
# What a check of one attempt may take besides the 16 MiB that are read for a library: that library's copy, and ours.
ROOM = 56 * MIB
POSTGRES = 'type: postgres, url: "postgresql://user:pw@127.0.0.1:{port}/db?sslmode=disable"'
MYSQL = 'type: mysql, url: "mysql://user:pw@127.0.0.1:{port}/db"'
HTTP = 'type: http, url: "http://127.0.0.1:{port}/", expect_body: nothing'
REDIS = 'type: redis, url: "redis://127.0.0.1:{port}"'
OFTEN = "interval: 100ms, startup_interval: 100ms"

pytestmark = pytest.mark.unsanitized


def lost_threads(sidecar):
    return sidecar.probe("/status").json["check_threads_lost"]


def answered_until(sidecar, over):
    """How many probes were answered before `over()`."""
    answered = 0

    def probe():
        nonlocal answered
        assert sidecar.probe("/health/live").status == 200
        answered += 1
        return over()

    wait_until(probe, "the attempt to end", timeout=60)
    return answered


def beside(rig, liar, check, timeout="2s"):
    """A sidecar whose check `liar` talks to this script, beside a check of the same type and a real server that pass."""
    postgres = rig.postgres().start()
    server = rig.scripted(liar)
    return rig.probegate(f"""
checks:
  liar: {{{check.format(port=server.port)}, timeout: {timeout}, {OFTEN}, affects: []}}
  database: {{type: postgres, url: "{postgres.url()}", timeout: 2s, {OFTEN}}}
drain: {{delay: 0s, timeout: 8s}}
""")


def database_goes_on(sidecar):
    runs = sidecar.check("database")["runs"]
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["database"]["runs"] >= runs + 5, "the database to be asked again")
    assert sidecar.check("database")["status"] == "pass"
    assert sidecar.check("database")["failures"] == 0


def test_a_password_that_takes_a_minute_to_hash_holds_up_its_own_check_alone(rig):
    """Probes are answered, the other check of this type passes, the thread is counted as lost, and SIGTERM is obeyed."""
    asked = threading.Event()
    sidecar = beside(rig, Postgres.iterations(20_000_000, asked), POSTGRES).start()
    assert asked.wait(20)
    error = lambda: (sidecar.check("liar").get("error") or {}).get("kind")  # noqa: E731
    assert answered_until(sidecar, lambda: error() == "timeout") >= 10
    assert "the check code did not return" in sidecar.check("liar")["error"]["message"]
    wait_until(lambda: lost_threads(sidecar) >= 1, "the lost thread to be counted")
    assert metrics.parse(sidecar.metrics())["probegate_check_threads_lost"].value() >= 1
    sidecar.wait_for_gate("open")
    database_goes_on(sidecar)
    assert sidecar.stop(timeout=8) == 0
    assert any(line["message"] == "ended" for line in sidecar.logs())


def test_after_four_lost_threads_a_check_is_internal_and_the_others_go_on(rig):
    sidecar = beside(rig, Postgres.iterations(2**31 - 1), POSTGRES.replace("timeout: 2s", "timeout: 300ms")).start()
    sidecar.wait_for_error("liar", "internal", timeout=60)
    assert lost_threads(sidecar) == 4
    failures = sidecar.check("liar")["failures"]
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["liar"]["failures"] > failures + 2, "more of the same")
    assert lost_threads(sidecar) == 4
    assert sidecar.probe("/health/live").status == 200
    database_goes_on(sidecar)
    assert sidecar.stop(timeout=8) == 0


def test_a_command_ends_with_its_verdict_while_code_does_not_return(rig):
    server = rig.scripted(Postgres.iterations(2**31 - 1))
    sidecar = rig.probegate(f"checks:\n  liar: {{{POSTGRES.format(port=server.port)}, timeout: 500ms}}\n")
    ran = command("check", "-c", sidecar.config_file)
    assert ran.returncode == 1
    assert "the check code did not return" in ran.stdout


LIES = {
    "postgres: a row of 1 GiB": (POSTGRES, Postgres.huge_row, "16 MiB"),
    "postgres: rows without end": (POSTGRES, Postgres.rows_without_end, "16 MiB"),
    "postgres: notifications without end": (POSTGRES, Postgres.notifications, "16 MiB"),
    "postgres: an error of 1 GiB": (POSTGRES, Postgres.error(1 << 30), "16 MiB"),
    "postgres: an error of 2 GiB": (POSTGRES, Postgres.error(0x7fffffff), ""),
    "postgres: parameters instead of an answer": (POSTGRES, Postgres.parameters_for_an_answer, ""),
    "postgres: parameters instead of a login": (POSTGRES, Postgres.parameters_during_the_login, ""),
    "mysql: 2^24 columns": (MYSQL, MariaDb.announcing(b"\xfd\xff\xff\xff"), "more columns"),
    "mysql: 2^32 columns": (MYSQL, MariaDb.announcing(b"\xfe\xff\xff\xff\xff\0\0\0\0"), "more columns"),
    "mysql: 2^32 columns, cut short": (MYSQL, MariaDb.announcing(b"\xfe\xff\xff\xff\xff"), "more columns"),
    "mysql: columns without end": (MYSQL, MariaDb.columns_without_end, "more columns"),
    "mysql: a packet of 16 MiB": (MYSQL, MariaDb.huge_packet, ""),
    "mysql: rows without end": (MYSQL, MariaDb.rows_without_end, "16 MiB"),
    "http: a chunk extension without end": (HTTP, Http.chunk_extension, ""),
    "http: trailers without end": (HTTP, Http.trailers, ""),
    "http: a body without end": (HTTP, Http.body, ""),
    "http: a header without end": (HTTP, Http.header, ""),
    "redis: an answer of 1 GB": (REDIS, redis_answer, ""),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_a_server_sends_without_end_is_bounded_and_given_back(rig, lie):
    """The attempt fails, memory stays where it was, probes and the other check go on."""
    check, script, message = LIES[lie]
    # Where a bound is to end it, no timeout may come first: a sanitizer takes a second to give 1 GiB out.
    sidecar = beside(rig, script, check, timeout="10s" if message else "2s").start()
    sidecar.wait_for_gate("open")
    before, most = sidecar.rss(), 0
    failures = sidecar.check("liar").get("failures", 0)

    def failed_thrice():
        nonlocal most
        most = max(most, sidecar.rss())
        return sidecar.check("liar").get("failures", 0) >= failures + 3

    assert answered_until(sidecar, failed_thrice) >= 3
    if not probegate.is_thread_sanitized():  # which takes longer than any timeout to give 1 GiB out
        assert message in sidecar.check("liar")["error"]["message"]
    database_goes_on(sidecar)
    if not probegate.is_sanitized():  # sanitizers keep what is freed, and much besides
        assert most - before < ROOM


def test_a_value_of_some_mebibytes_is_no_lie(rig):
    server = rig.scripted(Postgres.row(8 * MIB))
    sidecar = rig.probegate(f"checks:\n  large: {{{POSTGRES.format(port=server.port)}, query: SELECT 1}}\n").start()
    sidecar.wait_for_check("large", "pass")


@pytest.mark.parametrize("lie", ["postgres: a row of 1 GiB", "postgres: notifications without end", "mysql: 2^24 columns",
                                 "http: a header without end", "redis: an answer of 1 GB"])
def test_many_lies_leave_memory_and_descriptors_where_they_were(rig, lie):
    check, script, _ = LIES[lie]
    server = rig.scripted(script)
    sidecar = rig.probegate(f"""
checks:
  liar: {{{check.format(port=server.port)}, timeout: 2s, interval: 10ms, startup_interval: 10ms, affects: []}}
""").start()

    def after(runs):
        sidecar.wait_for_readiness(lambda seen: seen["checks"]["liar"]["runs"] >= runs, f"{runs} runs", timeout=100)
        return sidecar.rss(), len(os.listdir(f"/proc/{sidecar.pid}/fd"))

    few, many = (5, 15) if probegate.is_sanitized() else (20, 80)
    (rss, descriptors), (rss_then, descriptors_then) = after(few), after(many)
    assert descriptors_then <= descriptors + 4  # an attempt may be under way
    if not probegate.is_sanitized():  # sanitizers keep what is freed, and much besides
        assert rss_then <= rss + 24 * MIB


def test_an_address_that_is_answered_and_another_that_never_is_leave_memory_where_it_was(rig):
    """A name server that answers for IPv4 and never for IPv6: what it did answer is freed with the attempt."""
    from support import dns
    if not dns.available():
        pytest.skip("no name server of our own: needs root and mounts")
    names = rig.name_server("ipv4 alone")
    sidecar = rig.probegate("""
checks:
  lost: {type: tcp, address: "somewhere.test:1", timeout: 20ms, interval: 10ms, startup_interval: 10ms, affects: []}
""", around=names.around).start()
    wait_for(lambda: names.questions, lambda asked: asked >= 10, "questions")
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["lost"]["runs"] >= 100, "100 runs", timeout=60)
    descriptors = len(os.listdir(f"/proc/{sidecar.pid}/fd"))
    sidecar.wait_for_readiness(lambda seen: seen["checks"]["lost"]["runs"] >= 300, "300 runs", timeout=60)
    assert len(os.listdir(f"/proc/{sidecar.pid}/fd")) <= descriptors + 4
