/* Ensembles of decision trees.
 *
 * All trees stand in one table of nodes, in which a leaf is its own child.  A loop that runs as often as the deepest tree has levels
 * moves [batch, trees] node numbers down, without branches: each step is one map that looks up the table and the features.  The votes
 * of the leaves that are reached are then looked up and folded over the trees. */
#include "frontend/import_ml.h"
#include "frontend/import_strings.h"
#include "frontend/region.h"

#include <math.h>
#include <string.h>

/* What a comparison of feature and split says, by its bit, and for NaN: go to `yes`. */
enum { IF_LESS = 1, IF_EQUAL = 2, IF_GREATER = 4, IF_MISSING = 8 };
static const struct { const char *name; int code; } modes[] = {
	{"BRANCH_LEQ", IF_LESS | IF_EQUAL},    {"BRANCH_LT", IF_LESS}, {"BRANCH_GTE", IF_GREATER | IF_EQUAL},
	{"BRANCH_GT", IF_GREATER},             {"BRANCH_EQ", IF_EQUAL}, {"BRANCH_NEQ", IF_LESS | IF_GREATER},
};
enum { N_MODES = sizeof modes / sizeof *modes, MODE_MEMBER = N_MODES, LEAF = -1 };
enum { MAX_NODES = 1 << 26, MAX_DEPTH = 1 << 12 };

typedef struct tree_node {
	int64_t feature;
	double split;
	int code; /* LEAF: none */
	int64_t yes, no;
} tree_node;

/* A leaf adds a weight to a target. */
typedef struct vote {
	int64_t node, target;
	double weight;
} vote;

typedef enum fold_rule { AVERAGE, SUM, LEAST, MOST } fold_rule; /* as TreeEnsemble-5 numbers them */

typedef struct forest {
	importer *im;
	const onnx_node *n;
	value *x;
	vec(tree_node) nodes;
	vec(int64_t) roots;
	vec(vote) votes;
	int64_t targets;
	fold_rule rule;
} forest;

/* ---- attributes ------------------------------------------------------------------------------------------------------------- */
typedef struct real_list {
	const tensor *t; /* name_as_tensor, or the floats */
	int n;
} real_list;

static real_list reals(importer *im, const onnx_node *n, const char *name)
{
	float_list floats = attr_floats(im, n, name);
	const tensor *t = attr_tensor(im, n, arena_printf(im->a, "%s_as_tensor", name));
	if (!t && floats.given) {
		int64_t count = floats.n;
		t = tensor_new(im->a, F32, 1, &count, floats.v);
	}
	if (t && (!dtype_is_float(t->type) || t->n_elements > MAX_NODES))
		refuse(im, n, "%s_as_tensor is %s of %zu elements", name, dtype_name(t->type), t->n_elements);
	return (real_list){t, t ? (int)t->n_elements : 0};
}

static int_list ints_like(importer *im, const onnx_node *n, const char *name, int count)
{
	int_list list = attr_ints_required(im, n, name);
	if (list.n != count)
		refuse(im, n, "%s has %d entries, needs %d", name, list.n, count);
	return list;
}

/* ---- the table -------------------------------------------------------------------------------------------------------------- */
static int64_t checked_child(const forest *f, int64_t child)
{
	if (child < 0 || child >= f->nodes.n)
		refuse(f->im, f->n, "a child is node %lld of %d", (long long)child, f->nodes.n);
	return child;
}

/* The levels below a node; a path longer than there are nodes is a cycle. */
static int depth_below(const forest *f, int *depth, int64_t at, int level)
{
	const tree_node *t = &f->nodes.v[at];
	if (level > MAX_DEPTH || level > f->nodes.n)
		refuse(f->im, f->n, "a tree has a cycle, or more than %d levels", MAX_DEPTH);
	if (t->code == LEAF)
		return 0;
	if (depth[at] == 0) {
		int yes = depth_below(f, depth, t->yes, level + 1), no = depth_below(f, depth, t->no, level + 1);
		depth[at] = 1 + (yes > no ? yes : no);
	}
	return depth[at];
}

