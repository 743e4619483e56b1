#include "tests/unit/unit.h"

#include "ir/graph.h"
#include "ir/graph_build.h"
#include "support/arena.h"

#include <string.h>

static const print_options print_all = {.locations = true, .max_const = INT32_MAX};

static graph *parse(arena *a, const char *text, const char **messages)
{
	diag *d = diag_new(a, NULL);
	graph *g = graph_parse(a, "t.ir", text, strlen(text), d);
	*messages = diag_text(d);
	return g;
}

static graph *parse_good(arena *a, const char *text)
{
	const char *messages;
	graph *g = parse(a, text, &messages);
	if (!g)
		fail_msg("%s\n%s", messages, text);
	return g;
}

static const char *print(arena *a, const graph *g)
{
	str s = str_new(a);
	graph_print(&s, g, print_all);
	return s.data;
}

static void assert_verified(const graph *g)
{
	arena *scratch = arena_new("verify");
	const char *why = "";
	if (!graph_verify(g, scratch, &why))
		fail_msg("%s", why);
	arena_free(scratch);
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static const char *const texts[] = {
	"graph @empty() -> () {\n}\n",

	"graph @relu(%x: f32[N,3]) -> (%y: f32[N,3]) {\n"
	"  %y = map %x { max(%0, 0.0) } : f32[N,3]   # node 1 \"relu 1\" (Relu)\n"
	"}\n",

	"dim N = 1..8\n"
	"dim \"odd name\" = 2..\n"
	"graph @\"odd/graph\"(%\"in put\": f16[N,\"odd name\",4], %\"12\": bool[]) -> (%y: f16[N,\"odd name\"*4]) {\n"
	"  %12 = map %\"in put\" { max(%0, 0.0) } {type=f16} : f16[N,\"odd name\",4]\n"
	"  %y = reshape %12 {shape=[N,\"odd name\"*4]} : f16[N,\"odd name\"*4]\n"
	"}\n",

	"graph @constants() -> (%y: f32[2]) {\n"
	"  const %a: f32[2] = [1.5, -0.0]\n"
	"  const %b: f32[64] = splat(0.25)\n"
	"  const %c: i4[3] = [-8, 7, 0]\n"
	"  const %d: u64[1] = [18446744073709551615]\n"
	"  const %e: f32[1] = 0x0100c07f\n"
	"  const %f: bool[2] = [1, 0]\n"
	"  const %g: f16[2] = [inf, 65504.0]\n"
	"  const %h: i64[] = [-9223372036854775808]\n"
	"  const %i: f32[0] = []\n"
	"  const %j: string[2] = [\"a\\\"b\", \"\\x00\\n\"]\n"
	"  const %7: f64[1] = [0.1]\n"
	"  %y = map %a { (%0 + 1.0) } : f32[2]\n"
	"}\n",

	"graph @stored(%x: f32[1,8,H,W], %w: f32[8,8,3,3]) -> (%y: f32[1,16,H,W]) {\n"
	"  %0 = map %x { exp(%0) } : f32[1,8,H,W]{order=[0,2,3,1], lo=[0,0,1,1], hi=[0,0,1,1]}\n"
	"  %1 = conv %0, %w {strides=[1,1], dilations=[1,1], lo=[1,1], hi=[1,1], group=1} : f32[1,8,H,W] @local @group %3\n"
	"  %3 = map %1 { max(%0, 0.0) } : f32[1,8,H,W] @in %y[0,8,0,0]\n"
	"  %2 = map %x { sqrt(%0) } : f32[1,8,H,W] @inline @group %y\n"
	"  %y = concat %2, %3 {axis=1} : f32[1,16,H,W]\n"
	"}\n",

	"graph @two(%x: f32[N,9]) -> (%v: f32[N,5], %i: i64[N,5]) {\n"
	"  %v, %i = topk %x {axis=1, k=[5], largest=1, sorted=1} : f32[N,5], i64[N,5]\n"
	"}\n",

	"graph @sizes(%x: f32[N,M]) -> (%y: i64[3]) {\n"
	"  %y = sizes {values=[M*N,max(M, N),(M + N) / 2], shape=[3]} : i64[3]\n"
	"}\n",
};

static void text_survives_parsing(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ROWS(texts); i++) {
		arena *a = arena_new("test");
		graph *g = parse_good(a, texts[i]);
		assert_verified(g);
		assert_string_equal(print(a, g), texts[i]);
		arena_free(a);
	}
}

