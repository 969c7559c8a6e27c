"""`verify --report FILE`: a page for an auditor that stands alone, whatever the databases' texts are."""

import html.parser
import json
import os

import pytest

from support import browser
from support.clone import clone_of
from support.users import give
from support.verify import verify

EVIL = '<script>alert("1")</script>'
MADE = f"""
CREATE TABLE "{EVIL.replace('"', '""')}" ("a ""<b>'&" text PRIMARY KEY, v text);
INSERT INTO "{EVIL.replace('"', '""')}" VALUES ('</td><img src=x onerror=1>', '<i>old</i>'), ('it''s \\ &amp;', 'same'),
    ('gone', '"');
CREATE TABLE plain (id integer PRIMARY KEY, v integer); INSERT INTO plain SELECT i, i FROM generate_series(1, 1000) i;
CREATE INDEX "<h1>" ON plain (v);
"""


class Page(html.parser.HTMLParser):
    """Its tags, attributes and text; what is opened is closed in order."""

    VOID = ("meta", "br", "hr")

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def text(self):
        return "".join(text for _, text in self.texts)


@pytest.fixture(scope="module", name="world")
def evil_clone(shared_workshop):
    pair = (shared_workshop.server("source"), shared_workshop.server("dest"), shared_workshop)
    clone = clone_of(pair, "evil")
    pair[0].psql("evil", text=MADE)
    clone.must()
    folder = os.path.join(clone.folder, "reports")
    os.mkdir(folder)
    give(folder)
    return clone, shared_workshop.binary, folder


def test_the_report_is_one_page_whose_statements_show_the_difference(world):
    clone, binary, folder = world
    name = EVIL.replace('"', '""')
    clone.dest.psql("evil", text=f"""DELETE FROM "{name}" WHERE "a ""<b>'&" = 'gone';
        UPDATE "{name}" SET v = '<i>new</i>' WHERE v ~ 'old'; DROP INDEX "<h1>" """)
    path = os.path.join(folder, "proof.html")
    result = verify(binary, clone, "--show-values", "--report", path)
    assert result.code == 5, result.output + result.errors
    with open(path, encoding="utf-8") as file:
        page = Page(file.read())
    with open(os.path.join(folder, "proof.json"), encoding="utf-8") as file:
        assert json.load(file) == result.report
    assert not {"script", "img", "i", "b", "link", "iframe"} & set(page.tags)
    assert page.tags.count("h1") == 1
    assert {attribute for attribute, _ in page.attributes} <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert "The databases differ: " in page.text() and "different." in page.text()
    for said in (EVIL.replace('"', '""'), "<i>old</i>", "<i>new</i>", "<h1>", clone.source.value("SHOW server_version"),
                 clone.source.value("SELECT system_identifier::text FROM pg_control_system()"), "Oldest proof"):
        assert said in page.text(), said
    assert result.report["settings"]["show_values"] is True and "show_values" in page.text(), result.report.get("settings")
    statements = [text for tag, text in page.texts if text.startswith("SELECT * FROM")]
    assert len(statements) == 2
    rows = [(clone.source.sql(one.replace("%", "%%"), dbname="evil"), clone.dest.sql(one.replace("%", "%%"), dbname="evil"))
            for one in statements]
    assert sorted(rows) == [([("</td><img src=x onerror=1>", "<i>old</i>")], [("</td><img src=x onerror=1>", "<i>new</i>")]),
                            ([("gone", '"')], [])], statements
    for one in {text for tag, text in page.texts if tag == "pre" and text.startswith("SELECT")}:
        clone.source.sql(one.replace("%", "%%"), dbname="evil")
        clone.dest.sql(one.replace("%", "%%"), dbname="evil")
    assert not [name for name in os.listdir(folder) if name.endswith(".new")]


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_compared(world):
    clone, binary, folder = world
    for path in (os.path.join(folder, "no", "such", "proof.html"), folder, "/proc/proof.html"):
        result = verify(binary, clone, "--report", path)
        assert result.code == 1 and result.output == "", result.output
        assert "--report" in result.errors
    os.mkdir(os.path.join(folder, "page.json"))
    result = verify(binary, clone, "--report", os.path.join(folder, "page.html"))
    assert result.code == 1 and "page.json" in result.errors
    assert not os.path.exists(os.path.join(folder, "page.html"))


@pytest.mark.full
def test_a_browser_has_nothing_to_complain_of_and_prints_it(world, tmp_path):
    clone, binary, folder = world
    path = os.path.join(folder, "browser.html")
    assert verify(binary, clone, "--show-values", "--report", path).report is not None
    assert not browser.photograph(path, str(tmp_path / "page.png"))
    assert browser.printed(path, str(tmp_path / "page.pdf")) >= 1
    broken = tmp_path / "broken.html"
    broken.write_text("<script>no.such.thing()</script>", encoding="utf-8")
    assert browser.photograph(str(broken), str(tmp_path / "broken.png"))
