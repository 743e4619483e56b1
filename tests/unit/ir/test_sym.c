/* Symbolic integers: the identities that fusion relies on, proofs, and random expressions against a naive evaluation. */
#include "tests/unit/unit.h"

#include "ir/sym.h"
#include "support/arena.h"

typedef struct fixture {
	arena *a;
	sym_ctx *c;
	sym *N, *H, *W, *I, *M; /* dims >= 1; Z may be 0 */
	sym *Z;
	sym *i, *j, *ci, *n, *h, *w, *x; /* i < I, j < W, ci < 16, n < N, h < H, w < W, x >= 0 below N*H*W */
} fixture;

static fixture setup(void)
{
	fixture f;
	f.a = arena_new("test");
	f.c = sym_ctx_new(f.a);
	f.N = sym_dim(f.c, "N", 1, INT64_MAX);
	f.H = sym_dim(f.c, "H", 1, INT64_MAX);
	f.W = sym_dim(f.c, "W", 1, INT64_MAX);
	f.I = sym_dim(f.c, "I", 0, INT64_MAX);
	f.M = sym_dim(f.c, "M", 1, 512);
	f.Z = sym_dim(f.c, "Z", 0, INT64_MAX);
	f.i = sym_loop(f.c, "i", f.I);
	f.j = sym_loop(f.c, "j", f.W);
	f.ci = sym_loop(f.c, "c", sym_const(f.c, 16));
	f.n = sym_loop(f.c, "n", f.N);
	f.h = sym_loop(f.c, "h", f.H);
	f.w = sym_loop(f.c, "w", f.W);
	f.x = sym_loop(f.c, "x", sym_mul(sym_mul(f.N, f.H), f.W));
	return f;
}

static const char *text(const fixture *f, sym *s)
{
	str out = str_new(f->a);
	sym_print(&out, s);
	return out.data;
}