static void locations_are_read_from_comments(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	graph *g = parse_good(a, texts[1]);
	assert_int_equal(g->first->src.index, 1);
	assert_string_equal(g->first->src.name, "relu 1");
	assert_string_equal(g->first->src.op, "Relu");
	g = parse_good(a, "graph @g(%x: f32[1]) -> () {\n %1 = map %x { abs(%0) } : f32[1] # node \"x\n}\n");
	assert_int_equal(g->first->src.index, -1);
	arena_free(a);
}

static void long_constants_print_as_a_digest(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	graph *g = graph_new(a, "g");
	int64_t data[40];
	for (int i = 0; i < 40; i++)
		data[i] = i * i;
	build_const(g, tensor_vector_i64(a, data, 40), "c");
	str short_form = str_new(a);
	graph_print(&short_form, g, (print_options){.max_const = 8});
	assert_non_null(strstr(short_form.data, "= digest(0x"));
	const char *messages;
	assert_null(parse(a, short_form.data, &messages));
	assert_non_null(strstr(messages, "cannot be read back"));
	assert_non_null(strstr(print(a, g), "= 0x0000000000000000010000"));
	graph *again = parse_good(a, print(a, g));
	assert_true(tensor_equal(value_tensor(again->first->out[0]), value_tensor(g->first->out[0])));
	arena_free(a);
}

#define GRAPH(body) "graph @g(%x: f32[2,3]) -> () {\n" body "}\n"

static const struct rejected {
	const char *text, *message;
} rejected[] = {
	{"", "t.ir:1:1: error: expected 'graph', found the end of the file"},
	{"graph @g(%x: f32[2) -> () {}", "t.ir:1:19: error: "},
	{"graph @g(%x: f99[2]) -> () {}", "t.ir:1:14: error: expected an element type"},
	{"graph @g(%x: f32[2,-3]) -> () {}", "dimension 1 is negative"},
	{"graph @g(%x: f32[1], %x: f32[1]) -> () {}", "t.ir:1:22: error: value %x is defined twice"},
	{"graph @g(%x: f32[1,1,1,1,1,1,1,1,1,1,1,1,1]) -> () {}", "more than 12 elements"},
	{"graph @g(%x: f32[99999999999999999999]) -> () {}", "does not fit in 64 bits"},
	{"graph @g(%x: f32[4611686018427387904*4]) -> () {}", "does not fit in 64 bits"},
	{"graph @g(%x: f32[N/0]) -> () {}", "the divisor is never positive"},
	{"graph @g(%x: f32[1]) -> (%x: f32[1]) {}", "output %x is an input"},
	{"graph @g() -> (%y: f32[1]) {}", "output %y is not defined in the graph"},
	{"graph @g() -> () {} extra", "expected the end of the file"},
	{"dim N = 5..4\ngraph @g() -> () {}", "t.ir:1:5: error: the range of dimension N is empty"},
	{GRAPH("  %1 = nonsense %x : f32[1]\n"), "t.ir:2:8: error: expected an operation, found 'nonsense'"},
	{GRAPH("  %1 = map %z { %0 } : f32[1]\n"), "t.ir:2:12: error: value %z is not defined before this line"},
	{GRAPH("  %1 = map %x { %1 } : f32[2,3]\n"), "t.ir:2:17: error: there is no operand %1"},
	{GRAPH("  %1 = map %x { (%0 + 1) } : f32[2,3]\n"), "t.ir:2:21: error: add: operands are f32 and i64"},
	{GRAPH("  %1 = map %x { shl(%0, %0) } : f32[2,3]\n"), "shl is not defined for f32"},
	{GRAPH("  %1 = map %x { foo } : f32[2,3]\n"), "unknown name 'foo'"},
	{GRAPH("  %1 = map %x { %0 } : f32[2,4]\n"), "t.ir:2:24: error: the result has type f32[2,3], not f32[2,4]"},
	{GRAPH("  %1, %2 = map %x { %0 } : f32[2,3], f32[2,3]\n"), "has 2 results, gives 1"},
	{GRAPH("  %1 = transpose %x {perm=[1,1]} : f32[3,2]\n"), "t.ir:2:8: error: transpose: "},
	{GRAPH("  %1 = transpose %x {perm=sideways} : f32[3,2]\n"), "t.ir:2:8: error: transpose: "},
	{GRAPH("  %1 = transpose %x {perm=[1,0], perm=[1,0]} : f32[3,2]\n"), "attribute perm is given twice"},
	{GRAPH("  const %c: f32[2] = [1.0]\n"), "t.ir:2:22: error: 1 elements, expected 2"},
	{GRAPH("  const %c: f32[N] = [1.0]\n"), "a constant has constant dimensions"},
	{GRAPH("  const %c: i8[1] = [128]\n"), "the element does not fit in i8"},
	{GRAPH("  const %c: f32[1] = 0x00\n"), "2 hexadecimal digits, expected 8"},
	{GRAPH("  const %c: f32[4611686018427387904,16] = []\n"), "the constant is too large"},
	{GRAPH("  const %c: f32[1000000000000] = splat(1.0)\n"), "splat is for up to"},
	{GRAPH("  %1 = map %x { %0 } : f32[2,3]{order=[0,0]}\n"), "its axis order is no permutation"},
	{GRAPH("  %1 = map %x { %0 } : f32[2,3]{order=[0,7]}\n"), "order[1] is out of range"},
	{GRAPH("  %1 = map %x { %0 } : f32[2,3] @in %1[0,0]\n"), "is stored in itself"},
	{GRAPH("  %1 = map %x { %0 } : f32[2,3] @in %9[0,0]\n"), "value %9 is not defined"},
	{GRAPH("  %1 = map %x { %0 } : f32[2,3] @group %x\n"), "a graph input is no kernel"},
	{GRAPH("  %1 = map %x { %0 } : f32[2,3] @nowhere\n"), "found @nowhere"},
	{GRAPH("  %12345678 = map %x { %0 } : f32[2,3]\n"), "the number %12345678 is too large"},
	{GRAPH("  %\"a = map %x { %0 } : f32[2,3]\n"), "quoted text has no closing quote on its line"},
	{GRAPH("  %\"\\q\" = map %x { %0 } : f32[2,3]\n"), "unknown escape"},
	{GRAPH("  \x01\n"), "t.ir:2:3: error: unexpected byte 0x01"},
};

