/* Scalar expressions: what they are built from and what they become, as text; and their traversals. */
#include "tests/unit/unit.h"

#include "ir/expr.h"
#include "ir/kernel.h"
#include "ir/text.h"
#include "support/arena.h"
#include "support/diag.h"

#include <math.h>
#include <string.h>

typedef struct fixture {
	arena *a;
	sym_ctx *syms;
	expr_ctx *c;
	names *names;
	diag *d;
	sym *vars[4];
	buffer x, h, odd;
	local l;
} fixture;

static fixture *now; /* for the parser's callbacks */

static void setup(fixture *f)
{
	*f = (fixture){.a = arena_new("test")};
	f->syms = sym_ctx_new(f->a);
	f->c = expr_ctx_new(f->a, f->syms);
	f->names = names_new(f->a);
	f->d = diag_new(f->a, stderr);
	f->vars[0] = sym_dim(f->syms, "N", 1, INT64_MAX);
	f->vars[1] = sym_loop(f->syms, "i", f->vars[0]);
	f->vars[2] = sym_loop(f->syms, "c", sym_const(f->syms, 16));
	f->vars[3] = sym_dim(f->syms, "batch size", 0, INT64_MAX);
	f->x = (buffer){.name = "x", .type = F32};
	f->h = (buffer){.name = "h", .type = F16};
	f->odd = (buffer){.name = "ids", .type = I32};
	f->l = (local){.name = "acc", .type = F32};
	now = f;
}

/* %0, %1: f32; %2, %3: i64; %4: i32; %5: bool; %6: f64; %7: u8; %8: u64 */
static const expr *find_arg(parser *p, int i)
{
	static const dtype types[] = {F32, F32, I64, I64, I32, BOOL, F64, U8, U64};
	return i < (int)N_ROWS(types) ? expr_arg(p->exprs, i, types[i]) : NULL;
}

static sym *find_var(parser *p, const char *name)
{
	(void)p;
	for (size_t k = 0; k < N_ROWS(now->vars); k++)
		if (strcmp(now->vars[k]->name, name) == 0)
			return now->vars[k];
	return NULL;
}

static const expr *find_leaf(parser *p, const char *name)
{
	buffer *all[] = {&now->x, &now->h, &now->odd};
	if (strcmp(name, now->l.name) == 0)
		return expr_local(p->exprs, &now->l);
	for (size_t k = 0; k < N_ROWS(all); k++) {
		if (strcmp(all[k]->name, name) == 0) {
			parse_expect(p, "[");
			sym *index = parse_sym(p);
			parse_expect(p, "]");
			return expr_load(p->exprs, all[k], index);
		}
	}
	return NULL;
}

static const expr *parse(fixture *f, const char *text)
{
	const expr *volatile e = NULL;
	if (diag_guard(f->d)) {
		parser p;
		parser_init(&p, f->a, f->names, "test", text, strlen(text), f->d);
		p.syms = f->syms;
		p.exprs = f->c;
		p.find_arg = find_arg;
		p.find_var = find_var;
		p.find_leaf = find_leaf;
		e = parse_expr(&p, DTYPE_NONE);
		if (p.tok.kind != TOKEN_END)
			fail_msg("text left of %s", text);
		diag_pop_guard(f->d);
	} else {
		fail_msg("%s", text);
	}
	return e;
}

static const char *print(fixture *f, const expr *e)
{
	str out = str_new(f->a);
	expr_print(&out, e);
	return out.data;
}

typedef struct row {
	const char *in, *out; /* NULL: unchanged */
} row;

/* Each text becomes the other, and that one stays. */
static void check(const row *rows, size_t n)
{
	fixture f;
	setup(&f);
	for (size_t r = 0; r < n; r++) {
		const expr *e = parse(&f, rows[r].in);
		const char *want = rows[r].out ? rows[r].out : rows[r].in;
		if (strcmp(print(&f, e), want) != 0)
			print_error("%s: is %s\n", rows[r].in, print(&f, e));
		assert_string_equal(print(&f, e), want);
		assert_ptr_equal(parse(&f, want), e);
	}
	assert_false(sym_overflowed(f.syms));
	arena_free(f.a);
}