#define assert_sym(f, got, want)                                                                    \
	do {                                                                                        \
		sym *g_ = (got), *w_ = (want);                                                      \
		if (g_ != w_)                                                                       \
			print_error("%s: is %s, not %s\n", #got, text(f, g_), text(f, w_));          \
		assert_ptr_equal(g_, w_);                                                           \
	} while (0)

static sym *add(sym *a, sym *b) { return sym_add(a, b); }
static sym *mul(sym *a, sym *b) { return sym_mul(a, b); }
static sym *divs(sym *a, sym *b) { return sym_floordiv(a, b); }
static sym *mod(sym *a, sym *b) { return sym_mod(a, b); }

static void test_sums(void **state)
{
	(void)state;
	fixture f = setup();
	sym *x = f.i, *y = f.j;
	assert_sym(&f, add(x, y), add(y, x));
	assert_sym(&f, sym_sub(add(x, y), y), x);
	assert_sym(&f, add(x, x), sym_muli(x, 2));
	assert_sym(&f, mul(add(x, y), add(x, y)), add(add(mul(x, x), sym_muli(mul(y, x), 2)), mul(y, y)));
	assert_sym(&f, sym_sub(x, x), sym_const(f.c, 0));
	assert_sym(&f, sym_muli(x, 0), sym_const(f.c, 0));
	assert_sym(&f, sym_neg(sym_neg(add(x, y))), add(x, y));
	assert_sym(&f, sym_product(f.c, NULL, 0), sym_const(f.c, 1));
	assert_sym(&f, sym_product(f.c, (sym *[]){x, y, x}, 3), mul(x, mul(x, y)));
	sym *many = sym_const(f.c, 0), *back = sym_const(f.c, 0), *v[60];
	for (int k = 0; k < 60; k++)
		v[k] = sym_loop(f.c, "v", f.N);
	for (int k = 0; k < 60; k++) {
		many = add(many, v[k]);
		back = add(v[59 - k], back);
	}
	assert_sym(&f, many, back);
	arena_free(f.a);
}

static void test_constant_divisors(void **state)
{
	(void)state;
	fixture f = setup();
	sym *flat = add(sym_muli(f.i, 16), f.ci);
	assert_sym(&f, sym_divi(flat, 16), f.i);
	assert_sym(&f, sym_modi(flat, 16), f.ci);
	assert_sym(&f, sym_divi(add(sym_muli(f.i, 64), sym_addi(sym_muli(f.ci, 4), 3)), 64), f.i);
	assert_sym(&f, sym_divi(sym_addi(sym_muli(f.Z, 7), 3), 7), f.Z);
	assert_sym(&f, sym_divi(sym_addi(sym_muli(f.Z, 7), -1), 7), sym_addi(f.Z, -1));
	assert_sym(&f, sym_modi(sym_addi(sym_muli(f.Z, 7), -1), 7), sym_const(f.c, 6));
	assert_sym(&f, sym_divi(sym_muli(f.N, 4), 4), f.N);
	assert_sym(&f, sym_divi(sym_muli(f.N, 6), 4), sym_divi(sym_muli(f.N, 3), 2));
	assert_sym(&f, sym_ceildiv(sym_muli(f.N, 16), sym_const(f.c, 16)), f.N);
	assert_sym(&f, sym_modi(f.x, 1), sym_const(f.c, 0));
	assert_sym(&f, sym_divi(f.x, 1), f.x);
	assert_sym(&f, sym_divi(sym_divi(f.x, 3), 5), sym_divi(f.x, 15));
	assert_sym(&f, sym_divi(sym_addi(sym_divi(f.x, 3), 2), 5), sym_divi(sym_addi(f.x, 6), 15));
	assert_sym(&f, sym_modi(sym_modi(f.x, 24), 8), sym_modi(f.x, 8));
	assert_sym(&f, sym_modi(add(sym_modi(f.x, 24), f.i), 8), sym_modi(add(f.x, f.i), 8));
	assert_sym(&f, sym_divi(sym_modi(f.x, 24), 8), sym_modi(sym_divi(f.x, 8), 3));
	assert_sym(&f, sym_divi(add(add(sym_muli(f.i, 64), sym_muli(f.h, 16)), f.ci), 32),
		   add(sym_muli(f.i, 2), sym_divi(f.h, 2)));
	assert_sym(&f, sym_modi(add(sym_muli(f.h, 16), f.ci), 32), add(sym_muli(sym_modi(f.h, 2), 16), f.ci));
	assert_sym(&f, sym_divi(f.ci, 16), sym_const(f.c, 0));
	assert_sym(&f, sym_modi(sym_addi(f.ci, 32), 16), f.ci);
	arena_free(f.a);
}

static void test_symbolic_divisors(void **state)
{
	(void)state;
	fixture f = setup();
	sym *HW = mul(f.H, f.W), *flat = add(mul(add(mul(f.n, f.H), f.h), f.W), f.w);
	assert_sym(&f, divs(add(mul(f.i, f.W), f.j), f.W), f.i);
	assert_sym(&f, mod(add(mul(f.i, f.W), f.j), f.W), f.j);
	assert_sym(&f, divs(flat, HW), f.n);
	assert_sym(&f, mod(divs(flat, f.W), f.H), f.h);
	assert_sym(&f, mod(flat, f.W), f.w);
	assert_sym(&f, divs(mod(flat, HW), f.W), f.h);
	assert_sym(&f, divs(sym_muli(f.N, 64), f.N), sym_const(f.c, 64));
	assert_sym(&f, divs(mul(f.N, HW), HW), f.N);
	assert_sym(&f, divs(mul(f.N, HW), f.H), mul(f.N, f.W));
	assert_sym(&f, divs(mul(f.x, f.N), mul(f.W, f.N)), divs(f.x, f.W));
	assert_sym(&f, divs(divs(f.x, f.W), f.H), divs(f.x, HW));
	assert_sym(&f, mod(mod(f.x, HW), f.W), mod(f.x, f.W));
	assert_sym(&f, sym_ceildiv(mul(f.N, f.W), f.W), f.N);
	assert_sym(&f, divs(f.x, mul(f.N, HW)), sym_const(f.c, 0));
	assert_sym(&f, mod(f.x, mul(f.N, HW)), f.x);
	/* Channel blocks: n, c/16, h, w, c%16 as one index. */
	sym *C = sym_muli(f.M, 16), *c = sym_loop(f.c, "ch", C);
	sym *block = add(mul(add(mul(f.n, f.M), sym_divi(c, 16)), sym_muli(HW, 16)),
			 add(sym_muli(add(mul(f.h, f.W), f.w), 16), sym_modi(c, 16)));
	assert_sym(&f, sym_modi(block, 16), sym_modi(c, 16));
	assert_sym(&f, mod(sym_divi(block, 16), f.W), f.w);
	assert_sym(&f, divs(block, sym_muli(HW, 16)), add(mul(f.n, f.M), sym_divi(c, 16)));
	assert_sym(&f, mod(divs(block, sym_muli(HW, 16)), f.M), sym_divi(c, 16));
	/* Divisors that are sums: the output of a convolution. */
	sym *oh = sym_addi(sym_dim(f.c, "P", 3, INT64_MAX), -2), *ow = sym_addi(sym_dim(f.c, "Q", 3, INT64_MAX), -2);
	sym *y = sym_loop(f.c, "y", oh), *xx = sym_loop(f.c, "xx", ow);
	sym *index = add(mul(add(mul(f.n, oh), y), ow), xx);
	assert_sym(&f, mod(index, ow), xx);
	assert_sym(&f, divs(index, ow), add(mul(f.n, oh), y));
	assert_sym(&f, mod(divs(index, ow), oh), y);
	assert_sym(&f, divs(index, mul(oh, ow)), f.n);
	sym *half = sym_addi(sym_divi(f.H, 2), 1), *q = sym_loop(f.c, "q", half);
	assert_sym(&f, divs(add(mul(f.n, half), q), half), f.n);
	assert_sym(&f, mod(add(mul(f.n, half), q), half), q);
	arena_free(f.a);
}

static void test_recombination(void **state)
{
	(void)state;
	fixture f = setup();
	sym *HW = mul(f.H, f.W), *x = f.x;
	assert_sym(&f, add(mul(f.W, divs(x, f.W)), mod(x, f.W)), x);
	assert_sym(&f, add(sym_muli(sym_divi(x, 8), 8), sym_modi(x, 8)), x);
	assert_sym(&f, add(sym_muli(sym_divi(x, 8), 16), sym_muli(sym_modi(x, 8), 2)), sym_muli(x, 2));
	assert_sym(&f, add(mul(mul(f.W, f.M), divs(x, f.W)), mul(f.M, mod(x, f.W))), mul(f.M, x));
	sym *hw = mul(divs(x, HW), HW), *row = mul(mod(divs(x, f.W), f.H), f.W), *col = mod(x, f.W);
	assert_sym(&f, add(add(hw, row), col), x);
	assert_sym(&f, add(hw, add(row, col)), x);
	assert_sym(&f, add(add(row, hw), col), x);
	assert_sym(&f, add(row, col), mod(x, HW));
	assert_sym(&f, sym_sub(x, mul(f.W, divs(x, f.W))), mod(x, f.W));
	assert_sym(&f, sym_sub(sym_addi(x, 3), sym_muli(sym_divi(sym_addi(x, 3), 8), 8)), sym_modi(sym_addi(x, 3), 8));
	/* A reshape there and back: x -> (x/35, x/7%5, x%7) -> flat, with constants. */
	sym *flat = add(add(sym_muli(sym_divi(x, 35), 35), sym_muli(sym_modi(sym_divi(x, 7), 5), 7)), sym_modi(x, 7));
	assert_sym(&f, flat, x);
	/* Four levels. */
	sym *d[4] = {f.N, f.H, f.W, f.M}, *stride = sym_const(f.c, 1), *sum = sym_const(f.c, 0);
	for (int k = 3; k >= 0; k--) {
		sym *digit = divs(x, stride);
		sum = add(sum, mul(stride, k ? mod(digit, d[k]) : digit));
		stride = mul(stride, d[k]);
	}
	assert_sym(&f, sum, x);
	arena_free(f.a);
}

static void test_min_max(void **state)
{
	(void)state;
	fixture f = setup();
	sym *one = sym_const(f.c, 1), *zero = sym_const(f.c, 0);
	assert_sym(&f, sym_max(f.N, one), f.N);
	assert_sym(&f, sym_max(f.Z, zero), f.Z);
	assert_int_equal(sym_max(f.Z, one)->kind, SYM_MAX);
	assert_sym(&f, sym_min(f.i, f.i), f.i);
	assert_sym(&f, sym_min(f.j, sym_addi(f.W, -1)), f.j);
	assert_sym(&f, sym_min(f.M, sym_const(f.c, 1000)), f.M);
	assert_sym(&f, sym_max(sym_addi(f.i, 3), sym_addi(f.i, 5)), sym_addi(f.i, 5));
	assert_sym(&f, sym_min(sym_min(f.i, f.j), f.h), sym_min(f.h, sym_min(f.j, f.i)));
	assert_sym(&f, sym_max(sym_min(f.i, f.h), f.h), f.h);
	assert_sym(&f, sym_min(sym_min(f.i, f.h), sym_addi(f.h, -1)), sym_min(f.i, sym_addi(f.h, -1)));
	arena_free(f.a);
}

static void test_proofs(void **state)
{
	(void)state;
	fixture f = setup();
	sym *HW = mul(f.H, f.W), *flat = add(mul(add(mul(f.n, f.H), f.h), f.W), f.w);
	assert_true(sym_proves_lt(add(mul(f.i, f.W), f.j), mul(f.I, f.W)));
	assert_true(sym_proves_lt(flat, mul(f.N, HW)));
	assert_true(sym_proves_ge(flat, sym_const(f.c, 0)));
	assert_false(sym_proves_lt(sym_addi(flat, 1), mul(f.N, HW)));
	assert_false(sym_proves_lt(f.i, f.W));
	assert_true(sym_proves_lt(sym_divi(f.n, 4), sym_ceildiv(f.N, sym_const(f.c, 4))));
	assert_false(sym_proves_lt(sym_divi(f.n, 4), sym_divi(f.N, 4)));
	assert_true(sym_proves_ge(f.N, sym_muli(sym_divi(f.N, 4), 4)));
	assert_true(sym_proves_ge(sym_muli(sym_ceildiv(f.N, sym_const(f.c, 4)), 4), f.N));
	assert_true(sym_proves_ge(mul(sym_addi(f.N, -1), sym_addi(f.W, -1)), sym_const(f.c, 0)));
	assert_true(sym_proves_lt(mod(f.x, f.W), f.W));
	assert_true(sym_proves_lt(sym_min(f.i, sym_addi(f.W, -1)), f.W));
	assert_true(sym_proves_ge(sym_max(sym_addi(f.i, -3), sym_const(f.c, 0)), sym_const(f.c, 0)));
	assert_true(sym_proves_ge(sym_sub(sym_addi(f.W, -1), f.w), sym_const(f.c, 0)));
	assert_true(sym_proves_multiple(add(sym_muli(f.i, 16), sym_muli(f.N, 8)), 8));
	assert_false(sym_proves_multiple(add(sym_muli(f.i, 16), sym_muli(f.N, 8)), 16));
	assert_true(sym_proves_multiple(mul(sym_muli(f.i, 4), f.W), 4));
	/* A triangle: k < i + 1. */
	sym *k = sym_loop(f.c, "k", sym_addi(f.i, 1));
	assert_true(sym_proves_ge(f.i, k));
	assert_true(sym_proves_lt(k, f.I));
	arena_free(f.a);
}

static void test_ranges(void **state)
{
	(void)state;
	fixture f = setup();
	sym *one = sym_loop(f.c, "one", sym_const(f.c, 1)), *none = sym_loop(f.c, "none", sym_const(f.c, 0));
	assert_sym(&f, add(f.i, mul(one, f.W)), f.i);
	assert_sym(&f, add(none, f.i), f.i);
	sym *K = sym_find_dim(f.c, "K");
	assert_null(K);
	K = sym_dim(f.c, "K", 0, INT64_MAX);
	sym_set_range(K, 8, 8);
	assert_sym(&f, sym_dim(f.c, "K", 0, INT64_MAX), sym_const(f.c, 8));
	assert_sym(&f, mul(K, f.i), sym_muli(f.i, 8));
	assert_true(sym_is(K, 8));
	assert_int_equal(sym_value(K), 8);
	assert_int_equal(f.ci->hi, 15);
	assert_int_equal(sym_muli(f.ci, -2)->lo, -30);
	assert_int_equal(sym_modi(f.x, 5)->hi, 4);
	assert_string_equal(sym_loop(f.c, "i", f.N)->name, "i1");
	assert_string_equal(sym_loop(f.c, "i", f.N)->name, "i2");
	assert_false(sym_overflowed(f.c));
	(void)sym_muli(sym_const(f.c, INT64_MAX), 2);
	assert_true(sym_overflowed(f.c));
	sym_clear_overflow(f.c);
	(void)sym_muli(sym_muli(f.i, INT64_MAX / 2), 3);
	assert_true(sym_overflowed(f.c));
	arena_free(f.a);
}

static void test_affine_and_replace(void **state)
{
	(void)state;
	fixture f = setup();
	sym *cf, *rest;
	sym *s = add(add(mul(mul(f.i, f.W), f.H), sym_muli(f.i, 3)), sym_addi(f.j, 5));
	assert_true(sym_affine(s, f.i, &cf, &rest));
	assert_sym(&f, cf, sym_addi(mul(f.W, f.H), 3));
	assert_sym(&f, rest, sym_addi(f.j, 5));
	assert_true(sym_affine(f.j, f.i, &cf, &rest));
	assert_sym(&f, cf, sym_const(f.c, 0));
	assert_false(sym_affine(sym_modi(f.i, 3), f.i, &cf, &rest));
	assert_false(sym_affine(mul(f.i, f.i), f.i, &cf, &rest));
	assert_false(sym_affine(mul(f.i, sym_divi(f.i, 2)), f.i, &cf, &rest));
	assert_sym(&f, sym_replace(s, f.j, sym_const(f.c, -5)), sym_sub(s, sym_addi(f.j, 5)));
	assert_sym(&f, sym_replace(divs(f.x, f.W), f.x, add(mul(f.i, f.W), f.j)), f.i);
	assert_true(sym_contains(s, f.H));
	assert_false(sym_contains(s, f.N));
	arena_free(f.a);
}

typedef struct importing {
	sym_ctx *to;
	const sym *from[4];
	sym *made[4];
	int n;
} importing;

static sym *import_loop(const sym *var, void *user)
{
	importing *im = user;
	for (int k = 0; k < im->n; k++)
		if (im->from[k] == var)
			return im->made[k];
	im->from[im->n] = var;
	return im->made[im->n++] = sym_loop(im->to, var->name, sym_import(im->to, var->below, NULL, NULL));
}

static void test_print_and_import(void **state)
{
	(void)state;
	fixture f = setup();
	const struct {
		sym *s;
		const char *want;
	} rows[] = {
		{add(f.i, sym_muli(f.N, 64)), "N*64 + i"},
		{sym_divi(sym_addi(f.i, 3), 4), "(i + 3) / 4"},
		{sym_modi(f.i, 8), "i % 8"},
		{sym_min(f.j, f.h), "min(h, j)"},
		{sym_min(f.i, sym_min(f.j, f.h)), "min(h, min(i, j))"},
		{sym_sub(f.i, sym_addi(sym_muli(f.j, 2), 1)), "i - j*2 - 1"},
		{sym_neg(sym_addi(f.i, 2)), "-i - 2"},
		{sym_sub(sym_const(f.c, 7), f.i), "7 - i"},
		{sym_neg(f.i), "-i"},
		{mul(f.W, sym_divi(f.i, 3)), "(i / 3)*W"},
		{sym_modi(sym_divi(f.i, 3), 5), "i / 3 % 5"},
		{divs(f.i, mul(f.H, f.W)), "i / (H*W)"},
		{divs(sym_muli(f.i, 3), f.W), "i*3 / W"},
		{sym_addi(sym_divi(f.i, 3), 1), "i / 3 + 1"},
		{sym_const(f.c, -4), "-4"},
		{add(mul(add(mul(f.n, f.H), f.h), f.W), f.w), "H*W*n + W*h + w"},
	};
	for (size_t k = 0; k < N_ROWS(rows); k++) {
		assert_string_equal(text(&f, rows[k].s), rows[k].want);
		importing im = {.to = sym_ctx_new(f.a)};
		sym *there = sym_import(im.to, rows[k].s, import_loop, &im);
		assert_string_equal(text(&f, there), rows[k].want);
	}
	arena_free(f.a);
}

/* Random expressions: a recipe is evaluated step by step beside the sym that the builders make of it. */

enum { N_VARS = 5, N_STEPS = 7, TRIALS = 100000 };

static uint64_t random_state;

static int random_below(int n)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (int)((random_state >> 33) % (uint64_t)n);
}

