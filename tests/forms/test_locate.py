"""Pages found by their marks or frame, where the photographed sheets really are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mnist_svm.exceptions import PictureError
from mnist_svm.forms.frame import locate_frame
from mnist_svm.forms.marks import locate_marks
from mnist_svm.forms.projection import MAX_PAGE_SIDE, find_homography, project, straighten
from tests.support.guises.marked import EDGE, HEIGHT, MARKS, WIDTH, render_marked

# Greatest error of a corner, as a fraction of the page's diagonal; that of angles, whose middle
# moves when they are turned.
TOLERANCE, ANGLE_TOLERANCE = 0.0015, 0.006


def error_of(corners, shot) -> float:
    diagonal = np.hypot(*np.ptp(shot.corners, axis=0))
    return float(np.abs(corners - shot.corners).max() / diagonal)


@pytest.mark.parametrize("angle", [0, 2, -12, 25])
@pytest.mark.parametrize("kind", MARKS)
def test_marks_of_every_kind_are_found(kind, angle):
    rng = np.random.default_rng([MARKS.index(kind), angle + 90])
    shot = render_marked(kind, rng, angle=angle, size=rng.uniform(20, 44))
    tolerance = ANGLE_TOLERANCE if kind == "angle" else TOLERANCE
    assert error_of(locate_marks(shot.grey), shot) <= tolerance


@pytest.mark.parametrize("angle", [0, 2, -12, 25])
def test_a_frame_is_found(angle):
    shot = render_marked("frame", np.random.default_rng([angle + 90]), angle=angle)
    assert error_of(locate_frame(shot.grey), shot) <= TOLERANCE


def test_a_large_photo_is_searched_in_a_reduced_copy():
    shot = render_marked("square", np.random.default_rng(5), angle=3)
    grey = np.asarray(Image.fromarray(shot.grey).resize([3 * n for n in shot.grey.shape[::-1]]))
    large = shot._replace(grey=grey, corners=3 * shot.corners + 1)
    assert error_of(locate_marks(large.grey), large) <= TOLERANCE


@pytest.mark.parametrize("missing", range(4))
@pytest.mark.parametrize("kind", ["square", "cross", "ring"])
def test_three_marks_are_not_enough(kind, missing):
    """And bullets, boxes and letters are no fourth one."""
    shot = render_marked(kind, np.random.default_rng([missing, 3]), angle=4, missing=missing)
    with pytest.raises(PictureError, match="expected a mark in each of its four corners") as caught:
        locate_marks(shot.grey)
    assert str(caught.value).isprintable()


def test_a_page_without_a_frame_is_refused():
    shot = render_marked("square", np.random.default_rng(8), angle=4)
    with pytest.raises(PictureError, match="expected a frame of four straight lines"):
        locate_frame(shot.grey)


@pytest.mark.parametrize("locate", [locate_marks, locate_frame])
@pytest.mark.parametrize("kind", ["blank", "black", "noise", "tiny", "stripes"])
def test_pictures_without_a_page_are_refused(locate, kind):
    rng = np.random.default_rng(1)
    grey = {
        "blank": np.full((400, 300), 250, np.uint8),
        "black": np.zeros((400, 300), np.uint8),
        "noise": rng.integers(0, 256, (600, 500), dtype=np.uint8),
        "tiny": np.full((3, 3), 250, np.uint8),
        "stripes": np.tile(np.uint8([[0], [0], [255], [255], [255]]), (80, 300)),
    }[kind]
    with pytest.raises(PictureError, match="no page found"):
        locate(grey)


def test_a_homography_maps_points_as_they_were_mapped():
    rng = np.random.default_rng(0)
    square = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    other = square * 300 + rng.uniform(-40, 40, (4, 2))
    projection = find_homography(square, other)
    np.testing.assert_allclose(project(projection, square), other, atol=1e-9)
    # Lines stay lines: the middle is where the diagonals cross.
    (a, b), (c, d) = (other[0], other[2]), (other[1], other[3])
    s, _ = np.linalg.solve(np.column_stack([b - a, c - d]), c - a)
    np.testing.assert_allclose(project(projection, np.array([[0.5, 0.5]]))[0], a + s * (b - a))


def test_a_straightened_page_is_the_sheet_again():
    shot = render_marked("square", np.random.default_rng(4), angle=15, size=30)
    size = (WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE)
    page, projection = straighten(shot.grey, shot.corners, size)
    height, width = page.shape
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)
    # Half of each mark is dark, and inside it.
    edge = round(12 * width / size[0])
    for corner in (page[:edge, :edge], page[:edge, -edge:], page[-edge:, :edge]):
        assert np.median(corner) < 0.5 * np.median(page)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)]) - 0.5
    np.testing.assert_allclose(project(projection, corners), shot.corners, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "remedy"), [((297, 210), "turn the picture upright"), ((100, 300), "is it this form")]
)
def test_a_page_of_other_proportions_is_refused(size, remedy):
    shot = render_marked("square", np.random.default_rng(4))
    with pytest.raises(PictureError, match=f"as the template says, found 1:1.4.; {remedy}"):
        straighten(shot.grey, shot.corners, size)


def test_a_straightened_page_has_a_limit():
    grey = np.full((100, 6000), 255, np.uint8)
    corners = np.array([(0.0, 0.0), (6000, 0), (6000, 100), (0, 100)]) - 0.5
    assert straighten(grey, corners, None)[0].shape == (round(100 / 6000 * 5000), MAX_PAGE_SIDE)
