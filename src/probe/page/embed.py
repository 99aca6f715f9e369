"""Makes page_assets.h from the page's files: one HTML with style and script, split where the server inserts content.

  embed.py TEMPLATE PAGE.html PAGE.css PAGE.js OUTPUT

The policy has the hashes of style and script (CSP level 2), so it is written here, where both are known.
"""

import base64
import hashlib
import pathlib
import sys

DELIMITER = "page"


def literal(text):
    assert f'){DELIMITER}"' not in text
    return f'R"{DELIMITER}({text}){DELIMITER}"'


def source(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def main():
    template, html, css, js, output = (pathlib.Path(name) for name in sys.argv[1:])
    style, script = css.read_text(), js.read_text()
    page = html.read_text().replace("{{style}}", style).replace("{{script}}", script)
    before_title, rest = page.split("{{title}}")
    before_main, after_main = rest.split("{{main}}")
    policy = (f"default-src 'none'; style-src {source(style)}; script-src {source(script)}; connect-src 'self'; "
              "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    text = template.read_text()
    for name, value in (("BEFORE_TITLE", before_title), ("BEFORE_MAIN", before_main), ("AFTER_MAIN", after_main),
                        ("SECURITY_POLICY", policy)):
        text = text.replace(f"@{name}@", literal(value))
    output.write_text(text)


main()
