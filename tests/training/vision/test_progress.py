"""What a run reports of the trainings that go on side by side."""

from training.vision.progress import ProgressBoard, RunProgress


def board() -> tuple[ProgressBoard, list[RunProgress]]:
    told: list[RunProgress] = []
    return ProgressBoard(told.append, views=4, steps={"final": 2, "fold-1": 2}), told


def test_losses_are_the_published_models_while_it_learns() -> None:
    made, told = board()
    made.note_step("final", 1, {"box": 4.0})
    made.note_step("fold-1", 1, {"box": 9.0})
    made.note_step("final", 2, {"box": 2.0})
    made.note_step("fold-1", 2, {"box": 8.0})
    assert [report.losses for report in told] == [{"box": 4.0}, {"box": 4.0}, {"box": 2.0}, {}]
    assert made.curve == [(1, {"box": 4.0}), (2, {"box": 2.0})]


def test_progress_counts_features_and_the_steps_of_all_trainings() -> None:
    made, told = board()
    made.note_features(2, 4)
    made.note_step("final", 1, {})
    made.note_step("fold-1", 1, {})
    made.note_done()
    assert [report.done for report in told] == [1.5, 4.0, 5.0, told[0].total]
    assert told[0].message == "Looking at the images: 2 of 4 views"
