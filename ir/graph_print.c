/* The text form of a graph; docs/graph_ir.md has the grammar.  Total: a broken graph prints too. */
#include "ir/graph.h"
#include "ir/tensor_text.h"
#include "ir/text.h"

#include <string.h>

static void print_value(str *out, const value *v)
{
	if (!v)
		str_add(out, "%missing");
	else if (v->name)
		print_value_name(out, v->name);
	else
		str_addf(out, "%%%d", v->id);
}

/* ---- dimension symbols ------------------------------------------------------------------------------------------- */

typedef struct dim_list {
	arena *a;
	map *seen;
	vec(const sym *) dims;
} dim_list;

/* What bounds a dim comes before it. */
static bool collect_var(const sym *var, void *user)
{
	dim_list *l = user;
	if (var->role == SYM_DIM && !map_has(l->seen, var)) {
		map_put(l->seen, var, l);
		if (var->below)
			sym_any_var(var->below, collect_var, l);
		vec_push(l->a, &l->dims, var);
	}
	return false;
}

/* Only dims whose range is not the default one are declared. */
static void print_dims(str *out, const graph *g)
{
	dim_list l = {.a = out->a, .seen = map_new(out->a)};
	for (int i = 0; i < g->inputs.n; i++)
		for (int k = 0; k < g->inputs.v[i]->rank; k++)
			sym_any_var(g->inputs.v[i]->dims[k], collect_var, &l);
	for_each_node(n, g)
		node_any_sym(n, collect_var, &l);
	for (int i = 0; i < g->assumed.n; i++)
		condition_any_var(&g->assumed.v[i], collect_var, &l);
	for (int i = 0; i < l.dims.n; i++) {
		const sym *d = l.dims.v[i];
		if (d->lo == 0 && d->hi == INT64_MAX && !d->below)
			continue;
		str_add(out, "dim ");
		print_dim_range(out, d);
		str_addc(out, '\n');
	}
}

static void print_indent(str *out, int depth);

static void print_conditions(str *out, const graph *g, int depth)
{
	for (int i = 0; i < g->assumed.n; i++) {
		print_indent(out, depth);
		str_add(out, "assume ");
		condition_print(out, &g->assumed.v[i]);
		str_addc(out, '\n');
	}
}

/* ---- types ------------------------------------------------------------------------------------------------------- */

static void print_syms(str *out, sym *const *v, int n)
{
	str_addc(out, '[');
	for (int i = 0; i < n; i++) {
		if (i)
			str_addc(out, ',');
		sym_print(out, v[i]);
	}
	str_addc(out, ']');
}

static void print_ints(str *out, const int64_t *v, int n)
{
	str_addc(out, '[');
	for (int i = 0; i < n; i++)
		str_addf(out, "%s%lld", i ? "," : "", (long long)v[i]);
	str_addc(out, ']');
}

static bool all_zero(const int64_t *v, int n)
{
	for (int i = 0; i < n; i++)
		if (v[i] != 0)
			return false;
	return true;
}

static void print_layout(str *out, const layout *l, int rank)
{
	const char *comma = "";
	int64_t order[MAX_RANK];
	bool ordered = true;
	for (int i = 0; i < rank; i++) {
		order[i] = l->order[i];
		ordered &= l->order[i] == i;
	}
	str_addc(out, '{');
	if (!ordered) {
		str_add(out, "order=");
		print_ints(out, order, rank);
		comma = ", ";
	}
	if (!all_zero(l->halo_lo, rank) || !all_zero(l->halo_hi, rank)) {
		str_addf(out, "%slo=", comma);
		print_ints(out, l->halo_lo, rank);
		str_add(out, ", hi=");
		print_ints(out, l->halo_hi, rank);
	}
	str_addc(out, '}');
}

