/* Relocatable ELF objects made into one, as `ld -r` would: 64-bit, little-endian, relocations with addends.
 *
 *   sections   those of equal name, type, flags and entry size are laid one behind the other
 *   symbols    hidden ones are only for the parts among themselves: they become local; the rest is joined by name
 *   blob       one more read-only section, streamed by its owner, with one local symbol at its start
 *
 * The input is LLVM's output, so what is not expected here is a bug.  Everything is in order of appearance: reproducible. */
#include "backend/elf_merge.h"

#include "support/arena.h"
#include "support/diag.h"
#include "support/map.h"
#include "support/str.h"
#include "support/vec.h"

#include <assert.h>
#include <elf.h>
#include <string.h>

/* LLVM's table for the linker's --icf: meaningless after symbols have moved. */
enum { SECTION_ADDRSIG = 0x6fff4c03, SECTION_LARGE = 0x10000000 };
enum { TRAP_X86 = 0xcc };

typedef struct in_section {
	const Elf64_Shdr *header;
	struct out_section *to; /* NULL: not copied */
	uint64_t offset;        /* there */
} in_section;

typedef struct part {
	const unsigned char *data;
	const Elf64_Ehdr *header;
	in_section *sections;
	const Elf64_Sym *symbols;
	const char *names; /* of symbols */
	size_t n_symbols;
	uint32_t *numbers; /* symbol -> number in the output; of section symbols: of the output section */
} part;

typedef struct out_section {
	const char *name;
	Elf64_Shdr header; /* of the output; sh_size grows */
	unsigned index;
	uint32_t symbol;
	vec(in_section *) from;
	vec(part *) from_part;
	vec(Elf64_Rela) relocations;
} out_section;

typedef struct merge {
	arena *a;
	part *parts;
	int n_parts;
	const elf_blob *blob;
	map *by_key;                /* text of name, type, flags, entry size -> out_section */
	vec(out_section *) sections;
	vec(Elf64_Sym) locals, globals;
	str names, section_names;   /* string tables */
	map *by_name;               /* global or hidden name -> number + 1 */
} merge;

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static const Elf64_Shdr *headers_of(const part *p)
{
	return (const Elf64_Shdr *)(p->data + p->header->e_shoff);
}

static const char *section_name(const part *p, const Elf64_Shdr *s)
{
	return (const char *)p->data + headers_of(p)[p->header->e_shstrndx].sh_offset + s->sh_name;
}

static void read_part(merge *m, part *p, const void *data)
{
	p->data = data;
	p->header = data;
	assert(!memcmp(p->header->e_ident, ELFMAG, SELFMAG) && p->header->e_ident[EI_CLASS] == ELFCLASS64);
	assert(p->header->e_shnum && p->header->e_shstrndx != SHN_XINDEX);
	p->sections = new_array(m->a, in_section, p->header->e_shnum);
	for (int i = 0; i < p->header->e_shnum; i++) {
		const Elf64_Shdr *s = &headers_of(p)[i];
		p->sections[i].header = s;
		if (s->sh_type != SHT_SYMTAB)
			continue;
		p->symbols = (const Elf64_Sym *)(p->data + s->sh_offset);
		p->n_symbols = s->sh_size / sizeof(Elf64_Sym);
		p->names = (const char *)p->data + headers_of(p)[s->sh_link].sh_offset;
	}
	p->numbers = new_array(m->a, uint32_t, p->n_symbols);
}

/* ---- sections ----------------------------------------------------------------------------------------------------- */

static bool is_copied(const Elf64_Shdr *s)
{
	switch (s->sh_type) {
	case SHT_NULL:
	case SHT_SYMTAB:
	case SHT_STRTAB:
	case SHT_RELA:
	case SECTION_ADDRSIG: return false;
	case SHT_GROUP:
	case SHT_REL:
	case SHT_SYMTAB_SHNDX: bug("cannot merge a section of type %u", s->sh_type);
	default: return true;
	}
}

static uint64_t align_up(uint64_t n, uint64_t align)
{
	return align > 1 ? (n + align - 1) / align * align : n;
}

static out_section *add_section(merge *m, const char *name, Elf64_Shdr header)
{
	out_section *s = new(m->a, out_section);
	s->name = arena_strdup(m->a, name);
	s->header = header;
	s->header.sh_size = 0;
	s->header.sh_link = s->header.sh_info = 0;
	s->index = (unsigned)m->sections.n + 1;
	vec_push(m->a, &m->sections, s);
	return s;
}

