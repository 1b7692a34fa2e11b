"""What keeps numbers from being relied on is said wherever a variant is chosen by them."""

import itertools
from dataclasses import astuple, replace

import pytest
from browsing import Pages, opened
from console import call
from reporter_runs import WIDTH_RES, report, write_run

from mbsweep import Variant, open_run
from mbsweep.accuracy.training.trusting import trust
from mbsweep.accuracy.value import NAN, UNRELIABLE, Accuracy
from mbsweep.storage.marks import Mark
from mbsweep.storage.store import Store
from mbsweep.table.panels import panels
from mbsweep.table.trust import of_accuracies, of_extracted, of_supernet

SUPERNET = """\
space: {width: [1.0, 0.5], resolution: [48, 32], num_classes: 10}
accuracy:
  source: supernet
  dataset: {name: digits, train: 100, validation: 100, test: 100}
"""
GAPS = {"a": (90.0, 98.6), "b": (80.0, 25.5), "c": (70.0, 80.8)}  # name -> of the supernet, alone
NOTE = trust(
    {name: pair[0] for name, pair in GAPS.items()}, {name: {0: pair[1]} for name, pair in GAPS.items()}, 0.7
)["summary"]
PREDICTED = WIDTH_RES.replace("[1.0,", "[1.0, 1.1, 1.2,").replace(
    "{source: published, ", "{source: predicted, extrapolate: true, "
)


def supernet_run(folder, note=NOTE, marks=Mark.UNRELIABLE.value):
    """Four networks of a supernet, none of them trained in truth."""
    write_run(folder, SUPERNET)
    with Store.write(folder) as store:
        names, rows = store.rows("accuracies")
        asked = dict(zip(names, rows[0], strict=True))
        known = Accuracy(90.0, NAN, "supernet", asked["source"], asked["dataset"], seeds="0")
        known = replace(known, shared_note=note, marks=marks)
        store.set_accuracies((name, "fp32", *astuple(known)) for name in store_ids(store))
    return folder


def store_ids(store):
    return [row[0] for row in store.variants()]


def noisy_run(folder):
    """Sixteen networks in two configurations, of which one has but noisy latencies."""
    return write_run(folder, upper=lambda config, variant: 1.3 if config.backend == "torch" else 1.03)


def predicted_run(folder):
    """Twenty-four networks, eight of them wider than the points of the model."""
    return write_run(folder, PREDICTED)


def int8_run(folder):
    """Sixteen networks at fp32 and at int8, at which TF-Slim's first table has no accuracy."""
    text = WIDTH_RES.replace("backend: torch,", "backend: onnxruntime, precision: int8,")
    return write_run(folder, text.replace("2018-08-02", "2017-06-14"))


MADE = {"supernet": supernet_run, "noisy": noisy_run, "predicted": predicted_run, "int8": int8_run}
RANKING = f"caution: accuracies of a supernet, {NOTE}"
NOISY = "caution: noisy: the middle half of the timed calls is spread by more than 10 % of the median "
NOISY += "in 16 of 16 rows"
BEYOND = "caution: 8 of 24 accuracies are extrapolated: how wrong they are is unknown"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page of all these runs."""
    return Pages(tmp_path_factory, "trust", {"all": MADE})


@pytest.fixture(scope="module")
def runs(pages):
    """Name -> the folder of a run."""
    pages("all")
    return {name: pages.folder / "all" / name for name in MADE}


@pytest.fixture(scope="module")
def answers(browser, pages):
    """Name of a run -> for each of its configurations, under a budget of 50 ms, what the page answers."""
    found = {}
    with opened(browser, pages("all"), at="max_latency_ms=50") as tab:
        for number, label in enumerate(tab.locator("#group option").all_inner_texts()):
            tab.locator("#group").select_option(str(number))
            parts = {
                part: tab.locator(f"#answer {part}").all_inner_texts()
                for part in (".warning", ".sentence, .more", "strong")
            }
            found.setdefault(label.split(":")[0], []).append(parts)
    return found


def said(*words):
    """The cautions that a command prints."""
    result = call(*words)
    assert result.exit_code == 0, result.output
    return [line.strip() for line in result.stdout.splitlines() if "caution" in line]


def test_the_range_of_a_supernets_errors_is_told():
    """+54.5, -8.6 and -10.8 points are 11.7 on average: all three are said."""
    assert "accuracies -10.8 to +54.5 points from theirs, +11.7 on average" in NOTE
    assert UNRELIABLE in NOTE


@pytest.mark.parametrize(
    ("name", "cautions"),
    [("supernet", [RANKING]), ("noisy", [NOISY]), ("predicted", [BEYOND, BEYOND]), ("int8", [])],
)
def test_who_chooses_is_told(runs, answers, name, cautions):
    """`pick`, `front` and the page's answer say the same, of each configuration what holds for it."""
    cost = ["--cost", "macs"] if name == "supernet" else []
    assert said("pick", runs[name]) == cautions
    assert said("front", runs[name], *cost) == cautions[: 1 if cost else 2]
    shown = [words for answer in answers[name] for words in answer[".warning"]]
    assert shown == [f"C{words[1:]}." for words in cautions]


def test_what_is_chosen_by_size_needs_no_accuracy(runs):
    """Of a ranking nothing is said where it does not count, nor of latencies."""
    assert said("pick", runs["supernet"], "--minimize", "macs") == []
    assert said("front", runs["noisy"], "--cost", "params") == []