static int depth_of(const forest *f)
{
	int *depth = new_array(f->im->a, int, (size_t)f->nodes.n + 1), most = 0;
	int64_t features;
	bool known = sym_is_const(f->x->dims[1], &features);
	for (int i = 0; i < f->nodes.n; i++) {
		const tree_node *t = &f->nodes.v[i];
		checked_child(f, t->yes);
		checked_child(f, t->no);
		if (t->code != LEAF && (t->feature < 0 || (known && t->feature >= features)))
			refuse(f->im, f->n, "node %d compares feature %lld", i, (long long)t->feature);
	}
	for (int i = 0; i < f->roots.n; i++) {
		int levels = depth_below(f, depth, checked_child(f, f->roots.v[i]), 0);
		most = levels > most ? levels : most;
	}
	return most;
}

static value *table_of_ints(const forest *f, const int64_t *v, int n)
{
	return build_const(f->im->graph, tensor_vector_i64(f->im->a, v, n), NULL);
}

static value *table_of_reals(const forest *f, const double *v, int64_t n)
{
	value *all = build_const(f->im->graph, tensor_new(f->im->a, F64, 1, &n, v), NULL);
	return narrow(f->im, all, f->x->type);
}

typedef struct tables {
	value *features, *splits, *codes, *yes, *no;
	int code; /* of all nodes that are not leaves; -1: they differ */
} tables;

static tables tables_of(const forest *f)
{
	size_t n = (size_t)f->nodes.n;
	int64_t *ints[4];
	double *splits = new_array(f->im->a, double, n);
	tables t = {.code = -2};
	for (int k = 0; k < 4; k++)
		ints[k] = new_array(f->im->a, int64_t, n);
	for (size_t i = 0; i < n; i++) {
		const tree_node *d = &f->nodes.v[i];
		ints[0][i] = d->code == LEAF ? 0 : d->feature;
		ints[1][i] = d->code == LEAF ? 0 : d->code;
		ints[2][i] = d->yes;
		ints[3][i] = d->no;
		splits[i] = d->split;
		if (d->code != LEAF)
			t.code = t.code == -2 || t.code == d->code ? d->code : -1;
	}
	t.features = table_of_ints(f, ints[0], f->nodes.n);
	t.codes = table_of_ints(f, ints[1], f->nodes.n);
	t.yes = table_of_ints(f, ints[2], f->nodes.n);
	t.no = table_of_ints(f, ints[3], f->nodes.n);
	t.splits = table_of_reals(f, splits, f->nodes.n);
	return t;
}

/* ---- walking ---------------------------------------------------------------------------------------------------------------- */
static const expr *has_bit(importer *im, const expr *code, int bit)
{
	const expr *mask = expr_int(im->exprs, I64, bit);
	return op2n(im, EXPR_NE, op2(im, EXPR_AND, code, mask), 0);
}

/* Whether to go to `yes`. */
static const expr *goes_to_yes(importer *im, const tables *t, const expr *x, const expr *split, const expr *code)
{
	const expr *less = op2(im, EXPR_LT, x, split), *equal = op2(im, EXPR_EQ, x, split), *missing = op1(im, EXPR_ISNAN, x);
	if (t->code == (IF_LESS | IF_EQUAL))
		return op2(im, EXPR_LE, x, split);
	if (t->code == IF_LESS)
		return less;
	const expr *otherwise = choose_if(im, equal, has_bit(im, code, IF_EQUAL), has_bit(im, code, IF_GREATER));
	return choose_if(im, missing, has_bit(im, code, IF_MISSING), choose_if(im, less, has_bit(im, code, IF_LESS), otherwise));
}

/* One level down from the nodes `at` [batch, trees]. */
static value *step_down(importer *im, const tables *t, value *x, value *at)
{
	attr axis = attr_of_int("axis", 1);
	value *feature = build_gather(im->graph, t->features, at, 0);
	value *in[] = {
		build(im->graph, OP_GATHER_ELEMENTS, (value *[]){x, feature}, 2, &axis, 1),
		build_gather(im->graph, t->splits, at, 0),
		build_gather(im->graph, t->yes, at, 0),
		build_gather(im->graph, t->no, at, 0),
		build_gather(im->graph, t->codes, at, 0),
	};
	const expr *yes = goes_to_yes(im, t, operand(im, 0, in[0]), operand(im, 1, in[1]), operand(im, 4, in[4]));
	const expr *next = choose_if(im, yes, operand(im, 2, in[2]), operand(im, 3, in[3]));
	return map_as(im, I64, next, in, t->code == (IF_LESS | IF_EQUAL) || t->code == IF_LESS ? 4 : 5);
}

