# The front door. Every command makes what it needs first: `make run` on a fresh machine makes the toolchain (scripts/toolchain),
# builds, and ends with the server running.
.DEFAULT_GOAL := help
.PHONY: help run build test check bench bundle clean

help: ## This list
	@echo "Hearth: a local model server for coding agents."
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo "Built programs and downloads outside this folder: \$${HEARTH_CACHE:-~/.cache/hearth}"

run: ## Set up, build, and serve a small model (MODEL=file.gguf for yours, ARGS="--port 8080" for more)
	@scripts/run "$(MODEL)" $(ARGS)

build: ## Set up and build (PRESET=release, debug, asan or tsan)
	@scripts/build $(or $(PRESET),release)

test: ## Set up, build, and run every test; ends with "N passed, N failed"
	@scripts/test

check: ## Everything before a change goes in: format, lint, include arrows, sanitizers, a short fuzz
	@scripts/check

bench: ## Measure against llama-server on the same library and model
	@scripts/build release
	@bench/run

bundle: ## One dist/*.tar.zst that runs on any Linux of this architecture, without installing
	@scripts/bundle

clean: ## Remove what was built here (the toolchain and models in the cache stay)
	rm -rf build dist
