"""cluster.yaml passes Ray's own validation of the schema."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.engines

CLUSTER = Path(__file__).resolve().parents[1] / "cluster.yaml"


def validated(config: dict[str, object]) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(config))


def test_the_cluster_passes_ray_s_schema() -> None:
    config = yaml.safe_load(CLUSTER.read_text())
    validated(config)
    nodes = config["available_node_types"]
    assert nodes[config["head_node_type"]]["resources"]["GPU"] == 0
    workers = [node for name, node in nodes.items() if name != config["head_node_type"]]
    assert workers and all(node["resources"]["GPU"] > 0 and node["max_workers"] > 1 for node in workers)
    assert ":latest" not in config["docker"]["image"] and "2.60.0" in config["docker"]["image"]


def test_the_validation_can_fail() -> None:
    config = yaml.safe_load(CLUSTER.read_text())
    config["target_utilization_fraction"] = 0.8
    with pytest.raises(Exception, match="target_utilization_fraction"):
        validated(config)
