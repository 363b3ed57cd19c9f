# The virtual device's image and its updates. Included by the Makefile; see images/README.md.

IMAGES := $(dir $(lastword $(MAKEFILE_LIST)))
VERSION ?=
BROKEN ?=
ARTIFACTS ?=

.PHONY: image bundle check-dist
image: ## The virtual device's disk for QEMU (arm64); VERSION=1.0.0. First time ten minutes, then one
	@$(IMAGES)build/image $(VERSION)

bundle: ## A signed update for it: make bundle VERSION=1.0.1 [BROKEN=no-init | ARTIFACTS="scripts=smooth.wasm models=…"]
	@$(IMAGES)build/bundle $(if $(BROKEN),--broken $(BROKEN)) $(addprefix --artifact ,$(ARTIFACTS)) \
	  $(or $(VERSION),$(error say which: make bundle VERSION=1.0.1))

check-dist: ## Units, policies, boot script, layout: everything that can be checked without the image
	@$(IMAGES)tests/check-dist
