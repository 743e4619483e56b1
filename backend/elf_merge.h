/* Relocatable ELF objects made into one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Read-only data that the parts refer to by a hidden symbol. */
typedef struct elf_blob {
	const char *symbol;
	uint64_t bytes, align;
	bool far; /* in a section that need not be near code (x86-64 medium model) */
	bool (*write)(void *user, FILE *f); /* exactly `bytes` */
	void *user;
} elf_blob;

/* Objects of one machine, as LLVM writes them: 64-bit, little-endian.  False when writing fails (errno). */
bool elf_merge(const void *const *objects, int n, const elf_blob *blob, FILE *out);
