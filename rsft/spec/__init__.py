"""The specs a sweep's page is written in."""

from rsft.spec.calibration import CalibrationSpec, PublishedRun
from rsft.spec.claim import Claim, Dimension, Pick
from rsft.spec.data import (
    AnswerOnly,
    Corrupted,
    DataSpec,
    FileRows,
    GeneratedRows,
    GivenCheckpoint,
    HubRows,
    MixtureRows,
    PackagedRows,
    PairedWith,
    Part,
    StripThinking,
    Subset,
    Verified,
    WithoutBenchmarks,
)
from rsft.spec.distill import DistillSpec, RowProblems, TaskProblems
from rsft.spec.evaluation import BenchmarkUse, EvalSpec, JudgeSpec, LogSpaced, SamplingSpec
from rsft.spec.given import GivenRun
from rsft.spec.model import ModelSpec
from rsft.spec.recipes import OVERFITTING, OVERFITTING_EPOCHS, REASONS, SANE, STUDY
from rsft.spec.sweep import Cell, Match, Override, SweepSpec
from rsft.spec.train import LoraSpec, TrainSpec
from rsft.spec.trial import Length, Trial
from rsft.spec.variants import variant

__all__ = [
    "OVERFITTING",
    "OVERFITTING_EPOCHS",
    "REASONS",
    "SANE",
    "STUDY",
    "AnswerOnly",
    "BenchmarkUse",
    "CalibrationSpec",
    "Cell",
    "Claim",
    "Corrupted",
    "DataSpec",
    "Dimension",
    "DistillSpec",
    "EvalSpec",
    "FileRows",
    "GeneratedRows",
    "GivenCheckpoint",
    "GivenRun",
    "HubRows",
    "JudgeSpec",
    "Length",
    "LogSpaced",
    "LoraSpec",
    "Match",
    "MixtureRows",
    "ModelSpec",
    "Override",
    "PackagedRows",
    "PairedWith",
    "Part",
    "Pick",
    "PublishedRun",
    "RowProblems",
    "SamplingSpec",
    "StripThinking",
    "Subset",
    "SweepSpec",
    "TaskProblems",
    "TrainSpec",
    "Trial",
    "Verified",
    "WithoutBenchmarks",
    "variant",
]