static void errors_have_a_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ROWS(rejected); i++) {
		arena *a = arena_new("test");
		const char *messages;
		graph *g = parse(a, rejected[i].text, &messages);
		if (g || !strstr(messages, rejected[i].message))
			fail_msg("%s\ngave: %s\nexpected: %s", rejected[i].text, messages, rejected[i].message);
		arena_free(a);
	}
}

static void nesting_is_bounded(void **state)
{
	(void)state;
	enum { DEEP = 100000 };
	static const struct { const char *before, *open, *after; } rows[] = {
		{"graph @g(%x: f32[", "(", ""},
		{"graph @g(%x: f32[", "-", ""},
		{"graph @g(%x: f32[", "min(", ""},
		{"graph @g(%x: f32[1]) -> () { %1 = map %x { ", "(", ""},
		{"graph @g(%x: f32[1]) -> () { %1 = map %x { ", "- -", ""},
		{"graph @g(%x: f32[1]) -> () { %1 = map %x { ", "exp(", ""},
		{"graph @g(%x: f32[1]) -> () { %1 = map %x { ", "[{", ""},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		str s = str_new(a);
		const char *messages;
		str_add(&s, rows[i].before);
		for (int k = 0; k < DEEP; k++)
			str_add(&s, rows[i].open);
		assert_null(parse(a, s.data, &messages));
		assert_non_null(strstr(messages, "nested deeper than"));
		arena_free(a);
	}
}

