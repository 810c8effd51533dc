# tepal: `make run` serves it, `make test` tests it. Both install what they need first (tools/setup.sh).
#
#   make run                      the model of this repository, on http://127.0.0.1:8080
#   make run PHOTOS=/my/plants    trains on that folder of class folders first, then serves with matching photos
#   make run PORT=8081            another port;  HOST=0.0.0.0 opens it to the local network
#   make test                     every test, with sanitizers; TEPAL_PHOTOS=DIR adds those that need photos
#   make check-all                clang, thread sanitizer, no-oneDNN build, headers alone, docs, ARM: before a release

MODEL  ?= models/plants83.safetensors
PHOTOS ?=
HOST   ?= 127.0.0.1
PORT   ?= 8080
OUT    ?= build/my-plants.safetensors

.PHONY: run test build check-all setup setup-test setup-check clean
.NOTPARALLEL:

ifeq ($(strip $(PHOTOS)),)
SERVED := $(MODEL)
else
SERVED := $(OUT)
endif

run: build
ifneq ($(strip $(PHOTOS)),)
	@build/release/src/cli/tepal train "$(PHOTOS)" --backbone "$(MODEL)" --output "$(OUT)"
	@build/release/src/cli/tepal index --model "$(OUT)" --photos "$(PHOTOS)"
endif
	@exec build/release/src/cli/tepal serve --model "$(SERVED)" --host "$(HOST)" --port "$(PORT)"

build: setup
	@tools/build.sh release

test: setup-test
	@tools/build.sh asan
	@ctest --preset asan

check-all: setup-check
	@tools/check_all.sh

setup:
	@tools/setup.sh build

setup-test:
	@tools/setup.sh test

setup-check:
	@tools/setup.sh check

clean:
	rm -rf build