/* The leaves that are reached: [batch, trees]. */
static value *leaves_of(const forest *f)
{
	importer *im = f->im;
	sym *shape[] = {f->x->dims[0], size(im, f->roots.n)};
	value *at = build_expand(im->graph, table_of_ints(f, f->roots.v, f->roots.n), shape, 2);
	int depth = depth_of(f);
	if (depth == 0)
		return at;
	loop_builder l;
	tables outer = tables_of(f), t;
	loop_open(im, f->n, &l, size(im, depth), "trees");
	value *inner = loop_carry(im, &l, "at", at);
	t = (tables){region_capture(im, l.s, outer.features), region_capture(im, l.s, outer.splits), region_capture(im, l.s, outer.codes),
		     region_capture(im, l.s, outer.yes), region_capture(im, l.s, outer.no), outer.code};
	vec_push(im->a, &l.carried, step_down(im, &t, region_capture(im, l.s, f->x), inner));
	return loop_close(im, f->n, &l)->out[0];
}

/* ---- votes ------------------------------------------------------------------------------------------------------------------ */
/* The votes of every node for every target, with the neutral number where there is none. */
static value *vote_table(const forest *f)
{
	int64_t n = f->nodes.n, count;
	if (f->targets < 1 || n > MAX_NODES / f->targets)
		refuse(f->im, f->n, "%lld nodes with %lld targets are too many", (long long)n, (long long)f->targets);
	count = n * f->targets;
	double *table = new_array(f->im->a, double, (size_t)count), none = f->rule == LEAST ? INFINITY : f->rule == MOST ? -INFINITY : 0;
	for (int64_t i = 0; i < count; i++)
		table[i] = none;
	for (int i = 0; i < f->votes.n; i++) {
		const vote *v = &f->votes.v[i];
		if (v->target < 0 || v->target >= f->targets)
			refuse(f->im, f->n, "a leaf votes for target %lld of %lld", (long long)v->target, (long long)f->targets);
		double *to = &table[v->node * f->targets + v->target];
		*to = f->rule == LEAST ? fmin(*to, v->weight) : f->rule == MOST ? fmax(*to, v->weight) : *to + v->weight;
	}
	sym *shape[] = {size(f->im, n), size(f->im, f->targets)};
	return reshape(f->im, table_of_reals(f, table, count), shape, 2);
}

/* The folded votes: [batch, targets]. */
static value *scores_of(const forest *f, real_list base)
{
	importer *im = f->im;
	static const char *const folds[] = {[AVERAGE] = "sum", [SUM] = "sum", [LEAST] = "min", [MOST] = "max"};
	int trees = 1;
	value *votes = build_gather(im->graph, vote_table(f), leaves_of(f), 0);
	value *in[] = {reduce_axes(im, votes, folds[f->rule], &trees, 1, false), NULL};
	const expr *e = operand(im, 0, in[0]);
	if (f->rule == AVERAGE)
		e = op2n(im, EXPR_DIV, e, f->roots.n);
	if (f->rule == LEAST || f->rule == MOST)
		e = choose_if(im, op2n(im, EXPR_EQ, op1(im, EXPR_ABS, e), (double)INFINITY), number(im, e, 0), e);
	if (base.n) {
		if (base.n != 1 && base.n != f->targets)
			refuse(im, f->n, "base_values has %d entries for %lld targets", base.n, (long long)f->targets);
		in[1] = narrow(im, build_const(im->graph, base.t, NULL), in[0]->type);
		e = op2(im, EXPR_ADD, e, operand(im, 1, in[1]));
	}
	return map_as(im, in[0]->type, e, in, base.n ? 2 : 1);
}

/* ---- TreeEnsembleRegressor, TreeEnsembleClassifier ------------------------------------------------------------------------------ */
/* Keys for (tree, node): nodes of one tree have numbers of their own. */
static map *numbered(const forest *f, int_list trees, int_list ids)
{
	map *places = map_new_str(f->im->a);
	for (int i = 0; i < ids.n; i++) {
		const char *key = arena_printf(f->im->a, "%lld:%lld", (long long)trees.v[i], (long long)ids.v[i]);
		if (map_has(places, key))
			refuse(f->im, f->n, "node %lld of tree %lld is defined twice", (long long)ids.v[i], (long long)trees.v[i]);
		map_put(places, key, &f->nodes.v[i]);
	}
	return places;
}

