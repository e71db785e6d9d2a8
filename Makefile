# make demo: set up, build, and find the strangest flights of a year. make test: set up, build, and run the tests.
# A second run does nothing twice: each step leaves a stamp, and runs again only when what it depends on has changed.
#
# Neither the plugin nor its tests need torch. What has `engine` in its name, and test-torch, build or use the libtorch engine for
# GPUs, against the torch package: TORCH=full takes the whole CUDA build (5.5 GB) instead of the parts that the CPU needs (0.5 GB).

PYTHON ?= python3
TORCH ?= lean
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
INTEGRATIONS := target/integrations/venv

TORCH_VERSION := 2.11.0
TORCH_lean := --no-deps torch==$(TORCH_VERSION) 'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cupti==13.0.*'
TORCH_full := torch==$(TORCH_VERSION)
# Others that the same engine works with; polars_anorand._libtorch.TESTED names all of them.
TORCH_OTHERS := 2.12.1

# Where the engine is linked against libtorch, and where its test programs find it.
LIBTORCH := $(CURDIR)/$(VENV)/torch
WITH_LIBTORCH := LIBTORCH=$(LIBTORCH) LD_LIBRARY_PATH=$(LIBTORCH)/lib
ENGINE := python/polars_anorand/torch/libpolars_anorand_torch.so

SHARED_SOURCES := Cargo.toml Cargo.lock
RUST_SOURCES := $(SHARED_SOURCES) pyproject.toml $(shell find src -name '*.rs')
ENGINE_SOURCES := $(SHARED_SOURCES) torch-engine/Cargo.toml src/engine/adam.rs src/engine/shape.rs src/engine/torch/interface.rs \
	$(shell find torch-engine -name '*.rs')

.PHONY: demo test test-rust test-python test-engine test-versions test-wheel test-torch test-integrations lint lint-engine build engine wheel docs bench-kernels fuzz clean

demo: build
	$(BIN)/python examples/nyc_flights.py
	$(BIN)/python examples/model_per_carrier.py
	$(BIN)/python examples/digits.py

test: test-rust test-python

test-rust:
	cargo test --locked
	cargo run --locked --example fit_and_score

test-python: build
	$(BIN)/python -m pytest

# The engine for GPUs, by libtorch on the CPU: its own tests, those that compare it with the CPU's kernels (which `cargo test`
# ignores), and those of pytest's marker `torch`, some of which need a GPU.
test-engine: build engine
	$(WITH_LIBTORCH) cargo test --locked -p polars-anorand-torch
	LIBTORCH=$(LIBTORCH) POLARS_ANORAND_TORCH=$(CURDIR)/$(ENGINE) cargo test --locked --lib -- --ignored
	$(BIN)/python -m pytest -m torch

# The wheel that is published for Linux on x86-64, its needs checked. It compiles again only the last crate of `make build`.
wheel: build $(STAMPS)/wheel-packages
	$(BIN)/python tools/wheel.py

# The wheel in an empty environment, and on the oldest and newest Polars and every CPython that is here; without torch.
test-versions: wheel
	$(BIN)/python tests/versions

# The same, but the README's code alone.
test-wheel:
	$(BIN)/python tests/versions readme

# The site, of docs/ and of the docstrings, with strict links. It is left in target/site.
docs: $(STAMPS)/docs-packages
	$(BIN)/mkdocs build --strict

# Instructions that the kernels take, beside those of benches/kernels/baseline.json.
bench-kernels: build
	$(BIN)/python benches/kernels/__main__.py

# With cargo-fuzz and a nightly toolchain. TARGET: loader, model, options or columns.
TARGET ?= model
SECONDS ?= 60
fuzz:
	mkdir -p fuzz/corpus/$(TARGET) target/fuzz-corpus/$(TARGET)
	[ $(TARGET) != model ] || cp tests/golden/*.safetensors target/fuzz-corpus/model
	cargo +nightly fuzz run --sanitizer none $(TARGET) target/fuzz-corpus/$(TARGET) fuzz/corpus/$(TARGET) -- \
		-max_total_time=$(SECONDS) -max_len=40000 -rss_limit_mb=4096 -timeout=20

# Spark, Ray and data tools, in an environment of their own; Spark needs Java 17.
test-integrations: build $(STAMPS)/integrations
	cd tests/integrations && $(CURDIR)/$(INTEGRATIONS)/bin/python -m pytest

# The engine as it is built, with each other libtorch that it accepts.
test-torch: engine
	for version in $(TORCH_OTHERS); do \
		folder=$(CURDIR)/target/torch/$$version; \
		[ -e $$folder/torch ] || $(BIN)/python -m pip install --quiet --target $$folder --no-deps torch==$$version \
			'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cupti==13.0.*' || exit 1; \
		LIBTORCH=$$folder/torch POLARS_ANORAND_TORCH=$(CURDIR)/$(ENGINE) \
			cargo test --locked --lib -- --ignored || exit 1; \
	done

lint: $(STAMPS)/packages
	cargo fmt --all --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --features python --lib -- -D warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright

# Clippy on the engine for GPUs, which needs libtorch's headers.
lint-engine: $(STAMPS)/torch-$(TORCH)
	$(WITH_LIBTORCH) cargo clippy --locked -p polars-anorand-torch --all-targets -- -D warnings

build: $(STAMPS)/build

engine: $(STAMPS)/engine

$(STAMPS)/venv:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 10), "CPython 3.10 or newer is needed, found " + sys.version'
	$(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMPS)
	touch $@

$(STAMPS)/packages: requirements-dev.txt $(STAMPS)/venv
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@

$(STAMPS)/wheel-packages: requirements-wheel.txt $(STAMPS)/packages
	$(BIN)/python -m pip install --quiet -r requirements-wheel.txt
	touch $@

$(STAMPS)/docs-packages: requirements-docs.txt $(STAMPS)/venv
	$(BIN)/python -m pip install --quiet -r requirements-docs.txt
	touch $@

$(STAMPS)/integrations: requirements-integrations.txt $(STAMPS)/venv
	$(PYTHON) -m venv $(INTEGRATIONS)
	$(INTEGRATIONS)/bin/python -m pip install --quiet -r requirements-integrations.txt
	$(INTEGRATIONS)/bin/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "polars_anorand.pth").write_text(str(pathlib.Path("python").resolve()))'
	touch $@

# After the other packages, so that none of them replaces it.
$(STAMPS)/torch-$(TORCH): $(STAMPS)/packages
	rm -f $(STAMPS)/torch-*
	$(BIN)/python -m pip install --quiet $(TORCH_$(TORCH))
	ln -sfn "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch" $(LIBTORCH)
	touch $@

$(STAMPS)/build: $(RUST_SOURCES) $(STAMPS)/packages
	$(BIN)/maturin develop --release --skip-install
	$(BIN)/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "polars_anorand.pth").write_text(str(pathlib.Path("python").resolve()))'
	touch $@

# A library of its own, in a folder of its own: Polars takes the first library that it finds in a folder.
$(STAMPS)/engine: $(ENGINE_SOURCES) $(STAMPS)/torch-$(TORCH)
	$(WITH_LIBTORCH) cargo build --release --locked -p polars-anorand-torch
	mkdir -p $(dir $(ENGINE))
	cp target/release/libpolars_anorand_torch.so $(ENGINE)
	touch $@

clean:
	rm -rf $(VENV) target python/polars_anorand/*.so $(dir $(ENGINE))