static out_section *section_like(merge *m, const char *name, const Elf64_Shdr *like)
{
	char *key = arena_printf(m->a, "%s %x %llx %llx", name, like->sh_type, (unsigned long long)like->sh_flags,
	                         (unsigned long long)like->sh_entsize);
	out_section *s = map_get(m->by_key, key);
	if (!s) {
		s = add_section(m, name, *like);
		map_put(m->by_key, key, s);
	}
	return s;
}

static void place_section(merge *m, part *p, in_section *from)
{
	const Elf64_Shdr *h = from->header;
	if (!is_copied(h))
		return;
	out_section *to = section_like(m, section_name(p, h), h);
	from->to = to;
	from->offset = align_up(to->header.sh_size, h->sh_addralign);
	to->header.sh_size = from->offset + h->sh_size;
	if (h->sh_addralign > to->header.sh_addralign)
		to->header.sh_addralign = h->sh_addralign;
	vec_push(m->a, &to->from, from);
	vec_push(m->a, &to->from_part, p);
}

/* ---- symbols ------------------------------------------------------------------------------------------------------ */

static uint32_t add_name(str *table, const char *name)
{
	uint32_t at = (uint32_t)table->len;
	str_add(table, name);
	str_addc(table, '\0');
	return at;
}

static uint32_t add_local(merge *m, const char *name, Elf64_Sym s)
{
	s.st_name = *name ? add_name(&m->names, name) : 0;
	s.st_info = ELF64_ST_INFO(STB_LOCAL, ELF64_ST_TYPE(s.st_info));
	s.st_other = STV_DEFAULT;
	vec_push(m->a, &m->locals, s);
	return (uint32_t)m->locals.n - 1;
}

/* Where the output defines it. */
static Elf64_Sym moved(const part *p, const Elf64_Sym *s)
{
	Elf64_Sym result = *s;
	if (s->st_shndx == SHN_UNDEF || s->st_shndx >= SHN_LORESERVE)
		return result;
	const in_section *from = &p->sections[s->st_shndx];
	result.st_shndx = (Elf64_Section)from->to->index;
	result.st_value += from->offset;
	return result;
}

static bool is_hidden(const Elf64_Sym *s)
{
	return ELF64_ST_VISIBILITY(s->st_other) == STV_HIDDEN;
}

static void add_section_symbols(merge *m)
{
	for (int i = 0; i < m->sections.n; i++) {
		out_section *s = m->sections.v[i];
		Elf64_Sym symbol = {.st_info = ELF64_ST_INFO(STB_LOCAL, STT_SECTION), .st_shndx = (Elf64_Section)s->index};
		s->symbol = add_local(m, "", symbol);
	}
}

static void number_known(merge *m, const char *name, uint32_t number)
{
	if (map_has(m->by_name, name))
		bug("two parts define %s", name);
	map_put(m->by_name, name, (void *)(uintptr_t)(number + 1));
}

/* All that are local in the output: the parts' local symbols and the hidden definitions. */
static void add_local_symbols(merge *m, part *p, bool with_file)
{
	for (size_t i = 1; i < p->n_symbols; i++) {
		const Elf64_Sym *s = &p->symbols[i];
		const char *name = p->names + s->st_name;
		bool local = ELF64_ST_BIND(s->st_info) == STB_LOCAL;
		int type = ELF64_ST_TYPE(s->st_info);
		if (type == STT_SECTION) {
			const in_section *from = &p->sections[s->st_shndx];
			p->numbers[i] = from->to ? from->to->symbol : 0;
		} else if (type == STT_FILE ? with_file : local) {
			p->numbers[i] = add_local(m, name, moved(p, s));
		} else if (!local && is_hidden(s) && s->st_shndx != SHN_UNDEF) {
			p->numbers[i] = add_local(m, name, moved(p, s));
			number_known(m, name, p->numbers[i]);
		}
	}
}

/* Defined ones win over uses of the same name.  Globals are numbered behind all locals. */
static void add_global_symbols(merge *m, part *p, bool defined)
{
	for (size_t i = 1; i < p->n_symbols; i++) {
		const Elf64_Sym *s = &p->symbols[i];
		const char *name = p->names + s->st_name;
		if (ELF64_ST_BIND(s->st_info) == STB_LOCAL || p->numbers[i] || (s->st_shndx != SHN_UNDEF) != defined)
			continue;
		uintptr_t known = (uintptr_t)map_get(m->by_name, name);
		if (!known) {
			if (is_hidden(s))
				bug("no part defines %s", name);
			Elf64_Sym global = moved(p, s);
			global.st_name = add_name(&m->names, name);
			vec_push(m->a, &m->globals, global);
			number_known(m, name, (uint32_t)(m->locals.n + m->globals.n - 1));
			known = (uintptr_t)map_get(m->by_name, name);
		} else if (defined) {
			bug("two parts define %s", name);
		}
		p->numbers[i] = (uint32_t)known - 1;
	}
}