static int64_t node_named(const forest *f, const map *places, int64_t tree, int64_t id)
{
	const tree_node *t = map_get(places, arena_printf(f->im->a, "%lld:%lld", (long long)tree, (long long)id));
	if (!t)
		refuse(f->im, f->n, "tree %lld has no node %lld", (long long)tree, (long long)id);
	return t - f->nodes.v;
}

static int code_named(const forest *f, const char *mode)
{
	for (int i = 0; i < N_MODES; i++)
		if (strcmp(modes[i].name, mode) == 0)
			return modes[i].code;
	if (strcmp(mode, "LEAF") != 0)
		refuse(f->im, f->n, "the mode %s is not known", mode);
	return LEAF;
}

/* Nodes and roots: the first node of each tree.  Votes by attributes that begin with `prefix`. */
static forest read_named(importer *im, const onnx_node *n, const char *prefix)
{
	forest f = {.im = im, .n = n, .x = ml_batch(im, n), .rule = SUM};
	int_list trees = attr_ints_required(im, n, "nodes_treeids"), missing = attr_ints(im, n, "nodes_missing_value_tracks_true");
	int count = trees.n;
	int_list ids = ints_like(im, n, "nodes_nodeids", count), features = ints_like(im, n, "nodes_featureids", count);
	int_list yes = ints_like(im, n, "nodes_truenodeids", count), no = ints_like(im, n, "nodes_falsenodeids", count);
	string_list words = attr_strings(im, n, "nodes_modes");
	real_list splits = reals(im, n, "nodes_values");
	attr_ignore(n, "nodes_hitrates");
	attr_ignore(n, "nodes_hitrates_as_tensor");
	if (count < 1 || words.n != count || splits.n != count || (missing.given && missing.n != count))
		refuse(im, n, "the attributes of %d nodes differ in length", count);
	for (int i = 0; i < count; i++) {
		int code = code_named(&f, words.v[i]);
		if (code != LEAF && missing.given && missing.v[i])
			code |= IF_MISSING;
		tree_node t = {features.v[i], tensor_float(splits.t, (size_t)i), code, i, i};
		vec_push(im->a, &f.nodes, t);
	}
	map *places = numbered(&f, trees, ids), *seen = map_new_str(im->a);
	for (int i = 0; i < count; i++) {
		const char *tree = arena_printf(im->a, "%lld", (long long)trees.v[i]);
		if (f.nodes.v[i].code != LEAF) {
			f.nodes.v[i].yes = node_named(&f, places, trees.v[i], yes.v[i]);
			f.nodes.v[i].no = node_named(&f, places, trees.v[i], no.v[i]);
		}
		if (!map_has(seen, tree))
			vec_push(im->a, &f.roots, (int64_t)i);
		map_put(seen, tree, im);
	}
	int_list of_tree = attr_ints_required(im, n, arena_printf(im->a, "%s_treeids", prefix));
	int_list of_node = ints_like(im, n, arena_printf(im->a, "%s_nodeids", prefix), of_tree.n);
	int_list targets = ints_like(im, n, arena_printf(im->a, "%s_ids", prefix), of_tree.n);
	real_list weights = reals(im, n, arena_printf(im->a, "%s_weights", prefix));
	if (weights.n != of_tree.n)
		refuse(im, n, "%s_weights has %d entries, needs %d", prefix, weights.n, of_tree.n);
	for (int i = 0; i < of_tree.n; i++) {
		vote v = {node_named(&f, places, of_tree.v[i], of_node.v[i]), targets.v[i], tensor_float(weights.t, (size_t)i)};
		vec_push(im->a, &f.votes, v);
	}
	return f;
}

static const char *transform_word(importer *im, const onnx_node *n)
{
	return attr_word(im, n, "post_transform", "NONE SOFTMAX LOGISTIC SOFTMAX_ZERO PROBIT");
}

