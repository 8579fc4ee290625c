# SPDX-License-Identifier: GPL-2.0
#
# make				raio.ko for KDIR (default: the running kernel)
# make modules_install		installs it
# make udev_install DESTDIR=	installs the udev rule
# make deb			Debian packages, in build/deb/
# make update			asks the mirror for a newer kernel, and sets it up
# make demo | test | test-apps | torture | endurance | bench | check | coverage | docs
#				see README.md; each sets up what it needs
# make bench-compare ONE= OTHER=	two result.json side by side
# make clean | distclean	what was built; the cache as well

KDIR ?= /lib/modules/$(shell uname -r)/build
KERNEL ?= all
DESTDIR ?=
# Which kernel of Debian's: make test SERIES=7.2 FLAVOUR=rt-amd64; see Documentation/porting.md.
export RAIO_SERIES := $(or $(SERIES),$(RAIO_SERIES))
export RAIO_FLAVOUR := $(or $(FLAVOUR),$(RAIO_FLAVOUR))
export RAIO_SUITE := $(or $(SUITE),$(RAIO_SUITE))
# make deb FLAVOURS="amd64 rt-amd64", or all
export RAIO_FLAVOURS := $(or $(FLAVOURS),$(RAIO_FLAVOURS))
# Who boots the guests of make test: qemu, or vng for virtme-ng.
export RAIO_RUNNER := $(or $(RUNNER),$(RAIO_RUNNER))
export KSRC

.DEFAULT_GOAL := modules

# What is built against a kernel's build dir goes to that kernel's make.
.PHONY: modules modules_install clean
modules modules_install: $(KDIR)/include/config/auto.conf
	@if ! grep -qs '^CONFIG_RUST=y' '$(KDIR)/include/config/auto.conf' || \
	    ! test -e '$(KDIR)/rust/libkernel.rmeta'; then \
		echo >&2 'error: $(KDIR) has no Rust metadata: modules in Rust cannot be built against it.'; \
		echo >&2 '    For the stock Debian kernel, this prepares a build dir that has:'; \
		echo >&2 '        make KDIR="$$(scripts/kernel stock)"'; \
		echo >&2 '    or, with the compilers of that kernel too:'; \
		echo >&2 '        scripts/build stock        (makes build/stock/raio.ko)'; \
		exit 1; \
	fi
	$(MAKE) -C '$(KDIR)' M='$(CURDIR)' $@

$(KDIR)/include/config/auto.conf:
	@echo >&2 'error: there is no kernel build dir at $(KDIR).'
	@echo >&2 '    Install the headers of your kernel, or say where they are: make KDIR=...'
	@echo >&2 '    For the stock Debian kernel, scripts/build stock prepares all and builds build/stock/raio.ko.'
	@exit 1

.PHONY: udev_install
udev_install:
	install -D -m 644 udev/70-raio.rules '$(DESTDIR)/usr/lib/udev/rules.d/70-raio.rules'

.PHONY: update demo test test-apps torture endurance bench bench-compare check coverage docs deb distclean
update:
	@scripts/linux --update >/dev/null
	@scripts/kernel stock
demo:
	@scripts/demo
test:
	@scripts/test '$(KERNEL)'
test-apps:
	@scripts/test apps
torture:
	@scripts/torture
endurance:
	@scripts/endurance
bench:
	@scripts/bench
bench-compare:
	@scripts/bench --compare '$(ONE)' '$(OTHER)'
check:
	@scripts/check
coverage:
	@scripts/coverage
docs:
	@scripts/docs
deb:
	@scripts/deb
distclean: clean
	@scripts/distclean

clean:
	@find . \( -path ./build -o -path ./lib/target -o -path ./.git \) -prune -o -type f \( \
		-name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' -o -name '.*.cmd' \
		-o -name '*.a' \) -exec rm -f {} +
	@rm -rf build doc Module.symvers modules.order rust/bindings_generated.rs .module-common.o
