"""Pictures without a number: blank paper, noise, words, scribbles, photos and wallpaper.

`UNNUMBERED` has a function for each kind; it takes a random generator, and returns grey pixels.
None has a shape that is a digit by itself, such as a ring or a lone vertical bar.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from tests.support.guises.guises import generator
from tests.support.guises.paper import Rng, draw_rules, light_map, noise, texture

Grey = npt.NDArray[np.uint8]
Field = npt.NDArray[np.floating]

# Height and width of most pictures.
SHAPE = (500, 700)

# Text without numbers, and without l and I, which look like 1.
TEXT = """the harvest began when warm weather came and farmers gathered their grapes next
morning they carried baskets down to the cart where women were waiting after many years
someone remembered that summer when rivers ran dry and even deep water was scarce"""


def _to_grey(field: Field) -> Grey:
    return field.clip(0, 255).astype(np.uint8)


def _smooth(shape: tuple[int, int], sigma: float, rng: Rng) -> Field:
    """Noise without details below ``sigma`` pixels, of mean 0 and standard deviation 1."""
    step = max(int(sigma / 4), 1)
    small = [side // step + 2 for side in shape]
    field = ndimage.gaussian_filter(rng.standard_normal(small), sigma / step)
    large = ndimage.zoom(field, step, order=1)[: shape[0], : shape[1]]
    return (large - large.mean()) / large.std()


def _clouds(shape: tuple[int, int], rng: Rng) -> Field:
    """Noise with details of every size, the larger the stronger."""
    field = sum(sigma * _smooth(shape, sigma, rng) for sigma in (1, 2, 4, 8, 16, 32, 64))
    return np.asarray(field / np.std(field))


# --- blank paper -------------------------------------------------------------------------


def _white(rng: Rng) -> Grey:
    return np.full(SHAPE, rng.integers(200, 256), np.uint8)


def _black(rng: Rng) -> Grey:
    return np.full(SHAPE, rng.integers(0, 50), np.uint8)


def _rough_paper(rng: Rng) -> Grey:
    return _to_grey(rng.uniform(190, 240) + texture(SHAPE, rng, rng.uniform(2, 12)))


def _shaded_paper(rng: Rng) -> Grey:
    light = light_map(SHAPE, rng, darkest=rng.uniform(0.3, 0.7), hard=rng.random() < 0.5)
    return _to_grey(235 * light + texture(SHAPE, rng, 2.0))


def _scanned_paper(rng: Rng) -> Grey:
    """White paper with the dust of a scanner."""
    page = np.full(SHAPE, 250.0)
    for _ in range(rng.integers(5, 40)):
        y, x = (int(rng.integers(side - 4)) for side in SHAPE)
        page[y : y + rng.integers(1, 4), x : x + rng.integers(1, 4)] = rng.uniform(60, 200)
    return _to_grey(page)


def _ruled_paper(rng: Rng) -> Grey:
    squares, gap = bool(rng.random() < 0.5), rng.uniform(18, 50)
    rules = draw_rules(SHAPE, gap, rng, squares=squares, tilt=rng.uniform(-2, 2))
    return _to_grey(245 - rng.uniform(40, 150) * (rules / 255) + texture(SHAPE, rng, 2.0))


def _empty_table(rng: Rng) -> Grey:
    image = Image.new("L", SHAPE[::-1], 250)
    draw, tall, wide = ImageDraw.Draw(image), rng.uniform(28, 60), rng.uniform(50, 130)
    thick = int(rng.integers(1, 4))
    bottom, right = 40 + 7 * tall, 40 + 5 * wide
    for k in range(8):
        draw.line((40, 40 + k * tall, right, 40 + k * tall), 40, thick)
    for k in range(6):
        draw.line((40 + k * wide, 40, 40 + k * wide, bottom), 40, thick)
    return np.asarray(image)


def _empty_boxes(rng: Rng) -> Grey:
    """Separate boxes for a digit each."""
    image = Image.new("L", SHAPE[::-1], 250)
    draw, side, gap = ImageDraw.Draw(image), rng.uniform(30, 60), rng.uniform(6, 20)
    for row in range(3):
        for k in range(8):
            left, top = 40 + k * (side + gap), 50 + 140 * row
            draw.rectangle((left, top, left + side, top + 1.3 * side), outline=30, width=2)
    return np.asarray(image)


# --- noise -------------------------------------------------------------------------------


def _camera_noise(rng: Rng) -> Grey:
    return _to_grey(rng.uniform(60, 200) + noise(SHAPE, rng, rng.uniform(5, 60)))


def _static(rng: Rng) -> Grey:
    return rng.integers(0, 256, SHAPE, dtype=np.uint8)


def _specks(rng: Rng) -> Grey:
    """Single dark pixels, blurred to specks of a few."""
    specks = (rng.random(SHAPE) < rng.uniform(0.0005, 0.02)).astype(float)
    return _to_grey(255 - 900 * ndimage.gaussian_filter(specks, rng.uniform(0.5, 1.2)))


def _blotches(rng: Rng) -> Grey:
    return _to_grey(150 + 60 * _smooth(SHAPE, rng.uniform(2, 12), rng))


def _black_and_white_blotches(rng: Rng) -> Grey:
    return np.where(_smooth(SHAPE, rng.uniform(2, 12), rng) > 0, 0, 255).astype(np.uint8)


# --- words -------------------------------------------------------------------------------


def _printed_text(rng: Rng) -> Grey:
    image = Image.new("L", SHAPE[::-1], 252)
    draw, size = ImageDraw.Draw(image), rng.uniform(14, 30)
    font = ImageFont.load_default(size)
    for y in np.arange(20, SHAPE[0] - 1.5 * size, 1.5 * size):
        draw.text((25, y), _line_of_words(font, SHAPE[1] - 50, rng), fill=25, font=font)
    return _to_grey(np.asarray(image) + texture(SHAPE, rng, 2.0))


def _line_of_words(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, wide: int, rng: Rng) -> str:
    line = str(rng.choice(TEXT.split()))
    while font.getlength(longer := f"{line} {rng.choice(TEXT.split())}") < wide:
        line = longer
    return line


def _heading(rng: Rng) -> Grey:
    image = Image.new("L", (700, 160), 250)
    font = ImageFont.load_default(rng.uniform(40, 70))
    words = " ".join(rng.choice(TEXT.split(), 2))
    ImageDraw.Draw(image).text((30, 80), words, fill=20, font=font, anchor="lm")
    return np.asarray(image)


def _cursive(rng: Rng) -> Grey:
    """Joined handwriting: waves of changing height that go on to the right."""
    image = Image.new("L", (4 * SHAPE[1], 4 * SHAPE[0]), 250)
    draw, size = ImageDraw.Draw(image), 4 * rng.uniform(8, 16)
    for y in np.arange(4 * size, 4 * SHAPE[0] - 4 * size, 4.5 * size):
        x = 160.0
        while (end := x + size * rng.uniform(6, 16)) < 4 * SHAPE[1] - 160:
            at = np.linspace(0, 1, 400)
            turns = np.cumsum(rng.uniform(0.5, 1.5, 400)) * (end - x) / size / 500
            swell = np.interp(at, np.linspace(0, 1, 12), rng.uniform(0.4, 1.9, 12))
            across = x + (end - x) * at + 0.6 * size * np.sin(2 * np.pi * turns)
            down = y + size * swell * np.cos(2 * np.pi * turns)
            draw.line([*zip(across.tolist(), down.tolist())], 40, int(size / 4), "curve")
            x = end + 3 * size
    return np.asarray(image.reduce(4))


def _scribble(rng: Rng) -> Grey:
    """A page crossed out, or a child's drawing: one long random curve."""
    image = Image.new("L", (4 * SHAPE[1], 4 * SHAPE[0]), 250)
    walk = ndimage.gaussian_filter1d(rng.standard_normal((2, 4000)), 40, axis=1)
    walk /= np.abs(walk).max(axis=1, keepdims=True)
    points = (walk * 0.45 + 0.5) * np.array([[4 * SHAPE[1]], [4 * SHAPE[0]]])
    ImageDraw.Draw(image).line([*zip(*points.tolist())], 40, int(rng.integers(8, 20)), "curve")
    return np.asarray(image.reduce(4))


