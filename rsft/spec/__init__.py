"""The specs a sweep's page is written in."""

from rsft.spec.data import DataSpec, FileRows, GeneratedRows, HubRows
from rsft.spec.evaluation import BenchmarkUse, EvalSpec, LogSpaced, SamplingSpec
from rsft.spec.model import ModelSpec
from rsft.spec.sweep import Cell, Match, Override, SweepSpec
from rsft.spec.train import TrainSpec
from rsft.spec.trial import Length, Trial

__all__ = [
    "BenchmarkUse",
    "Cell",
    "DataSpec",
    "EvalSpec",
    "FileRows",
    "GeneratedRows",
    "HubRows",
    "Length",
    "LogSpaced",
    "Match",
    "ModelSpec",
    "Override",
    "SamplingSpec",
    "SweepSpec",
    "TrainSpec",
    "Trial",
]