static void add_blob(merge *m)
{
	const elf_blob *b = m->blob;
	if (!b || !b->bytes)
		return;
	Elf64_Shdr header = {.sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC, .sh_addralign = b->align};
	if (b->far)
		header.sh_flags |= SECTION_LARGE;
	out_section *s = add_section(m, b->far ? ".lrodata.weights" : ".rodata.weights", header);
	s->header.sh_size = b->bytes;
	Elf64_Sym symbol = {
		.st_info = ELF64_ST_INFO(STB_LOCAL, STT_OBJECT), .st_shndx = (Elf64_Section)s->index, .st_size = b->bytes,
	};
	number_known(m, b->symbol, add_local(m, b->symbol, symbol));
}

static void add_symbols(merge *m)
{
	add_local(m, "", (Elf64_Sym){0});
	add_section_symbols(m);
	for (int i = 0; i < m->n_parts; i++)
		add_local_symbols(m, &m->parts[i], i == 0);
	add_blob(m);
	for (int i = 0; i < m->n_parts; i++)
		add_global_symbols(m, &m->parts[i], true);
	for (int i = 0; i < m->n_parts; i++)
		add_global_symbols(m, &m->parts[i], false);
}

/* ---- relocations -------------------------------------------------------------------------------------------------- */

static void move_relocations(merge *m, part *p, const Elf64_Shdr *s)
{
	const Elf64_Rela *from = (const Elf64_Rela *)(p->data + s->sh_offset);
	const in_section *in = &p->sections[s->sh_info];
	for (size_t i = 0; in->to && i < s->sh_size / sizeof *from; i++) {
		Elf64_Rela r = from[i];
		const Elf64_Sym *symbol = &p->symbols[ELF64_R_SYM(r.r_info)];
		r.r_offset += in->offset;
		if (ELF64_ST_TYPE(symbol->st_info) == STT_SECTION)
			r.r_addend += (Elf64_Sxword)p->sections[symbol->st_shndx].offset;
		r.r_info = ELF64_R_INFO((Elf64_Xword)p->numbers[ELF64_R_SYM(r.r_info)], ELF64_R_TYPE(r.r_info));
		vec_push(m->a, &in->to->relocations, r);
	}
}