static void text_round_trips(void **state)
{
	(void)state;
	static const row rows[] = {
		{"1.0", NULL}, {"-0.0", NULL}, {"inf", NULL}, {"-inf:f64", NULL}, {"nan", NULL}, {"0.1", NULL}, {"0.1:f64", NULL},
		{"1e+20", NULL}, {"1.1754944e-38", NULL}, {"1e-45", NULL}, {"3", NULL}, {"-3:i32", NULL}, {"255:u8", NULL},
		{"18446744073709551615:u64", NULL}, {"-9223372036854775808", NULL}, {"true", NULL}, {"false", NULL},
		{"%0", NULL}, {"[N*16 + i - 1]", NULL}, {"x[i]", NULL}, {"acc", NULL}, {"[\"batch size\" + 1]", NULL},
		{"(%0 + -1.0)", NULL}, {"((%0 - %1) * (%0 / %1))", NULL}, {"(%2 % %3)", NULL}, {"rem(%2, %3)", NULL},
		{"(%0 == %1)", NULL}, {"(%0 != %1)", NULL}, {"((%0 < %1) & (%0 >= %1))", NULL}, {"((%2 | %3) ^ %2)", NULL},
		{"((%0 <= %1) | (%0 > %1))", NULL}, {"neg(exp(%0))", NULL}, {"max(min(%0, %1), 0.0)", NULL}, {"pow(%0, %1)", NULL},
		{"select((%0 < %1), %0, %1)", NULL}, {"choose(%5, x[i], 0.0)", NULL}, {"fma(%0, %1, acc)", NULL},
		{"cast<i32>(%0)", NULL}, {"cast<f16>(%0)", NULL}, {"cast<bool>(%2)", NULL}, {"bitcast<i32>(%0)", NULL},
		{"cast<i4>(cast<i8>(%2))", NULL}, {"shl(%2, %3)", NULL}, {"isnan(%6)", NULL}, {"not(%2)", NULL},
		{"x[min(i, {ids[c] in 0..5})]", NULL}, {"x[{ids[i] in 0..99 below N}]", NULL}, {"x[{ids[N*2]} + 1]", NULL},
		{"%0 + %1 * 2.0", "(%0 + (%1 * 2.0))"}, {"-%0", "neg(%0)"},
	};
	check(rows, N_ROWS(rows));
}

static void integers_fold(void **state)
{
	(void)state;
	static const row rows[] = {
		{"127:i8 + 1:i8", "-128:i8"}, {"200:u8 + 100:u8", "44:u8"}, {"9223372036854775807 + 1", "-9223372036854775808"},
		{"-9223372036854775808 / -1", "-9223372036854775808"}, {"-128:i8 / -1:i8", "-128:i8"}, {"7 / 0", "0"},
		{"7 % 0", "0"}, {"-7 / 2", "-3"}, {"-7 % 2", "1"}, {"rem(-7, 2)", "-1"}, {"7 % -2", "-1"},
		{"rem(-9223372036854775808, -1)", "0"}, {"18446744073709551615:u64 / 2:u64", "9223372036854775807:u64"},
		{"18446744073709551615:u64 > 1:u64", "true"}, {"-1 > 1", "false"}, {"max(200:u8, 3:u8)", "200:u8"},
		{"neg(-128:i8)", "-128:i8"}, {"abs(-5:i32)", "5:i32"}, {"sign(-5)", "-1"}, {"not(5:u8)", "250:u8"},
		{"not(true)", "false"}, {"shl(1:i32, 31:i32)", "-2147483648:i32"}, {"shl(1:i32, 32:i32)", "0:i32"},
		{"shr(-8, 1)", "-4"}, {"shr(248:u8, 1:u8)", "124:u8"}, {"shr(-1, -1)", "0"}, {"6 ^ 3", "5"},
		{"cast<i8>(300)", "44:i8"}, {"cast<u64>(-1)", "18446744073709551615:u64"}, {"cast<bool>(4)", "true"},
		{"%2 + 0", "%2"}, {"0 + %2", "%2"}, {"%2 * 1", "%2"}, {"1 * %2", "%2"}, {"%2 * 0", "0"}, {"%2 - %2", "0"},
		{"%2 / 1", "%2"}, {"%2 / 0", "0"}, {"%2 % 1", "0"}, {"%7 & 255:u8", "%7"}, {"%7 | 0:u8", "%7"},
		{"%2 == %2", "true"}, {"%2 < %2", "false"}, {"3 + %2", "(%2 + 3)"}, {"3 - %2", "(3 - %2)"},
		{"not(not(%2))", "%2"}, {"not(%2 < %3)", "(%2 >= %3)"}, {"neg(neg(%2))", "%2"}, {"min(%2, %2)", "%2"},
		{"fma(%2, %3, 1)", "((%2 * %3) + 1)"}, {"pow(%2, 2)", "(%2 * %2)"}, {"abs(%7)", "%7"},
	};
	check(rows, N_ROWS(rows));
}

