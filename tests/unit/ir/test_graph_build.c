/* Builders make no node that changes nothing, fold chains of movements, and store results as their operands are. */
#include "tests/unit/unit.h"

#include "ir/graph_build.h"

static arena *a;
static graph *g;

static int setup(void **state)
{
	(void)state;
	a = arena_new("test");
	g = graph_new(a, "test");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(a);
	return 0;
}

static sym *size(int64_t i) { return sym_const(g->syms, i); }

static value *input(dtype t, int rank)
{
	sym *dims[4] = {sym_dim(g->syms, "N", 0, INT64_MAX), size(3), size(4), size(5)};
	return graph_input(g, arena_printf(a, "x%d", g->inputs.n), t, rank, dims);
}

static void test_nothing_to_do(void **state)
{
	(void)state;
	value *x = input(F32, 3);
	sym *zeros[3] = {size(0), size(0), size(0)};
	assert_ptr_equal(build_reshape(g, x, x->dims, 3), x);
	assert_ptr_equal(build_transpose(g, x, (int[]){0, 1, 2}), x);
	assert_ptr_equal(build_expand(g, x, x->dims, 3), x);
	assert_ptr_equal(build_cast(g, F32, x), x);
	assert_ptr_equal(build_slice(g, x, zeros, (int64_t[]){1, 1, 1}, x->dims), x);
	assert_ptr_equal(build_pad(g, x, zeros, zeros, "constant", NULL), x);
	assert_ptr_equal(build_concat(g, &x, 1, 0), x);
	assert_ptr_equal(build_tile(g, x, x->dims), x);
	assert_ptr_equal(build_reduce(g, x, "sum", NULL, 0), x);
	assert_ptr_equal(build_squeeze(g, x, NULL, 0), x);
	assert_null(g->first);
	sym *ends[3] = {size(0), size(2), size(0)};
	assert_ptr_not_equal(build_slice(g, x, ends, (int64_t[]){1, -1, 1}, x->dims), x);
}

static void test_chains(void **state)
{
	(void)state;
	value *x = input(F32, 3);
	value *t = build_transpose(g, x, (int[]){2, 0, 1});
	assert_ptr_equal(build_transpose(g, t, (int[]){1, 2, 0}), x);
	value *u = build_transpose(g, t, (int[]){0, 2, 1});
	assert_ptr_equal(u->def->in[0], x);
	const int64_t *perm = node_ints(u->def, "perm", NULL);
	assert_true(perm[0] == 2 && perm[1] == 1 && perm[2] == 0);

	value *r = build_unsqueeze(g, x, (int[]){3, 0}, 2);
	assert_int_equal(r->rank, 5);
	assert_true(sym_is(r->dims[0], 1) && r->dims[1] == x->dims[0] && sym_is(r->dims[3], 1));
	assert_ptr_equal(build_squeeze(g, r, (int[]){0, 3}, 2), x);
	value *s = build_squeeze(g, r, (int[]){3}, 1);
	assert_ptr_equal(s->def->in[0], x);
	assert_int_equal(s->rank, 4);
}

static void test_result_types(void **state)
{
	(void)state;
	value *h = input(F16, 2), *f = input(F32, 2), *i = input(I4, 2), *c = input(BOOL, 2);
	assert_int_equal(build_binary(g, EXPR_ADD, h, h)->type, F16);
	assert_int_equal(build_binary(g, EXPR_LT, h, h)->type, BOOL);
	assert_int_equal(build_binary(g, EXPR_ADD, f, f)->type, F32);
	assert_int_equal(build_binary(g, EXPR_ADD, i, i)->type, I4);
	assert_int_equal(build_unary(g, EXPR_ISNAN, h)->type, BOOL);
	assert_int_equal(build_unary(g, EXPR_EXP, h)->type, F16);
	assert_int_equal(build_select(g, c, h, h)->type, F16);
	assert_int_equal(build_cast(g, F16, f)->type, F16);
	assert_int_equal(build_cast(g, I64, i)->type, I64);
	assert_int_equal(build_reduce(g, h, "argmax", (int[]){1}, 1)->type, I64);
	assert_int_equal(build_contract(g, h, h, "ab,cb->ac")->type, F16);
}

static void test_scalars(void **state)
{
	(void)state;
	for (dtype t = F32; t < STRING; t++) {
		if (t == F8E8M0) {
			assert_true(tensor_float(value_tensor(build_scalar(g, t, 4)), 0) == 4);
			continue;
		}
		const tensor *one = value_tensor(build_scalar(g, t, 1));
		assert_true(one->rank == 0 && one->type == t);
		assert_true(tensor_float(one, 0) == 1);
		if (dtype_is_float(t))
			assert_true(tensor_float(value_tensor(build_scalar(g, t, -1.5)), 0) == -1.5);
		if (dtype_table[t].class == CLASS_SINT)
			assert_int_equal(tensor_int(value_tensor(build_scalar_int(g, t, -2)), 0), -2);
	}
	assert_true(tensor_float(value_tensor(build_scalar(g, F64, 0.1)), 0) == 0.1);
	assert_int_equal(tensor_int(value_tensor(build_scalar_int(g, I64, INT64_MIN)), 0), INT64_MIN);
}

static void test_sizes(void **state)
{
	(void)state;
	value *x = input(F32, 2);
	value *v = build_sizes(g, x->dims, 2), *s = build_size_scalar(g, x->dims[0]);
	assert_true(v->type == I64 && v->rank == 1 && s->rank == 0);
	assert_ptr_equal(v->elements[0], x->dims[0]);
	assert_ptr_equal(s->elements[0], x->dims[0]);
	value *product = build_binary(g, EXPR_MUL, build_gather(g, v, build_scalar_int(g, I64, 1), 0), s);
	assert_ptr_equal(product->elements[0], sym_muli(x->dims[0], 3));
	value *both = build_concat(g, (value *[]){v, v}, 2, 0);
	assert_int_equal(both->n_elements, 4);
	assert_ptr_equal(both->elements[2], x->dims[0]);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_nothing_to_do), CASE(test_chains), CASE(test_result_types), CASE(test_scalars), CASE(test_sizes),
	};
	return RUN_TESTS(tests);
}