typedef struct environment {
	sym *var[N_VARS];
	int64_t value[N_VARS];
} environment;

static bool lookup(const sym *var, int64_t *value, void *user)
{
	environment *env = user;
	for (int k = 0; k < N_VARS; k++) {
		if (env->var[k] == var) {
			*value = env->value[k];
			return true;
		}
	}
	return false;
}

/* 0, 1: dims in [1, 6] and [0, 40]; 2: below var 0; 3: below 16; 4: in var 0 * 4. */
static void random_values(environment *env)
{
	env->value[0] = 1 + random_below(6);
	env->value[1] = random_below(41);
	env->value[2] = random_below((int)env->value[0]);
	env->value[3] = random_below(16);
	env->value[4] = random_below((int)env->value[0] * 4);
}

static environment random_vars(sym_ctx *c)
{
	environment env;
	env.var[0] = sym_dim(c, "A", 1, 6);
	env.var[1] = sym_dim(c, "B", 0, INT64_MAX);
	env.var[2] = sym_loop(c, "p", env.var[0]);
	env.var[3] = sym_loop(c, "q", sym_const(c, 16));
	env.var[4] = sym_loop(c, "r", sym_muli(env.var[0], 4));
	random_values(&env);
	return env;
}

typedef struct step {
	int op, a, b; /* of earlier steps, or variables and constants */
} step;

