"""Training on a CPU against the clock: the learning rate follows the share of time used.

First drills of copying alone, then the whole mixture, and long dialogues towards the end. Rows of
a batch are single dialogues of about one length.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.multiprocessing import spawn  # type: ignore[attr-defined]

from tiny_chat.model import Block, Decoder, Shape
from tiny_chat.muon import Muon
from tiny_chat.packing import Pack

Ids: TypeAlias = NDArray[np.int64]

log = logging.getLogger(__name__)

_BUCKETS = (
    *(24, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128, 144, 168, 192, 224, 256, 320, 384, 512),
    *(768, 1024, 1536, 2048),
)


@dataclass(frozen=True)
class Plan:
    minutes: float
    tokens_per_batch: int = 3072  # small enough for the caches of one core
    batches_per_step: int = 2
    rate: float = 0.02
    embedding_rate: float = 0.004
    prompt_share: float = 0.3
    prompt_weight: float = 0.3
    drills_until: float = 0.06
    random_until: float = 0.03
    long_from: float = 0.7
    long_share: float = 0.06
    warmup_steps: int = 40
    constant_until: float = 0.4
    seed: int = 0

    def continued(self, rate: float) -> Plan:
        """A second helping, for weights that can copy: no drills, a lower rate, long talk early."""
        return replace(
            self,
            rate=rate,
            embedding_rate=rate / 5,
            drills_until=0.0,
            random_until=0.0,
            long_from=0.05,
            constant_until=0.42,
            seed=self.seed + 100,
        )

    def factor(self, done: float, step: int) -> float:
        """What the learning rate is multiplied with after the share `done` of the time."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        if done < self.constant_until:
            return warm
        return warm * max(0.01, (1 - done) / (1 - self.constant_until))


@dataclass(frozen=True)
class Batch:
    tokens: Tensor
    targets: Tensor
    weights: Tensor
    real_tokens: int


