# make demo: set up, build, and find the strangest flights of a year. make test: set up, build, and run every test.
# A second run does nothing twice: each step leaves a stamp, and runs again only when what it depends on has changed.
#
# TORCH=full takes the full CUDA torch (5.5 GB) instead of the parts that the CPU needs (0.5 GB).

PYTHON ?= python3
TORCH ?= lean
VENV := .venv
BIN := $(VENV)/bin
# Absolute, and known before the venv exists: cargo rebuilds what depends on it when it changes.
LIBTORCH := $(CURDIR)/$(VENV)/torch
STAMPS := $(VENV)/.stamps

TORCH_VERSION := 2.11.0
TORCH_lean := --no-deps torch==$(TORCH_VERSION) 'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cupti==13.0.*'
TORCH_full := torch==$(TORCH_VERSION)

# cargo and maturin find libtorch here, and test programs find it at run time.
export LIBTORCH
export LD_LIBRARY_PATH := $(LIBTORCH)/lib:$(LD_LIBRARY_PATH)

RUST_SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find src -name '*.rs')

.PHONY: demo test test-rust test-python test-versions lint build clean

demo: build
	$(BIN)/python examples/nyc_flights.py
	$(BIN)/python examples/model_per_carrier.py
	$(BIN)/python examples/digits.py

test: test-rust test-python

test-rust: $(STAMPS)/torch-$(TORCH)
	cargo test --locked
	cargo run --locked --example fit_and_score

test-python: build
	$(BIN)/python -m pytest

# One wheel, on the oldest and newest Polars and on every CPython that is here.
test-versions: build
	rm -rf target/wheels
	$(BIN)/maturin build --release --locked --auditwheel skip --out target/wheels
	$(BIN)/python tests/versions

lint: $(STAMPS)/packages $(STAMPS)/torch-$(TORCH)
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --features python --lib -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright

build: $(STAMPS)/build

$(STAMPS)/venv:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10), "CPython 3.10 or newer is needed, found " + sys.version'
	$(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMPS)
	touch $@

$(STAMPS)/packages: requirements-dev.txt $(STAMPS)/venv
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

# After the other packages, so that none of them replaces it.
$(STAMPS)/torch-$(TORCH): $(STAMPS)/packages
	rm -f $(STAMPS)/torch-*
	$(BIN)/python -m pip install --quiet $(TORCH_$(TORCH))
	ln -sfn "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch" $(LIBTORCH)
	touch $@

$(STAMPS)/build: $(RUST_SOURCES) $(STAMPS)/torch-$(TORCH)
	$(BIN)/maturin develop --release --skip-install
	$(BIN)/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "polars_anorand.pth").write_text(str(pathlib.Path("python").resolve()))'
	touch $@

clean:
	rm -rf $(VENV) target python/polars_anorand/*.so