# --- photos ------------------------------------------------------------------------------


def _landscape(rng: Rng) -> Grey:
    """Sky, hills behind each other, and grass."""
    i, j = np.mgrid[: SHAPE[0], : SHAPE[1]]
    picture = 220 - 0.1 * i + 6 * _smooth(SHAPE, 40, rng)
    for k in range(4):
        ridge = ndimage.gaussian_filter1d(rng.standard_normal(SHAPE[1]), 60 / (k + 1), mode="wrap")
        line = SHAPE[0] * (0.35 + 0.15 * k) + 25 * ridge / ridge.std()
        ground = 150 - 30 * k + (4 + 6 * k) * _smooth(SHAPE, 6 / (k + 1), rng)
        picture = np.where(i > line[j], ground, picture)
    return _to_grey(picture)


def _clouded(rng: Rng) -> Grey:
    return _to_grey(130 + 45 * _clouds(SHAPE, rng))


def _trees(rng: Rng) -> Grey:
    """Bare branches before a bright sky."""
    image = Image.new("L", (2 * SHAPE[1], 2 * SHAPE[0]), 225)
    draw = ImageDraw.Draw(image)

    def grow(x: float, y: float, angle: float, length: float, thick: float) -> None:
        end = x + length * np.cos(angle), y - length * np.sin(angle)
        draw.line((x, y, *end), fill=50, width=max(int(thick), 1))
        if thick > 1.5:
            for _ in range(2):
                turn = rng.uniform(-0.6, 0.6)
                grow(*end, angle + turn, length * rng.uniform(0.65, 0.85), 0.65 * thick)

    for _ in range(3):
        grow(2 * SHAPE[1] * rng.uniform(0.1, 0.9), 2 * SHAPE[0], np.pi / 2, 240, 36)
    return _to_grey(np.asarray(image.reduce(2)) + noise(SHAPE, rng, 4.0))


