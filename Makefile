# Everything runs from a fresh checkout: each target makes .venv by itself.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
WEIGHTS := $(if $(DETECTOR),--detector "$(DETECTOR)") $(if $(MODEL),--model "$(MODEL)")

.PHONY: test test-slow lint types site demo bench reproduce-small clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $(STAMP)

# make demo                      the built-in scene: drawn, tracked, measured, rendered
# make demo VIDEO=path           a video of yours; DETECTOR= and MODEL= name other weights than the built-in ones
demo: $(STAMP)
ifdef VIDEO
	$(BIN)/dettrack track "$(VIDEO)" --out demo --render $(WEIGHTS) $(OPTIONS)
else
	$(BIN)/dettrack demo --out demo $(WEIGHTS) $(OPTIONS)
endif

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache

types: $(STAMP)
	$(BIN)/mypy

site: $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The paper's experiments on the synthetic benchmark, with networks that are trained for it where they are not there yet
# (docs/reproduction/small). Interrupt it when you like: the same command goes on.
BENCHMARK := runs/synthetic_benchmark
reproduce-small: $(STAMP)
	test -f $(BENCHMARK)/scenes.json || $(BIN)/dettrack synth $(BENCHMARK) --benchmark --write frames --jobs 2
	for split in train val; do test -f runs/small/$$split.npz || $(BIN)/dettrack data pack runs/small/$$split.npz \
		posetrack=$(BENCHMARK)/annotations/$$split@$(BENCHMARK) --longest 320 || exit 1; done
	test -f runs/small/none_long/model.safetensors || $(BIN)/dettrack train configs/small_networks.toml --out runs/small
	$(BIN)/dettrack ablate configs/reproduce_small.toml --jobs 2

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache
