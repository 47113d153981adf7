"""What early temporal filters cost the light network: processor time of one frame of a tube, by runtime.

    OMP_NUM_THREADS=1 python -m dettrack.lab.studies.light_network

Random weights: time does not depend on them. The best of several rounds, with the runtimes taking turns, so that what
else the machine does falls on all alike.
"""

from __future__ import annotations

import time

import numpy as np

from dettrack.config import EstimateConfig
from dettrack.lab.studies import run_command
from dettrack.models.pose.checkpoint import Checkpoint, NetworkSpec, build_network
from dettrack.models.pose.lite import LITE_MEAN, LITE_STD
from dettrack.models.pose.tube_network import open_network

SIZE, CLIP, TUBES = (192, 160), 9, 2


def main(rounds: int = 4) -> None:
    """A line for each runtime.

    Args:
        rounds: How often each is timed.
    """
    models = {}
    for variant in ("none", "early"):
        spec = NetworkSpec("lite", 64, variant, CLIP, size=SIZE, mean=LITE_MEAN, std=LITE_STD)
        for runtime in ("openvino", "onnxruntime", "pytorch"):
            options = EstimateConfig(device="cpu", runtime=runtime, threads=1, precision="fp32")
            checkpoint = Checkpoint(build_network(spec).eval(), spec)
            models[variant, runtime] = open_network(checkpoint, variant, options, CLIP)
    crops = np.random.default_rng(0).integers(0, 255, (TUBES, CLIP, *SIZE, 3)).astype(np.uint8)
    best: dict[tuple[str, str], float] = {}
    for _ in range(rounds):
        for (variant, runtime), model in models.items():
            given = crops if variant != "none" else crops.reshape(-1, 1, *SIZE, 3)
            start = time.process_time()
            model.run(given)
            spent = (time.process_time() - start) / (TUBES * CLIP)
            best[variant, runtime] = min(best.get((variant, runtime), np.inf), spent)
    for runtime in ("openvino", "onnxruntime", "pytorch"):
        flat, early = best["none", runtime], best["early", runtime]
        print(f"{runtime:<12} none {1e3 * flat:5.1f} ms   early {1e3 * early:5.1f} ms   ratio {early / flat:.2f}")


if __name__ == "__main__":
    run_command(main, __doc__)