enum { N_LEAVES = N_VARS + 4 };
static const int64_t leaf_constants[4] = {1, 3, 4, 16};

static int64_t floor_divide(int64_t a, int64_t b)
{
	int64_t q = a / b;
	return a % b != 0 && a < 0 ? q - 1 : q;
}

static void random_recipe(step *s)
{
	for (int k = 0; k < N_STEPS; k++)
		s[k] = (step){random_below(8), random_below(N_LEAVES + k), random_below(N_LEAVES + k)};
	/* Use what was made. */
	s[N_STEPS - 1].a = N_LEAVES + N_STEPS - 2;
}

/* False when a divisor is not positive or a number grows beyond what is interesting. */
static bool run_recipe(const step *s, const environment *env, int64_t *result)
{
	int64_t v[N_LEAVES + N_STEPS];
	for (int k = 0; k < N_VARS; k++)
		v[k] = env->value[k];
	for (int k = 0; k < 4; k++)
		v[N_VARS + k] = leaf_constants[k];
	for (int k = 0; k < N_STEPS; k++) {
		int64_t a = v[s[k].a], b = v[s[k].b], *out = &v[N_LEAVES + k];
		if ((s[k].op == 3 || s[k].op == 4 || s[k].op == 7) && b <= 0)
			return false;
		switch (s[k].op) {
		case 0: *out = a + b; break;
		case 1: *out = a - b; break;
		case 2: *out = a * b; break;
		case 3: *out = floor_divide(a, b); break;
		case 4: *out = a - b * floor_divide(a, b); break;
		case 5: *out = a < b ? a : b; break;
		case 6: *out = a > b ? a : b; break;
		default: *out = floor_divide(a + b - 1, b); break;
		}
		if (*out > 1000000 || *out < -1000000)
			return false;
	}
	*result = v[N_LEAVES + N_STEPS - 1];
	return true;
}

