"""YAML as data with lines; and whatever else a file may hold."""

import contextlib
import itertools
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mbsweep import MbsweepError, load_sweep
from mbsweep.sweep.document import parse, read
from mbsweep.sweep.sweep import parse_sweep

SHIPPED = sorted((Path(__file__).parents[2] / "sweeps").glob("*.yaml"))


def _refusal(text):
    with pytest.raises(MbsweepError) as caught:
        parse(text, "s.yaml")
    return str(caught.value)


SCALARS = [  # the core schema of YAML 1.2 (section 10.3.2), where 1.1 and PyYAML differ from it most
    ("yes", "yes"),
    ("on", "on"),
    ("No", "No"),
    ("true", True),
    ("False", False),
    ("010", 10),
    ("-7", -7),
    ("+7", 7),
    ("1_000", "1_000"),
    ("1:30", "1:30"),
    ("2000-01-01", "2000-01-01"),
    ("=", "="),
    ("2e6", 2_000_000.0),
    ("2E-3", 0.002),
    ("1.", 1.0),
    (".5", 0.5),
    ("-.inf", float("-inf")),
    ("null", None),
    ("~", None),
    ("", None),
    ("'1'", "1"),
    ("é", "é"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars_are_those_of_yaml_1_2(text, value):
    """Numbers, truth values and text as a reader of today expects them."""
    data = parse(f"a: {text}", "s.yaml").data
    assert data == {"a": value}
    assert type(data["a"]) is type(value)


def test_anchors_and_aliases_work():
    """A value may be named once and used again."""
    assert parse("a: &x [1, 2]\nb: *x", "s.yaml").data == {"a": [1, 2], "b": [1, 2]}


LINES = [
    (("a",), 1),
    (("b", "c"), 3),
    (("b", "c", 0), 4),
    (("b", "c", 1), 5),
    (("b", "d", 1), 6),
    (("e", 0, "f"), 7),
    (("e", 1, "f"), 9),
]


@pytest.mark.parametrize(("keys", "line"), LINES)
def test_every_value_knows_its_line(keys, line):
    """An error names the line of the very value that it is about, and the way to it."""
    document = parse("a: 1\nb:\n  c:\n    - x\n    - y\n  d: [1, 2]\ne: [{f: 1},\n\n {f: 2}]\n", "s.yaml")
    assert document.find(keys) == (keys, line)


def test_what_is_missing_has_the_line_of_what_should_hold_it():
    """A key that the file lacks is reported at its parent."""
    document = parse("a: 1\nb:\n  c: [1]\n", "s.yaml")
    assert str(document.problem(("b", "c", 5, "x"), "is odd")) == "s.yaml:3: b.c is odd"
    assert str(document.problem((), "is odd")) == "s.yaml:1: is odd"
    assert str(document.problem(("b", "c", 0), "is odd")) == "s.yaml:3: b.c[0] is odd"


REFUSALS = [
    ("", "s.yaml: is empty"),
    ("# nothing but a comment\n", "s.yaml: is empty"),
    ("---\n", "s.yaml: is empty"),
    ("just text", "s.yaml:1: expected a mapping with keys such as `space:`, got str"),
    ("[1, 2]", "s.yaml:1: expected a mapping with keys such as `space:`, got list"),
    ("a: 1\nb: [1, 2\nc: 3\n", "s.yaml:3: not valid YAML"),
    ("a: 1\n\tb: 2\n", "s.yaml:2: not valid YAML"),
    ("a: 1\n--- {}\n", "s.yaml:2: not valid YAML"),
    ("a: *nowhere\n", "s.yaml:1: not valid YAML"),
    ("a: 1\nb: 2\na: 3\n", "s.yaml:3: key 'a' stands twice in one mapping"),
    ("x:\n  a: 1\n  'a': 2\n", "s.yaml:3: key 'a' stands twice in one mapping"),
    ("a: 1\n5: 2\n", "s.yaml:2: a key is not text"),
    ("? [1, 2]\n: 3\n", "s.yaml:1: a key is not text"),
    ("true: 3\n", "s.yaml:1: a key is not text"),
    ('a: 1\n"\\0trained": 3\n', "s.yaml:2: key '\\x00trained' has a character that cannot be printed"),
    ("a: 1\nb: \0\n", "s.yaml:2: not valid YAML"),
    ("a: !!python/object:os.system ls\n", "s.yaml:1: not valid YAML"),
    ("a: !!python/object/apply:os.system [ls]\n", "s.yaml:1: not valid YAML"),
    ("a: !!python/name:os.system\n", "s.yaml:1: not valid YAML"),
    ("a: !mine 1\n", "s.yaml:1: not valid YAML"),
    ("a: &a [*a]\n", "s.yaml: is nested too deeply"),
    ("a: &a {b: *a}\n", "s.yaml: is nested too deeply"),
    ("a: " + "[" * 5000, "s.yaml: is nested too deeply"),
    ("a: " + "9" * 5000, "s.yaml: not valid YAML"),
    ("a: !!int x\n", "s.yaml: not valid YAML"),
    ("a: !!float x\n", "s.yaml: not valid YAML"),
    ("a: !!float ''\n", "s.yaml"),
    ("a: !!float " + ":".join(["1"] * 300), "s.yaml"),  # 60 to the 300th
    ("a: !!bool x\n", "s.yaml: not valid YAML"),
    ("a: !!timestamp x\n", "s.yaml: not valid YAML"),
    ("a: !!timestamp 2000-99-99\n", "s.yaml: not valid YAML"),
    ('a: "\\UFFFFFFFF"\n', "s.yaml"),  # beyond Unicode, and beyond a C int
    ('a: "\\U00110000"\n', "s.yaml: not valid YAML"),
    ("? !!str [a]\n: 1\n", "s.yaml: not valid YAML"),
]


@pytest.mark.parametrize(("text", "start"), REFUSALS, ids=[repr(text[:40]) for text, _ in REFUSALS])
def test_what_is_not_a_sweep_is_refused_with_its_line(text, start):
    """Broken, hostile and unusual YAML gives one error with the file and, where it can be known, the line."""
    assert _refusal(text).startswith(start)


def test_aliases_cannot_fill_the_memory():
    """Nine lines that stand for a billion values are refused at once."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert _refusal("\n".join(lines)) == "s.yaml: has more than 200000 values (aliases expanded)"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    """Files that begin with the mark that Windows editors write are read."""
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(path).data == {"a": 1}


def test_windows_line_ends_count_as_one_line(tmp_path):
    """CR LF ends one line."""
    path = tmp_path / "crlf.yaml"
    path.write_bytes(b"a: 1\r\nb: 2\r\n")
    assert read(path).find(("b",)) == (("b",), 2)


UNREADABLE = [
    (b"a: 1\nb: \xff\n", ":2: byte 0xff is not UTF-8"),
    ("a: ä\n".encode("latin-1"), ":1: byte 0xe4 is not UTF-8"),
    ("a: 1\n".encode("utf-16"), ":1: byte 0xff is not UTF-8"),
    (b"# " + b"x" * (1 << 20), ": is larger than 262144 bytes"),
    (b"a: \x00", ":1: not valid YAML"),
]


@pytest.mark.parametrize(("content", "message"), UNREADABLE, ids=[message for _, message in UNREADABLE])
def test_what_is_not_text_is_refused_with_its_line(content, message, tmp_path):
    """Other encodings, binary files and huge files are named as such."""
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(MbsweepError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path):
    """The two commonest slips get their own words."""
    with pytest.raises(MbsweepError, match="no such file; give the path of a sweep file"):
        read(tmp_path / "none.yaml")
    with pytest.raises(MbsweepError, match="is a directory; give the path of a sweep file in it"):
        read(tmp_path)
    with pytest.raises(MbsweepError, match="cannot be read"):
        read(tmp_path / "a\0b")
    (tmp_path / "file").write_text("a: 1")
    with pytest.raises(MbsweepError, match="cannot be read: Not a directory"):
        read(tmp_path / "file" / "s.yaml")


# -- random and mutated sweep files ---------------------------------------------------------------------

TOKENS = [
    *(b"{ } [ ] : , - ? & * ! | > ' \" % @ ` # ~ < = \\ \t \r \n \0 \xff \xc3".split(b" ")),
    *("\ufeff", "\u2028", "\x85", "ünï", "\U0001f600"),
    *("\n  ", "\n- ", ": ", "- ", "? ", "---\n", "...\n", "%YAML 9.9\n---\n", "%TAG ! tag:x,2000:\n---\n"),
    *(
        "&a ",
        "*a",
        "<<: *a\n",
        "!!str ",
        "!!int ",
        "!!float ",
        "!!float ''",
        "!!null ",
        "!!binary ",
        "!!set ",
    ),
    *(
        "!!omap ",
        "!!pairs ",
        "!!timestamp ",
        "!!bool ",
        "!!merge ",
        "!!value ",
        "!!seq ",
        "!!map ",
        "! ",
        "!a!b ",
    ),
    *(
        "!!python/object:os.system ",
        "!!python/object/apply:os.system [ls]",
        "!!python/tuple ",
        "!!float 1:1:1",
    ),
    *(
        "space:",
        "variants:",
        "limits:",
        "sample:",
        "latency:",
        "accuracy:",
        "title:",
        "width:",
        "resolution:",
    ),
    *("depth:", "stage_channels:", "block:", "params:", "macs:", "from:", "to:", "step:", "count:", "seed:"),
    *(
        "null",
        "true",
        "yes",
        ".inf",
        "-.inf",
        ".nan",
        "0",
        "-1",
        "1e999",
        "1e-320",
        "0x10",
        "0o7",
        "1_0",
        "010",
    ),
    *("99999999999999999999", "1" * 400, "9" * 5000, "[" * 400, "{a: " * 400, "- " * 400, "x" * 2000),
    *('"\\0"', '"\\ud800"', '"\\UFFFFFFFF"', '"\\x1b[2J"', "{from: 1, to: 100000, step: 1}", "{from: 0.1}"),
]
RAW_TOKENS = [token if isinstance(token, bytes) else token.encode() for token in TOKENS]
FILES = [path.read_bytes() for path in SHIPPED]


@st.composite
def mutated_bytes(draw):
    """A shipped sweep file with a few pieces cut out, put in or doubled."""
    text = draw(st.sampled_from(FILES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        stop = min(len(text), start + draw(st.integers(0, 12)))
        new = draw(st.sampled_from(RAW_TOKENS) | st.binary(max_size=4) | st.just(text[start:stop] * 2))
        text = text[:start] + new + text[stop:]
    return text


KEYS = st.sampled_from(
    [
        "space",
        "variants",
        "limits",
        "sample",
        "latency",
        "accuracy",
        "width",
        "depth",
        "resolution",
        "from",
        "min",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=4)
    | st.dates()
    | st.sampled_from(
        [10**400, -1, 0, 2**63, "wide", "published", "onnxruntime", 1e-320, 1e308, "mobilenetv1"]
    )
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def _places(tree, at=()):
    """The way to every value in a tree of mappings and lists."""
    yield at
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield from _places(child, (*at, key))


def _replaced(tree, at, new):
    if not at:
        return new
    copy = tree.copy()
    copy[at[0]] = _replaced(tree[at[0]], at[1:], new)
    return copy


@st.composite
def mutated_trees(draw):
    """A shipped sweep with a few values replaced by others, or with strange keys beside them."""
    tree = yaml.safe_load(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.sampled_from(list(_places(tree))))
        tree = _replaced(tree, at, draw(TREES))
        if isinstance(tree, dict) and draw(st.booleans()):
            tree = {**tree, draw(KEYS | st.text(max_size=5)): draw(TREES)}
    return yaml.safe_dump(
        tree, allow_unicode=draw(st.booleans()), default_flow_style=draw(st.booleans())
    ).encode()


_numbers = itertools.count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


def _parses_or_explains(folder, content):
    path = folder / f"s{next(_numbers) % 8}.yaml"
    path.write_bytes(content)
    try:
        sweep = load_sweep(path)
    except MbsweepError as error:
        assert str(error).startswith(str(path))  # noqa: PT017  (not raising is right, too)
    else:  # what was accepted can be stored and printed
        for text in (sweep.title, sweep.description, sweep.text, *(config.id for config in sweep.latency)):
            text.encode("utf-8")


@settings(max_examples=250)
@given(content=mutated_bytes())
@example(content=b"title: !!float ''\nspace: {}\n")
def test_mutated_sweep_files_parse_or_are_explained(folder, content):
    """Shipped files with random damage load, or give an MbsweepError that begins with the file's name."""
    _parses_or_explains(folder, content)


@settings(max_examples=250)
@given(content=mutated_trees())
@example(content=b'title: "\\ud800"\nspace: {}\n')
def test_sweeps_with_random_values_parse_or_are_explained(folder, content):
    """Well-formed files with values of any type in any place load or are refused in the same way."""
    _parses_or_explains(folder, content)


@settings(max_examples=250)
@given(content=st.binary(max_size=60) | st.lists(st.sampled_from(RAW_TOKENS), max_size=25).map(b"".join))
def test_wild_bytes_parse_or_are_explained(folder, content):
    """Random bytes, and YAML's own pieces in random order, load or are refused in the same way."""
    _parses_or_explains(folder, content)


@settings(max_examples=150)
@given(text=st.text(max_size=40))
@example(text="\0")
@example(text="\0trained")
def test_wild_keys_and_values_parse_or_are_explained(folder, text):
    """Any text as a title is kept or refused; as a key it is refused."""
    with contextlib.suppress(UnicodeEncodeError):
        quoted = yaml.safe_dump(text, default_style='"')
        for content in (
            f"title: {quoted}\nspace: {{}}\n",
            f"? {quoted}\n: 1\n",
            f"space:\n  ? {quoted}\n  : 1\n",
        ):
            _parses_or_explains(folder, content.encode("utf-8"))


ODD_KEYS = ["a\nb", "\x1b[2J", "x" * 5000]


@pytest.mark.parametrize("key", ODD_KEYS, ids=["two lines", "terminal control", "long"])
def test_an_error_about_a_key_is_one_short_line(key):
    """What a file calls a key cannot break, flood or steer the terminal that shows the error."""
    text = f"? {yaml.safe_dump(key, default_style=chr(34), width=10**6)}: 1\nspace: {{}}\n"
    with pytest.raises(MbsweepError) as caught:
        parse_sweep(text, "s.yaml")
    message = str(caught.value)
    assert message.startswith("s.yaml:1:")
    assert message.isprintable()
    assert len(message) < 500
