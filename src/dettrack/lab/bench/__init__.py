"""Speed: stages, networks beside the machine's peak, and whole runs beside baselines, as ratios in one run.

Nothing imports this package but the command line.
"""
