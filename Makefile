# Two commands do all the set-up on a fresh machine (python3 with venv is all that it needs):
#   make demo   install, build the data, train, score the quotes of two real articles, show the result
#   make test   install, then lint, types, import contract and tests
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: demo test lint bench ui clean
.DEFAULT_GOAL := demo

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)
	$(BIN)/stance build configs/data/disarmament.yaml --replace
	$(BIN)/stance train configs/majority.yaml --replace
	$(BIN)/stance train configs/tfidf.yaml --replace
	$(BIN)/python experiments/demo.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: lint
	$(BIN)/pytest --cov --cov-report=term

bench: $(INSTALLED)
	$(BIN)/python experiments/bench/throughput.py

ui: $(INSTALLED)
	$(BIN)/mlflow ui --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///experiments/mlflow.db}"

clean:
	rm -rf .venv data/build experiments/models experiments/demo