/* Texts with characters dropped, doubled and replaced are read or refused, and what is read prints the same again. */
static void damaged_text_is_harmless(void **state)
{
	(void)state;
	static const char letters[] = "%@{}[](),.:=->0123456789N\"x# \n";
	uint32_t random = 12345;
	for (int round = 0; round < 6000; round++) {
		arena *a = arena_new("test");
		char *text = arena_strdup(a, texts[(size_t)round % N_ROWS(texts)]);
		size_t n = strlen(text);
		for (int k = 0; k <= round % 3; k++) {
			random = random * 1664525u + 1013904223u;
			size_t at = (random >> 8) % n;
			random = random * 1664525u + 1013904223u;
			text[at] = letters[(random >> 8) % (sizeof letters - 1)];
		}
		const char *messages;
		graph *g = parse(a, text, &messages);
		if (g) {
			const char *once = print(a, g);
			assert_string_equal(print(a, parse_good(a, once)), once);
		} else {
			assert_non_null(strstr(messages, "error: "));
		}
		arena_free(a);
	}
}

/* ---- elements ---------------------------------------------------------------------------------------------------- */

static const char *elements_text(arena *a, const value *v)
{
	str s = str_new(a);
	if (!v->elements)
		return "unknown";
	for (int i = 0; i < v->n_elements; i++) {
		str_add(&s, i ? " " : "");
		sym_print(&s, v->elements[i]);
	}
	return s.data;
}

#define CHAIN(type, body) \
	"graph @g(%x: f32[N,C,8,8], %u: i64[2]) -> () {\n" \
	"  %s = sizes {values=[N,C,8,8], shape=[4]} : i64[4]\n" body " : " type "\n}\n"

static const struct chain {
	const char *text, *elements; /* of the last value */
} chains[] = {
	{CHAIN("i64[4]", "  %y = map %s { (%0 * 2) }"), "N*2 C*2 16 16"},
	{CHAIN("i64[2]", "  %y = slice %s {starts=[2], steps=[-2], shape=[2]}"), "8 N"},
	{CHAIN("i64[]", "  const %i: i64[] = [-3]\n  %y = gather %s, %i {axis=0}"), "C"},
	{CHAIN("i64[2]", "  const %i: i64[2] = [1, -1]\n  %y = gather %s, %i {axis=0}"), "C 8"},
	{CHAIN("i64[5]", "  const %i: i64[1] = [-1]\n  %y = concat %s, %i {axis=0}"), "N C 8 8 -1"},
	{CHAIN("i64[1]", "  %y = reduce %s {op=prod, axes=[0]}"), "C*N*64"},
	{CHAIN("i64[1]", "  %y = reduce %s {op=sum, axes=[0]}"), "C + N + 16"},
	{CHAIN("i64[2,2]", "  %y = reshape %s {shape=[2,2]}"), "N C 8 8"},
	{CHAIN("i64[4]", "  %a = map %s { cast<i32>(%0) } : i32[4]\n  %b = map %a { (%0 + 1:i32) } : i32[4]\n"
	                 "  %y = map %b { cast<i64>(%0) }"),
	 "N + 1 C + 1 9 9"},
	{CHAIN("i64[2]", "  const %f: f32[2] = [8.0, 3.0]\n  %a = map %f { (%0 * 2.0) } : f32[2]\n"
	                 "  %y = map %a { cast<i64>(%0) }"),
	 "16 6"},
	{CHAIN("i64[4]", "  %a = map %s { (%0 == 8) } : bool[4]\n  const %z: i64[4] = [1, 2, 3, 4]\n"
	                 "  %y = map %z { (%0 / 2) }"),
	 "0 1 1 2"},
	{CHAIN("bool[2]", "  const %z: i64[2] = [1, 2]\n  %y = map %z { (%0 < 2) }"), "1 0"},
	{CHAIN("i64[2]", "  const %z: i64[2] = [4611686018427387904, 3]\n  %y = map %z { (%0 * 4) }"), "0 12"},
	{CHAIN("i64[1]", "  %y = reduce %s {op=min, axes=[0]}"), "min(8, min(C, N))"},
	{CHAIN("i64[2]", "  %y = map %u { (%0 + 1) }"), "unknown"},
	{CHAIN("i64[8]", "  %y = iota {shape=[8], axis=0}"), "0 1 2 3 4 5 6 7"},
	{CHAIN("i64[65]", "  %y = iota {shape=[65], axis=0}"), "unknown"},
	{CHAIN("i64[0]", "  %y = slice %s {starts=[0], steps=[1], shape=[0]}"), ""},
	{CHAIN("i64[3,1]", "  const %z: i64[1] = [5]\n  %y = expand %z {shape=[3,1]}"), "5 5 5"},
};