/* All divisors must be positive for every value of the variables: that is the promise of whoever builds a division. */
static sym *build_recipe(sym_ctx *c, const step *s, const environment *env)
{
	sym *v[N_LEAVES + N_STEPS];
	for (int k = 0; k < N_VARS; k++)
		v[k] = env->var[k];
	for (int k = 0; k < 4; k++)
		v[N_VARS + k] = sym_const(c, leaf_constants[k]);
	for (int k = 0; k < N_STEPS; k++) {
		sym *a = v[s[k].a], *b = v[s[k].b], **out = &v[N_LEAVES + k];
		switch (s[k].op) {
		case 0: *out = sym_add(a, b); break;
		case 1: *out = sym_sub(a, b); break;
		case 2: *out = sym_mul(a, b); break;
		case 3: *out = sym_floordiv(a, b); break;
		case 4: *out = sym_mod(a, b); break;
		case 5: *out = sym_min(a, b); break;
		case 6: *out = sym_max(a, b); break;
		default: *out = sym_ceildiv(a, b); break;
		}
	}
	return v[N_LEAVES + N_STEPS - 1];
}

static sym *keep(sym *var, void *user)
{
	(void)user;
	return var;
}

static void test_random(void **state)
{
	(void)state;
	random_state = 20240607;
	fixture f = setup();
	sym_ctx *c = f.c;
	environment env = random_vars(c);
	int evaluated = 0, affine = 0;
	for (int trial = 0; trial < TRIALS; trial++) {
		if (trial % 5000 == 0) { /* fresh memory, fresh creation order */
			arena_free(f.a);
			f = setup();
			c = f.c;
			env = random_vars(c);
		}
		step recipe[N_STEPS];
		random_recipe(recipe);
		sym *s = build_recipe(c, recipe, &env);
		if (sym_overflowed(c)) {
			sym_clear_overflow(c);
			continue;
		}
		int var = random_below(N_VARS);
		sym *rebuilt = sym_map_vars(s, keep, NULL), *cf, *rest;
		bool is_affine = sym_affine(s, env.var[var], &cf, &rest);
		/* Replaced by a constant in its range, and by another expression of the same value. */
		int64_t fixed = var == 0 ? 4 : 2;
		sym *replaced = sym_replace(s, env.var[var], sym_const(c, var == 2 || var == 4 ? 0 : fixed));
		for (int round = 0; round < 4; round++) {
			random_values(&env);
			int64_t want, got, a, b;
			if (!run_recipe(recipe, &env, &want))
				continue;
			evaluated++;
			if (!sym_eval(s, lookup, &env, &got) || got != want || got < s->lo || got > s->hi)
				fail_msg("trial %d: %s is not %lld", trial, text(&f, s), (long long)want);
			if (!sym_eval(rebuilt, lookup, &env, &got) || got != want)
				fail_msg("trial %d: rebuilt %s is not %lld", trial, text(&f, rebuilt), (long long)want);
			if (is_affine) {
				affine++;
				assert_true(sym_eval(cf, lookup, &env, &a) && sym_eval(rest, lookup, &env, &b));
				assert_int_equal(a * env.value[var] + b, want);
			}
			environment at = env;
			at.value[var] = var == 2 || var == 4 ? 0 : fixed;
			if (at.value[2] >= at.value[0] || at.value[4] >= at.value[0] * 4)
				continue;
			if (run_recipe(recipe, &at, &want) &&
			    (!sym_eval(replaced, lookup, &at, &got) || got != want))
				fail_msg("trial %d: replaced %s in %s: %s is not %lld", trial, env.var[var]->name,
					 text(&f, s), text(&f, replaced), (long long)want);
		}
		assert_false(sym_overflowed(c));
	}
	assert_true(evaluated > TRIALS / 2);
	assert_true(affine > TRIALS / 20);
	arena_free(f.a);
}

