"""Which Ray a sweep runs on. Our own decision alone: Ray itself is patched out."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock, patch

import pytest
from rich.console import Console

from rsft.bases import resolve
from rsft.canary import Canary
from rsft.errors import EngineError, ModelError
from rsft.generation.requests import CellRequest, EvalTask
from rsft.spec import ModelSpec

pytestmark = pytest.mark.engines


@pytest.mark.parametrize(("address", "called_with"), [(None, ("local",)), ("10.0.0.1:6379", ())])
def test_a_cluster_is_joined_only_when_named(
    address: str | None, called_with: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rsft.sweep.cluster import LazyCluster

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    with patch("rsft.sweep.cluster.ray", MagicMock()) as ray:
        ray.cluster_resources.return_value = {"CPU": 64.0, "GPU": 8.0}
        found = LazyCluster(lambda cluster: None).get()
    assert ray.init.call_args.args == called_with
    assert found.local == (address is None)
    assert (found.cpus == 64.0) == (address is not None)


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (OSError("no/such is not a\nvalid model"), r"'no/such' cannot be loaded \(OSError: no/such is not a"),
        (ModelError("the tokenizer has no end marker."), "^the tokenizer has no end marker.$"),
    ],
)
def test_a_model_that_a_worker_cannot_load_is_one_sentence(cause: Exception, words: str) -> None:
    from ray.exceptions import RayTaskError

    from rsft.sweep.start import real_engines

    failed = RayTaskError("base_canary", "Traceback ...", cause)
    model = ModelSpec(source="no/such")
    with (
        patch("rsft.sweep.cluster.ray", MagicMock(get=MagicMock(side_effect=failed))),
        real_engines("cpu", 1, None, Console(quiet=True)) as engines,
        pytest.raises(ModelError, match=words),
    ):
        engines.canary(model, resolve(model))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "ray::Map.submit() (pid=1)\n  File x\nValueError: max_model_len (4096) is greater than 2048\n\n"
            "The above exception was the direct cause ...\nray.exceptions.UserCodeException: UDF failed",
            r"\(ValueError: max_model_len \(4096\) is greater than 2048\)",
        ),
        (
            "pydantic_core.ValidationError: 1 validation error for ModelConfig\n  Value error, max_model_len",
            "1 validation error for ModelConfig Value error, max_model_len",
        ),
        ("the node was lost", r"\(the node was lost\)"),
    ],
)
def test_engines_that_do_not_start_are_one_sentence(said: str, words: str) -> None:
    from ray.exceptions import RayError

    from rsft.generation.stream import answer_all

    cell = CellRequest(benchmark="b", key="k", folder="f", problems=1, samples=1, max_new_tokens=1)
    task = EvalTask(
        owner="o",
        trial_id="t",
        step=0,
        weights="w",
        canary=Canary(ids=[], logprobs=[]),
        cells=(cell,),
        temperature=0.6,
        top_p=1.0,
        seed=0,
    )
    with patch("rsft.generation.stream.ray.data.from_items", MagicMock()) as items:
        rows = items.return_value.map_batches.return_value.map_batches.return_value.iter_rows
        rows.side_effect = RayError(said)
        settings = {"adapters": 1, "tensor_parallel": 1, "storage": "s"}
        with pytest.raises(EngineError, match=words) as error:
            list(answer_all([task], settings, MagicMock(), device="cpu", engines=1))
    assert "\n" not in str(error.value)
