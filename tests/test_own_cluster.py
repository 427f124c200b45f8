"""Which Ray a sweep runs on. Our own decision alone: Ray itself is patched out."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock, patch

import pytest

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
