"""What `myriad model predict` and `project predict` share: the answer as rows, and as a drawing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from myriad.cli.session import Session
from myriad.resources.predictions import Prediction, is_id

HEADINGS = ("CLASS", "SCORE", "LEFT", "TOP", "WIDTH", "HEIGHT")


def predict_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option(
        "--threshold", type=click.FloatRange(0, 1), help="Leave out what scores less.  [server's default: 0.3]"
    )(command)
    command = click.option(
        "--output", "-o", type=click.Path(path_type=Path), help="Save the picture with the boxes drawn (.png, .jpg)."
    )(command)
    return click.argument("picture", metavar="IMG")(command)


def answer(session: Session, picture: str, output: Path | None, ask: Callable[[], Prediction]) -> None:
    """Ask for the prediction and tell it; draw it where a file is asked for."""
    if output is None:
        _tell(session, ask())
        return
    # Only here: a machine that draws nothing needs no Pillow. First of all, so that nothing is asked for in vain.
    from myriad import drawing  # noqa: PLC0415 - see above

    drawing.check_target(output)
    prediction = ask()
    shown = drawing.open_picture(session.client.images.read(picture) if is_id(picture) else picture)
    names = [item.name for item in session.client.models.get(prediction.model).classes]
    drawing.save_picture(drawing.draw_prediction(shown, prediction, drawing.class_colors(names)), output)
    _tell(session, prediction)
    session.note(f"Drawn: {output}")


def _tell(session: Session, prediction: Prediction) -> None:
    if session.as_json:
        session.document(prediction.raw)
        return
    if prediction.kind == "CLASSIFICATION":
        shares = sorted(prediction.probabilities, key=lambda share: -share.probability)
        session.table([[share.name, f"{share.probability:.3f}"] for share in shares], ("CLASS", "PROBABILITY"))
        return
    if prediction.score is not None and prediction.threshold is not None:
        said = "ANOMALOUS" if prediction.anomalous else "GOOD"
        session.table(
            [[said, f"{prediction.score:.3f}", f"{prediction.threshold:.3f}"]], ("VERDICT", "SCORE", "THRESHOLD")
        )
        return
    rows = [
        [found.name, f"{found.score:.2f}", *(f"{side:.1f}" for side in found.bbox)] for found in prediction.predictions
    ]
    if rows:
        session.table(rows, HEADINGS)
    else:
        session.note("Nothing was found. A lower --threshold shows what scores less.")
