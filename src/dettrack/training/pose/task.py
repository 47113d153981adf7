"""What the loop trains for poses: a clip network, tubes of several sets mixed, and a score on held-out people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dettrack.models.pose.checkpoint import Checkpoint, NetworkSpec, save_checkpoint
from dettrack.training.labels.people import PeopleSet, seen_from_behind
from dettrack.training.pose.ap import crop_ap
from dettrack.training.pose.differences import plain
from dettrack.training.pose.epochs import Epochs
from dettrack.training.pose.loss import heatmap_loss
from dettrack.training.pose.score import head_sizes, limb_pck, predict, to_input
from dettrack.training.pose.tubes import TubeConfig, TubeMaker

__all__ = ["HeldOut", "PoseTask", "TrainingSet"]


@dataclass(frozen=True)
class TrainingSet:
    """One set of the mix.

    Attributes:
        people: The set.
        tubes: How its tubes are cut.
        rows: Whom tubes are cut at; None for everybody. The others are in these tubes all the same.
        share: How often it is drawn, relative to the others.
        behind: How often people who are seen from behind are drawn, relative to the others in the set.
    """

    people: PeopleSet
    tubes: TubeConfig
    rows: Int[np.ndarray, " chosen"] | None = None
    share: float = 1.0
    behind: float = 1.0

    @property
    def chosen(self) -> Int[np.ndarray, " chosen"]:
        """Whom tubes are cut at."""
        return np.arange(len(self.people)) if self.rows is None else self.rows

    def shares(self) -> Float[np.ndarray, " people"]:
        """How often each person is drawn: those with few trusted joints less often, and never without one."""
        people = self.people
        shares = (people.weight > 0).mean(1) ** 0.5 * np.where(seen_from_behind(people), self.behind, 1.0) + 1e-12
        return np.where(np.isin(np.arange(len(people)), self.chosen), shares, 0.0)


@dataclass(frozen=True)
class HeldOut:
    """People to validate on: `rows` of a set."""

    people: PeopleSet
    rows: Int[np.ndarray, " chosen"]


class PoseTask:
    """A pose network and its data (see `loop.Task`)."""

    def __init__(
        self,
        model: nn.Module,
        spec: NetworkSpec,
        sources: Sequence[TrainingSet],
        held_out: Mapping[str, HeldOut],
        *,
        seed: int = 0,
        hardest: int = 0,
        frozen: Sequence[str] = (),
        frozen_norms: bool = False,
        teacher: Checkpoint | None = None,
        teacher_share: float = 0.5,
        sizes: Sequence[tuple[int, int]] = (),
        batch: int = 1,
        epochs: bool = False,
        about: str = "",
    ) -> None:
        """Gather.

        Args:
            model: Built by `build_network(spec)`.
            spec: What it is.
            sources: Sets to draw from.
            held_out: Sets to validate on, by name.
            seed: Of the tubes.
            hardest: See `heatmap_loss`.
            frozen: Names of parts that keep their weights and batch-norm statistics.
            frozen_norms: All batch norms keep their statistics.
            teacher: A trained network of the same joints and crop size; its heatmaps are mixed into the targets.
            teacher_share: Its share of the targets.
            sizes: Heights and widths of crops; every batch draws one. Empty for `spec.size` alone.
            batch: Samples in one step.
            epochs: Everybody is drawn once before anybody is drawn again, whatever the shares.
            about: Kept in the checkpoint: where the weights come from.
        """
        self.model, self.spec, self.held_out, self.about = model, spec, held_out, about
        self.seed, self.hardest, self.frozen = seed, hardest, tuple(frozen)
        self._batch = batch
        self._makers = [
            [TubeMaker(s.people, replace(s.tubes, size=size), s.shares()) for s in sources]
            for size in sizes or (spec.size,)
        ]
        self._shares = np.cumsum([s.share for s in sources]) / sum(s.share for s in sources)
        self.people = sum(len(s.chosen) for s in sources)
        everybody = [(i, int(row)) for i, s in enumerate(sources) for row in s.chosen]
        self._epochs = Epochs(everybody, seed) if epochs else None
        self._teacher, self._teacher_share = teacher, teacher_share
        for name in self.frozen:
            model.get_submodule(name).requires_grad_(False)
        self._still = [model.get_submodule(name) for name in self.frozen]
        if frozen_norms:
            self._still += [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]

    def sample(self, index: int) -> dict[str, Tensor]:
        """Tube `index` of the mix."""
        together = np.random.default_rng((self.seed, index // self._batch, 2))  # one batch has crops of one size
        makers = self._makers[int(together.integers(len(self._makers)))]
        if self._epochs is not None:
            number, person = self._epochs[index]
            tube = makers[number](self.seed, index, person)
        else:
            rng = np.random.default_rng((self.seed, index, 1))
            tube = makers[int(np.searchsorted(self._shares, rng.random(), side="right"))](self.seed, index)
        return {
            "crops": torch.from_numpy(tube.crops),
            "targets": torch.from_numpy(tube.targets),
            "weight": torch.from_numpy(tube.weight),
            "skipped": torch.tensor(tube.skipped),
        }

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """See `loop.Task.loss`.

        Mean squared error over all frames (paper eq. 2), against labels and, if there is one, the teacher.
        """
        for module in self._still:
            module.eval()
        targets = batch["targets"]
        if self._teacher is not None:
            known = batch["weight"][..., None, None] > 0
            told = self._told(batch["crops"])
            # Where no label exists the teacher does not count either: an unlabelled person may not be the keyframe's.
            targets = torch.where(known, torch.lerp(targets, told, self._teacher_share), targets)
        heatmaps = model(to_input(batch["crops"], self.spec))
        return heatmap_loss(heatmaps, targets, batch["weight"], hardest=self.hardest), {}

    @torch.no_grad()
    def _told(self, crops: Tensor) -> Tensor:
        assert self._teacher is not None
        network = self._teacher.network.to(crops.device)
        return network(to_input(crops, self._teacher.spec)).float()

    def validate(self, model: nn.Module) -> dict[str, float]:
        """PCKh@0.5 over the limbs and AP (in [0, 1]) on each held-out set, with flip; clips also at their far ends."""
        figures: dict[str, float] = {}
        ends = (0, self.spec.clip_length // 2) if self.spec.clip_length > 1 else (0,)
        for name, held_out in self.held_out.items():
            people = held_out.people.people(held_out.rows)
            for offset in ends if (people.video >= 0).any() else (0,):
                poses = predict(model, held_out.people, self.spec, rows=held_out.rows, offset=offset)
                sizes = head_sizes(people)
                right, counted = limb_pck(poses.xy, people, sizes)
                where = f"{name}+{offset}" if offset else name
                figures[where] = float(right.sum() / counted.sum()) if counted.any() else float("nan")
                figures[f"{where}_ap"] = crop_ap(poses, people, sizes) / 100
        return figures

    def export(self, model: nn.Module, path: Path, metrics: dict[str, float]) -> None:
        """See `loop.Task.export`: the averaged weights, as fp16."""
        save_checkpoint(path, plain(model), self.spec, metrics=metrics, half=True, source=self.about)
