#include "tests/unit/unit.h"

#include "ir/kernel.h"
#include "ir/kernel_build.h"
#include "ir/text.h"

#include <string.h>

/* Text in the form that is printed, with every kind of line and statement. */
static const char everything[] =
	"program @net\n"
	"dim N = 1..128\n"
	"dim M = 0..\n"
	"input 0 %data: f32[N,3,4]\n"
	"input 1 %\"odd name\": i64[2] unused\n"
	"output 0 %prob: f32[N,12]\n"
	"output 1 %copy: f16[8] in %copied\n"
	"const %w: f32[3] = [1.0, -2.5, 0.0]\n"
	"const %h: f16[2] = [1.0, 0.5]\n"
	"arena %t0: f32[N*12] at 0 live 0..2\n"
	"arena %count: i64[1]\n"
	"workspace max(M*16, M*49152)\n"
	"\n"
	"kernel @\"conv1+relu1\"(data: f32[N*12] align 4, w: f32[3], out t0: f32[N*12]) parallel t < N "
	"nodes \"conv1 (Conv), relu1 (Relu)\" flops N*24 bytes N*96 {\n"
	"  for oh < 3 {\n"
	"    vector c < 4 lanes 4 {\n"
	"      let x = data[t*12 + oh*4 + c]\n"
	"      var acc = 0.0\n"
	"      acc = fma(x, w[oh], acc)\n"
	"      t0[t*12 + oh*4 + c] = max(acc, 0.0)\n"
	"    }\n"
	"  }\n"
	"}\n"
	"\n"
	"kernel @rest(t0: f32[N*12], out prob: f32[N*12] align 4, out copied: f16[8] align 2, out count: i64[1]) {\n"
	"  var m = -inf\n"
	"  var s = 0.0\n"
	"  vector c1 < N*12 reduce(m: max, s: add) {\n"
	"    m = max(m, t0[c1])\n"
	"    s = s + t0[c1]\n"
	"  }\n"
	"  array row: f32[8]\n"
	"  unroll u < 8 {\n"
	"    row[u] = m\n"
	"    prefetch t0[u] 3\n"
	"  }\n"
	"  var i: i64 = 0\n"
	"  while (i < 8) {\n"
	"    let more: bool = i > 3\n"
	"    if (more) {\n"
	"      copied[{i in 0..7}] = row[{i in 0..7}]\n"
	"    } else {\n"
	"      copied[{i in 0..7}] = s\n"
	"    }\n"
	"    i = i + 1\n"
	"  }\n"
	"  vector c2 < N*12 {\n"
	"    stream prob[c2] = t0[c2]\n"
	"  }\n"
	"  count[0] = [N]\n"
	"}\n"
	"\n"
	"run {\n"
	"  @\"conv1+relu1\"(%data, %w, %t0)\n"
	"  @rest(%t0, %prob, %copied, %count)\n"
	"  bind M = %count\n"
	"}\n";

static program *parse(arena *a, diag *d, const char *text, size_t n)
{
	return program_parse(a, "k", text, n, d);
}

/* A program that must parse. */
static program *parse_ok(arena *a, const char *text)
{
	diag *d = diag_new(a, NULL);
	program *p = parse(a, d, text, strlen(text));
	if (!p)
		fail_msg("%s", diag_text(d));
	return p;
}

static const char *printed(arena *a, program *p)
{
	str s = str_new(a);
	program_print(&s, p);
	return s.data;
}

static const char *why_not(arena *a, const program *p)
{
	const char *why = NULL;
	return program_verify(p, a, &why) ? NULL : why;
}

static void text_reads_back(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	program *p = parse_ok(a, everything);
	assert_string_equal(printed(a, p), everything);
	const char *why = why_not(a, p);
	if (why)
		fail_msg("%s", why);
	arena_free(a);
}

