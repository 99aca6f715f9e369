"""The JSON Schema for editors must know exactly the keys, defaults and values that the readers know.

Usage: schema_test.py DUMP_CONFIG_KEYS CONFIGS_DIRECTORY. The readers are asked through DUMP_CONFIG_KEYS (dump_keys.cc).
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

try:
    import jsonschema
    import yaml
except ImportError as lacking:
    print(f"skipped: {lacking}")
    sys.exit(77)  # as Meson reads it

DUMP, CONFIGS = sys.argv[1], pathlib.Path(sys.argv[2])
INVALID = pathlib.Path(__file__).parent / "invalid"
SCHEMA = json.loads((CONFIGS / "probegate.schema.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

# Every section that exists only when it is written; all other keys at their defaults.
EVERYTHING = """
platform: none
checks:
  a: {type: postgres, url: "postgres://h/d", tls: {}}
  b: {type: redis, url: "rediss://h", tls: {}}
  c: {type: websocket, url: "wss://h/ws", tls: {}}
  d: {type: http, url: "https://h", tls: {}}
  e: {type: tcp, address: "h:1", tls: {}}
  f: {type: grpc, url: "grpcs://h:1", tls: {}}
  g: {type: mysql, url: "mysql://h/d", tls: {}}
auth: {url: "http://h", bypass: {header: x-b, secret: s}}
alerts: [{to: "https://h", tls: {}}]
"""
GIVEN = {"platform", "checks", "auth", "auth.url", "auth.bypass", "auth.bypass.header", "auth.bypass.secret", "alerts",
         "alerts[].to", "checks.postgres.type", "checks.postgres.url", "checks.redis.type", "checks.redis.url",
         "checks.websocket.type", "checks.websocket.url", "checks.http.type", "checks.http.url", "checks.tcp.type",
         "checks.tcp.address", "checks.grpc.type", "checks.grpc.url", "checks.mysql.type", "checks.mysql.url"}

# Values in the reference file that show something and are not defaults.
EXAMPLES = {"checks.postgres.tables", "checks.redis.needs", "checks.websocket.needs", "checks.http.affects", "checks.grpc.affects", "checks.mysql.affects",
            "checks.tcp.affects", "checks.tcp.expect", "auth.precheck"}

# Parts of the program's words where one value does not fit another, or means what no pattern can tell.
BEYOND_A_SCHEMA = [
    "must be less than timeout", "needs key_file", "needs cert_file", "needs sslkey", "needs sslcert", "ca_file has no effect with verify: false",
    "the URL does not use TLS", "does not use TLS; write https://", "is set too; keep one", "there is no check named", "a check cannot need itself",
    "not allowed with profile production", "needs a query", "user needs password or password_file", "a user needs a password", "a replica does not accept writes",
    "names no master", "is for redis+sentinel:// or mode: sentinel",
    "is for smtp:// and smtps:// only", "is not a valid e-mail address", "an empty list; at least one address is needed",
    "cannot read: No such file", "is missing; the request header",
    # the least duration of a key
    "at least 1ms, not", "at least 10ms, not", "at least 1s, not",
    # texts with a grammar of their own
    "neither a status from 100", "allows no status at all", "must be a network such as", "is not a valid origin", "must start with",
    "must be a URL that begins with", "is not the path of a unix socket", "is not a request method",
    "is not postgresql://", "is not redis://", "a port must be a number", "a condition must begin with", "is not a JSON pointer", "must be http://host:port or unix:",
]
# Files of invalid/ whose mistake is of that kind, or lies in the YAML and is gone once it is data.
UNSEEN = {
    "alerts-mail.yaml", "anchor.yaml", "duplicate-keys.yaml", "tag.yaml", "auth-bypass-empty.yaml", "auth-headers.yaml", "cloud-run-drain.yaml", "close-code.yaml",
    "needs.yaml", "secret-twins.yaml", "expanded-values-are-read-by-type.yaml", "expansion.yaml", "listen.yaml",
    "backend-https.yaml", "backend-path.yaml",
}

WRONG_WORDS = ["nonsense", 5, [], {}]
# For each kind of read: values the key must take, and values it must refuse.
SAMPLES = {
    "text": (["x", None, "${X}"], [[], {}]),
    "secret": (["x", "${X}"], [[], {}]),
    "secret_url": (["redis://h", "${X}"], [[], {}]),
    "file": (["/run/secrets/x"], [[], {}]),
    "boolean": ([True, False, None, "${X}"], ["yes", 1, [], {}]),
    "duration": (["250ms", "2s", "5m", "1h", "1m30s", "1h1ms", 0, "0", "${X}", None],
                 ["", 5, "5", "1d", "1s1m", "1.5s", "-1s", [], {}]),
    "size": (["64KiB", "1MiB", "1GiB", "512", 512, 0, "${X}", None], ["64KB", -1, "", "1 MiB", [], {}]),
    "list": ([[], ["a"], ["a", "b"], None], ["a", {}, [[]], [None]]),
    "list_or_auto": (["auto", [], ["a"], None], ["a", {}, [[]], [None], 5]),
    "endpoint": (["h:1", "unix:/p", "${X}"], [5, {}]),
    "endpoints": (["h:1", ["h:1", "unix:/p"], "${X}"], [5, {}, []]),
    "endpoints_or_none": (["h:1", ["h:1", "unix:/p"], [], "${X}"], [5, {}]),
    "map": ([{}, {"a": "b"}, None], ["a", [], {"a": []}]),
    "headers": ([{}, {"x-a": "b", "x-a_file": "/p"}, None], ["a", [], {"a": []}, {"x y": "b"}]),
    "section": ([], ["x", 5, []]),
    "sections": ([None, {}], ["x", 5, []]),
    "section_list": ([None, []], ["x", 5, {}]),
    "integer": ([None, "${X}"], ["x", 1.5, [], {}]),
    "integer_or_auto": ([None, "auto", "${X}"], ["x", 1.5, [], {}]),
    "choice": ([None, "${X}"], WRONG_WORDS),
    "choices": ([None], ["a", {}, ["nonsense"]]),
}
# For keys whose texts the schema knows better than their kind.
SAMPLES_OF = {
    "alerts[].thresholds": ([[], ["tunnels>0"], ["rss_bytes > 100MiB", "refused_ratio>=0.01"], ["${X}"], None],
                            ["a", {}, [[]], [None], ["a"], ["memory>1"], ["restarts>0"], ["tunnels"]]),
}


def samples_of(path, kind):
    return SAMPLES_OF.get(path, SAMPLES[kind])


def known_keys(text):
    """Loads the text as the program does and returns every key that was asked for; fails when it has problems."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        output = subprocess.run([DUMP, file.name], check=True, stdout=subprocess.PIPE, text=True, timeout=30).stdout
    return {key["path"]: key for key in map(json.loads, output.splitlines())}


