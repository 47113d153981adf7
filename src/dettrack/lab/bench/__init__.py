"""How fast it is: stages, networks against the machine's peak, and whole runs against rivals, as ratios in one run.

Nothing imports this room but the command line.
"""