def batches(pack: Pack, plan: Plan, rng: np.random.Generator) -> Iterator[Batch]:
    """Forever, bucket by length, each dialogue once per round."""
    lengths = pack.lengths
    while True:
        rows: list[tuple[int, Ids]] = []
        for low, high in zip((0, *_BUCKETS), _BUCKETS, strict=False):
            chosen = rng.permutation(np.flatnonzero((lengths > low) & (lengths <= high)))
            size = max(1, plan.tokens_per_batch // high)
            cuts = range(0, len(chosen) - size + 1, size)
            rows += [(high, chosen[cut : cut + size]) for cut in cuts]
        for place in rng.permutation(len(rows)):
            yield _batch(pack, plan, rng, *rows[place])


def _batch(pack: Pack, plan: Plan, rng: np.random.Generator, width: int, chosen: Ids) -> Batch:
    """Rows of one width. Of the prompts only a share is learnt, which saves a fifth of the time."""
    tokens = np.zeros((len(chosen), width), np.int64)
    targets = np.zeros((len(chosen), width), np.int64)
    weights = np.zeros((len(chosen), width), np.float32)
    for row, index in enumerate(chosen):
        part = slice(pack.starts[index], pack.starts[index + 1])
        ids, answers = pack.tokens[part], pack.answers[part]
        tokens[row, : len(ids)] = ids
        targets[row, : len(ids) - 1] = ids[1:]
        prompts = plan.prompt_weight * (rng.random(len(ids) - 1) < plan.prompt_share)
        weights[row, : len(ids) - 1] = np.where(answers[1:], 1.0, prompts)
    return _as_batch(tokens, targets, weights, int((pack.lengths[chosen]).sum()))


def random_repeats(plan: Plan, vocabulary: int, rng: np.random.Generator) -> Batch:
    """Random tokens over and over: nothing can be learnt here but to copy."""
    width = 80
    rows, period = plan.tokens_per_batch // width, int(rng.integers(6, 40))
    once = rng.integers(0, vocabulary - 16, (rows, period))
    line = np.tile(once, width // period + 2)[:, : width + 1]
    weights = np.zeros((rows, width), np.float32)
    weights[:, period - 1 :] = 1
    return _as_batch(line[:, :-1].copy(), line[:, 1:].copy(), weights, 0)


def _as_batch(tokens: Ids, targets: Ids, weights: NDArray[np.float32], real: int) -> Batch:
    return Batch(
        torch.from_numpy(tokens), torch.from_numpy(targets), torch.from_numpy(weights), real
    )


def fast_type() -> torch.dtype:
    """bf16 where the CPU computes in it; where it is emulated, single precision is far faster."""
    able = torch.cpu.get_capabilities()
    has_bf16 = any(able.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))
    return torch.bfloat16 if has_bf16 else torch.float32


def train(
    packs: dict[str, Pack],
    shape: Shape,
    plan: Plan,
    out: Path,
    workers: int = 2,
    start: Path | None = None,
) -> None:
    """Trains in `workers` processes of one thread each (at most one per batch of a step), which
    meet once a step.

    On a busy machine that is far better than threads, which meet at every operation.
    """
    with tempfile.TemporaryDirectory() as folder:
        meeting = f"file://{folder}/meeting"
        spawn(_work, (workers, meeting, packs, shape, plan, out, start), workers)  # type: ignore[no-untyped-call]


def _work(
    rank: int,
    workers: int,
    meeting: str,
    packs: dict[str, Pack],
    shape: Shape,
    plan: Plan,
    out: Path,
    start: Path | None,
) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", meeting, rank=rank, world_size=workers)
    torch.manual_seed(plan.seed)
    decoder = load(start) if start else Decoder(shape)
    Block.forward = torch.compile(Block.forward, dynamic=True)  # type: ignore[method-assign]
    choose = _Chooser(packs, plan, shape.vocabulary, np.random.default_rng(plan.seed + rank))
    kind = fast_type()
    stepper = _Stepper(decoder, plan, kind)
    meter = _Meter(time.monotonic())
    step, done = 0, 0.0
    while done < 1:
        learnt = [choose(done, step) for _ in range(plan.batches_per_step // workers)]
        losses = [_learn(decoder, batch, kind) for batch in learnt]
        tokens = sum(batch.real_tokens for batch in learnt)
        news = torch.tensor([meter.seconds(), tokens, sum(losses) / len(losses)])
        _average(decoder, news, workers)
        stepper.step(plan.factor(done, step))
        step += 1
        seconds, tokens, loss = news.tolist()
        done = seconds / (60 * plan.minutes)
        if rank == 0:
            meter.note(step, done, tokens * workers, loss)
            if step % 100 == 0 or done >= 1:
                save(decoder, out)
    distributed.destroy_process_group()


def _average(decoder: Decoder, news: Tensor, workers: int) -> None:
    """Gradients, and the news beside them, become those of all workers."""
    if workers == 1:
        return
    gradients = [p.grad for p in decoder.parameters() if p.grad is not None]
    flat = torch.cat([news, *(gradient.flatten() for gradient in gradients)])
    distributed.all_reduce(flat)
    flat /= workers
    sizes = [len(news), *(gradient.numel() for gradient in gradients)]
    parts = torch.split(flat, sizes)
    news.copy_(parts[0])
    for gradient, part in zip(gradients, parts[1:], strict=True):
        gradient.copy_(part.view_as(gradient))


class _Stepper:
    """Muon for the matrices of the blocks, Adam for everything else."""

    def __init__(self, decoder: Decoder, plan: Plan, kind: torch.dtype) -> None:
        named = dict(decoder.named_parameters())
        matrices = [p for name, p in named.items() if p.dim() == 2 and "embedding" not in name]
        self.others = [p for name, p in named.items() if p.dim() == 1 or "embedding" in name]
        self.decoder, self.plan = decoder, plan
        self.muon = Muon(matrices, plan.rate, kind)
        self.adam = torch.optim.AdamW(
            self.others, plan.embedding_rate, betas=(0.9, 0.98), weight_decay=0.0
        )

    def step(self, factor: float) -> None:
        nn.utils.clip_grad_norm_(self.others, 1.0)
        self.adam.param_groups[0]["lr"] = self.plan.embedding_rate * factor
        self.muon.step(factor)
        self.adam.step()
        self.decoder.zero_grad()


def _learn(decoder: Decoder, batch: Batch, kind: torch.dtype) -> float:
    """Gradients of one batch; returns the mean loss over the answers."""
    wanted = batch.weights > 0
    weights = batch.weights[wanted]
    with torch.autocast("cpu", torch.bfloat16, enabled=kind is torch.bfloat16):
        losses = decoder.losses(batch.tokens, batch.targets, wanted)
    ((losses * weights).sum() / weights.sum()).backward()  # type: ignore[no-untyped-call]
    return float(losses[weights == 1].mean().detach())


class _Chooser:
    """Which batch comes next, by the share of the time that is used."""

    def __init__(
        self, packs: dict[str, Pack], plan: Plan, vocabulary: int, rng: np.random.Generator
    ) -> None:
        self.plan, self.vocabulary, self.rng = plan, vocabulary, rng
        self.streams = {name: batches(pack, plan, rng) for name, pack in packs.items()}

    def __call__(self, done: float, step: int) -> Batch:
        plan = self.plan
        if done < plan.random_until and step % 4 == 3:
            return random_repeats(plan, self.vocabulary, self.rng)
        if done < plan.drills_until:
            return next(self.streams["drills"])
        if done >= plan.long_from and self.rng.random() < plan.long_share:
            return next(self.streams["long"])
        return next(self.streams["main"])


class _Meter:
    """A line in the log every half minute."""

    def __init__(self, started: float) -> None:
        self.started = self.last = started
        self.tokens = 0.0
        self.loss: float | None = None

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def note(self, step: int, done: float, tokens: float, loss: float) -> None:
        self.tokens += tokens
        self.loss = loss if self.loss is None else 0.98 * self.loss + 0.02 * loss
        if time.monotonic() - self.last < 30:
            return
        self.last = time.monotonic()
        log.info(
            "step %d, %.0f s, %.0f %%, %.2f M tokens, %.0f tokens/s, loss %.4f",
            step,
            self.seconds(),
            100 * done,
            self.tokens / 1e6,
            self.tokens / self.seconds(),
            self.loss,
        )


def save(decoder: Decoder, out: Path) -> None:
    torch.save({"shape": asdict(decoder.shape), "weights": decoder.state_dict()}, out)


def save_mean(shares: Mapping[Path, float], out: Path) -> None:
    """The mean of several weights of one training: less noisy than the last, at no cost."""
    decoders = {path: load(path) for path in shares}
    states = {path: decoder.state_dict() for path, decoder in decoders.items()}
    last = list(shares)[-1]
    mean = {n: sum(share * states[p][n] for p, share in shares.items()) for n in states[last]}
    decoders[last].load_state_dict(mean)
    save(decoders[last], out)


def load(path: Path) -> Decoder:
    stored = torch.load(path, weights_only=True)
    decoder = Decoder(Shape(**stored["shape"]))
    decoder.load_state_dict(stored["weights"])
    return decoder