static void add_relocations(merge *m)
{
	for (int i = 0; i < m->n_parts; i++)
		for (int j = 0; j < m->parts[i].header->e_shnum; j++)
			if (m->parts[i].sections[j].header->sh_type == SHT_RELA)
				move_relocations(m, &m->parts[i], m->parts[i].sections[j].header);
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

typedef struct writer {
	FILE *f;
	uint64_t at;
	bool ok;
} writer;

static void put(writer *w, const void *data, size_t n)
{
	w->ok = w->ok && (!n || fwrite(data, 1, n, w->f) == n);
	w->at += n;
}

static void fill_to(writer *w, uint64_t offset, unsigned char byte)
{
	assert(offset >= w->at);
	while (w->at < offset)
		put(w, &byte, 1);
}

static void put_section(writer *w, const merge *m, const out_section *s)
{
	if (s->header.sh_type == SHT_NOBITS)
		return;
	fill_to(w, s->header.sh_offset, 0);
	if (!s->from.n) {
		w->ok = w->ok && m->blob->write(m->blob->user, w->f);
		w->at += m->blob->bytes;
	}
	bool code = s->header.sh_flags & SHF_EXECINSTR && m->parts[0].header->e_machine == EM_X86_64;
	for (int i = 0; i < s->from.n; i++) {
		fill_to(w, s->header.sh_offset + s->from.v[i]->offset, code ? TRAP_X86 : 0);
		put(w, s->from_part.v[i]->data + s->from.v[i]->header->sh_offset, s->from.v[i]->header->sh_size);
	}
}

/* The headers of tables behind the sections: relocations, symbols, names. */
typedef vec(Elf64_Shdr) header_list;

static void lay_table(merge *m, header_list *list, uint64_t *at, Elf64_Shdr h)
{
	h.sh_offset = align_up(*at, h.sh_addralign);
	*at = h.sh_offset + h.sh_size;
	vec_push(m->a, list, h);
}

static void lay_sections(merge *m, header_list *list, uint64_t *at)
{
	for (int i = 0; i < m->sections.n; i++) {
		Elf64_Shdr *h = &m->sections.v[i]->header;
		h->sh_name = add_name(&m->section_names, m->sections.v[i]->name);
		h->sh_offset = align_up(*at, h->sh_addralign);
		*at = h->sh_offset + (h->sh_type == SHT_NOBITS ? 0 : h->sh_size);
		vec_push(m->a, list, *h);
	}
}

static int count_relocated(const merge *m)
{
	int n = 0;
	for (int i = 0; i < m->sections.n; i++)
		n += m->sections.v[i]->relocations.n > 0;
	return n;
}

static void lay_tables(merge *m, header_list *list, uint64_t *at)
{
	uint32_t symtab = (uint32_t)(1 + m->sections.n + count_relocated(m));
	for (int i = 0; i < m->sections.n; i++) {
		const out_section *s = m->sections.v[i];
		if (!s->relocations.n)
			continue;
		lay_table(m, list, at, (Elf64_Shdr){
			.sh_name = add_name(&m->section_names, arena_printf(m->a, ".rela%s", s->name)), .sh_type = SHT_RELA,
			.sh_flags = SHF_INFO_LINK, .sh_size = (uint64_t)s->relocations.n * sizeof(Elf64_Rela), .sh_link = symtab,
			.sh_info = s->index, .sh_addralign = 8, .sh_entsize = sizeof(Elf64_Rela),
		});
	}
	lay_table(m, list, at, (Elf64_Shdr){
		.sh_name = add_name(&m->section_names, ".symtab"), .sh_type = SHT_SYMTAB,
		.sh_size = (uint64_t)(m->locals.n + m->globals.n) * sizeof(Elf64_Sym), .sh_link = symtab + 1,
		.sh_info = (uint32_t)m->locals.n, .sh_addralign = 8, .sh_entsize = sizeof(Elf64_Sym),
	});
	lay_table(m, list, at, (Elf64_Shdr){
		.sh_name = add_name(&m->section_names, ".strtab"), .sh_type = SHT_STRTAB, .sh_size = m->names.len, .sh_addralign = 1,
	});
	uint32_t own = add_name(&m->section_names, ".shstrtab");
	lay_table(m, list, at, (Elf64_Shdr){
		.sh_name = own, .sh_type = SHT_STRTAB, .sh_size = m->section_names.len, .sh_addralign = 1,
	});
}

static bool write_merged(merge *m, FILE *f)
{
	header_list list = {0};
	uint64_t at = sizeof(Elf64_Ehdr);
	vec_push(m->a, &list, (Elf64_Shdr){0});
	lay_sections(m, &list, &at);
	lay_tables(m, &list, &at);

	Elf64_Ehdr header = *m->parts[0].header;
	header.e_shoff = align_up(at, 8);
	header.e_shnum = (Elf64_Half)list.n;
	header.e_shstrndx = (Elf64_Half)(list.n - 1);
	writer w = {.f = f, .ok = true};
	put(&w, &header, sizeof header);
	for (int i = 0; i < m->sections.n; i++)
		put_section(&w, m, m->sections.v[i]);
	for (int i = 0, table = 1 + m->sections.n; i < m->sections.n; i++) {
		const out_section *s = m->sections.v[i];
		if (!s->relocations.n)
			continue;
		fill_to(&w, list.v[table++].sh_offset, 0);
		put(&w, s->relocations.v, (size_t)s->relocations.n * sizeof(Elf64_Rela));
	}
	fill_to(&w, list.v[list.n - 3].sh_offset, 0);
	put(&w, m->locals.v, (size_t)m->locals.n * sizeof(Elf64_Sym));
	put(&w, m->globals.v, (size_t)m->globals.n * sizeof(Elf64_Sym));
	put(&w, m->names.data, m->names.len);
	put(&w, m->section_names.data, m->section_names.len);
	fill_to(&w, header.e_shoff, 0);
	put(&w, list.v, (size_t)list.n * sizeof(Elf64_Shdr));
	return w.ok;
}

bool elf_merge(const void *const *objects, int n, const elf_blob *blob, FILE *out)
{
	arena *a = arena_new("elf");
	merge m = {
		.a = a, .parts = new_array(a, part, (size_t)n), .n_parts = n, .blob = blob, .by_key = map_new_str(a),
		.names = str_new(a), .section_names = str_new(a), .by_name = map_new_str(a),
	};
	str_addc(&m.names, '\0');
	str_addc(&m.section_names, '\0');
	for (int i = 0; i < n; i++) {
		read_part(&m, &m.parts[i], objects[i]);
		for (int j = 0; j < m.parts[i].header->e_shnum; j++)
			place_section(&m, &m.parts[i], &m.parts[i].sections[j]);
	}
	add_symbols(&m);
	add_relocations(&m);
	bool ok = write_merged(&m, out);
	arena_free(a);
	return ok;
}
