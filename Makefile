# SPDX-License-Identifier: GPL-2.0-or-later
# The front door: thin targets over meson and the scripts in scripts/.

BUILDS = $(or $(LIVEUPDATED_BUILDS),build)
BUILD = $(BUILDS)/default
CLANG_FORMAT = clang-format-14

.PHONY: help demo check check-fast check-vm check-debug-kernel check-chain check-systemd-ten bench bench-qemu bench-systemd build install uninstall clean format

help:
	@echo 'make demo        a whole live update in a VM, with real kernels'
	@echo 'make check       all tests, VM cases included (the same as .ci/run)'
	@echo 'make check-fast  style and unit tests, in under a minute'
	@echo 'make check-vm    the VM cases alone'
	@echo 'make check-debug-kernel  the VM cases of the kernel module on a debug kernel; an hour'
	@echo 'make check-chain  a hundred live updates in one VM; some 20 minutes'
	@echo 'make check-systemd-ten  ten live updates beside services of systemd'"'"'s own; 8 minutes'
	@echo 'make bench       measure: see tests/bench'
	@echo 'make bench-qemu  how long QEMU machines stand still, by phase; 20 minutes'
	@echo 'make bench-systemd  how long a client stands still under systemd, by phase; 15 minutes'
	@echo 'make build       build in $(BUILD)'
	@echo 'make install     install what was built (DESTDIR= for packaging)'
	@echo 'make uninstall   remove what the last make install has put there'
	@echo 'make format      format the C sources with $(CLANG_FORMAT)'
	@echo 'make clean       remove the build trees; test kernels stay in ~/.cache/liveupdated'
	@echo
	@echo 'demo, check and build install what they need with apt (Debian 12 or 13).'

demo:
	@scripts/demo

check:
	@scripts/check

check-fast:
	@scripts/check style unit

check-vm:
	@scripts/check vm

check-debug-kernel:
	@scripts/deps.sh vm
	@tests/vm/debug --build $(BUILD)

check-chain:
	@scripts/deps.sh vm
	@tests/vm/chain --build $(BUILD)

check-systemd-ten:
	@scripts/deps.sh vm
	@tests/vm/run --build $(BUILD) systemd-store-ten

bench:
	@scripts/deps.sh bench
	@tests/bench/topology --build $(BUILD)

bench-qemu: build
	@scripts/deps.sh vm
	@tests/bench/qemu --build $(BUILD)

bench-systemd: build
	@scripts/deps.sh vm
	@tests/bench/systemd --build $(BUILD)

build:
	@scripts/deps.sh build
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD)
	@ninja -C $(BUILD)

install:
	@test -f $(BUILD)/build.ninja || { echo 'Run make build first.' >&2; exit 1; }
	@meson install -C $(BUILD)

uninstall:
	@test -f $(BUILD)/meson-logs/install-log.txt || { echo 'Nothing was installed from $(BUILD).' >&2; exit 1; }
	@ninja -C $(BUILD) uninstall

format:
	@find src tests -name '*.[ch]' -exec $(CLANG_FORMAT) -i {} +

clean:
	@rm -rf $(BUILDS)/default $(BUILDS)/gcc $(BUILDS)/clang $(BUILDS)/asan $(BUILDS)/fuzz $(BUILDS)/demo $(BUILDS)/vm $(BUILDS)/*.log $(BUILDS)/vm.tap
	@rmdir $(BUILDS) 2>/dev/null || true
