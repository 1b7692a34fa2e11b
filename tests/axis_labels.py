"""Labels and ticks along the axes of a figure, read where they stand."""

from itertools import pairwise

import pytest
from playwright.sync_api import Page as Tab

_LABELS = """(element) => Object.values(element._fullLayout)
  .filter((axis) => axis?._id && axis.title.text && axis._length)
  .map((axis) => {
    const paper = element.querySelector(".main-svg").getBoundingClientRect();
    const isAcross = axis._id[0] === "x";
    // Plotly hides what an edge would cut off.
    const isSeen = (text) => text.getBoundingClientRect().width > 0;
    const texts = [...element.querySelectorAll(`.${axis._id}tick > text`)].filter(isSeen).map((text) => {
      const { left, right, top, bottom } = text.getBoundingClientRect();
      const middle = isAcross ? (left + right) / 2 - paper.left : (top + bottom) / 2 - paper.top;
      return [text.textContent, middle - axis._offset, isAcross ? [left, right] : [top, bottom]];
    });
    const value = (text) => Number(text.replaceAll(",", "").replace("k", "e3").replace("M", "e6"));
    const values = texts.map(([text]) => value(text)).sort((a, b) => a - b);
    const short = [...element.querySelectorAll(`.${axis._id}tick.ticks`)].map((tick) => {
      const { left, top, width, height } = tick.getBoundingClientRect();
      const at = isAcross ? left - paper.left : top - paper.top;
      return { at: at - axis._offset, isMinor: Math.max(width, height) < 4 };
    }).filter(({ isMinor }) => isMinor).map(({ at }) => at);
    const parts = values.slice(1).map((end, place) => {
      const begin = values[place];
      const [from, to] = [axis.d2p(begin), axis.d2p(end)].sort((a, b) => a - b);
      const within = short.filter((at) => at > from + 1 && at < to - 1).sort((a, b) => a - b);
      const isFar = axis.type === "log" && end > 10.5 * begin; // then whole decades
      const part = (k) => (k + 1) / (within.length + 1);
      const nth = isFar ? (k) => begin * (end / begin) ** part(k) : (k) => begin + (end - begin) * part(k);
      const even = within.map((_, k) => axis.d2p(nth(k)));
      return [within, even.sort((a, b) => a - b)];
    });
    return {
      axis: `${element.id} ${axis._id} ${axis.title.text} ${axis.range}`,
      log: axis.type === "log",
      labels: texts.map(([text, at, ends]) => [text, at, axis.d2p(value(text)), ends]),
      minor: parts,
    };
  })"""


def check_labels(tab: Tab, figure: str) -> int:
    """Each label of a figure is the number of its place, and beside no other; the small ticks between two
    labels are of even steps. How many axes are log.
    """
    axes = tab.locator(figure).evaluate(_LABELS)
    assert axes
    for axis in axes:
        assert len(axis["labels"]) >= 2, axis
        for text, stands, should, _ in axis["labels"]:
            assert stands == pytest.approx(should, abs=3), (axis["axis"], text)
        boxes = sorted(ends for *_, ends in axis["labels"])
        for (_, end), (begin, _) in pairwise(boxes):
            assert end <= begin, axis
        for stand, should in axis["minor"]:
            assert stand == pytest.approx(should, abs=1.5), axis
    return sum(axis["log"] for axis in axes)
