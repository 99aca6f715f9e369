"""What `meson install` puts where, as Meson knows it of the tree that the program under test is from."""

import json
import pathlib

import pytest

from support import probegate

TREE = pathlib.Path(probegate.BINARY).parents[1]
INSTALLED = TREE / "meson-info" / "intro-installed.json"
pytestmark = pytest.mark.skipif(not INSTALLED.exists(), reason="the program is not in a Meson tree")


def options():
    return {one["name"]: one["value"] for one in json.loads((TREE / "meson-info" / "intro-buildoptions.json").read_text())}


def places():
    """Source or product, by the place it goes to."""
    return {place: pathlib.Path(source) for source, place in json.loads(INSTALLED.read_text()).items()}


@pytest.mark.parametrize("place", [
    "{prefix}/bin/probegate",
    "{prefix}/share/man/man1/probegate.1",
    "{prefix}/share/bash-completion/completions/probegate.bash",
    "{prefix}/share/zsh/site-functions/_probegate",
    "{prefix}/share/fish/vendor_completions.d/probegate.fish",
    "{prefix}/share/doc/probegate/LICENSE",
    "{prefix}/share/doc/probegate/README.md",
    "{prefix}/share/doc/probegate/docs",
    "{prefix}/share/doc/probegate/configs",
    "{prefix}/share/doc/probegate/examples",
    "{prefix}/share/probegate/probegate.schema.json",
    "{prefix}/lib/systemd/system/probegate.service",
    "{sysconfdir}/probegate/probegate.yaml.example",
])
def test_a_place_is_filled(place):
    known = options()
    prefix = pathlib.Path(known["prefix"])
    assert place.format(prefix=prefix, sysconfdir=prefix / known["sysconfdir"]) in places()


def test_an_installation_overwrites_no_configuration():
    assert not [place for place in places() if place.endswith("/probegate/probegate.yaml")]


def test_what_is_not_built_exists():
    sources = [source for source in places().values() if not source.is_relative_to(TREE)]
    assert len(sources) >= 8 and all(source.exists() for source in sources)


def test_the_unit_starts_the_installed_program_with_the_installed_configuration():
    installed = places()
    unit, = (source.read_text() for place, source in installed.items() if place.endswith("/probegate.service"))
    program, = (place for place in installed if place.endswith("/bin/probegate"))
    config, = (place.removesuffix(".example") for place in installed if place.endswith(".yaml.example"))
    assert f"\nExecStart={program} run -c {config}\n" in unit
