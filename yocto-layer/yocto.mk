# The Yocto layer. Included by the Makefile; see yocto-layer/README.md.

YOCTO := $(dir $(lastword $(MAKEFILE_LIST)))

.PHONY: yocto check-yocto yocto-crates
yocto: ## Everything about the Raspberry Pi's images that can be proven without building one, part by part
	@$(YOCTO)prove/prove

check-yocto: ## The fast half: style of the recipes, contract with images/ and services/dist, crates
	@$(YOCTO)prove/prove --fast

yocto-crates: ## The recipe's list of crates, after Cargo.lock changed
	@PYTHONPATH=$(YOCTO)lib python3 -B -m microkernel.crates Cargo.lock $(YOCTO)recipes-core/microkernel-services/microkernel-services-crates.inc
