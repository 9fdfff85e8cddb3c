# Two commands do all the set-up on a fresh machine (python3 with venv is all that it needs):
#   make demo   install, build the data, train, score the quotes of two real articles, show the result
#   make test   install, then lint, types, import contract and tests
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: demo test lint chromium bench ui clean
.DEFAULT_GOAL := demo

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

# an export in 8-bit numbers that its check refuses gives way to the exact one in 32 bits
demo: $(INSTALLED)
	$(BIN)/stance build configs/data/disarmament.yaml --replace
	$(BIN)/stance train configs/majority.yaml --replace
	$(BIN)/stance train configs/tfidf.yaml --replace
	$(BIN)/stance train configs/minilm.yaml --replace
	$(BIN)/stance export experiments/models/minilm \
		|| { echo "So the exact graph is taken:"; $(BIN)/stance export experiments/models/minilm --runtime onnx; }
	$(BIN)/stance compare tfidf minilm --split test_unseen --baseline tfidf
	$(BIN)/python experiments/demo.py
	$(BIN)/stance report seeds --model experiments/models/minilm --output experiments/demo/report.html --replace

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: lint chromium
	$(BIN)/pytest --cov --cov-report=term

# the page tests drive a real browser; where none can be had they are skipped, and say so
chromium:
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 \
		|| echo "No chromium could be installed: the tests that need a browser will be skipped."

# needs the models of `make demo`, which it makes if they are missing
bench: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	test -f experiments/models/minilm/model.json || $(MAKE) demo
	$(BIN)/python experiments/bench/runtimes.py
	$(BIN)/python experiments/bench/products.py
	$(BIN)/python experiments/bench/throughput.py

ui: $(INSTALLED)
	$(BIN)/mlflow ui --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///experiments/mlflow.db}"

clean:
	rm -rf .venv data/build experiments/models experiments/demo
