"""The program as it ships, without sanitizers: what it is linked with against attacks, and a start without memory."""

import json
import pathlib
import re
import resource
import subprocess

import pytest

from support import probegate

pytestmark = [pytest.mark.unsanitized, pytest.mark.skipif(probegate.is_sanitized(), reason="a sanitizer changes what this is about")]
MIB = 1 << 20


def elf(option):
    return subprocess.run(["readelf", "--wide", option, probegate.BINARY], capture_output=True, text=True, check=True).stdout


def is_optimized():
    options = pathlib.Path(probegate.BINARY).parents[1] / "meson-info" / "intro-buildoptions.json"
    known = json.loads(options.read_text()) if options.exists() else []
    return {"name": "optimization", "value": "0"} not in [{key: one[key] for key in ("name", "value")} for one in known]


@pytest.mark.skipif(not is_optimized(), reason="hardening needs optimization")
def test_the_program_is_hardened():
    """Position independent, its relocations read-only, its stack guarded, its string functions checked."""
    assert "DYN" in elf("--file-header")
    assert "GNU_RELRO" in elf("--program-headers")
    assert re.search(r"BIND_NOW|FLAGS_1\).*NOW", elf("--dynamic"))
    symbols = elf("--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert "_chk@" in symbols.replace("__stack_chk_fail", "")


def test_a_start_without_memory_ends_with_a_sentence_and_1(rig):
    def with_little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (160 * MIB, 160 * MIB))

    config = f"{rig.directory}/little.yaml"
    with open(config, "w") as file:
        file.write("proxy: {listen: '127.0.0.1:0', workers: 64}\nprobes: {listen: '127.0.0.1:0'}\n")
    ended = subprocess.run([probegate.BINARY, "run", "-c", config], env=probegate.environment(), preexec_fn=with_little_memory,
                           capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1, ended
    assert "probegate: " in ended.stderr and ("out of memory" in ended.stderr or "fatal error" in ended.stderr)
