"""`--ray`: what is said of a cluster before anything is done, and while it trains."""

import importlib.util
import io
import json
import re
import socket

import pytest
import stand_in_training
from brightness import sweep_text
from console import call, contents, finish, query, refusal, start
from rich.console import Console
from stand_in_pool import EPYC, XEON, StandInPool, node

import mbsweep
from mbsweep import pipeline
from mbsweep import plan as planning
from mbsweep.accuracy.training import worker
from mbsweep.base.errors import MbsweepError
from mbsweep.base.progress_bar import RichProgress
from mbsweep.sweep.sweep import parse_sweep
from mbsweep.table.results import open_run

LATENCY = "latency:\n  - {backend: torch, rounds: 3, visit_ms: 1}\n"
GONE = "nobody is at head:6379: Connection refused; start a cluster there"


@pytest.fixture
def cluster(monkeypatch):
    """A cluster of two nodes, whose trainings are made up."""
    cluster = type("Cluster", (StandInPool,), {"asked": []})
    monkeypatch.setattr(pipeline, "RayPool", cluster)
    monkeypatch.setattr(planning, "RayPool", cluster)
    monkeypatch.setattr(worker, "COMMAND", stand_in_training.toy())
    return cluster


@pytest.fixture
def sweep(images, tmp_path):
    """A sweep file that trains two networks with two seeds, and measures them."""
    path = tmp_path / "trained.yaml"
    path.write_text(sweep_text(images) + LATENCY, encoding="utf-8")
    return path


def told(*words):
    """The lines that `mbsweep plan` prints of the cluster."""
    result = call("plan", *words)
    assert result.exit_code == 0, result.output
    lines = [line.strip() for line in result.stdout.splitlines()]
    first = next(place for place, line in enumerate(lines) if line.startswith("cluster"))
    return [line.removeprefix("cluster").strip() for line in lines[first : lines.index("", first)]]


def test_what_keeps_a_cluster_from_training_is_told_first(cluster, sweep, tmp_path):
    """In one line, before any latency is measured or the run's folder is made."""
    cluster.fault = MbsweepError(GONE)
    before = contents(tmp_path)
    said = refusal(call("run", sweep, "--out", tmp_path / "run", "--ray", "head:6379"))
    assert said == GONE
    assert contents(tmp_path) == before
    assert refusal(call("plan", sweep, "--out", tmp_path / "run", "--ray", "head:6379")) == GONE
    assert cluster.asked == [("head:6379", None), "check"] * 2


def test_a_cluster_is_asked_for_trainings_alone(cluster, sweep, tmp_path):
    """A run with --ray measures here and trains there, no more at once than --jobs says."""
    result = call("run", sweep, "--out", tmp_path / "run", "--ray", "auto", "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert cluster.asked == [("auto", 1), "check", "trainers"]
    assert query(tmp_path / "run", "SELECT count(*) FROM trainings WHERE state = 'done'") == [(4,)]
    assert query(tmp_path / "run", "SELECT count(*) FROM visits")[0][0] >= 6


def test_a_run_goes_on_here_where_it_was_begun_there(cluster, sweep, tmp_path):
    """With the same command without --ray nothing is trained again."""
    assert call("run", sweep, "--out", tmp_path / "run", "--ray", "auto").exit_code == 0
    before = query(tmp_path / "run", "SELECT * FROM trainings")
    result = call("run", sweep, "--out", tmp_path / "run")
    assert result.exit_code == 0
    assert "nothing was left to measure or train" in result.stdout
    assert query(tmp_path / "run", "SELECT * FROM trainings") == before


def test_where_nothing_is_trained_a_cluster_has_nothing_to_do(cluster, tiny_sweep, tmp_path):
    """One line says so, and the run does what there is; the cluster is not even looked at."""
    result = call("run", tiny_sweep, "--out", tmp_path / "run", "--ray", "nowhere:1")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stderr.splitlines() if "--ray" in line]
    assert lines == ["--ray: the sweep trains nothing, so there is nothing for a cluster to do"]
    assert "check" not in cluster.asked
    assert "cluster" not in call("plan", tiny_sweep, "--out", tmp_path / "run", "--ray", "nowhere:1").stdout


def test_the_command_that_tries_again_has_the_cluster(cluster, sweep, tmp_path, monkeypatch):
    """What failed is advised to be tried again as it was tried: with --ray."""
    monkeypatch.setattr(worker, "COMMAND", stand_in_training.toy(spoils={"0.1": "raises"}))
    result = call("run", sweep, "--out", tmp_path / "run", "--ray", "auto")
    assert result.exit_code == 1, result.output
    (line,) = (line for line in result.stderr.splitlines() if "failed; " in line)
    assert f"`mbsweep run {sweep} --out {tmp_path / 'run'} --ray auto --retry`" in line