/* ai.onnx.ml TreeEnsembleRegressor-5. */
value *import_tree_regressor(importer *im, const onnx_node *n)
{
	forest f = read_named(im, n, "target");
	const char *rule = attr_word(im, n, "aggregate_function", "SUM AVERAGE MIN MAX");
	f.targets = attr_int(im, n, "n_targets", 1);
	f.rule = rule[0] == 'A' ? AVERAGE : rule[0] == 'S' ? SUM : rule[1] == 'I' ? LEAST : MOST;
	value *scores = scores_of(&f, reals(im, n, "base_values"));
	return narrow(im, ml_transform(im, n, scores, transform_word(im, n)), F32);
}

static value *labels(importer *im, const onnx_node *n, value *winners)
{
	return class_labels(im, n, winners, "classlabels_int64s", "classlabels_strings");
}

/* Two classes and votes for one of them only: its score s stands for both.  With weights that are probabilities, the columns are
 * 1 - s and s, and the second wins above a half; else -s and s, and it wins above 0. */
static value *binary_result(importer *im, const onnx_node *n, const forest *f, value *score)
{
	bool positive = true, logistic = strcmp(transform_word(im, n), "LOGISTIC") == 0;
	int axis = 1;
	for (int i = 0; i < f->votes.n; i++)
		positive = positive && f->votes.v[i].weight >= 0;
	const expr *s = operand(im, 0, score), *minus = op1(im, EXPR_NEG, s), *first, *second = s;
	first = positive ? op2(im, EXPR_SUB, number(im, s, 1), s) : minus;
	if (!positive && logistic) {
		first = op1(im, EXPR_SIGMOID, minus);
		second = op1(im, EXPR_SIGMOID, s);
	}
	value *columns[] = {map_as(im, F32, first, &score, 1), map_as(im, F32, second, &score, 1)};
	const expr *wins = op2n(im, EXPR_GT, s, positive ? 0.5 : 0);
	value *winner = map_as(im, I64, expr_cast(im->exprs, I64, wins), &score, 1);
	set_result(n, 1, build_concat(im->graph, columns, 2, 1));
	return labels(im, n, build_squeeze(im->graph, winner, &axis, 1));
}

/* ai.onnx.ml TreeEnsembleClassifier-5. */
value *import_tree_classifier(importer *im, const onnx_node *n)
{
	forest f = read_named(im, n, "class");
	int axis = 1;
	int classes = class_count(im, n, "classlabels_int64s", "classlabels_strings");
	real_list base = reals(im, n, "base_values");
	bool one = classes == 2 && base.n < 2;
	for (int i = 1; i < f.votes.n; i++)
		one = one && f.votes.v[i].target == f.votes.v[0].target;
	for (int i = 0; one && i < f.votes.n; i++)
		f.votes.v[i].target = 0;
	f.targets = one ? 1 : classes;
	value *scores = narrow(im, scores_of(&f, base), F32);
	if (one)
		return binary_result(im, n, &f, scores);
	set_result(n, 1, ml_transform(im, n, scores, transform_word(im, n)));
	return labels(im, n, reduce_axes(im, scores, "argmax", &axis, 1, false));
}

/* ---- TreeEnsemble ------------------------------------------------------------------------------------------------------------- */
typedef struct compact {
	int_list features, yes, no, yes_leaf, no_leaf, missing;
	const tensor *splits, *modes, *members;
	size_t next_member;
} compact;

static const tensor *tensor_like(importer *im, const onnx_node *n, const char *name, int count)
{
	const tensor *t = attr_tensor(im, n, name);
	if (!t || t->type == STRING || t->n_elements != (size_t)count)
		refuse(im, n, "%s must be a tensor of %d elements", name, count);
	return t;
}

/* Where the table has a child: leaves come behind all nodes. */
static int64_t child_at(const forest *f, int count, int leaves, int64_t i, bool is_leaf)
{
	if (i < 0 || i >= (is_leaf ? leaves : count))
		refuse(f->im, f->n, "a child is %s %lld of %d", is_leaf ? "leaf" : "node", (long long)i, is_leaf ? leaves : count);
	return is_leaf ? count + i : i;
}

