"""Many threads at once: the same results as one after another, and the process as it was."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import warnings

import numpy as np
import optuna
import pytest
from PIL import Image, JpegImagePlugin
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from mnist_svm import RECIPES, KernelSVC, Recognizer, load_model
from mnist_svm._io import atomic_folder, atomic_write
from mnist_svm._optional import silence_loggers
from mnist_svm.exceptions import MissingExtraError, PictureError
from mnist_svm.parallel.workers import require_dask
from mnist_svm.pictures import decode as picture
from mnist_svm.pictures.decode import decode
from mnist_svm.pictures.formats import SEGMENT_MARKERS
from mnist_svm.svm._solver import libsvm
from mnist_svm.svm._solver.working_set import WorkingSetSolver
from mnist_svm.tuning import search
from mnist_svm.tuning.search import TrialTrainer
from mnist_svm.tuning.space import SPACES, default_values
from mnist_svm.tuning.splits import make_protocol
from mnist_svm.tuning.study import Study
from tests.support.hostile import encode_image, mutants, seed_files
from tests.support.paths import DIGITS, ROOT
from tests.support.threads import assert_unchanged, in_threads, overlap, process_state


@pytest.fixture(scope="module")
def digits():
    """The digits 0 to 4 of scikit-learn: 901 samples of 64 features, and their labels."""
    return load_digits(n_class=5, return_X_y=True)


def files_of_all_kinds(n):
    """Valid and damaged pictures."""
    seeds = list(seed_files(np.asarray(Image.open(DIGITS[3]).convert("L"))).values())
    # Damaged EXIF data, of which Pillow warns.
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "maker"})
    block = exif.tobytes()[:-4]
    seeds.append(encode_image(Image.new("L", (8, 8), 200), "JPEG", exif=block))
    return [*seeds, *mutants(seeds, n - len(seeds), 7)]


def decoded(data):
    """The grey levels of a picture, or the error."""
    try:
        return decode(io.BytesIO(data)).grey.tolist()
    except PictureError as error:
        return str(error)


def fit_bits(svc):
    names = ("support_", "support_vectors_", "dual_coef_", "intercept_", "n_iter_")
    return [getattr(svc, name).tobytes() for name in names]


# --- the state of the process --------------------------------------------------------------------


def test_decoding_does_not_change_the_filters_of_warnings(monkeypatch):
    before = process_state()
    overlap(monkeypatch, picture, "to_grey_or_rgb", lambda: decoded(DIGITS[3].read_bytes()))
    assert_unchanged(before)


@pytest.mark.parametrize("n", [400, pytest.param(8_000, marks=pytest.mark.slow)])
def test_decoding_in_threads_gives_the_same_and_changes_nothing(n, monkeypatch):
    # Large sizes below the limit would only take time.
    monkeypatch.setattr(decode, "__kwdefaults__", {"thumbnail": None, "max_pixels": 1 << 17})
    files = files_of_all_kinds(400)
    expected = [decoded(data) for data in files]
    before = process_state()
    results = in_threads(lambda index: decoded(files[index % 400]) == expected[index % 400], n)
    assert all(results)
    assert_unchanged(before)


def test_a_fit_does_not_change_the_filters_of_warnings(monkeypatch, digits):
    before = process_state()
    overlap(
        monkeypatch,
        WorkingSetSolver,
        "solve",
        lambda: KernelSVC(n_jobs=1, solver="working_sets").fit(*digits),
    )
    assert_unchanged(before)


def test_verbose_fits_print_their_own_lines_only(monkeypatch, digits, capfd):
    before = process_state()
    fits = overlap(
        monkeypatch,
        WorkingSetSolver,
        "solve",
        lambda: KernelSVC(verbose=True, solver="working_sets").fit(*digits),
    )
    assert len(capfd.readouterr().err.splitlines()) == sum(len(svc.fit_log_) for svc in fits)
    assert_unchanged(before)


def test_a_trial_does_not_change_the_filters_of_warnings(monkeypatch, train_set):
    recipe = RECIPES["poly4"]
    trainer = TrialTrainer(recipe, train_set, make_protocol(train_set, limit=300), 1)
    before = process_state()
    overlap(monkeypatch, search, "fit_config", lambda: trainer.train(default_values(recipe), 100))
    assert_unchanged(before)


def test_a_study_changes_neither_warnings_nor_the_level_of_optuna(monkeypatch):
    first = default_values(RECIPES["poly4"])
    before = process_state()
    overlap(
        monkeypatch,
        optuna,
        "create_study",
        lambda: Study(None, "search", SPACES["poly4"], first, 0),
    )
    assert_unchanged(before)


class Block:
    """Something to do in a ``with`` block."""

    @staticmethod
    def do():
        pass


def test_silenced_loggers_get_their_levels_back(monkeypatch):
    def work():
        with silence_loggers(("mnist_svm.silenced",)):
            Block.do()

    work()
    before = process_state()
    overlap(monkeypatch, Block, "do", work)
    assert_unchanged(before)


@pytest.mark.parametrize(
    ("umask", "file_mode", "folder_mode"), [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700)]
)
def test_files_obey_the_umask_of_when_they_are_written(tmp_path, umask, file_mode, folder_mode):
    before = os.umask(umask)
    try:
        with atomic_write(tmp_path / "file") as file:
            file.write(b"x")
        with atomic_folder(tmp_path / "folder") as folder:
            (folder / "x").touch()
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == file_mode
    assert (tmp_path / "folder").stat().st_mode & 0o777 == folder_mode


def test_importing_the_package_changes_neither_warnings_nor_logging():
    code = (
        "import PIL.Image, logging, numpy, os, scipy.ndimage, warnings\n"
        "filters = list(warnings.filters)\n"
        "os.umask = None\n"
        "import mnist_svm._io, mnist_svm.recognition.pages, mnist_svm.models.file\n"
        "assert warnings.filters == filters\n"
        "assert {*map(type, logging.getLogger('PIL').handlers)} <= {logging.NullHandler}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# --- warnings ------------------------------------------------------------------------------------


def test_warnings_as_errors_make_an_error_or_change_nothing(monkeypatch):
    monkeypatch.setattr(decode, "__kwdefaults__", {"thumbnail": None, "max_pixels": 1 << 17})
    n_errors = 0
    for data in files_of_all_kinds(1500):
        expected = decoded(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = decoded(data)
        if found != expected:
            assert isinstance(found, str)
            assert found.startswith("damaged picture (")
            n_errors += 1
    assert n_errors > 0


def test_each_fit_in_threads_warns_if_it_does_not_converge(digits):
    X, y = digits
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        expected = fit_bits(KernelSVC(max_iter=10).fit(X, y))
        assert len(caught) == 1
        results = in_threads(lambda index: fit_bits(KernelSVC(max_iter=10).fit(X, y)))
    assert results == [expected] * len(results)
    assert [warning.category for warning in caught] == [ConvergenceWarning] * 9
    assert "pairs did not converge" in str(caught[0].message)


def test_the_command_line_does_not_print_warnings_of_pillow(finish, small_model_file, tmp_path):
    exif = Image.Exif()
    exif.update({0x0112: 1, 0x010F: "maker"})
    with Image.open(DIGITS[3]) as image:
        image.save(tmp_path / "3.png", exif=exif.tobytes()[:-4])
    code, out, err = finish("predict", tmp_path / "3.png", "-m", small_model_file)
    assert (code, out.split("\t")[1]) == (0, "3")
    assert len(err.splitlines()) == 1, err


# --- names that others may change ---------------------------------------------------------------


def test_without_scikit_learns_hook_a_fit_warns_and_is_the_same(monkeypatch, digits):
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        expected = fit_bits(KernelSVC(max_iter=10).fit(*digits))
    monkeypatch.delattr(libsvm._QuietSVC, "_warn_from_fit_status")
    with pytest.warns(ConvergenceWarning, match="Solver terminated early"):
        assert fit_bits(KernelSVC(max_iter=10).fit(*digits)) == expected


@pytest.mark.parametrize("missing", ["module", "function"])
def test_without_libtiffs_function_tiff_files_are_decoded(monkeypatch, missing):
    image = Image.open(DIGITS[3]).convert("L")
    if missing == "module":
        monkeypatch.delattr(Image.core, "__file__")
    else:
        monkeypatch.setattr(picture.ctypes, "CDLL", lambda path: object())
    picture._silence_libtiff.cache_clear()
    np.testing.assert_array_equal(decode(encode_image(image, "TIFF")).grey, np.asarray(image))
    monkeypatch.undo()
    picture._silence_libtiff.cache_clear()


def test_segments_of_jpeg_files_are_those_that_pillow_skips():
    handled = {code & 0xFF for code, entry in JpegImagePlugin.MARKER.items() if entry[2]}
    assert handled == SEGMENT_MARKERS


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"needs Dask: .* 'mnist-svm\[dask\]'"):
        require_dask()


# --- the same results ----------------------------------------------------------------------------


def test_fits_in_threads_are_bit_equal_to_fits_one_after_another(digits):
    def fit(index):
        return fit_bits(KernelSVC(C=1 + index % 4, n_jobs=1 + index % 2).fit(*digits))

    assert in_threads(fit) == [fit(index) for index in range(8)]


def test_predictions_during_prepare_are_the_same(digits):
    X, y = digits
    svc = KernelSVC().fit(X, y)
    expected = svc.decision_function(X)

    def predict(index):
        if index % 4 == 0:
            svc.prepare()
        return svc.decision_function(X)

    for values in in_threads(predict, 40):
        np.testing.assert_array_equal(values, expected)


@pytest.fixture(scope="module")
def page():
    """Three of the ten pictures in a row: RGB array of a page."""
    parts = [np.asarray(Image.open(DIGITS[digit]).convert("RGB")) for digit in (3, 7, 4)]
    return np.pad(np.concatenate(parts, axis=1), ((20, 20), (20, 20), (0, 0)), mode="edge")


def test_one_recognizer_in_threads_reads_as_it_does_alone(test_set, page):
    alone, shared = Recognizer.load(), Recognizer.load()
    images = test_set.images[:50]
    tasks = [
        lambda recognizer: recognizer.classify(images).probabilities.tolist(),
        lambda recognizer: recognizer.read(DIGITS[5]).probabilities.tolist(),
        lambda recognizer: [r.label for r in recognizer.read(iter(DIGITS))],
        lambda recognizer: recognizer.read_page(page).to_dict(),
    ]
    expected = [task(alone) for task in tasks]
    assert expected[2] == list(range(10))

    def run(index):
        if index == 7:
            shared.prepare()
        return tasks[index % 4](shared)

    # The first calls race for what is computed once.
    assert in_threads(run, 24) == expected * 6


def test_a_model_file_is_loaded_in_threads(small_model, small_model_file):
    for model in in_threads(lambda index: load_model(small_model_file)):
        assert model.info == small_model.info


def test_the_pipeline_of_a_model_is_built_in_threads(small_model_file, test_set):
    model = load_model(small_model_file)
    X = test_set.X[:20]
    first, *others = in_threads(lambda index: model.pipeline.predict_proba(X))
    for probabilities in others:
        np.testing.assert_array_equal(probabilities, first)