static void expect_line(stmt *s, void *user)
{
	const char *line = user;
	for (int i = 1; i < s->line; i++)
		line = strchr(line, '\n') + 1;
	static const char *const begins[] = {
		[STMT_LET] = "let", [STMT_VAR] = "var", [STMT_IF] = "if", [STMT_WHILE] = "while", [STMT_ARRAY] = "array",
		[STMT_PREFETCH] = "prefetch",
	};
	static const char *const loops[] = {"for", "vector", "unroll"};
	line += strspn(line, " ");
	const char *begin = s->kind == STMT_FOR ? loops[s->f.loop]
	                    : s->kind == STMT_SET ? s->set.l->name
	                    : s->kind == STMT_STORE ? (s->store.streaming ? "stream" : s->store.b->name)
	                                            : begins[s->kind];
	assert_memory_equal(line, begin, strlen(begin));
}

static void statements_know_their_line(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	program *p = parse_ok(a, everything);
	const char *text = printed(a, p);
	for (int i = 0; i < p->kernels.n; i++)
		kernel_walk(p->kernels.v[i], expect_line, (void *)(uintptr_t)text);
	assert_int_equal(p->kernels.v[0]->line, 14);
	arena_free(a);
}

static void errors_name_their_place(void **state)
{
	(void)state;
#define K "program @p\nkernel @k(a: f32[8], out b: f32[8]) {\n"
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"", "k:1:1: error: expected 'program'"},
		{"program @p\nfoo", "k:2:1: error: expected dim, input"},
		{"program @p\ndim N = 4..2", "k:2:5: error: the range of dimension N is empty"},
		{"program @p\ndim N = 1..2 dim N = 1..2", "k:2:18: error: dimension N is declared twice"},
		{"program @p\ninput 1 %x: f32[2]", "k:2:7: error: expected position 0"},
		{"program @p\narena %x: f32[2] arena %x: f32[2]", "k:2:24: error: storage %x is declared twice"},
		{"program @p\narena %x: f32[Q]", "k:2:15: error: unknown variable 'Q'"},
		{"program @p\nconst %x: f32[2] = [1.0]", "k:2:20: error: 1 elements, expected 2"},
		{"program @p\nconst %x: f32[2] = digest(0x1)", "k:2:20: error: a constant printed as a digest"},
		{"program @p\nrun { @k() }", "k:2:7: error: unknown kernel @k"},
		{"program @p\nrun { } run { }", "k:2:9: error: a second 'run'"},
		{"program @p\nkernel @k(a: f32[1], a: f32[1]) { }", "k:2:22: error: 'a' is declared twice"},
		{"program @p\nkernel @k(a: f32[1] align 3) { }", "k:2:27: error: the alignment 3 is not a power"},
		{"program @p\nkernel @k(a: f32[i]) parallel i < 3 { }", "k:2:18: error: unknown variable 'i'"},
		{K "  let x = y\n}", "k:3:11: error: unknown buffer or local 'y'"},
		{K "  let x = 1.0\n  x = 2.0\n}", "k:4:3: error: 'x' is a let"},
		{K "  let x: i32 = 1.0\n}", "k:3:16: error: the expression is f32, expected i32"},
		{K "  let x: f16 = 1.0\n}", "k:3:10: error: a local has a compute type"},
		{K "  if (1.0) { }\n}", "k:3:7: error: the expression is f32, expected bool"},
		{K "  for i < 2 { let x = 1.0 }\n  b[0] = x\n}", "k:4:10: error: 'x' is declared in a block that has ended"},
		{K "  for i < 2 { }\n  b[i] = 1.0\n}", "k:4:5: error: unknown variable 'i'"},
		{K "  for i < 2 { for i < 2 { } }\n}", "k:3:19: error: loop variable 'i'"},
		{K "  vector i < 2 lanes 2000 { }\n}", "k:3:22: error: the number of lanes is 2000"},
		{K "  vector i < 2 reduce(a: add) { }\n}", "k:3:23: error: a reduction names a local"},
		{K "  prefetch a[0] 4\n}", "k:3:17: error: the locality is 4"},
		{K "  b[0] = 1\n}", "k:3:10: error: the expression is i64, expected f32"},
		{K "  let x = 1.0\n", "k:4:1: error: expected a statement, found the end"},
		{K "}\nrun { @k(%a, %b) }", "k:4:10: error: unknown storage %a"},
		{K "}\narena %a: i64[8] run { @k(%a, %a) }", "k:4:27: error: %a is i64, parameter 'a' of @k is f32"},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		diag *d = diag_new(a, NULL);
		assert_null(parse(a, d, rows[i].text, strlen(rows[i].text)));
		if (!strstr(diag_text(d), rows[i].message))
			fail_msg("row %zu: found %s, expected %s", i, diag_text(d), rows[i].message);
		arena_free(a);
	}
}

