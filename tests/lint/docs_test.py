"""README and docs: links lead somewhere, the index is complete, and the text is readable."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
BANNED = re.compile(r"(?i)\b(doors?|desks?|shel(f|ves)|minds?|lanes?|parcels?|stillborn|farewell|stood still|last words?)\b")
# Where that vocabulary has once been; licences and generated files are others' words.
SPOKEN = ("src", "tests", "bench", "scripts", "configs")


def prose(page):
    """(line number, line) outside of fenced blocks."""
    fenced = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors(page):
    """The anchors that GitHub makes of the headings."""
    titles = [line.lstrip("# ") for _, line in prose(page) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def each(page):
    return pytest.param(page, id=str(page.relative_to(ROOT)))


@pytest.mark.parametrize("page", map(each, PAGES))
def test_links_lead_to_files_and_headings(page):
    text = "\n".join(line for _, line in prose(page))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", map(each, PAGES))
def test_lines_of_prose_fit_and_use_plain_words(page):
    for number, line in prose(page):
        assert len(line) <= 120 or line.startswith("|") or "](" in line, f"{number}: {len(line)} columns"
        assert not (word := BANNED.search(line)), f"{number}: {word[0]}"


def test_sources_use_plain_words():
    """In comments, texts and identifiers, whose parts are words of their own."""
    found = []
    for path in (path for folder in SPOKEN for path in (ROOT / folder).rglob("*")):
        if path.suffix not in (".cc", ".h", ".py", ".yaml", ".json", "") or not path.is_file() or path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            parts = re.sub(r"([a-z])([A-Z])", r"\1 \2", line).replace("_", " ")
            if word := BANNED.search(parts):
                found.append(f"{path.relative_to(ROOT)}:{number}: {word[0]}")
    assert found == []


def test_the_index_has_every_page():
    index = (ROOT / "docs" / "README.md").read_text()
    missing = [page for page in (ROOT / "docs").rglob("*.md")
               if page.name != "README.md" and f"({page.relative_to(ROOT / 'docs')})" not in index]
    assert missing == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200