static void floats_fold_as_the_target_computes(void **state)
{
	(void)state;
	static const row rows[] = {
		{"0.1 + 0.2", "0.3"}, {"0.1:f64 + 0.2:f64", "0.30000000000000004:f64"}, {"16777216.0 + 1.0", "16777216.0"},
		{"1.0 / 3.0", "0.33333334"}, {"1.0 / 0.0", "inf"}, {"0.0 / 0.0", "nan"}, {"sqrt(2.0)", "1.4142135"},
		{"3.4028235e+38 * 2.0", "inf"}, {"round(2.5)", "2.0"}, {"round(-3.5)", "-4.0"}, {"floor(-0.5)", "-1.0"},
		{"ceil(-0.5)", "-0.0"}, {"trunc(-1.5)", "-1.0"}, {"max(nan, 1.0)", "nan"}, {"min(1.0, nan)", "nan"},
		{"max(0.0, -0.0)", NULL}, {"sign(-3.0)", "-1.0"}, {"nan == nan", "false"}, {"nan != nan", "true"},
		{"isnan(nan)", "true"}, {"1.0 < 2.0", "true"}, {"exp(0.0)", NULL}, {"fma(1.0, 2.0, 3.0)", NULL},
		{"cast<i8>(300.7)", "127:i8"}, {"cast<u8>(-3.5)", "0:u8"}, {"cast<i64>(nan)", "0"}, {"cast<i32>(-1.9)", "-1:i32"},
		{"cast<i64>(1e+30)", "9223372036854775807"}, {"cast<u64>(1e+30)", "18446744073709551615:u64"},
		{"cast<i64>(-inf)", "-9223372036854775808"}, {"cast<bool>(nan)", "true"}, {"cast<bool>(-0.0)", "false"},
		{"cast<f32>(16777217)", "16777216.0"}, {"cast<f32>(0.1:f64)", "0.1"}, {"cast<f64>(0.1)", "0.10000000149011612:f64"},
		{"cast<f32>(18446744073709551615:u64)", "1.8446744e+19"}, {"bitcast<i32>(1.0)", "1065353216:i32"},
		{"bitcast<f32>(1065353216:i32)", "1.0"}, {"bitcast<f32>(2143289345:i32)", NULL}, {"bitcast<i32>(nan)", NULL},
		{"cast<f16>(65504.0)", "65504.0"}, {"cast<f16>(0.1)", "0.099975586"}, {"cast<f16>(1e+6)", "inf"},
		{"cast<bf16>(3.14159)", "3.140625"}, {"cast<f8e4m3fn>(1.06)", "1.0"}, {"cast<f8e4m3fn>(1e+06)", NULL},
		{"cast<f8e8m0>(3.0)", NULL}, {"cast<f8e8m0>(4.0)", "4.0"}, {"cast<i4>(9.7)", "7:i8"}, {"cast<i4>(9:i8)", "-7:i8"},
		{"%0 + 0.0", "(%0 + 0.0)"}, {"%0 + -0.0", "%0"}, {"%0 - 0.0", "%0"}, {"%0 * 1.0", "%0"}, {"%0 * 0.0", "(%0 * 0.0)"},
		{"1.0 * %0", "%0"}, {"%0 / 1.0", "%0"}, {"%0 - %0", "(%0 - %0)"}, {"%0 == %0", "(%0 == %0)"},
		{"(%0 + 1.0) + 2.0", "((%0 + 1.0) + 2.0)"}, {"not(%0 < %1)", "not((%0 < %1))"}, {"not(%0 == %1)", "(%0 != %1)"},
		{"pow(%0, 2.0)", "(%0 * %0)"}, {"pow(%0, 0.5)", "pow(%0, 0.5)"}, {"abs(neg(%0))", "abs(%0)"},
		{"floor(round(%0))", "round(%0)"},
	};
	fixture f;
	setup(&f);
	assert_true(parse(&f, "0.1 + 0.2")->f == (double)(0.1f + 0.2f));
	arena_free(f.a);
	check(rows + 1, N_ROWS(rows) - 1);
}

