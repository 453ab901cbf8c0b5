"""One run of each kind of model, from the folder of images to lines and drawn images."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from tests.clients.edge.bundles import BOXES, casing, encoded, flat, make_anomaly, spotted
from tests.clients.edge.conftest import edge, lines


def drawn(out: Path, line: dict[str, str]) -> np.ndarray:
    return np.asarray(Image.open(out / line["drawn"]).convert("RGB")).astype(int)


def largest_difference(out: Path, line: dict[str, str], original: np.ndarray) -> int:
    """Between the drawn image and the enlarged original, neither with anything drawn on it if that is small."""
    found = drawn(out, line)
    plain = Image.fromarray(original).resize((found.shape[1], found.shape[0]), Image.Resampling.BICUBIC)
    return int(np.abs(found - np.asarray(plain).astype(int)).max())


def test_detector_finds_draws_and_tells(detector: Path, camera: Path) -> None:
    for seed in range(2):
        (camera / f"{seed}.png").write_bytes(encoded(casing(seed)))

    ended = edge("run", detector, camera, "--once", "--threads", "1")

    assert ended.code == 0, ended.err
    assert "2 images" in ended.err
    assert "images a second" in ended.err
    told = lines(camera / "results")
    assert [line["file"] for line in told] == ["0.png", "1.png"]
    for line, name, box, seed in zip(told, ("red", "blue"), BOXES, range(2), strict=True):
        assert (line["width"], line["height"], line["kind"]) == (120, 100, "DETECTION")
        assert (line["model"]["id"], line["model"]["number"]) == ("0b7c", 7)
        assert set(line["seconds"]) == {"decode", "compute", "draw"}
        assert line["time"].endswith("+00:00")
        assert len(line["sha256"]) == 64
        best = line["findings"][0]
        x, y, width, height = best["bbox"]
        assert best["class"] == name
        assert np.abs(np.array([x, y, x + width, y + height]) - box).max() < 12
        assert largest_difference(camera / "results", line, casing(seed)) > 100


def test_findings_are_those_of_the_exported_graph(detector: Path, camera: Path) -> None:
    (camera / "new.png").write_bytes(encoded(casing(5)))
    session = onnxruntime.InferenceSession((detector / "model.onnx").read_bytes())
    boxes, scores, classes = session.run(None, {"image": casing(5)})

    edge("run", detector, camera, "--once", "--threshold", "0.1")

    (line,) = lines(camera / "results")
    kept = scores >= 0.1
    assert [finding["score"] for finding in line["findings"]] == pytest.approx(scores[kept].tolist(), abs=1e-3)
    assert [finding["class"] for finding in line["findings"]] == [("red", "blue")[place] for place in classes[kept]]
    corners = [[x, y, x + w, y + h] for x, y, w, h in (finding["bbox"] for finding in line["findings"])]
    assert np.abs(np.array(corners) - boxes[kept]).max() < 0.1


def test_threshold_is_the_options_or_the_manifests_or_three_tenths(
    bundle: Path, detector: Path, tmp_path: Path
) -> None:
    document = json.loads((detector / "manifest.json").read_text())
    (bundle / "model.onnx").write_bytes((detector / "model.onnx").read_bytes())

    def told(*options: str, **fields: float) -> str:
        (bundle / "manifest.json").write_text(json.dumps(document | fields))
        return next(line for line in edge("check", bundle, *options).out.splitlines() if "threshold" in line).split()[1]

    assert told() == "0.3"
    assert told(threshold=0.45) == "0.45"
    assert told("--threshold", "0.6", threshold=0.45) == "0.6"


def test_classifier_names_the_most_probable_class(classifier: Path, camera: Path) -> None:
    (camera / "green.png").write_bytes(encoded(flat((20, 200, 20))))

    assert edge("run", classifier, camera, "--once").code == 0

    (line,) = lines(camera / "results")
    assert (line["kind"], line["class"]) == ("CLASSIFICATION", "green")
    assert line["probability"] == line["probabilities"]["green"] == pytest.approx(1, abs=1e-3)
    assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-4)
    assert list(line["probabilities"]) == ["red", "green", "blue"]
    assert largest_difference(camera / "results", line, flat((20, 200, 20))) > 100


def test_a_classifier_takes_no_threshold(classifier: Path, camera: Path) -> None:
    ended = edge("run", classifier, camera, "--once", "--threshold", "0.5")

    assert ended.code == 2
    assert "Leave out --threshold" in ended.err


@pytest.mark.parametrize("shape", [(), (1,)])
def test_anomalies_raise_an_alarm_and_glow(shape: tuple[int, ...], tmp_path: Path, camera: Path) -> None:
    make_anomaly(tmp_path / "bundle", score_shape=shape)
    for name, brightness in (("bad", 250), ("good", 50)):
        (camera / f"{name}.png").write_bytes(encoded(spotted(brightness)))

    assert edge("run", tmp_path / "bundle", camera, "--once").code == 0

    told = {line["file"]: line for line in lines(camera / "results")}
    bad, good = told["bad.png"], told["good.png"]
    assert (bad["anomalous"], good["anomalous"]) == (True, False)
    assert bad["threshold"] == good["threshold"] == 0.5
    assert bad["score"] == pytest.approx(250 / 255, abs=1e-4)
    # The spot glows red, most where the alarm is; the rest is left as it was, but for the caption.
    spot = {name: drawn(camera / "results", told[f"{name}.png"])[180, 100] for name in ("bad", "good")}
    assert spot["bad"][0] - spot["bad"][1] > 80
    assert spot["good"][0] - spot["good"][1] > 10
    assert drawn(camera / "results", bad)[400, 500].max() < 10


def test_an_anomaly_threshold_can_be_any_number(anomaly: Path, camera: Path) -> None:
    (camera / "bad.png").write_bytes(encoded(spotted(250)))

    assert edge("run", anomaly, camera, "--once", "--threshold", "1.5").code == 0

    (line,) = lines(camera / "results")
    assert (line["threshold"], line["anomalous"]) == (1.5, False)


def test_check_says_what_the_model_is(detector: Path, anomaly: Path) -> None:
    ended = edge("check", detector)

    assert ended.code == 0
    for words in ("DETECTION", "red, blue", "Casings", "2 images answered", "0.610 (0.420 to 0.780)", "OUT_OF_FOLD"):
        assert words in ended.out
    assert "ANOMALY" in edge("check", anomaly).out