/* What is proved holds at every sample; what is built again is the same. */
static void test_random_proofs(void **state)
{
	(void)state;
	random_state = 77;
	fixture f = setup();
	environment env = random_vars(f.c);
	int proved = 0, stable = 0, total = 0;
	for (int trial = 0; trial < TRIALS / 5; trial++) {
		step r1[N_STEPS], r2[N_STEPS];
		random_recipe(r1);
		random_recipe(r2);
		sym *s1 = build_recipe(f.c, r1, &env), *s2 = build_recipe(f.c, r2, &env);
		bool ge = sym_proves_ge(s1, s2), lt = sym_proves_lt(s1, s2);
		for (int round = 0; round < 8; round++) {
			int64_t a, b;
			random_values(&env);
			if (!run_recipe(r1, &env, &a) || !run_recipe(r2, &env, &b))
				continue;
			if ((ge && a < b) || (lt && a >= b))
				fail_msg("trial %d: %s %s %s: %lld, %lld", trial, text(&f, s1), ge ? ">=" : "<",
					 text(&f, s2), (long long)a, (long long)b);
			proved += ge || lt;
		}
		total++;
		stable += sym_map_vars(s1, keep, NULL) == s1;
		sym_clear_overflow(f.c);
	}
	assert_true(proved > 1000);
	if (stable != total)
		print_message("%d of %d expressions change when built again\n", total - stable, total);
	assert_true(stable * 100 >= total * 99);
	arena_free(f.a);
}

