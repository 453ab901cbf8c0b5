"""Pages of runs and models that judge whole images: the figures of their kind, and no word of boxes."""

import html
import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.cast import Person
from tests.training.judging import anomalous, classifying, frozen
from tests.training.making import Works

__all__ = ["anomalous", "classifying"]
Queries = Callable[[], AbstractContextManager[list[str]]]
MIXED = ["dent", "scratch", "dent", "scratch", None, None]
GOOD: list[str | None] = [None] * 6


def page(person: Person, path: str) -> str:
    answer = person.web.get(person.page(path))
    assert answer.status_code == 200, (path, answer.content)
    return html.unescape(answer.content.decode())


def words_of(text: str) -> str:
    """What people read."""
    plain = re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<(script|style|svg).*?</\1>", "", text))
    return " ".join(plain.split())


def test_the_page_of_a_classifier_tells_its_figures(classifying: Works) -> None:
    frozen(classifying, MIXED)
    alice, model = classifying.person, classifying.trained()
    text = page(alice, f"models/{model}")
    words = words_of(text)
    for told in (
        "Accuracy",
        "AUROC",
        "Calibration error",
        "Log loss",
        "What is taken for what",
        "told: scratch",
        "good",
    ):
        assert told in words
    assert "2 images, too few to tell: 0.25–0.75" in words
    rows = re.findall(r"<tr>(<th scope.*?)</tr>", text.partition('id="confusion"')[2])
    assert [re.findall(r">([^<>]+)</t[hd]>", row) for row in rows] == [
        ["dent", "2", "0", "0"],
        ["scratch", "0", "2", "0"],
        ["good", "1", "0", "1"],
    ]
    assert re.findall(r"AP50|\b[Bb]ox(?:es)?\b|On the line|Against another model", words) == []


def test_the_page_of_a_model_of_good_images_says_what_it_cannot(anomalous: Works) -> None:
    frozen(anomalous, GOOD)
    words = words_of(page(anomalous.person, f"models/{anomalous.trained()}"))
    assert "No defective image was judged" in words
    assert "from a score of 0.50 on" in words
    assert "about 5.0 % of good ones are" in words
    assert "It was judged on 6 good and 0 defective images." in words
    assert "AUROC" not in words
    assert re.findall(r"AP50|\b[Bb]ox(?:es)?\b", words) == []


def test_the_page_of_a_model_that_saw_defects_tells_how_many_it_noticed(anomalous: Works) -> None:
    frozen(anomalous, [*GOOD, "dent"])
    words = words_of(page(anomalous.person, f"models/{anomalous.trained()}"))
    assert "No defective image was judged" not in words
    for told in ("Noticed", "AUROC", "False alarms", "1 defective image.", "1 image, too few to tell"):
        assert told in words


@pytest.mark.parametrize(("kind", "name"), [("classifying", "Accuracy"), ("anomalous", "AUROC")])
def test_lists_and_forms_speak_of_the_kind(
    kind: str, name: str, request: pytest.FixtureRequest, classifying: Works, anomalous: Works
) -> None:
    works: Works = request.getfixturevalue(kind)
    frozen(works, [*MIXED, *GOOD])
    works.trained()
    run = works.shown(f"projects/{works.project}/runs")["results"][0]["id"]
    for place in (f"projects/{works.project}/models", f"runs/{run}", f"projects/{works.project}/runs"):
        words = words_of(page(works.person, place))
        assert re.findall(r"AP50|\b[Bb]ox(?:es)?\b", words) == [], place
        assert (name in words) is not place.endswith("/runs")
    form = page(works.person, f"projects/{works.project}/runs")
    assert re.findall(r'name="recipe" value="([^"]*)"', form) == ["fast"]


def test_what_a_classifier_got_wrong_comes_first(classifying: Works) -> None:
    images = frozen(classifying, MIXED)
    alice, model = classifying.person, classifying.trained()
    text = page(alice, f"models/{model}/predictions")
    shown = re.findall(r'data-image="([^"]*)" data-verdict="([^"]*)"', text)
    assert len(shown) == 6
    assert shown[0][1] == "false-alarms"
    assert [verdict for _, verdict in shown[1:]] == ["correct"] * 5
    assert "5 of 6 images told rightly, 1 false alarm" in words_of(text)
    assert "good, told: dent" in words_of(text)
    assert {image for image, _ in shown} == set(images)
    only = page(alice, f"models/{model}/predictions?show=false-alarms")
    assert re.findall(r'data-verdict="([^"]*)"', only) == ["false-alarms"]
    assert "No image of this kind" in page(alice, f"models/{model}/predictions?show=misses")
    fragment = page(alice, f"models/{model}/examples")
    assert re.findall(r'data-verdict="([^"]*)"', fragment)[0] == "false-alarms"
    assert "5 of 6 images told rightly" in fragment


def test_what_a_model_of_good_images_missed_is_shown(anomalous: Works) -> None:
    frozen(anomalous, [*GOOD, "dent"])
    text = page(anomalous.person, f"models/{anomalous.trained()}/predictions")
    assert re.findall(r'data-verdict="([^"]*)"', text)[0] == "misses"
    assert "dent, told: good" in words_of(text)
    assert "6 of 7 images told rightly, 1 missed, 0 false alarms" in words_of(text)
    assert "Wrong class" not in text


def test_the_part_about_the_line_says_why_it_is_empty(classifying: Works) -> None:
    frozen(classifying, MIXED)
    assert "judges whole images" in page(classifying.person, f"models/{classifying.trained()}/operating")


def test_the_page_asks_as_many_queries_as_one_of_boxes(classifying: Works, queries: Queries) -> None:
    frozen(classifying, MIXED)
    model = classifying.trained()
    browser = classifying.person.web
    address = classifying.person.page(f"models/{model}")
    with queries() as sql:
        assert browser.get(address).status_code == 200
    assert len([one for one in sql if one.startswith("SELECT")]) <= 12