/* Every prefix, and every text with one byte changed, is read or refused, and what is read can be verified and printed. */
static void hostile_text_is_refused(void **state)
{
	(void)state;
	static const char bytes[] = "\0\"%@{}[]()<:=9x\n-*/\xff";
	size_t n = sizeof everything - 1, refused = 0;
	char text[sizeof everything];
	for (size_t i = 0; i < n; i++) {
		for (size_t b = 0; b < sizeof bytes; b += i % 3 + 1) {
			memcpy(text, everything, n);
			text[i] = bytes[b];
			arena *a = arena_new("test");
			diag *d = diag_new(a, NULL);
			program *p = parse(a, d, text, b == 0 ? i : n);
			if (p) {
				why_not(a, p);
				printed(a, p);
			} else {
				assert_int_equal(diag_error_count(d), 1);
				refused++;
			}
			arena_free(a);
		}
	}
	assert_true(refused > n);
}

static void deep_nesting_is_refused(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	str s = str_new(a);
	str_add(&s, K);
	for (int i = 0; i < 100000; i++)
		str_add(&s, "if (true) {");
	diag *d = diag_new(a, NULL);
	assert_null(parse(a, d, s.data, s.len));
	assert_non_null(strstr(diag_text(d), "nested deeper"));
	arena_free(a);
}

static void long_expressions_are_refused(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	str s = str_new(a);
	str_add(&s, K "b[0] = a[0]");
	for (int i = 0; i < 100000; i++)
		str_add(&s, " + a[0]");
	str_add(&s, "}");
	diag *d = diag_new(a, NULL);
	assert_null(parse(a, d, s.data, s.len));
	assert_non_null(strstr(diag_text(d), "operators in one expression"));
	arena_free(a);
}

static void violations_are_found(void **state)
{
	(void)state;
	static const struct {
		const char *body, *why; /* NULL: none */
	} rows[] = {
		{"vector i < 8 { b[i] = a[i] }", NULL},
		{"a[0] = 1.0", "'a' is stored to but is not an out parameter"},
		{"vector i < 8 { vector j < 8 { b[i] = a[j] } }", "vector loop 'j' is inside vector loop 'i'"},
		{"var s = 0.0 vector i < 8 { s = s + a[i] } b[0] = s", "which does not reduce it"},
		{"var s = 0.0 vector i < 8 reduce(s: add) { s = s + a[i] } b[0] = s", NULL},
		{"var s = 0.0 vector i < 8 reduce(s: add) { s = fma(a[i], a[i], s) s = s - a[i] } b[0] = s", NULL},
		{"var s = 0.0 vector i < 8 reduce(s: add) { s = select(a[i] > 0.0, s + a[i], s) } b[0] = s", NULL},
		{"var s = 0.0 vector i < 8 reduce(s: max) { s = s + a[i] } b[0] = s", "reduced by max but assigned otherwise"},
		{"var s = 0.0 vector i < 8 reduce(s: add) { s = s + s } b[0] = s", "reduced by add but assigned otherwise"},
		{"var s = 0.0 vector i < 8 reduce(s: add) { s = a[i] - s } b[0] = s", "reduced by add but assigned otherwise"},
		{"var s = 0.0 vector i < 8 reduce(s: add) { s = s + a[i] b[i] = s }", "'s' is read inside the vector loop"},
		{"let s = a[0] vector i < 8 reduce(s: add) { b[i] = a[i] }", "'s' is reduced but is a let"},
		{"var s = 0.0 vector i < 8 reduce(s: sub) { b[i] = a[i] }", "cannot be combined by sub"},
		{"var s = 0.0 vector i < 8 reduce(s: and) { b[i] = a[i] }", "cannot be combined by and"},
		{"var s = 0.0 vector i < 8 reduce(s: add, s: add) { b[i] = a[i] }", "reduced twice"},
		{"vector i < 8 { if (a[i] > 0.0) { b[i] = 1.0 } }", "the condition of an if inside vector loop 'i' differs"},
		{"vector i < 8 { if (a[0] > 0.0) { b[i] = 1.0 } }", NULL},
		{"vector i < 8 { let x = a[i] while (x > 0.0) { } }", "the condition of a while inside vector loop 'i' differs"},
		{"vector i < 8 { var x = 0.0 for k < 3 { if (x > 1.0) { } x = a[i] } }", "the condition of an if"},
		{"vector i < 8 { for k < i { b[k] = 1.0 } }", "a loop extent inside vector loop 'i' differs"},
		{"vector i < 8 { let k: i64 = [i] for j < {k in 0..8} { b[i] = a[i] } }", "a loop extent inside vector loop"},
		{"unroll u < N { b[u] = 0.0 }", "the extent of unroll 'u' is not a constant up to 4096"},
		{"unroll u < 5000 { b[u] = 0.0 }", "the extent of unroll 'u' is not a constant up to 4096"},
		{"unroll u < 4096 { unroll w < 17 { b[u] = 0.0 } }", "makes more than 65536 copies"},
		{"array x: f32[N]", "the size of array 'x' is not constant"},
		{"array x: f32[65536]", NULL},
		{"array x: f32[65537]", "array 'x' is larger than 262144 bytes"},
		{"array x: f32[40000] array y: f32[40000]", "arrays take more than 262144 bytes together"},
		{"vector i < 8 { array x: f32[4] }", "array 'x' is declared inside a vector loop"},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		str s = str_new(a);
		str_addf(&s, "program @p\ndim N = 1..9\nkernel @k(a: f32[N*8], out b: f32[N*8]) {\n%s\n}\n", rows[i].body);
		const char *why = why_not(a, parse_ok(a, s.data));
		if (!why != !rows[i].why || (why && !strstr(why, rows[i].why)))
			fail_msg("row %zu: found %s, expected %s", i, why ? why : "no violation", rows[i].why ? rows[i].why : "none");
		arena_free(a);
	}
}