static void casts_that_lose_nothing_vanish(void **state)
{
	(void)state;
	static const row rows[] = {
		{"cast<f32>(%0)", "%0"}, {"cast<f32>(cast<f64>(%0))", "%0"}, {"cast<f64>(cast<f32>(%6))", NULL},
		{"cast<i32>(cast<i64>(%4))", "%4"}, {"cast<i64>(cast<i32>(%2))", NULL}, {"cast<i8>(cast<i16>(%4))", "cast<i8>(%4)"},
		{"cast<f32>(cast<i64>(%4))", "cast<f32>(%4)"}, {"cast<i8>(cast<f64>(%4))", NULL},
		{"cast<i64>(cast<f64>(%4))", "cast<i64>(%4)"}, {"cast<bool>(cast<f32>(%5))", "%5"}, {"cast<i64>(cast<f32>(%4))", NULL},
		{"cast<u8>(cast<f32>(%7))", "%7"}, {"cast<i64>(cast<i32>([c]))", "[c]"}, {"cast<i64>(cast<i32>([i]))", NULL},
		{"cast<f32>(cast<i32>([c]))", NULL}, {"cast<f16>(cast<f16>(%0))", "cast<f16>(%0)"}, {"cast<f16>(h[i])", "h[i]"},
		{"cast<f16>(x[i])", NULL}, {"cast<bf16>(cast<f16>(%0))", NULL}, {"bitcast<f32>(bitcast<i32>(%0))", "%0"},
	};
	check(rows, N_ROWS(rows));
}

static void index_arithmetic_becomes_symbolic(void **state)
{
	(void)state;
	static const row rows[] = {
		{"[i] + 1", "[i + 1]"}, {"[i] * [N] - [i]", "[N*i - i]"}, {"neg([i])", "[-i]"}, {"[i] - [i]", "0"},
		{"([i] * 16 + [c]) / 16", "[i]"}, {"([i] * 16 + [c]) % 16", "[c]"}, {"rem([i] * 16 + [c], 16)", "[c]"},
		{"([c] - 3) / 2", "([c - 3] / 2)"}, {"([c] - 3) % 2", "[(c + 1) % 2]"}, {"rem([c] - 3, 2)", "rem([c - 3], 2)"},
		{"[i] / [c]", "([i] / [c])"}, {"[i] / ([c] + 1)", "[i / (c + 1)]"}, {"min([c], 20)", "[c]"}, {"max([c], [i])", "[max(c, i)]"},
		{"[i] < [N]", "true"}, {"[i] >= [N]", "false"}, {"[c] < 16", "true"}, {"[c] <= 3", "([c] <= 3)"}, {"[i] == [i]", "true"},
		{"[c] == 16", "false"}, {"[c] != -1", "true"}, {"abs([c])", "[c]"}, {"sign([N])", "1"}, {"[5]", "5"},
		{"cast<i32>([i]) + 3:i32", "cast<i32>([i + 3])"}, {"cast<i32>([c]) < 16:i32", "true"},
		{"cast<i32>([i]) < cast<i32>([N])", "(cast<i32>([i]) < cast<i32>([N]))"}, {"cast<i32>([c]) / 4:i32", "cast<i32>([c / 4])"},
		{"[c] * 9223372036854775807 * 4", "([c*9223372036854775807] * 4)"}, {"[c] + %2", "([c] + %2)"},
	};
	check(rows, N_ROWS(rows));
}

static void selections_simplify(void **state)
{
	(void)state;
	static const row rows[] = {
		{"select(true, %0, %1)", "%0"}, {"choose(false, %0, %1)", "%1"}, {"select(%5, %0, %0)", "%0"},
		{"select(not(%5), %0, %1)", "select(%5, %1, %0)"}, {"select(%5, true, false)", "%5"},
		{"select(%5, false, true)", "not(%5)"}, {"choose(%5, choose(%5, %0, %1), 1.0)", "choose(%5, %0, 1.0)"},
		{"choose(%5, acc, 1.0)", "select(%5, acc, 1.0)"}, {"choose([i] < [N], x[i], 0.0)", "x[i]"},
		{"choose([c] < 16, x[c], 0.0)", "x[c]"}, {"%5 & true", "%5"}, {"%5 | true", "true"}, {"%5 == false", "not(%5)"},
		{"%5 & %5", "%5"}, {"%5 ^ true", "not(%5)"},
	};
	check(rows, N_ROWS(rows));
}

static const expr *shift(const expr *leaf, void *user)
{
	fixture *f = user;
	if (leaf->op == EXPR_ARG)
		return leaf->i == 0 ? expr_load(f->c, &f->x, f->vars[1]) : expr_float(f->c, F32, 1.0);
	return leaf;
}

static bool count(const expr *e, void *user)
{
	(void)e;
	++*(int *)user;
	return false;
}