def _fur(rng: Rng) -> Grey:
    """Noise drawn out in one direction, like fur, bark or brushed metal."""
    field = ndimage.gaussian_filter(rng.standard_normal(SHAPE), (rng.uniform(6, 15), 1.0))
    turned = ndimage.rotate(field, rng.uniform(0, 180), reshape=False, mode="wrap", order=1)
    return _to_grey(120 + 50 * turned / turned.std())


def _faces(rng: Rng) -> Grey:
    """Soft bright and dark blobs before a dark background, as of people in a room."""
    i, j = np.mgrid[: SHAPE[0], : SHAPE[1]]
    picture = 70 + 15 * _smooth(SHAPE, 30, rng)
    for _ in range(rng.integers(3, 8)):
        y, x, size = rng.uniform(100, 400), rng.uniform(80, 620), rng.uniform(30, 80)
        blob = 1 / (1 + np.exp((np.hypot((i - y) / 1.3, j - x) - size) / 4))
        picture += blob * (rng.uniform(80, 150) - 0.4 * (j - x))
    return _to_grey(picture + noise(SHAPE, rng, 5.0))


# --- wallpaper ---------------------------------------------------------------------------


def _waves(rng: Rng) -> Grey:
    i, j = np.mgrid[: SHAPE[0], : SHAPE[1]]
    along = i + rng.uniform(3, 12) * np.sin(2 * np.pi * j / rng.uniform(20, 80))
    lines = np.cos(2 * np.pi * along / rng.uniform(6, 30))
    return _to_grey(190 + rng.uniform(20, 60) * lines)


def _guilloche(rng: Rng) -> Grey:
    """Two families of fine curves that cross, as on cheques and banknotes."""
    i, j = np.mgrid[: SHAPE[0], : SHAPE[1]]
    picture = np.full(SHAPE, 225.0)
    for _ in range(2):
        bent = rng.uniform(15, 40) * np.sin(
            2 * np.pi * j / rng.uniform(100, 300) + rng.uniform(0, 6)
        )
        across = i + bent + rng.uniform(-0.3, 0.3) * j
        picture -= 50 * (np.cos(2 * np.pi * across / rng.uniform(7, 14)) > 0.7)
    return _to_grey(ndimage.gaussian_filter(picture, 0.7))