/* Sizes that are known while running only, and what memory is made for. */
static void test_inner(void **state)
{
	(void)state;
	fixture f = setup();
	sym *k = sym_inner(f.c, "k", 0, sym_addi(sym_mul(f.N, f.W), 1));
	assert_true(sym_is_inner(k) && !sym_is_inner(f.N) && !sym_is_inner(f.i));
	assert_ptr_equal(sym_inner(f.c, "k", 0, f.N), k);
	assert_ptr_equal(sym_find_dim(f.c, "k"), k);
	assert_true(sym_inner_fresh(f.c, "k", 0, f.N) != k);
	assert_true(sym_proves_lt(k, sym_addi(sym_mul(f.N, f.W), 1)));
	assert_false(sym_proves_lt(k, f.N));
	assert_sym(&f, sym_inner(f.c, "one", 0, sym_const(f.c, 1)), sym_const(f.c, 0));

	sym *all = sym_mul(f.N, f.W), *two = sym_const(f.c, 2);
	sym *inside = sym_inner(f.c, "inside", 0, sym_addi(k, 1));
	const struct {
		sym *s, *upper, *lower;
	} rows[] = {
		{f.N, f.N, f.N},
		{k, all, sym_const(f.c, 0)},
		{inside, all, sym_const(f.c, 0)},
		{sym_muli(k, 4), sym_muli(all, 4), sym_const(f.c, 0)},
		{sym_sub(f.H, k), f.H, sym_sub(f.H, all)},
		{sym_mul(k, f.H), sym_mul(all, f.H), sym_const(f.c, 0)},
		{sym_mod(k, two), sym_const(f.c, 1), sym_const(f.c, 0)},
		{sym_floordiv(f.H, sym_addi(k, 1)), f.H, sym_floordiv(f.H, sym_addi(all, 1))},
		{sym_max(k, f.H), sym_max(all, f.H), f.H},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		assert_sym(&f, sym_outer_bound(rows[i].s, true), rows[i].upper);
		assert_sym(&f, sym_outer_bound(rows[i].s, false), rows[i].lower);
	}
	arena_free(f.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inner),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_constant_divisors),
		cmocka_unit_test(test_symbolic_divisors),
		cmocka_unit_test(test_recombination),
		cmocka_unit_test(test_min_max),
		cmocka_unit_test(test_proofs),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_affine_and_replace),
		cmocka_unit_test(test_print_and_import),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_random_proofs),
	};
	return RUN_TESTS(tests);
}
