"""Write images and labels as a data set of a random form, as other programs would."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet
from scipy.io import savemat

from mnist_svm import write_idx
from tests.support.hostile import encode_image

Rng = np.random.Generator
Labelled = tuple[np.ndarray, np.ndarray]

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
GERMAN = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]


def png(image: np.ndarray) -> bytes:
    """Encode an image as a PNG file."""
    return encode_image(Image.fromarray(image), "PNG")


def choose(rng: Rng, *options):
    return options[rng.integers(len(options))]


def names_of_digits(rng: Rng) -> list[str]:
    """Return names of the classes 0 to 9 that mean digits."""
    return choose(
        rng,
        *([str(digit) for digit in range(10)],) * 3,
        WORDS,
        GERMAN,
        [f"digit_{digit}" for digit in range(10)],
        [f"{digit} - {word}" for digit, word in enumerate(WORDS)],
    )


def with_polarity(rng: Rng, images: np.ndarray) -> np.ndarray:
    """Return images bright on dark, dark on bright, or each of them as it comes."""
    negative = choose(rng, False, False, True, None)
    if negative is None:
        chosen = rng.random(len(images)) < 0.5
        return np.where(chosen[:, None, None], 255 - images, images)
    return 255 - images if negative else images


def pixel_names(rng: Rng) -> list[str]:
    squares = [f"{i}x{j}" for i in range(1, 29) for j in range(1, 29)]
    counted = [choose(rng, "pixel{}", "px_{}", "p{:03}", "{}", "V{}", "x.{}")] * 784
    first = choose(rng, 0, 1)
    names = [name.format(i) for i, name in enumerate(counted, first)]
    return choose(rng, names, names, squares)


def column_order(rng: Rng) -> np.ndarray:
    """Return an order of 784 columns: by number, by name, or shuffled."""
    kind = choose(rng, "number", "number", "name", "shuffled")
    if kind == "number":
        return np.arange(784)
    return np.array(sorted(range(784), key=str)) if kind == "name" else rng.permutation(784)


# --- CSV ----------------------------------------------------------------------------------


def write_csv_file(rng: Rng, path: Path, images: np.ndarray, labels: np.ndarray | None) -> None:
    """Write rows of pixels in one of many dialects."""
    has_header = rng.random() < 0.7
    rows = with_polarity(rng, images).reshape(-1, 784)
    pixels = number_texts(rng, rows)
    names = pixel_names(rng)
    if has_header:
        order = column_order(rng)
        pixels, names = pixels[:, order], [names[i] for i in order]
    columns = [pixels]
    if labels is not None:
        column = label_texts(rng, labels, words=has_header)[:, None]
        where = choose(rng, 0, 0, 1)
        columns.insert(where, column)
        names.insert(where * 784, choose(rng, "label", "Label", "class", " target", "digit", "y"))
    if has_header and rng.random() < 0.2:
        columns.insert(0, np.arange(len(rows)).astype(str)[:, None])
        names.insert(0, choose(rng, "", "id", "Unnamed: 0", "index"))
    table = np.concatenate(columns, axis=1).tolist()
    path.write_bytes(compressed(rng, path, csv_bytes(rng, [names] if has_header else [], table)))


def number_texts(rng: Rng, rows: np.ndarray) -> np.ndarray:
    """Return pixels as text: whole numbers, as computed ones, or fractions of 1."""
    kind = choose(rng, "d", "d", "d", ".1f", ".18e", "fraction", "repr")
    if kind == "d":
        return rows.astype(str)
    if kind == "repr":
        return np.vectorize(lambda x: repr(float(x)), otypes=[object])(rows / 255)
    if kind == "fraction":
        return np.vectorize(lambda x: f"{x:.4f}", otypes=[object])(rows / 255)
    return np.vectorize(lambda x: format(float(x), kind), otypes=[object])(rows)


def label_texts(rng: Rng, labels: np.ndarray, *, words: bool) -> np.ndarray:
    formats: list[Callable[[int], str]] = [str, lambda x: f"{x}.0", lambda x: f"{x:.18e}"]
    if words:
        formats.append(names_of_digits(rng).__getitem__)
    return (
        np.array([choose(rng, str, *formats[:1])(x) for x in labels.tolist()], object)
        if (rng.random() < 0.5)
        else np.array([*map(formats[rng.integers(len(formats))], labels.tolist())], object)
    )


def csv_bytes(rng: Rng, header: list[list[str]], table: list[list[str]]) -> bytes:
    separator = choose(rng, ",", ",", ",", ";", "\t", " ")
    if separator == " ":
        header = [[name.strip().replace(" ", "_") or "id" for name in row] for row in header]
        table = [[cell.replace(" ", "_") for cell in row] for row in table]
    out = io.StringIO()
    writer = csv.writer(
        out,
        delimiter=separator,
        lineterminator=choose(rng, "\n", "\n", "\r\n"),
        quoting=choose(rng, csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL),
    )
    writer.writerows(header)
    writer.writerows(table)
    text = out.getvalue()
    if header and rng.random() < 0.1:
        text = f"# {text}"
    if rng.random() < 0.2:
        text = text.rstrip("\r\n")
    elif rng.random() < 0.1:
        text += "\n\n"
    return text.encode(choose(rng, "utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"))


def compressed(rng: Rng, path: Path, content: bytes) -> bytes:
    return gzip.compress(content, 1) if rng.random() < 0.2 else content


# --- Parquet ------------------------------------------------------------------------------


def write_parquet_file(rng: Rng, path: Path, images: np.ndarray, labels: np.ndarray | None) -> None:
    kind = choose(rng, "columns", "columns", "bytes", "struct", "list", "rows")
    if kind in ("bytes", "struct"):
        encoded = [encode(rng, image) for image in with_polarity(rng, images)]
        pictures = [{"bytes": x, "path": None} for x in encoded] if kind == "struct" else encoded
        columns: dict[str, object] = {choose(rng, "image", "img", "picture"): pictures}
    else:
        values = with_polarity(rng, images)
        if rng.random() < 0.3:
            values = (values / 255).astype(choose(rng, np.float32, np.float64))
        elif rng.random() < 0.3:
            values = values.astype(choose(rng, np.int16, np.int64, np.float32))
        flat = values.reshape(-1, 784)
        if kind == "columns":
            names = pixel_names(rng)
            columns = {names[i]: flat[:, i] for i in column_order(rng)}
        else:
            columns = {"image": (flat if kind == "list" else values).tolist()}
    if labels is not None:
        columns = with_labels(rng, columns, labels)
    if rng.random() < 0.2:
        columns["__index_level_0__"] = np.arange(len(images))
    parquet.write_table(pa.table(columns), path)


def with_labels(rng: Rng, columns: dict[str, object], labels: np.ndarray) -> dict[str, object]:
    names = names_of_digits(rng)
    stored = choose(
        rng,
        labels,
        labels.astype(np.int8),
        labels.astype(float),
        labels.astype(str),
        pa.array(labels.astype(str)).dictionary_encode(),
        [names[label] for label in labels.tolist()],
    )
    name = choose(rng, "label", "Label", "class", "digit")
    return {name: stored, **columns} if rng.random() < 0.5 else {**columns, name: stored}


def encode(rng: Rng, image: np.ndarray) -> bytes:
    picture = Image.fromarray(image)
    if rng.random() < 0.2:
        picture = picture.convert("RGB")
    return encode_image(picture, choose(rng, "PNG", "PNG", "BMP", "TIFF"))


# --- Other files --------------------------------------------------------------------------


def write_npz_file(rng: Rng, path: Path, parts: dict[str, Labelled]) -> None:
    arrays = {}
    names = names_of_digits(rng)
    for part, (images, labels) in parts.items():
        values = with_polarity(rng, images)
        values = choose(rng, values, values, values / np.float32(255), values.astype(np.int32))
        shape = choose(rng, (-1, 28, 28), (-1, 784), (-1, 28, 28, 1), (-1, 1, 28, 28))
        stored = choose(
            rng,
            labels,
            labels.astype(np.uint8),
            labels[:, None],
            labels.astype(float),
            np.array([names[label] for label in labels.tolist()]),
        )
        x, y = ("images", "labels") if part == "all" else (f"x_{part}", f"y_{part}")
        arrays |= {x: values.reshape(shape), y: stored}
    save = choose(rng, np.savez, np.savez_compressed)
    with path.open("wb") as file:
        save(file, **arrays)


def write_idx_files(rng: Rng, folder: Path, parts: dict[str, Labelled]) -> None:
    dot, suffix = choose(rng, "-", "."), choose(rng, "", ".gz")
    place = folder / choose(rng, "", "", "MNIST/raw", "raw")
    nested = rng.random() < 0.2
    for part, (images, labels) in parts.items():
        prefix = {"train": "train", "test": "t10k", "all": "train"}[part]
        arrays = {
            f"{prefix}-images{dot}idx3-ubyte{suffix}": with_polarity(rng, images),
            f"{prefix}-labels{dot}idx1-ubyte{suffix}": labels.astype(np.uint8),
        }
        for name, array in arrays.items():
            target = (place / name / name) if nested else place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_idx(target, array)


def write_pictures(rng: Rng, folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    names = names_of_digits(rng)
    for index, (image, label) in enumerate(zip(with_polarity(rng, images), labels, strict=True)):
        place = folder / names[label]
        place.mkdir(parents=True, exist_ok=True)
        content = encode(rng, image)
        suffix = {b"\x89P": "png", b"BM": "bmp"}.get(content[:2], "tif")
        (place / f"{index:03}.{suffix}").write_bytes(content)
    if rng.random() < 0.3:
        hidden = folder / choose(rng, ".ipynb_checkpoints", "@eaDir", "__MACOSX")
        hidden.mkdir(exist_ok=True)
        Image.fromarray(images[0]).save(hidden / "x.png")


def write_mat_file(rng: Rng, path: Path, parts: dict[str, Labelled]) -> None:
    arrays = {}
    for part, (images, labels) in parts.items():
        values = with_polarity(rng, images)
        values = choose(rng, values, values, values / 255, values.astype(np.float64))
        flat = values.reshape(-1, 784)
        stored = choose(rng, flat, flat, flat.T, values, np.moveaxis(values, 0, 2))
        x, y = choose(rng, ("X", "y"), ("images", "labels"), ("data", "label"))
        spell = choose(rng, "{0}_{1}", "{1}{0}", "{0}.{1}") if part != "all" else "{1}"
        names = [spell.format(part, name) for name in (x, y)]
        labels = choose(rng, labels[:, None], labels[None].astype(float))
        if "." in spell:
            arrays[part] = {name.partition(".")[2]: a for name, a in zip(names, (stored, labels))}
        else:
            arrays |= dict(zip(names, (stored, labels), strict=True))
    with path.open("wb") as file:
        savemat(file, arrays, do_compression=bool(rng.random() < 0.5))


def write_saved(rng: Rng, folder: Path, parts: dict[str, Labelled]) -> None:
    """Write data sets as the library of a data hub saves them."""
    for part, (images, labels) in parts.items():
        place = folder / ("" if part == "all" else part)
        place.mkdir(exist_ok=True)
        pictures = [{"bytes": encode(rng, x), "path": None} for x in with_polarity(rng, images)]
        table = pa.table({"image": pictures, "label": labels})
        with pa.ipc.new_stream(str(place / "data-00000-of-00001.arrow"), table.schema) as writer:
            writer.write_table(table, max_chunksize=int(rng.integers(1, 9)))
        names = choose(rng, [str(digit) for digit in range(10)], WORDS)
        info = {"features": {"label": {"names": names, "_type": "ClassLabel"}}}
        (place / "dataset_info.json").write_text(json.dumps(info))
        state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
        (place / "state.json").write_text(json.dumps(state))
    if "all" not in parts:
        (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(parts)}))


def write_lines(rng: Rng, folder: Path, part: str, images: np.ndarray, labels: np.ndarray) -> None:
    names = names_of_digits(rng)
    as_name = rng.random() < 0.3
    pictures = folder / f"{part}_pictures"
    pictures.mkdir(parents=True)
    key, lines = choose(rng, "image", "path", "file_name"), []
    for index, (image, label) in enumerate(zip(with_polarity(rng, images), labels, strict=True)):
        Image.fromarray(image).save(pictures / f"{index}.png")
        record = {key: f"{pictures.name}/{index}.png", "label": int(label)}
        lines.append(record | ({"label": names[label]} if as_name else {}))
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / f"{part}.jsonl").write_text(text)


# --- Whole data sets ----------------------------------------------------------------------


def write_any(rng: Rng, folder: Path, images: np.ndarray, labels: np.ndarray):
    """Write a data set of a random form below a folder; return its path and its parts."""
    folder.mkdir()
    cut = int(rng.integers(1, len(images))) if len(images) > 1 and rng.random() < 0.5 else 0
    all_of_them = (images, labels)
    parts = (
        {"train": (images[:cut], labels[:cut]), "test": (images[cut:], labels[cut:])}
        if cut
        else {"all": all_of_them}
    )
    others = ("npz", "idx", "pictures", "lines", "mat", "saved")
    form = choose(rng, "csv", "csv", "parquet", "parquet", *others)
    source = folder
    if form == "npz":
        source = folder / choose(rng, "set.npz", "data", "mnist.zip")
        write_npz_file(rng, source, parts)
    elif form == "mat":
        source = folder / choose(rng, "set.mat", "data")
        write_mat_file(rng, source, parts)
    elif form == "saved":
        write_saved(rng, folder, parts)
    elif form == "idx":
        write_idx_files(rng, folder, parts)
        parts = {"train" if part == "all" else part: content for part, content in parts.items()}
    elif form == "pictures":
        for part, content in parts.items():
            place = {"train": choose(rng, "train", "Training"), "test": choose(rng, "test", "Test")}
            write_pictures(rng, folder / place.get(part, ""), *content)
    elif form == "lines":
        for part, content in parts.items():
            write_lines(rng, folder, part, *content)
        source = folder / "all.jsonl" if "all" in parts else folder
    else:
        write = write_csv_file if form == "csv" else write_parquet_file
        for part, content in parts.items():
            write(rng, folder / f"{part}.{form}", *content)
        source = folder / f"all.{form}" if "all" in parts else folder
    if form != "npz" and rng.random() < 0.15:
        source = packed(rng, folder, source)
    return source, parts, form


def packed(rng: Rng, folder: Path, source: Path) -> Path:
    """Pack a data set as an archive."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    kind = choose(rng, "zip", "tar", "tar.gz")
    archive = folder.with_name(f"{folder.name}.{kind}")
    if kind == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
            for path in files:
                opened.write(path, path.relative_to(folder))
    else:
        with tarfile.open(archive, "w:gz" if kind == "tar.gz" else "w") as opened:
            for path in files:
                opened.add(path, path.relative_to(folder))
    return archive
