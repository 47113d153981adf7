"""Studies behind the figures in the documentation; run one with `python -m dettrack.lab.studies.NAME`."""
