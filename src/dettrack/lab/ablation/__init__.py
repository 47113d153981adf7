"""The paper's experiments as data: rows of settings, measured on sequences, written as tables and plots.

`study` reads what is wanted, `grid` and `beyond` list the rows, `sources` and `frames` give tracklets, `measure`
turns a row into figures, `runner` does it for all rows once each, `report` and `plots` write what came out.
"""

from dettrack.lab.ablation.runner import run_study
from dettrack.lab.ablation.study import Study, read_study

__all__ = ["Study", "read_study", "run_study"]