def judge(files):
    """What the program says of each file: "valid", or the first problem."""
    output = subprocess.run([DUMP, "--judge", *files], check=True, stdout=subprocess.PIPE, errors="replace", text=True,
                            timeout=120).stdout
    assert len(output.splitlines()) == len(files)
    return output.splitlines()


def judge_documents(documents):
    """The same for data."""
    with tempfile.TemporaryDirectory() as directory:
        files = []
        for number, document in enumerate(documents):
            files.append(pathlib.Path(directory) / f"{number}.yaml")
            files[-1].write_text(json.dumps(document))  # YAML all the same, and quicker made
        return judge(files)


def with_value(path, value):
    """EVERYTHING with one key set, as data."""
    document = yaml.safe_load(EVERYTHING)
    place, steps = document, path.split(".")
    for step in steps[:-1]:
        if step == "alerts[]":
            place = place["alerts"][0]
        elif place is document.get("checks"):
            place = next(check for check in place.values() if check["type"] == step)
        else:
            place = place.setdefault(step, {})
    place[steps[-1]] = value
    return document


def reference_with_auth():
    """The reference file with its commented section switched on ("#key:", while comments begin with "# ")."""
    return re.sub(r"^#(?=[a-z]|  )", "", (CONFIGS / "probegate.yaml").read_text(), flags=re.MULTILINE)