static void leaves_are_mapped_once(void **state)
{
	(void)state;
	fixture f;
	setup(&f);
	assert_string_equal(print(&f, expr_map_leaves(f.c, parse(&f, "cast<f16>(%0 * %1) + exp(%1)"), shift, &f)),
			    "(cast<f16>(x[i]) + exp(1.0))");
	const expr *same = parse(&f, "acc + 1.0");
	assert_ptr_equal(expr_map_leaves(f.c, same, shift, &f), same);
	/* A ladder of 60 shared steps has 2^60 paths. */
	const expr *e = parse(&f, "%0");
	for (int k = 0; k < 60; k++)
		e = expr_binary(f.c, EXPR_MUL, e, e);
	int nodes = 0;
	assert_false(expr_any(e, count, &nodes));
	assert_int_equal(nodes, 61);
	assert_int_equal(expr_cost(e), 60);
	nodes = 0;
	assert_false(expr_any(expr_map_leaves(f.c, e, shift, &f), count, &nodes));
	assert_int_equal(nodes, 61);
	assert_true(expr_cost(parse(&f, "exp(%0)")) >= 10);
	arena_free(f.a);
}

static void integers_become_symbols(void **state)
{
	(void)state;
	fixture f;
	setup(&f);
	sym *i = f.vars[1], *n = f.vars[0];
	assert_ptr_equal(expr_to_sym(f.c, parse(&f, "[i]"), 0, 9, NULL), i);
	assert_ptr_equal(expr_to_sym(f.c, parse(&f, "cast<i32>([c])"), 0, 99, NULL), f.vars[2]);
	assert_true(sym_is(expr_to_sym(f.c, parse(&f, "7:i32"), 0, 9, NULL), 7));
	sym *s = expr_to_sym(f.c, parse(&f, "ids[i]"), 0, INT64_MAX, n);
	assert_int_equal(s->role, SYM_SCALAR);
	assert_int_equal(s->hi, INT32_MAX);
	assert_ptr_equal(expr_to_sym(f.c, parse(&f, "cast<i64>(ids[i])"), 0, INT64_MAX, n), s);
	assert_true(sym_proves_lt(s, n));
	assert_true(sym_contains(s, i));
	/* The index inside is replaced too. */
	sym *moved = sym_replace(sym_addi(s, 1), i, sym_const(f.syms, 4));
	str out = str_new(f.a);
	sym_print(&out, moved);
	assert_string_equal(out.data, "{ids[4] in 0..2147483647 below N} + 1");
	arena_free(f.a);
}

static void types_have_ends(void **state)
{
	(void)state;
	static const struct {
		dtype t;
		const char *lowest, *highest;
	} rows[] = {
		{F32, "-inf", "inf"}, {F64, "-inf:f64", "inf:f64"}, {I8, "-128:i8", "127:i8"}, {U16, "0:u16", "65535:u16"},
		{I64, "-9223372036854775808", "9223372036854775807"}, {U64, "0:u64", "18446744073709551615:u64"},
		{BOOL, "false", "true"},
	};
	fixture f;
	setup(&f);
	for (size_t r = 0; r < N_ROWS(rows); r++) {
		assert_string_equal(print(&f, expr_lowest(f.c, rows[r].t)), rows[r].lowest);
		assert_string_equal(print(&f, expr_highest(f.c, rows[r].t)), rows[r].highest);
	}
	assert_ptr_equal(expr_number(f.c, U8, 300), expr_int(f.c, U8, 255));
	assert_ptr_equal(expr_float(f.c, F32, 0.1), expr_float(f.c, F32, (double)0.1f));
	assert_ptr_not_equal(expr_float(f.c, F32, 0.0), expr_float(f.c, F32, -0.0));
	assert_ptr_equal(expr_float(f.c, F32, -(double)NAN), expr_float(f.c, F32, (double)NAN));
	for (int op = 0; op < EXPR_OP_COUNT; op++)
		assert_int_equal(expr_op_find(expr_op_table[op].name, strlen(expr_op_table[op].name)), op);
	assert_int_equal(expr_op_find("ad", 2), EXPR_OP_COUNT);
	arena_free(f.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_round_trips),
		cmocka_unit_test(integers_fold),
		cmocka_unit_test(floats_fold_as_the_target_computes),
		cmocka_unit_test(casts_that_lose_nothing_vanish),
		cmocka_unit_test(index_arithmetic_becomes_symbolic),
		cmocka_unit_test(selections_simplify),
		cmocka_unit_test(leaves_are_mapped_once),
		cmocka_unit_test(integers_become_symbols),
		cmocka_unit_test(types_have_ends),
	};
	return RUN_TESTS(tests);
}