static void elements_of_shape_arithmetic(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ROWS(chains); i++) {
		arena *a = arena_new("test");
		graph *g = parse_good(a, chains[i].text);
		const char *found = elements_text(a, g->last->out[0]);
		if (strcmp(found, chains[i].elements) != 0)
			fail_msg("%s\ngave: %s\nexpected: %s", chains[i].text, found, chains[i].elements);
		assert_false(sym_overflowed(g->syms));
		arena_free(a);
	}
}

/* ---- editing ----------------------------------------------------------------------------------------------------- */

static const char diamond[] =
	"graph @g(%x: f32[4], %z: f32[4]) -> (%y: f32[4]) {\n"
	"  %1 = map %x { exp(%0) } : f32[4]\n"
	"  %2 = map %1 { sqrt(%0) } : f32[4]\n"
	"  %3 = map %1, %2, %1 { ((%0 + %1) + %2) } : f32[4]\n"
	"  %y = map %3 { abs(%0) } : f32[4]\n"
	"}\n";

static node *nth(const graph *g, int n)
{
	for_each_node(x, g)
		if (n-- == 0)
			return x;
	return NULL;
}

static void uses_are_in_order(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	graph *g = parse_good(a, diamond);
	use_map *m = use_map_new(a, g);
	uses u = uses_of(m, nth(g, 0)->out[0]);
	assert_int_equal(u.n, 3);
	assert_ptr_equal(u.v[0].user, nth(g, 1));
	assert_ptr_equal(u.v[1].user, nth(g, 2));
	assert_int_equal(u.v[1].operand, 0);
	assert_int_equal(u.v[2].operand, 2);
	assert_int_equal(uses_of(m, g->inputs.v[1]).n, 0);
	assert_int_equal(uses_of(m, g->outputs.v[0]).n, 0);
	assert_int_equal(g->outputs.v[0]->n_uses, 1);
	arena_free(a);
}

static void replaced_values_lose_all_uses(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	graph *g = parse_good(a, diamond);
	value *one = nth(g, 0)->out[0];
	graph_replace_value(g, one, g->inputs.v[1]);
	assert_int_equal(one->n_uses, 0);
	assert_int_equal(g->inputs.v[1]->n_uses, 3);
	assert_verified(g);
	graph_replace_value(g, g->outputs.v[0], nth(g, 2)->out[0]); /* the output's name moves */
	assert_string_equal(g->outputs.v[0]->name, "y");
	assert_ptr_equal(g->outputs.v[0], nth(g, 2)->out[0]);
	assert_int_equal(graph_remove_dead(g), 2);
	assert_verified(g);
	assert_string_equal(print(a, g), "graph @g(%x: f32[4], %z: f32[4]) -> (%y: f32[4]) {\n"
	                                 "  %2 = map %z { sqrt(%0) } : f32[4]\n"
	                                 "  %y = map %z, %2, %z { ((%0 + %1) + %2) } : f32[4]\n"
	                                 "}\n");
	graph_replace_value(g, g->outputs.v[0], g->inputs.v[0]); /* an input cannot take the name */
	assert_ptr_equal(g->outputs.v[0], g->last->out[0]);
	assert_verified(g);
	arena_free(a);
}

static void nodes_move_and_go(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	graph *g = parse_good(a, diamond);
	g->before = g->first;
	value *extra = build_unary(g, EXPR_NEG, g->inputs.v[0]);
	assert_ptr_equal(g->first, extra->def);
	g->before = NULL;
	graph_move_before(g, extra->def, nth(g, 2));
	assert_ptr_equal(nth(g, 1), extra->def);
	graph_move_before(g, extra->def, NULL);
	assert_ptr_equal(g->last, extra->def);
	assert_verified(g);
	node_set_operand(g->last, 0, nth(g, 2)->out[0]);
	assert_verified(g);
	assert_int_equal(g->inputs.v[0]->n_uses, 1);
	graph_remove(g, g->last);
	assert_int_equal(graph_remove_dead(g), 0);
	assert_string_equal(print(a, g), diamond);
	arena_free(a);
}