/* A test of membership is a chain of tests of equality, whose further nodes come at the end of the table. */
static void add_members(forest *f, compact *c, int at)
{
	size_t n = c->members ? c->members->n_elements : 0, first = c->next_member;
	int64_t now = at;
	const tree_node test = f->nodes.v[at];
	for (; c->next_member < n && !isnan(tensor_float(c->members, c->next_member)); c->next_member++) {
		tree_node t = test;
		t.split = tensor_float(c->members, c->next_member);
		t.code = IF_EQUAL | (t.code & IF_MISSING);
		if (c->next_member > first) {
			vec_push(f->im->a, &f->nodes, t);
			f->nodes.v[now].no = f->nodes.n - 1;
			now = f->nodes.n - 1;
		} else {
			f->nodes.v[at] = t;
		}
	}
	if (c->next_member >= n)
		refuse(f->im, f->n, "membership_values has no NaN behind the members of node %d", at);
	if (c->next_member == first)
		f->nodes.v[at].code = f->nodes.v[at].code & IF_MISSING;
	c->next_member++;
}

static forest read_compact(importer *im, const onnx_node *n)
{
	forest f = {.im = im, .n = n, .x = ml_batch(im, n)};
	compact c = {.features = attr_ints_required(im, n, "nodes_featureids")};
	int count = c.features.n;
	int_list targets = attr_ints_required(im, n, "leaf_targetids"), roots = attr_ints_required(im, n, "tree_roots");
	const tensor *weights = tensor_like(im, n, "leaf_weights", targets.n);
	c.yes = ints_like(im, n, "nodes_truenodeids", count);
	c.no = ints_like(im, n, "nodes_falsenodeids", count);
	c.yes_leaf = ints_like(im, n, "nodes_trueleafs", count);
	c.no_leaf = ints_like(im, n, "nodes_falseleafs", count);
	c.missing = attr_ints(im, n, "nodes_missing_value_tracks_true");
	c.splits = tensor_like(im, n, "nodes_splits", count);
	c.modes = tensor_like(im, n, "nodes_modes", count);
	c.members = attr_tensor(im, n, "membership_values");
	attr_ignore(n, "nodes_hitrates");
	if (c.missing.given && c.missing.n != count)
		refuse(im, n, "nodes_missing_value_tracks_true has %d entries, needs %d", c.missing.n, count);
	for (int i = 0; i < count; i++) {
		int64_t mode = tensor_int(c.modes, (size_t)i);
		if (mode < 0 || mode > MODE_MEMBER)
			refuse(im, n, "node %d has mode %lld", i, (long long)mode);
		tree_node t = {c.features.v[i], tensor_float(c.splits, (size_t)i), mode < N_MODES ? modes[mode].code : 0,
			       child_at(&f, count, targets.n, c.yes.v[i], c.yes_leaf.v[i] != 0),
			       child_at(&f, count, targets.n, c.no.v[i], c.no_leaf.v[i] != 0)};
		t.code |= c.missing.given && c.missing.v[i] ? IF_MISSING : 0;
		vec_push(im->a, &f.nodes, t);
	}
	for (int i = 0; i < targets.n; i++) {
		tree_node leaf = {.code = LEAF, .yes = count + i, .no = count + i};
		vec_push(im->a, &f.nodes, leaf);
		vote v = {count + i, targets.v[i], tensor_float(weights, (size_t)i)};
		vec_push(im->a, &f.votes, v);
	}
	for (int i = 0; i < count; i++)
		if (tensor_int(c.modes, (size_t)i) == MODE_MEMBER)
			add_members(&f, &c, i);
	for (int i = 0; i < roots.n; i++)
		vec_push(im->a, &f.roots, roots.v[i]);
	return f;
}

/* ai.onnx.ml TreeEnsemble-5. */
value *import_tree_ensemble(importer *im, const onnx_node *n)
{
	static const char *const transforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
	dtype type = input(im, n, 0)->type;
	forest f = read_compact(im, n);
	int64_t rule = attr_int(im, n, "aggregate_function", SUM), how = attr_int(im, n, "post_transform", 0);
	if (rule < AVERAGE || rule > MOST || how < 0 || how > 4)
		refuse(im, n, "aggregate_function is %lld and post_transform %lld", (long long)rule, (long long)how);
	f.rule = (fold_rule)rule;
	f.targets = attr_int(im, n, "n_targets", 1);
	return narrow(im, ml_transform(im, n, scores_of(&f, (real_list){0}), transforms[how]), type);
}
