# The logic is in tasks.py, for systems without make: python tasks.py demo
PYTHON ?= python3

.PHONY: setup demo test test-all lint docs types audit matrix mutate

setup demo test test-all lint docs types audit matrix mutate:
	@$(PYTHON) tasks.py $@