/* f32[N,64]{layout} @place @in %base[start,...] */
static void print_type(str *out, const value *v)
{
	static const char *const places[] = {[PLACE_ARENA] = "", [PLACE_INLINE] = " @inline", [PLACE_LOCAL] = " @local"};
	str_add(out, dtype_name(v->type));
	print_syms(out, v->dims, v->rank);
	if (v->layout)
		print_layout(out, v->layout, v->rank);
	str_add(out, places[v->place]);
	if (v->alias) {
		str_add(out, " @in ");
		print_value(out, v->alias);
		print_syms(out, v->alias_start, v->rank);
	}
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static void print_floats(str *out, const double *v, int n)
{
	str_addc(out, '[');
	for (int i = 0; i < n; i++) {
		if (i)
			str_addc(out, ',');
		str_add_float(out, v[i], 0);
	}
	str_addc(out, ']');
}

/* A word that would read as a number is quoted. */
static void print_word(str *out, const char *word)
{
	if (strcmp(word, "inf") == 0 || strcmp(word, "nan") == 0)
		print_quoted(out, word);
	else
		print_name(out, word);
}

static void print_attr_value(str *out, const attr *a, print_options o)
{
	switch (a->kind) {
	case ATTR_INT: str_addf(out, "%lld", (long long)a->i); break;
	case ATTR_INTS: print_ints(out, a->ints, a->n); break;
	case ATTR_FLOAT: str_add_float(out, a->f, 0); break;
	case ATTR_FLOATS: print_floats(out, a->floats, a->n); break;
	case ATTR_WORD: print_word(out, a->word); break;
	case ATTR_SYMS: print_syms(out, a->syms, a->n); break;
	case ATTR_EXPR:
		str_add(out, "{ ");
		expr_print(out, a->expr);
		str_add(out, " }");
		break;
	case ATTR_TENSOR:
		str_add(out, dtype_name(a->tensor->type));
		print_ints(out, a->tensor->dims, a->tensor->rank);
		str_addc(out, ' ');
		print_tensor_data(out, a->tensor, o.max_const);
		break;
	}
}

/* The expression of a map stands alone in braces, all other attributes follow in theirs. */
static bool stands_alone(const node *n, const attr *a)
{
	return n->op == OP_MAP && a->kind == ATTR_EXPR && strcmp(a->name, "expr") == 0;
}

static void print_attrs(str *out, const node *n, print_options o)
{
	bool open = false;
	for (int i = 0; i < n->n_attrs; i++) {
		if (stands_alone(n, &n->attrs[i])) {
			str_addc(out, ' ');
			print_attr_value(out, &n->attrs[i], o);
		}
	}
	for (int i = 0; i < n->n_attrs; i++) {
		if (stands_alone(n, &n->attrs[i]))
			continue;
		str_add(out, open ? ", " : " {");
		open = true;
		print_name(out, n->attrs[i].name);
		str_addc(out, '=');
		print_attr_value(out, &n->attrs[i], o);
	}
	if (open)
		str_addc(out, '}');
}

static void print_source(str *out, source s)
{
	bool named = s.name && *s.name, has_op = s.op && *s.op;
	if (s.index < 0 && !named && !has_op)
		return;
	str_addf(out, "   # node %d", s.index);
	if (named) {
		str_addc(out, ' ');
		print_quoted(out, s.name);
	}
	if (has_op) {
		str_add(out, " (");
		print_name(out, s.op);
		str_addc(out, ')');
	}
}

static void print_const(str *out, const node *n, print_options o)
{
	const attr *data = node_attr(n, "value");
	str_add(out, "const ");
	print_value(out, n->out[0]);
	str_add(out, ": ");
	print_type(out, n->out[0]);
	str_add(out, " = ");
	if (data && data->kind == ATTR_TENSOR)
		print_tensor_data(out, data->tensor, o.max_const);
	else
		str_add(out, "missing");
}

static void print_region(str *out, const graph *g, const char *word, int depth, print_options o);

static void print_operation(str *out, const node *n, int depth, print_options o)
{
	for (int i = 0; i < n->n_out; i++) {
		str_add(out, i ? ", " : "");
		print_value(out, n->out[i]);
	}
	str_addf(out, " = %s", op_table[n->op].text);
	for (int i = 0; i < n->n_in; i++) {
		str_add(out, i ? ", " : " ");
		print_value(out, n->in[i]);
	}
	print_attrs(out, n, o);
	for (int i = 0; i < n->n_regions; i++)
		print_region(out, n->regions[i], region_word(n->op, i), depth, o);
	for (int i = 0; i < n->n_out; i++) {
		str_add(out, i ? ", " : " : ");
		print_type(out, n->out[i]);
	}
}

static void print_indent(str *out, int depth)
{
	while (depth-- > 0)
		str_add(out, "  ");
}

static void print_node(str *out, const node *n, int depth, print_options o)
{
	print_indent(out, depth);
	if (n->op == OP_CONST && n->n_out == 1)
		print_const(out, n, o);
	else
		print_operation(out, n, depth, o);
	if (n->group && n->group != n && n->group->n_out > 0) {
		str_add(out, " @group ");
		print_value(out, n->group->out[0]);
	}
	if (o.locations)
		print_source(out, n->src);
	str_addc(out, '\n');
}

static void print_ports(str *out, value *const *v, int n)
{
	str_addc(out, '(');
	for (int i = 0; i < n; i++) {
		str_add(out, i ? ", " : "");
		print_value(out, v[i]);
		str_add(out, ": ");
		print_type(out, v[i]);
	}
	str_addc(out, ')');
}

/* Inputs, outputs and nodes. */
static void print_body(str *out, const graph *g, int depth, print_options o)
{
	print_ports(out, g->inputs.v, g->inputs.n);
	str_add(out, " -> ");
	print_ports(out, g->outputs.v, g->outputs.n);
	str_add(out, " {\n");
	if (depth > 0)
		print_conditions(out, g, depth + 1);
	for_each_node(n, g)
		print_node(out, n, depth + 1, o);
	print_indent(out, depth);
	str_addc(out, '}');
}

static void print_region(str *out, const graph *g, const char *word, int depth, print_options o)
{
	str_addf(out, " %s ", word ? word : "region");
	print_body(out, g, depth, o);
}

void graph_print(str *out, const graph *g, print_options o)
{
	print_dims(out, g);
	print_conditions(out, g, 0);
	str_add(out, "graph ");
	print_symbol_name(out, g->name);
	print_body(out, g, 0, o);
	str_addc(out, '\n');
}
