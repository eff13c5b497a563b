"""What is seen of a figure: the texts that are drawn, and where."""

from contextlib import contextmanager

import numpy as np
from matplotlib.text import Text


@contextmanager
def drawing(figure):
    """The texts that a figure draws, which is drawn at the end."""
    found, draw = [], Text.draw

    def noted(self, renderer, *args, **options):
        if self.get_visible() and self.get_text().strip():
            found.append(self)
        return draw(self, renderer, *args, **options)

    Text.draw = noted
    try:
        figure.canvas.draw()
        yield list(dict.fromkeys(found))
    finally:
        Text.draw = draw


def texts(figure):
    """The words of a figure and their boxes in pixels, (left, low, right, high)."""
    with drawing(figure) as found:
        return [(text.get_text(), np.array(text.get_window_extent().extents)) for text in found]


def overlaps(boxes):
    """The pairs of words whose boxes share more than the edge of a letter."""
    found = []
    for k, (a, first) in enumerate(boxes):
        for b, second in boxes[k + 1 :]:
            shared = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
            if (shared > 1).all():
                found.append((a, b))
    return found


def outside(boxes, left, low, right, high):
    """The words that leave a place, given in pixels."""
    return [
        word
        for word, box in boxes
        if box[0] < left - 1 or box[1] < low - 1 or box[2] > right + 1 or box[3] > high + 1
    ]


def check_words(figure):
    """No word leaves the figure, and none lies upon another."""
    boxes = texts(figure)
    assert not outside(boxes, 0, 0, *figure.bbox.extents[2:])
    assert not overlaps(boxes)
    return [word for word, _ in boxes]