def test_a_search_goes_on_in_a_cluster(cluster, images, tmp_path):
    """`run` begins a search there, and `search --more` goes on, by batches that keep all its seats busy."""
    path = tmp_path / "search.yaml"
    text = sweep_text(images, seeds="[0]", space="width: [0.1, 0.15, 0.2, 0.25], resolution: 16, depth: 0")
    search = "search: {objectives: [top1_pct, macs], evaluations: 2, method: random}\n"
    path.write_text(text + search, encoding="utf-8")
    result = call("run", path, "--out", tmp_path / "run", "--ray", "auto")
    assert result.exit_code == 0, result.output
    result = call("search", tmp_path / "run", "--more", 2, "--ray", "head:6379")
    assert result.exit_code == 0, result.output
    assert [words for words in cluster.asked if words != "trainers"] == [
        ("auto", None),
        "check",
        ("head:6379", None),
        "check",
    ]
    assert cluster.asked.count("trainers") == 2


def test_trainings_are_told_by_node_while_they_go_on(cluster, sweep, tmp_path):
    """On the bar of a terminal of 90 columns."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=90, color_system=None)
    with RichProgress(console) as progress:
        mbsweep.run(mbsweep.load_sweep(sweep), tmp_path / "run", progress=progress, ray="auto")
    drawn = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())
    assert re.search(r"train on imagefolder-\w+, node-a 1, node-b 1 ", drawn)


def test_it_is_told_which_kind_trained_what(cluster, sweep, tmp_path):
    """Where nodes have other processors, the run's end and its page say how many trainings ended on which.
    The page tells devices that only trained.
    """
    result = call("run", sweep, "--out", tmp_path / "run", "--ray", "auto")
    assert result.exit_code == 0, result.output
    found = open_run(tmp_path / "run").trained_on()
    assert sum(found.values()) == 4
    assert set(found) == {EPYC, XEON}
    counted = "; ".join(f"{kind}: {count}" for kind, count in found.items())
    told = (
        "Trainings (of a supernet: tests) were done by 2 kinds of processor, whose last digits differ; "
        f"counted where they ended: {counted}."
    )
    assert told in " ".join(result.stdout.split())
    call("report", tmp_path / "run", "--html", tmp_path / "pages")
    page = (tmp_path / "pages/run.html").read_text()
    assert told in page
    assert re.findall(r"<td>([^<]+); trainings alone</td>", page) == [
        "AMD EPYC 9R14, 1 cores",
        "Intel Xeon E5-2686 v4, 1 cores",
    ]


def test_nodes_of_one_kind_are_no_news(cluster, sweep, tmp_path):
    """Neither the run's end nor its page speaks of kinds where there is one."""
    cluster.nodes = [node("node-a"), node("node-b", cpus=8)]
    result = call("run", sweep, "--out", tmp_path / "run", "--ray", "auto")
    assert open_run(tmp_path / "run").trained_on() == {EPYC: 4}
    call("report", tmp_path / "run", "--html", tmp_path / "pages")
    assert "kinds of processor" not in result.stdout + (tmp_path / "pages/run.html").read_text()