static void attributes_are_replaced_by_name(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	graph *g = parse_good(a, "graph @g(%x: f32[4,5]) -> () {\n  %1 = concat %x {axis=1} : f32[4,5]\n}\n");
	node *n = g->first;
	assert_int_equal(node_int(n, "axis", 7), 1);
	assert_int_equal(node_int(n, "absent", 7), 7);
	node_set_attr(n, attr_of_int("axis", 0));
	node_set_attr(n, attr_of_word("note", "hello"));
	assert_int_equal(n->n_attrs, 2);
	assert_int_equal(node_int(n, "axis", 7), 0);
	assert_string_equal(node_word(n, "note", ""), "hello");
	node_drop_attr(n, "axis");
	assert_null(node_attr(n, "axis"));
	assert_int_equal(n->n_attrs, 1);
	arena_free(a);
}

static void a_second_name_is_a_copy(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	graph *g = graph_new(a, "g");
	sym *dims[] = {sym_dim(g->syms, "N", 0, INT64_MAX)};
	value *x = graph_input(g, "x", F32, 1, dims);
	value *y = build_unary(g, EXPR_NEG, x);
	graph_output(g, y, "y");
	graph_output(g, y, "y2");
	graph_output(g, x, "x2");
	assert_verified(g);
	assert_string_equal(x->name, "x");
	assert_string_equal(g->outputs.v[0]->name, "y");
	assert_string_equal(g->outputs.v[1]->name, "y2");
	assert_string_equal(g->outputs.v[2]->name, "x2");
	assert_ptr_not_equal(g->outputs.v[0], g->outputs.v[1]);
	arena_free(a);
}

/* ---- storage ----------------------------------------------------------------------------------------------------- */

static void offsets_follow_layout_and_alias(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	graph *g = parse_good(a, "graph @g(%x: f32[2,8,6,5]) -> () {\n"
	                         "  %1 = map %x { exp(%0) } : f32[2,8,6,5] @in %2[0,8,0,0]\n"
	                         "  %2 = concat %x, %1 {axis=1} : f32[2,16,6,5]{order=[0,2,3,1], lo=[0,0,1,1], hi=[0,0,1,2]}\n"
	                         "}\n");
	const value *base, *inner = g->first->out[0], *outer = g->last->out[0];
	coord at = {.rank = 4};
	for (int i = 0; i < 4; i++)
		at.i[i] = sym_const(g->syms, i + 1); /* 1, 2, 3, 4 */
	assert_int_equal(sym_value(value_offset(inner, at, &base)), (((1 * 8 + 3 + 1) * 8) + 4 + 1) * 16 + 2 + 8);
	assert_ptr_equal(base, outer);
	assert_ptr_equal(value_base(inner), outer);
	assert_int_equal(sym_value(value_storage_size(outer)), 2 * 8 * 8 * 16);
	assert_int_equal(sym_value(value_size(inner)), 2 * 8 * 6 * 5);
	arena_free(a);
}

/* ---- verifying --------------------------------------------------------------------------------------------------- */

static void break_count(graph *g) { g->inputs.v[0]->n_uses++; }
static void break_link(graph *g) { g->last->prev = NULL; }
static void break_order(graph *g) { graph_move_before(g, g->first, NULL); }
static void break_name(graph *g) { nth(g, 1)->out[0]->name = g->inputs.v[0]->name; }
static void break_type(graph *g) { nth(g, 1)->out[0]->type = I32; }
static void break_id(graph *g) { nth(g, 1)->out[0]->id = nth(g, 0)->out[0]->id; }
static void break_group(graph *g) { nth(g, 1)->group = nth(g, 0); }
static void break_place(graph *g) { g->outputs.v[0]->place = PLACE_INLINE; }
static void break_local(graph *g) { nth(g, 0)->out[0]->place = PLACE_LOCAL; }
static void break_output(graph *g) { g->outputs.v[0] = g->inputs.v[0]; }