def resolve(schema):
    while "$ref" in schema:
        target = SCHEMA
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = target
    return schema


def schema_keys(schema=SCHEMA, path=""):
    """Path to sub-schema of every key, in the notation of dump_keys.cc."""
    for name, child in schema.get("properties", {}).items():
        child, here = resolve(child), f"{path}.{name}" if path else name
        yield here, child
        if here == "checks":
            for kind, check in SCHEMA["definitions"]["types"].items():
                yield from schema_keys(check, f"checks.{kind}")
        else:
            yield from schema_keys(child, here)
            yield from schema_keys(resolve(child.get("items", {})), here + "[]")


def enum_words(schema):
    """All words of the enums inside, definitions left out."""
    if isinstance(schema, list):
        return {word for part in schema for word in enum_words(part)}
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("enum", [])) | enum_words(list(schema.values()))


def accepts(schema, value):
    whole = {"definitions": SCHEMA["definitions"], **schema}
    return jsonschema.Draft7Validator(whole).is_valid(value)


class SchemaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.known = known_keys(EVERYTHING)
        cls.schema = dict(schema_keys())

    def test_schema_is_valid_draft_7(self):
        jsonschema.Draft7Validator.check_schema(SCHEMA)

    def test_schema_and_readers_know_the_same_keys(self):
        self.assertGreater(len(self.known), 100)
        self.assertEqual(set(self.known), set(self.schema))

    def test_defaults_are_the_readers(self):
        for path, key in self.known.items():
            if path in GIVEN or key["kind"] == "section":
                continue
            with self.subTest(path):
                value = None if key["value"] is None else yaml.safe_load(key["value"])
                self.assertEqual(value, self.schema[path].get("default", "no default"))

    def test_words_are_the_readers(self):
        for path, key in self.known.items():
            if key["kind"] in ("choice", "choices"):
                with self.subTest(path):
                    self.assertEqual(enum_words(self.schema[path]), set(key["allowed"]))

    def test_values_are_judged_as_the_readers_judge_them(self):
        for path, key in self.known.items():
            kind, allowed = key["kind"], key["allowed"]
            if path.endswith(".type"):
                continue  # a constant of each type, tested below
            good, bad = map(list, samples_of(path, kind))
            if kind.startswith("integer"):
                low, high = map(int, allowed)
                good, bad = good + [low, high], bad + [low - 1, high + 1]
            if kind == "choice":
                good += allowed
            if kind == "choices":
                good, bad = good + [[word] for word in allowed] + [allowed], bad + [allowed[:1] * 2]
            for value in good:
                with self.subTest(path, value=value):
                    self.assertTrue(accepts(self.schema[path], value))
            for value in bad:
                with self.subTest(path, wrong=value):
                    self.assertFalse(accepts(self.schema[path], value))

    def test_whole_files_are_judged_alike_by_both(self):
        """Every key with every sample, in a file that is right otherwise: no editor warns of what runs, or the reverse."""
        cases = []
        for path, key in self.known.items():
            kind, allowed = key["kind"], key["allowed"]
            good, bad = samples_of(path, kind)
            values = [value for value in good + bad if value not in ("${X}", ["${X}"])]
            values += list(map(int, allowed)) if kind.startswith("integer") else []
            values += allowed if kind == "choice" else [[word] for word in allowed] if kind == "choices" else []
            cases += [(path, value, with_value(path, value)) for value in values]
        self.assertGreater(len(cases), 1000)
        verdicts = judge_documents([document for _, _, document in cases])
        for (path, value, document), verdict in zip(cases, verdicts):
            with self.subTest(path, value=value):
                if VALIDATOR.is_valid(document):
                    self.assertTrue(verdict == "valid" or any(known in verdict for known in BEYOND_A_SCHEMA), verdict)
                else:
                    self.assertNotEqual(verdict, "valid")

    def test_the_corpus_is_judged_alike_by_both(self):
        """Of the files that the program refuses, the schema refuses all but those whose mistake no schema can see."""
        files = sorted(INVALID.glob("*.yaml"))
        self.assertGreater(len(files), 30)
        for file, verdict in zip(files, judge(files)):
            with self.subTest(file.name):
                self.assertNotEqual(verdict, "valid")
                try:
                    document = yaml.safe_load(file.read_bytes())
                except (yaml.YAMLError, ValueError, TypeError):
                    self.assertNotIn(file.name, UNSEEN)
                    continue
                self.assertEqual(VALIDATOR.is_valid(document), file.name in UNSEEN)

    def test_the_files_that_ship_are_valid_for_both(self):
        shipped = [CONFIGS / "probegate.yaml", *sorted(CONFIGS.glob("*.probegate.yaml"))]
        self.assertGreater(len(shipped), 1)
        for file, verdict in zip(shipped, judge(shipped)):
            with self.subTest(file.name):
                # The environment is empty here.
                self.assertTrue(verdict == "valid" or "the environment variable" in verdict, verdict)
                self.assertTrue(VALIDATOR.is_valid(yaml.safe_load(file.read_text())))

    def test_the_reference_file_stands_at_the_defaults(self):
        """ "Keys outside `checks` and `auth` stand at their defaults", and so do those that say so of each type."""
        shown = known_keys(reference_with_auth())
        compared = 0
        for path, key in self.known.items():
            if path not in shown or path in GIVEN or path in EXAMPLES or key["kind"] == "section":
                continue
            with self.subTest(path):
                self.assertEqual(shown[path]["value"], key["value"])
                compared += 1
        self.assertGreater(compared, 80)

    def test_unknown_keys_are_refused_in_every_section(self):
        self.assertFalse(accepts(SCHEMA, {"nonsense": 1}))
        for path, key in self.known.items():
            if key["kind"] == "section":
                with self.subTest(path):
                    self.assertFalse(accepts(self.schema[path], {"nonsense": 1}))
        for kind in SCHEMA["definitions"]["types"]:
            self.assertTrue(accepts(SCHEMA, {"checks": {"a": {"type": kind}}}))
            self.assertFalse(accepts(SCHEMA, {"checks": {"a": {"type": kind, "nonsense": 1}}}))

    def test_checks_need_a_known_type_and_a_free_name(self):
        self.assertFalse(accepts(SCHEMA, {"checks": {"a": {}}}))
        self.assertFalse(accepts(SCHEMA, {"checks": {"a": {"type": "nonsense"}}}))
        for name in ["A", "1a", "a-b", "", "status", "checks", "error", "a" * 64]:
            self.assertFalse(accepts(SCHEMA, {"checks": {name: {"type": "tcp"}}}), name)

    def test_the_reference_file_is_valid(self):
        jsonschema.validate(yaml.safe_load((CONFIGS / "probegate.yaml").read_text()), SCHEMA)
        jsonschema.validate(yaml.safe_load(reference_with_auth()), SCHEMA)
        self.assertIn("auth.precheck", known_keys(reference_with_auth()))
        jsonschema.validate(yaml.safe_load(EVERYTHING), SCHEMA)

    def test_the_reference_file_shows_every_key(self):
        reference = yaml.safe_load(reference_with_auth())
        by_type = {check["type"]: check for check in reference["checks"].values()}
        reference["checks"] = by_type
        instead_of_url = {"host", "port", "user", "password", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey", "options"}
        common = set(SCHEMA["definitions"]["common"]) | {"affects", "tls", "max_session"}  # shown once, at the first check that has it
        for path, key in self.known.items():
            step = path.split(".")[-1]
            optional = path.startswith(("alerts[]", "auth.bypass.")) or key["kind"] == "file"
            if path.startswith("checks."):
                optional = optional or step in instead_of_url or bool(common & set(path.split(".")))
            if optional:
                continue
            value = reference
            for step in path.split("."):
                self.assertIn(step, value, path)
                value = value[step]


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