def _motif(rng: Rng) -> Grey:
    """A leaf, diamond or star, again and again."""
    size, pitch = int(rng.integers(12, 40)), int(rng.integers(45, 70))
    tile = Image.new("L", (4 * pitch,) * 2, 235)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    petals, depth = int(rng.integers(3, 8)), rng.uniform(0.3, 0.7)
    radius = 3 * size * (1 - depth + depth * np.cos(petals * angles))
    points = 2 * pitch + np.stack([radius * np.cos(angles), radius * np.sin(angles)])
    ImageDraw.Draw(tile).polygon([*zip(*points.tolist())], fill=int(rng.integers(60, 150)))
    repeats = [side // pitch + 1 for side in SHAPE]
    return np.tile(np.asarray(tile.reduce(4)), repeats)[: SHAPE[0], : SHAPE[1]]


def _bricks(rng: Rng) -> Grey:
    tall, wide = int(rng.integers(20, 50)), int(rng.integers(60, 120))
    i, j = np.mgrid[: SHAPE[0], : SHAPE[1]]
    row = i // tall
    mortar = (i % tall < 3) | ((j + row % 2 * wide // 2) % wide < 3)
    return _to_grey(np.where(mortar, 200, 110) + 12 * _smooth(SHAPE, 3, rng))


def _stripes(rng: Rng) -> Grey:
    """Stripes over the whole picture, slanted or not, or checked cloth."""
    i, j = np.mgrid[: SHAPE[0], : SHAPE[1]]
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(8, 60)
    along = i * np.sin(angle) + j * np.cos(angle)
    picture = 190.0 + 40 * (along % pitch < pitch / 2)
    if rng.random() < 0.5:
        across = i * np.cos(angle) - j * np.sin(angle)
        picture -= 60 * (across % pitch < pitch / 2)
    return _to_grey(picture)


# --- huge --------------------------------------------------------------------------------

# Height and width of a huge picture: 12 megapixels.
HUGE = (3000, 4000)


def _huge_noise(rng: Rng) -> Grey:
    return _to_grey(150 + 60 * _smooth(HUGE, 3, rng))


def _huge_specks(rng: Rng) -> Grey:
    specks = (rng.random(HUGE) < 0.002).astype(np.float32)
    return _to_grey(255 - 3000 * ndimage.gaussian_filter(specks, 2))


def _huge_paper(rng: Rng) -> Grey:
    light = light_map(HUGE, rng, darkest=0.6, hard=False)
    return _to_grey(235 * light + texture(HUGE, rng, 4.0))


UNNUMBERED: dict[str, Callable[[Rng], Grey]] = {
    "white": _white,
    "black": _black,
    "rough paper": _rough_paper,
    "shaded paper": _shaded_paper,
    "scanned paper": _scanned_paper,
    "ruled paper": _ruled_paper,
    "empty table": _empty_table,
    "empty boxes": _empty_boxes,
    "camera noise": _camera_noise,
    "static": _static,
    "specks": _specks,
    "blotches": _blotches,
    "black and white blotches": _black_and_white_blotches,
    "printed text": _printed_text,
    "heading": _heading,
    "cursive": _cursive,
    "scribble": _scribble,
    "landscape": _landscape,
    "clouds": _clouded,
    "trees": _trees,
    "fur": _fur,
    "faces": _faces,
    "waves": _waves,
    "guilloche": _guilloche,
    "motif": _motif,
    "bricks": _bricks,
    "stripes": _stripes,
    "huge noise": _huge_noise,
    "huge specks": _huge_specks,
    "huge paper": _huge_paper,
}


def render_unnumbered(kind: str, index: int, *, seed: int = 0) -> Grey:
    """Render a picture without a number; it depends on the arguments alone.

    Parameters
    ----------
    kind : a key of `UNNUMBERED`
    index : index of the picture
    seed : seed of the collection

    Returns
    -------
    uint8 ndarray of shape (height, width)
    """
    return UNNUMBERED[kind](generator(kind, index, seed=seed))