def test_of_accuracies_that_are_not_there_nothing_is_said(tmp_path):
    """A run that only counted, where no column of words holds one; it has a page, too."""
    run = write_run(tmp_path / "run", "space: {width: [0.25, 0.5]}\n")
    assert of_accuracies(open_run(run).table()) == []
    assert report(tmp_path / "pages", run)[1].exists()


def test_a_supernet_that_ranks_well_is_not_warned_of(tmp_path):
    """What its note says does not decide that."""
    assert said("pick", supernet_run(tmp_path / "run", NOTE, marks="")) == []


def test_a_supernet_is_warned_of_in_whatever_words(tmp_path):
    """The run says that its ranking cannot be relied on; the note is printed as it is."""
    assert said("pick", supernet_run(tmp_path / "run", "tau 0.1")) == [
        "caution: accuracies of a supernet, tau 0.1"
    ]


def test_a_number_that_is_doubtful_says_so_itself(runs, answers):
    """The best is extrapolated; the noisy one has its spread: in `pick`, and in the page's sentence."""
    noisy = "noisy: interquartile range 19 % of the median"
    beyond = "extrapolated: width 1.2 is above the points' 1"
    for name, words, count in (("noisy", noisy, 1), ("predicted", beyond, 2)):
        assert call("pick", runs[name], "--count", 1).stdout.count(f" {words}\n") == count
        assert sum(words in answer["strong"] for answer in answers[name]) == count


def test_a_comparison_says_what_is_noisy(runs, tmp_path):
    """Of A, whose torch latencies all are; of B, where they are not, nothing."""
    lines = " ".join(call("compare", runs["noisy"], write_run(tmp_path / "calm")).stdout.split())
    assert lines.count("of A: noisy: the middle half") == 1
    assert "of B:" not in lines


def test_where_accuracy_is_unknown_nothing_is_said_to_be_too_slow(runs, answers):
    """At int8 neither `pick` nor the page speaks of the budget, but of the accuracy and why it is unknown."""
    (reason,) = panels(open_run(runs["int8"]).table())[1]["top1_reason"].unique()
    result = call("pick", runs["int8"], "--max-latency-ms", 50, "--min-top1", 40)
    _, block, _ = result.stdout.split("\n\n")
    assert block.splitlines()[1:] == [
        f"  nothing can be judged: top-1 accuracy is known of no variant ({reason})",
        "  0 of 16 fit, 0 do not; of 16 a needed number is unknown",
    ]
    refused = call("pick", runs["int8"], "--config", block.split(" (")[0].split(":")[0], "--max-macs", 1e9)
    assert f"known of no variant ({reason}); --minimize latency_ms or macs" in refused.stderr
    text = " ".join(answers["int8"][1][".sentence, .more"])
    words = f"Nothing can be judged. Top-1 accuracy is known of no variant here: {reason}."
    assert text.split()[: len(words.split())] == words.split()


def test_a_network_that_a_supernet_did_not_train_is_told_of():
    """Which of width, resolution and depth was never trained, or that all were, but not together."""
    grid = itertools.product((0.25, 0.5), (48, 64), (1, 5))
    networks = [Variant(width=w, resolution=r, depth=d) for w, r, d in grid if (w, r) != (0.25, 48)]
    trained = [net.id for net in networks]
    words = {
        (0.5, 64, 1): "",
        (0.35, 64, 1): "width 0.35 was never trained: the supernet's networks have width 0.25, 0.5",
        (0.5, 56, 1): "resolution 56 was never trained: the supernet's networks have resolution 48, 64",
        (0.5, 64, 3): "depth 3 was never trained: the supernet's networks have depth 1, 5",
        (0.25, 48, 1): "mobilenet_v1_w0.25_r48_d1 was never trained: it is none of the supernet's 6 networks",
    }
    for (width, resolution, depth), expected in words.items():
        asked = Variant(width=width, resolution=resolution, depth=depth)
        assert of_extracted(asked, trained, networks) == expected
        # The file of an earlier mbsweep has the ids alone.
        nothing_more = f"{asked.id} was never trained: it is none of the supernet's 6 networks"
        assert of_extracted(asked, trained, []) == (expected and nothing_more)


def test_a_field_of_any_family_is_told():
    """Of MobileNet v2 the kernel, of a list the whole of it."""
    networks = [Variant("mobilenet_v2", kernel=kernel) for kernel in (3, 5)]
    ids = [net.id for net in networks]
    assert of_extracted(Variant("mobilenet_v2", kernel=7), ids, networks) == (
        "kernel 7 was never trained: the supernet's networks have kernel 3, 5"
    )
    own = Variant("mobilenet_v2", kernel=5, stage_depths=[1, 2, 3, 4, 2, 3, 1])
    assert of_extracted(own, ids, networks) == (
        "stage_depths 1-2-3-4-2-3-1 was never trained: "
        "the supernet's networks have stage_depths 1-2-3-4-3-3-1"
    )


def test_a_supernet_without_its_run_is_not_known_to_rank_well():
    """Its file alone does not say; the run's report does."""
    assert of_supernet(None) == f"its run is not beside it, so {UNRELIABLE} (tau unknown)"
    assert of_supernet({"is_reliable": False, "summary": NOTE}) == f"the supernet: {NOTE}"
    assert of_supernet({"is_reliable": True, "summary": NOTE}) == ""
