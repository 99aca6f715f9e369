"""The rules of the house that a compiler does not check. Each function returns its findings as "FILE:LINE: what is wrong"."""

import re
from collections.abc import Iterator
from pathlib import Path

# The architecture: a folder of src/ includes itself and the rows above its own; never a neighbour in its row.
FLOORS = [
    ["base"],
    ["loop", "proto"],
    ["metrics"],
    ["config", "health"],
    ["alerts", "checks", "probe", "proxy"],
    ["client", "deploy", "sidecar"],
    ["cli"],
    ["main.cc"],
]
FLOOR_OF = {folder: floor for floor, folders in enumerate(FLOORS) for folder in folders}

# Which files may include a third-party header: a path, or a folder with everything in it. A library is known to its
# fence alone, so that replacing it touches nothing else.
FENCES = [
    (r"uv\.h", ["loop/"]),
    (r"ares(_nameser)?\.h", ["loop/"]),
    (r"curl/.*", ["loop/"]),
    (r"openssl/.*", ["loop/", "proto/ws_handshake.cc"]),
    (r"llhttp\.h", ["proto/"]),
    (r"libpq-fe\.h", ["checks/postgres.cc", "checks/postgres_login."]),
    (r"(mysql|mysqld_error|errmsg|ma_pvio)\.h", ["checks/mysql"]),
    (r"hiredis/.*", ["checks/redis_protocol.cc"]),
    (r"yaml-cpp/.*", ["config/"]),
    (r"CLI/.*", ["cli/"]),
    (r"nlohmann/.*", [""]),
    (r"tl/expected\.hpp", ["base/result.h"]),
]
SYSTEM_HEADER = re.compile(
    r"((sys|netinet|arpa|net|linux)/\w+|dirent|fcntl|grp|ifaddrs|malloc|netdb|poll|pthread|pwd|sched|signal|termios|time|unistd)\.h"
)

SOFT_LINES = 400
MOST_LINES = 500


def sources(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix in (".h", ".cc"))


def floors(src: Path) -> list[str]:
    """Includes go down; third-party headers stay behind their fences."""
    findings = []
    for path in sources(src):
        name = path.relative_to(src).as_posix()
        own = name.split("/")[0]
        if own not in FLOOR_OF:
            findings.append(f"{path}:1: {own} has no floor; give it one in {__file__}")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            include = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
            if not include:
                continue
            quoted, header = include[1] == '"', include[2]
            wrong = wrong_own_header(src, own, header) if quoted else wrong_foreign_header(name, header)
            if wrong:
                findings.append(f"{path}:{number}: {wrong}")
    return findings


def wrong_own_header(src: Path, own: str, header: str) -> str | None:
    folder = header.split("/")[0]
    if not ((src / header).is_file() or (src / f"{header}.in").is_file()):  # written, or made by meson
        return f'"{header}" is not a file of src/ (own headers are included as "folder/file.h")'
    if folder == own or FLOOR_OF.get(folder, 99) < FLOOR_OF[own]:
        return None
    where = "its neighbour" if FLOOR_OF.get(folder) == FLOOR_OF[own] else "upward to"
    return f'{own} must not include {where} {folder} ("{header}")'


def wrong_foreign_header(name: str, header: str) -> str | None:
    for pattern, allowed in FENCES:
        if re.fullmatch(pattern, header):
            if any(name.startswith(place) for place in allowed):
                return None
            return f"<{header}> is fenced to {', '.join(allowed)}"
    if "." not in header or SYSTEM_HEADER.fullmatch(header):
        return None
    return f"<{header}> has no fence; give it one in {__file__}"


# (pattern, where it is banned, where it is allowed all the same, look into comments too, why)
BANNED = [
    (r"(steady|system|high_resolution)_clock::now", "src", "src/loop/", False, "take a Clock& or a TimePoint; only loop reads the time"),
    (r"\b(sleep_for|sleep_until|usleep|nanosleep|sleep)\s*\(", "src tests", None, False, "wait for a condition, with a deadline"),
    (r"\bstd::j?thread\b(?!::)", "src", ("src/loop/", "src/base/log."), False, "threads are loop::Worker, loop::BackgroundJob or loop::LeavableThread; the log's own lies below them"),
    (r"\buv_default_loop\b", "src tests", None, False, "every loop has an owner; there is no default one"),
    (r"\busing\s+namespace\s+std\s*;", "src tests", None, False, "names of std are written out"),
    (r"\[=[\],]", "src tests", None, False, "captures are named"),
    (r"\b(TODO|FIXME|XXX)\b", "src tests", None, True, "do it now, or leave it out"),
    (r"(?i)\b(upstream|downstream)", "src", "src/config/wrong_names.cc", True, "the words are client and backend"),
]


def banned_words(root: Path) -> list[str]:
    findings = []
    for tree in ("src", "tests"):
        for path in sources(root / tree):
            name = path.relative_to(root).as_posix()
            for number, line in enumerate(path.read_text().splitlines(), 1):
                code = re.sub(r"//.*", "", line)
                for pattern, trees, allowed, comments_too, why in BANNED:
                    if tree not in trees.split() or (allowed and name.startswith(allowed)):
                        continue
                    if word := re.search(pattern, line if comments_too else code):
                        findings.append(f"{path}:{number}: {word[0].strip()}: {why}")
    return findings


def line_counts(src: Path) -> list[tuple[int, Path]]:
    return sorted(((len(path.read_text().splitlines()), path) for path in sources(src)), reverse=True)


def long_files(src: Path) -> list[str]:
    return [
        f"{path}:{MOST_LINES}: {lines} lines; above {MOST_LINES} a file has two jobs, split it"
        for lines, path in line_counts(src)
        if lines > MOST_LINES
    ]