static void violations_of_programs_are_found(void **state)
{
	(void)state;
	static const struct {
		const char *rest, *why;
	} rows[] = {
		{"arena %t: f32[8] run { @k(%x, %t) @k(%t, %y) }", "'a' to 64"},
		{"arena %t: f32[8] arena %u: f32[8] run { @k(%t, %u) }", "reads %t before anything wrote it"},
		{"arena %t: f32[8] const %c: f32[8] = splat(1.0) run { @k(%c, %t) @k(%t, %t) }", NULL},
		{"const %c: f32[8] = splat(1.0) run { @k(%c, %c) }", "writes %c, an input or constant"},
		{"const %c: f32[8] = splat(1.0) arena %t: f32[4] run { @k(%c, %t) }", "%t is smaller than 'b'"},
		{"const %c: f32[8] run { }", "constant %c has no data"},
		{"arena %t: f32[8] at 32 live 0..1 run { }", "arena %t is at 32, no multiple of 64"},
		{"dim N = 1..2 run { bind N = %x }", "which is f32"},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		str s = str_new(a);
		str_addf(&s, "program @p\ninput 0 %%x: f32[8]\noutput 0 %%y: f32[8]\n"
		             "kernel @k(a: f32[8], out b: f32[8]) { vector i < 8 { b[i] = a[i] } }\n%s\n", rows[i].rest);
		const char *why = why_not(a, parse_ok(a, s.data));
		if (!why != !rows[i].why || (why && !strstr(why, rows[i].why)))
			fail_msg("row %zu: found %s, expected %s", i, why ? why : "no violation", rows[i].why ? rows[i].why : "none");
		arena_free(a);
	}
}

