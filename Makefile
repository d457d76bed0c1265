# Thin targets over `cargo xtask`, which has more switches than these: cargo xtask help.

# The number of CPUs and the memory of the machine that `run` and `debug` start.
SMP ?= $(shell nproc)
MEM ?= 1G
# The folder of a Limine binary release, for `iso`.
LIMINE_DIR ?= /usr/share/limine
export LIMINE_DIR

XTASK = cargo xtask

.PHONY: run test check bench bench-quick iso debug setup clean

# Boot to an interactive shell.
run: setup
	@$(XTASK) vm --smp $(SMP) --mem $(MEM)

# Run every test there is.
test: setup
	@$(XTASK) test

# Format and lint.
check: setup
	@$(XTASK) check

# Measure against Linux: all rows, or the headline rows in a few minutes.
bench: setup
	@$(XTASK) bench

bench-quick: setup
	@$(XTASK) bench --quick

# Pack an image that boots with Limine, from BIOS and from UEFI.
iso:
	@tools/setup iso
	@$(XTASK) iso --limine $(LIMINE_DIR)

# Boot with QEMU's gdb stub and wait for gdb, which the message shows how to start.
debug: setup
	@$(XTASK) vm --gdb --smp $(SMP) --mem $(MEM)

# Install the Debian packages that are missing.
setup:
	@tools/setup

clean:
	rm -rf target
