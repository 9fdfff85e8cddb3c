"""What a tracked run keeps of a transformer's epochs, read back by MLflow's own client."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest

from stance import tracking
from stance.models import transformer


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A store of its own."""
    before = mlflow.get_tracking_uri()
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    mlflow.set_tracking_uri(uri)
    with contextlib.chdir(tmp_path):
        yield
    mlflow.set_tracking_uri(before)


def test_each_epoch_leaves_its_loss_and_its_score_at_its_step(
    store: None, toy: Callable[..., Any], quick: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    with tracking.run("epochs", "one") as run_id:
        transformer.fit(toy(30), toy(12, seed=1), quick(epochs=3, patience=3), seed=0)
    client = mlflow.MlflowClient()
    for name in ("training.loss", "training.validation_macro_f1", "training.learning_rate"):
        assert [one.step for one in client.get_metric_history(run_id, name)] == [1, 2, 3], name
    losses = [one.value for one in client.get_metric_history(run_id, "training.loss")]
    assert all(0 < loss < 10 for loss in losses)
    assert capfd.readouterr().out == ""


def test_the_logger_is_as_it_was_and_nothing_is_shown_that_was_not_asked_for(
    store: None, caplog: pytest.LogCaptureFixture
) -> None:
    epochs = logging.getLogger(tracking.EPOCHS)
    before = (epochs.level, epochs.propagate, list(epochs.handlers))
    with caplog.at_level(logging.WARNING, logger="stance"), tracking.run("epochs", "quiet") as run_id:
        epochs.info("loss=1", extra={"metrics": {"training.loss": 1.0}, "step": 7})
        epochs.info("no numbers")
    assert "loss=1" not in caplog.messages
    with caplog.at_level(logging.INFO, logger="stance"), tracking.run("epochs", "shown"):
        epochs.info("loss=2", extra={"metrics": {"training.loss": 2.0}, "step": 1})
    assert "loss=2" in caplog.messages
    assert (epochs.level, epochs.propagate, list(epochs.handlers)) == before
    (kept,) = mlflow.MlflowClient().get_metric_history(run_id, "training.loss")
    assert (kept.value, kept.step) == (1.0, 7)


def test_an_interrupted_run_is_killed_and_a_failed_one_failed(store: None) -> None:
    for error, status in ((KeyboardInterrupt, "KILLED"), (ValueError, "FAILED")):
        with pytest.raises(error), tracking.run("ends", status) as run_id:
            raise error
        assert mlflow.get_run(run_id).info.status == status
        assert mlflow.active_run() is None


def test_a_run_inside_a_run_is_its_child(store: None) -> None:
    with tracking.run("nested", "outer") as outer, tracking.run("nested", "inner", {"colour": "red"}) as inner:
        pass
    tags = mlflow.get_run(inner).data.tags
    assert (tags["mlflow.parentRunId"], tags["colour"]) == (outer, "red")
