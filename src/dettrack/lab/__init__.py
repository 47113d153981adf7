"""Experiments: drawn scenes, simulated tubes, ablations, benchmarks. Only the command line uses it."""