static void equal_kernels_are_told(void **state)
{
	(void)state;
	static const char base[] = "(a: f32[N*8], out b: f32[N*8]) parallel t < N {\n"
		"var s = 0.0 vector i < 8 reduce(s: add) { let x = a[t*8 + i] s = s + x*x }\n"
		"for j < 8 { let y = a[t*8 + j] b[t*8 + j] = y / s }\n}\n";
	static const struct {
		const char *text;
		bool same;
	} rows[] = {
		{base, true},
		{"(p: f32[N*8], out q: f32[N*8]) parallel tt < N {\n"
		 "var m = 0.0 vector k < 8 reduce(m: add) { let v = p[k + tt*8] m = m + v*v }\n"
		 "for z < 8 { let w = p[tt*8 + z] q[tt*8 + z] = w / m }\n}\n", true},
		{"(a: f32[N*9], out b: f32[N*8]) parallel t < N {\n" /* another size */
		 "var s = 0.0 vector i < 8 reduce(s: add) { let x = a[t*8 + i] s = s + x*x }\n"
		 "for j < 8 { let y = a[t*8 + j] b[t*8 + j] = y / s }\n}\n", false},
		{"(a: f32[N*8], out b: f32[N*8]) parallel t < N {\n" /* another loop kind */
		 "var s = 0.0 vector i < 8 reduce(s: add) { let x = a[t*8 + i] s = s + x*x }\n"
		 "unroll j < 8 { let y = a[t*8 + j] b[t*8 + j] = y / s }\n}\n", false},
		{"(a: f32[N*8], out b: f32[N*8]) parallel t < N {\n" /* another local */
		 "var s = 0.0 vector i < 8 reduce(s: add) { let x = a[t*8 + i] s = s + x*x }\n"
		 "for j < 8 { let y = a[t*8 + j] b[t*8 + j] = s / y }\n}\n", false},
		{"(a: f32[N*8], out b: f32[N*8]) parallel t < N {\n" /* another buffer */
		 "var s = 0.0 vector i < 8 reduce(s: add) { let x = b[t*8 + i] s = s + x*x }\n"
		 "for j < 8 { let y = a[t*8 + j] b[t*8 + j] = y / s }\n}\n", false},
		{"(a: f32[N*8], out b: f32[N*8]) {\n" /* no tiles */
		 "var s = 0.0 vector i < 8 reduce(s: add) { let x = a[i] s = s + x*x }\n"
		 "for j < 8 { let y = a[j] b[j] = y / s }\n}\n", false},
	};
	arena *a = arena_new("test");
	str s = str_new(a);
	str_addf(&s, "program @p\ndim N = 1..9\nkernel @base%s", base);
	for (size_t i = 0; i < N_ROWS(rows); i++)
		str_addf(&s, "kernel @k%zu%s", i, rows[i].text);
	program *p = parse_ok(a, s.data);
	const kernel *k = p->kernels.v[0];
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		const kernel *other = p->kernels.v[i + 1];
		assert_int_equal(kernel_same_code(k, other), rows[i].same);
		assert_int_equal(kernel_same_code(other, k), rows[i].same);
		assert_int_equal(kernel_code_hash(k) == kernel_code_hash(other), rows[i].same);
	}
	arena_free(a);
}

/* Terms of a sum stand in the order in which they were made. */
static void order_of_creation_does_not_matter(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	sym_ctx *syms = sym_ctx_new(a);
	program *p = program_new(a, syms, expr_ctx_new(a, syms), "p");
	sym *n = sym_dim(syms, "N", 1, 100), *extent = sym_const(syms, 8);
	kernel *k[2];
	for (int i = 0; i < 2; i++) {
		kernel_builder b;
		k[i] = kernel_new(p, "k");
		kb_init(&b, k[i]);
		buffer *out = kb_param(&b, "out", F32, sym_muli(n, 100), true, 4);
		sym *x = kb_for(&b, "x", extent);
		sym *half = sym_divi(n, 2); /* newer than the first x, older than the second */
		kb_store(&b, out, sym_add(half, x), expr_float(b.exprs, F32, 1));
		kb_end(&b);
	}
	assert_string_equal(k[0]->name, "k");
	assert_string_equal(k[1]->name, "k_1");
	assert_true(kernel_same_code(k[0], k[1]));
	assert_true(kernel_code_hash(k[0]) == kernel_code_hash(k[1]));
	arena_free(a);
}