static void violations_are_found(void **state)
{
	(void)state;
	static const struct { void (*damage)(graph *g); const char *why; } rows[] = {
		{break_count, "counts 2 uses, but has 1"}, {break_link, "not properly linked"},
		{break_order, "is not defined before it"}, {break_name, "another value has the same name"},
		{break_type, "another type than the type rule gives"}, {break_id, "its id is not unique"},
		{break_group, "is itself part of another kernel"}, {break_place, "stored on its own in memory"},
		{break_local, "used by two kernels"}, {break_output, "is an output, but an input too"},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		graph *g = parse_good(a, diamond);
		const char *why = "";
		rows[i].damage(g);
		assert_false(graph_verify(g, a, &why));
		if (!strstr(why, rows[i].why))
			fail_msg("gave: %s\nexpected: %s", why, rows[i].why);
		assert_non_null(print(a, g)); /* a broken graph prints, too */
		arena_free(a);
	}
}

/* Names, regions, inner symbols and conditions of a copy are those of the first graph; what happens to it does not reach that. */
static void a_copy_is_the_same_and_apart(void **state)
{
	static const char text[] =
		"dim found = 0..8 below 9\n"
		"dim i = 0..4 below 5\n"
		"assume N % 4 == 0\n"
		"graph @copied(%x: f32[8], %y: f32[N], %flag: bool[]) -> (%v: i64[1,found], %r: f32[8], %last: f32[8], %z: f32[N]) {\n"
		"  const %w: f32[8] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]\n"
		"  %0, %1 = nonzero %x : i64[1,8], i64[]\n"
		"  %2 = bind %1 {symbol=[found]} : i64[]\n"
		"  %v = slice %0 {starts=[0,0], steps=[1,1], shape=[1,found]} : i64[1,found]\n"
		"  %r = if %flag, %x, %w {then_in=1, sizes=[]} then (%a: f32[8]) -> (%b: f32[8]) {\n"
		"    const %k: f32[] = [2.0]\n"
		"    %b = map %a, %k { %0 * %1 } : f32[8]\n"
		"  } else (%a: f32[8]) -> (%c: f32[8]) {\n"
		"    %c = map %a { exp(%0) } : f32[8]   # node 3 \"inner\" (Exp)\n"
		"  } : f32[8]\n"
		"  %last = loop %x, %w {trip=[5], index=[i], carried=1, stack=[], reverse=[]} body (%before: f32[8], %more: f32[8]) -> (%next: f32[8]) {\n"
		"    %0 = slice %more {starts=[i], steps=[1], shape=[1]} : f32[1]\n"
		"    %next = map %before, %0 { %0 + %1 } : f32[8]\n"
		"  } : f32[8]\n"
		"  %3 = reshape %y {shape=[N / 4,4]} : f32[N / 4,4]   # node 7 \"view\" (Reshape)\n"
		"  %z = reshape %3 {shape=[N]} : f32[N]\n"
		"}\n";
	(void)state;
	arena *a = arena_new("test");
	graph *g = parse_good(a, text), *copy = graph_copy(g);
	const char *before = print(a, g);
	assert_string_equal(print(a, copy), before);
	assert_verified(copy);
	assert_verified(g);
	graph_replace_value(copy, copy->outputs.v[1], copy->outputs.v[2]);
	graph_remove_dead(copy);
	for_each_node(n, copy)
		if (n->n_regions)
			node_drop_attr(n->regions[0]->last, "expr");
	assert_string_equal(print(a, g), before);
	assert_string_not_equal(print(a, copy), before);
	assert_verified(g);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_survives_parsing),
		cmocka_unit_test(locations_are_read_from_comments),
		cmocka_unit_test(long_constants_print_as_a_digest),
		cmocka_unit_test(errors_have_a_place),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(damaged_text_is_harmless),
		cmocka_unit_test(elements_of_shape_arithmetic),
		cmocka_unit_test(uses_are_in_order),
		cmocka_unit_test(replaced_values_lose_all_uses),
		cmocka_unit_test(nodes_move_and_go),
		cmocka_unit_test(attributes_are_replaced_by_name),
		cmocka_unit_test(a_second_name_is_a_copy),
		cmocka_unit_test(a_copy_is_the_same_and_apart),
		cmocka_unit_test(offsets_follow_layout_and_alias),
		cmocka_unit_test(violations_are_found),
	};
	return RUN_TESTS(tests);
}