def test_what_a_cluster_trained_keeps_no_latency_from_being_measured(cluster, sweep, tmp_path):
    """Other processors trained, and this machine goes on to measure what is new in the sweep."""
    assert call("run", sweep, "--out", tmp_path / "run", "--ray", "auto").exit_code == 0
    sweep.write_text(sweep.read_text().replace("rounds: 3", "rounds: 4"))
    result = call("run", sweep, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert query(tmp_path / "run", "SELECT max(round) FROM visits") == [(3,)]


MALFORMED = ["", "head", "head:", ":6379", "head:ray", "head:70000", "ray://", "http://head:8265", "6379"]


@pytest.mark.parametrize("address", MALFORMED)
@pytest.mark.parametrize("command", ["run", "plan"])
def test_what_is_no_address_is_refused(command, address, sweep, tmp_path):
    """In one line with what was given and what is allowed, before anything is made."""
    before = contents(tmp_path)
    assert refusal(call(command, sweep, "--out", tmp_path / "run", "--ray", address)) == (
        f"--ray is {address!r}; expected local, auto, or a cluster's HOST:PORT or ray://HOST:PORT"
    )
    assert contents(tmp_path) == before


def test_where_nobody_is_a_run_does_not_begin(sweep, tmp_path):
    """A port at which nobody listens."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        said = refusal(call("run", sweep, "--out", tmp_path / "run", "--ray", address))
    assert said.startswith(
        f"nobody is at {address}: Connection refused; start a cluster there with `ray start"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ["local", "auto", "127.0.0.1:1"])
def test_without_ray_it_is_told_how_to_install_it(address, sweep, tmp_path, monkeypatch):
    """Whatever cluster is meant."""
    known = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *of: None if name == "ray" else known(name, *of)
    )
    assert refusal(call("run", sweep, "--out", tmp_path / "run", "--ray", address)) == (
        "--ray needs Ray, which is not installed; run: pip install 'mbsweep[ray]'"
    )
    assert not (tmp_path / "run").exists()


RESULTS = (
    "SELECT variant, seed, attempt, threads, state, epochs, correct FROM trainings ORDER BY variant, seed"
)


def test_a_cluster_of_this_machine_alone_gives_the_numbers_of_its_processes(
    images, undisturbed, tmp_path, monkeypatch
):
    """Ray itself, started for the run and gone with it: the networks are right about the same images. Its
    token is not left in the user's home, where every later `ray start` would take it up.
    """
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    path = tmp_path / "trained.yaml"
    path.write_text(sweep_text(images), encoding="utf-8")
    process = start("run", path, "--out", tmp_path / "run", "--ray", "local", "--jobs", 2)
    exit_code, _, err = finish(process, timeout_s=300)
    assert exit_code == 0, err
    assert query(tmp_path / "run", RESULTS) == query(undisturbed, RESULTS)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"lock", "run.sqlite", "weights"}
    assert contents(home) == {}


# plan


def test_plan_tells_what_a_cluster_has(cluster, sweep, tmp_path):
    """A line for each node that trains, one for each that does not with the reason; nothing is made."""
    lacks = "lacks torch; run there: pip install 'mbsweep[train]==0.1.0'"
    cluster.nodes = [node("lap", cpus=8), node("desk", XEON, cpus=1), node("old", why_not=lacks)]
    cluster.seats = 9
    before = contents(tmp_path)
    assert told(sweep, "--out", tmp_path / "run", "--ray", "head:6379") == [
        "trains 9 networks at once",
        f"lap, 8 CPUs: {EPYC}",
        f"desk, 1 CPU: {XEON}",
        f"not used: old {lacks}",
    ]
    assert contents(tmp_path) == before


def test_many_nodes_are_told_by_kind(cluster, sweep):
    """Twelve of 64 CPUs, one of another processor, and how many others have the same fault."""
    many = [node(f"node-{number}", cpus=64) for number in range(12)]
    bad = [node(f"bad-{number}", why_not="lacks torch") for number in range(3)]
    cluster.nodes, cluster.seats = [*bad, *many, node("gpu", XEON, cpus=2)], 770
    assert told(sweep, "--ray", "auto") == [
        "trains 770 networks at once",
        f"12 nodes of 64 CPUs: {EPYC}",
        f"1 node of 2 CPUs: {XEON}",
        "not used: bad-0 and 2 others, each of which lacks torch",
    ]


def test_beside_gpus_nodes_without_one_are_not_used(cluster, sweep):
    """Networks are trained by GPUs where a cluster has any."""
    cluster.nodes, cluster.seats = [node("gpu", cpus=16, gpus=2), node("cpu", cpus=64)], 2
    assert told(sweep, "--ray", "auto") == [
        "trains 2 networks at once",
        f"gpu, 2 GPUs and 16 CPUs: {EPYC}",
        "not used: cpu has no GPU, which other nodes have",
    ]


def test_programs_get_each_node(cluster, sweep):
    """Whatever is printed of kinds; null where no cluster is asked for."""
    cluster.nodes = [node(f"node-{number}") for number in range(8)]
    cluster.seats = 8
    found = json.loads(call("plan", sweep, "--ray", "auto", "--json").stdout)["cluster"]
    assert found["at_once"] == 8
    assert [one["name"] for one in found["nodes"]] == [f"node-{number}" for number in range(8)]
    assert found["nodes"][0]["processor"] == EPYC
    assert json.loads(call("plan", sweep, "--json").stdout)["cluster"] is None


# Trainings of a network of 10,000,000 mult-adds, 10 epochs of 6000 images: a core makes 25e9 mult-adds in a
# second, forth and back takes three times as many, and each image 0.15 ms: 81 s.
EACH_S = 10 * 6000 * (3 * 10_000_000 / 25e9 + 1.5e-4)


@pytest.mark.parametrize(("seats", "seconds"), [(2, 6 * EACH_S), (5, 12 / 5 * EACH_S), (100, EACH_S)])
def test_trainings_take_as_long_as_the_cluster_is_small(cluster, seats, seconds):
    """Seats share them; no number of seats makes one training shorter."""
    from mbsweep.accuracy.training.cost import image_s, together_s

    each = [10 * 6000 * image_s(10_000_000)] * 12
    assert together_s(each, seats) == pytest.approx(seconds)


def test_a_plan_counts_with_the_seats(cluster, images):
    """Ten seats in place of one make four trainings of an hour each take one hour, not four."""
    text = sweep_text(images, recipe="epochs: 10000, batch: 16, learning_rate: 0.05", seeds="[0, 1, 2, 3]")
    sweep = parse_sweep(text, "trained")
    took = {}
    for cluster.seats in (1, 2, 10):
        took[cluster.seats] = planning.plan(sweep, ray="auto").left_s - 5  # START_S
    assert took[2] == pytest.approx(took[1] / 2, rel=0.01)
    assert took[1] / 8 < took[10] < took[1] / 4