static void builders_write_kernels(void **state)
{
	(void)state;
	for (int opt = 0; opt < 2; opt++) {
		arena *a = arena_new("test");
		sym_ctx *syms = sym_ctx_new(a);
		program *p = program_new(a, syms, expr_ctx_new(a, syms), "p");
		sym *n = sym_dim(syms, "N", 1, 100);
		kernel_builder b;
		kb_init(&b, kernel_new(p, "k"));
		b.opt = opt;
		buffer *x = kb_param(&b, "in/x", F16, n, false, 2);
		buffer *y = kb_param(&b, "max", F32, n, true, 64);
		sym *t = kb_parallel(&b, "t", sym_ceildiv(n, sym_const(syms, 8)));
		local *sum = kb_var(&b, "sum", F32, expr_int(b.exprs, I64, 0));
		sym *i = kb_vector(&b, "i", sym_const(syms, 8), 0);
		kb_reduces(&b, sum, EXPR_ADD);
		const expr *e = kb_let(&b, "e", kb_load(&b, x, sym_add(sym_muli(t, 8), i)));
		assert_ptr_equal(kb_let(&b, "e", e), e);
		kb_set(&b, sum, expr_binary(b.exprs, EXPR_ADD, kb_get(&b, sum), e));
		kb_end(&b);
		kb_if(&b, expr_binary(b.exprs, EXPR_GT, kb_get(&b, sum), expr_float(b.exprs, F32, 1)));
		const expr *before = kb_let(&b, "sum", kb_get(&b, sum)); /* a copy: sum is assigned below */
		kb_set(&b, sum, expr_float(b.exprs, F32, 1));
		kb_store(&b, y, t, before);
		kb_else(&b);
		kb_store(&b, y, t, expr_index(b.exprs, t));
		kb_end(&b);
		str s = str_new(a);
		kernel_print(&s, b.k);
		const char *expected = arena_printf(a,
			"kernel @k(in_x: f16[N] align 2, out max_: f32[N]) parallel t < (N + 7) / 8 {\n"
			"  var sum = 0.0\n"
			"  %s i < 8%s {\n"
			"    let e = in_x[t*8 + i]\n"
			"    sum = sum + e\n"
			"  }\n"
			"  if (sum > 1.0) {\n"
			"    let sum_1 = sum\n"
			"    sum = 1.0\n"
			"    max_[t] = sum_1\n"
			"  } else {\n"
			"    max_[t] = cast<f32>([t])\n"
			"  }\n"
			"}\n", opt ? "vector" : "for", opt ? " reduce(sum: add)" : "");
		assert_string_equal(s.data, expected);
		const char *why = NULL;
		if (!kernel_verify(b.k, a, &why))
			fail_msg("%s", why);
		arena_free(a);
	}
}

/* Loops in storage order, none for dims of 1, the innermost of the others a vector loop. */
static void nests_follow_the_storage(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	sym_ctx *syms = sym_ctx_new(a);
	program *p = program_new(a, syms, expr_ctx_new(a, syms), "p");
	kernel_builder b;
	kb_init(&b, kernel_new(p, "k"));
	b.opt = 1;
	sym *dims[] = {sym_const(syms, 2), sym_const(syms, 3), sym_const(syms, 1), sym_const(syms, 5)};
	layout channels_last = {.order = {0, 3, 1, 2}};
	value v = {.type = F32, .rank = 4, .dims = dims, .layout = &channels_last};
	coord at = kb_nest(&b, &v, true);
	kb_end_nest(&b, &v);
	assert_int_equal(b.open.n, 1);
	assert_true(sym_is(at.i[2], 0));
	static const int axes[] = {0, 3, 1};
	const block *inner = &b.k->body;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(inner->n, 1);
		const stmt *s = inner->v[0];
		assert_int_equal(s->f.loop, i == 2 ? LOOP_VECTOR : LOOP_SERIAL);
		assert_ptr_equal(s->f.var, at.i[axes[i]]);
		assert_ptr_equal(s->f.extent, dims[axes[i]]);
		inner = &s->f.body;
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_reads_back),
		cmocka_unit_test(statements_know_their_line),
		cmocka_unit_test(errors_name_their_place),
		cmocka_unit_test(hostile_text_is_refused),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(long_expressions_are_refused),
		cmocka_unit_test(violations_are_found),
		cmocka_unit_test(violations_of_programs_are_found),
		cmocka_unit_test(equal_kernels_are_told),
		cmocka_unit_test(order_of_creation_does_not_matter),
		cmocka_unit_test(builders_write_kernels),
		cmocka_unit_test(nests_follow_the_storage),
	};
	return RUN_TESTS(tests);
}
