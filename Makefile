# Two commands for a fresh machine with Python 3.11, git and make: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo
WORKERS ?= 2
BIN := $(VENV)/bin
# for pip, such as --extra-index-url with builds of torch for CPUs only, without CUDA's libraries
PIP_OPTIONS ?=
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt $(PIP_OPTIONS)

.PHONY: demo test lint docs clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable ".[dev,docs,torchaudio,neuromaps]"
	touch $@ $(VENV)/.app

# the app alone: what the demo needs
$(VENV)/.app: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	touch $@

# a study draws more shifts and keeps more components: the demo has five minutes on two cores
DEMO_SCALE := --set gradients.n_shifts=24 --set gradients.n_beyond=19 --set gradients.n_parcels=100 \
	--set gradients.max_inner_folds=2 --set gradients.n_components=30

# a trained music network where pip can bring it, the untrained VGGish elsewhere
demo: $(VENV)/.app
	rm -rf $(DEMO)
	set -e; network=vggish; weights="--weights random"; \
	if $(BIN)/musicotopy-tools fetch musicnn --weights-dir $(DEMO)/weights; then \
		network=musicnn-mtt; weights="--weights pretrained --weights-dir $(DEMO)/weights"; \
	else echo "demo: no trained network at hand, the demo runs an untrained VGGish (random weights)"; fi; \
	$(BIN)/musicotopy-tools simulate $(DEMO)/data --pieces 4 --piece-s 85 --spaces fsaverage5 --seed 0 \
		-w $(DEMO)/work --network $$network $$weights; \
	$(BIN)/musicotopy $(DEMO)/data $(DEMO)/out participant group --recipe gradients \
		-w $(DEMO)/work $(DEMO_SCALE) --network $$network baseline $$weights
	$(BIN)/musicotopy-tools check-truth $(DEMO)/data $(DEMO)/out

test: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# the documentation site, without network: open build/site/index.html
docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(DEMO) build/site .pytest_cache .mypy_cache .ruff_cache .hypothesis
