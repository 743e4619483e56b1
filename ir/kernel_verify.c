/* Invariants of kernels and programs.  A violation is a bug of the pass that ran before (or, behind the parser, an error in
 * the text).
 *
 * A kernel
 *   names       buffers and locals have names, no two the same
 *   params      know their position; sizes contain dims only; alignments are powers of two
 *   tiles       contain dims only
 *   scopes      locals, arrays and loop variables are used inside the block that declares them, behind the declaration, also
 *               in the scalars of symbolic integers; buffers are parameters of the kernel or such arrays; no %operands
 *   types       let, var and set: that of the local, a compute type; store: the compute type of the buffer; conditions: bool
 *   assignment  sets assign vars, never lets; stores go to written parameters and arrays
 *   reductions  name different vars declared outside their vector loop; the operation combines lanes (add mul min max and or)
 *               and is defined for the type
 *   updates     inside a vector loop, a var from outside is assigned only if the loop reduces it, and then as
 *               v = v op x, where x does not read v (add also as v - x and fma(a, b, v); both arms of a select may be such);
 *               nothing else reads it there, for each lane has a part of it
 *   vector      loops do not nest, have 0 (any) or 1..1024 lanes, and declare no arrays
 *   uniform     conditions and loop extents inside a vector loop are the same in all lanes
 *   unroll      extents are constants up to 4096, those around one another up to 65536 together
 *   arrays      have constant sizes, in one kernel up to 256 KiB
 *
 * A program
 *   dims        symbols of sizes and of assumed conditions are among its dims
 *   ports       each input and output has at most one storage, of its type and number of elements
 *   storages    constants have data of their type and size; planned offsets are multiples of BUFFER_ALIGN
 *   calls       kernels are the program's; arguments have the parameters' types, are not smaller, and are aligned as much;
 *               what is written is no input or constant; what is read has been written, unless it is one of these
 *   binds       give a dim, or check a constant, from an i64 storage or a value
 *   parts       lie in a storage that is no part, of their type, of 8 bits or more
 *   branches    choose by a bool storage; what only one branch wrote counts as written behind both
 *   loops       count by a dim (or once, by 0); conditions are bool, counts i64; carried storages are named by their loop, and what
 *               goes round has one type and size */
#include "ir/kernel.h"

#include <string.h>

enum {
	MAX_LANES = 1024,
	MAX_UNROLL = 4096,
	MAX_UNROLL_TOTAL = 65536,
	MAX_ARRAY_BYTES = 256 << 10,
};

typedef struct verifier {
	arena *scratch;
	const char *why;
	const kernel *k;
	map *names;   /* of buffers and locals */
	map *visible; /* buffer, local or loop variable -> itself while in scope */
	vec(const void *) scope;
	size_t array_bytes;
	int64_t unrolled;
	/* Of the vector loop around the statement, or NULL */
	const stmt *vector;
	map *inside;  /* locals declared in it */
	map *partial; /* reduced locals -> their lane_reduction */
	map *varying; /* locals and loop variables that differ by lane */
	const local *updated; /* the reduced local whose own update may read it */
	const map *dims;      /* of the program; NULL: any */
} verifier;

static bool fail(verifier *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool fail(verifier *v, const char *fmt, ...)
{
	char text[400];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	v->why = v->k ? arena_printf(v->scratch, "kernel @%s: %s", v->k->name, text) : arena_strdup(v->scratch, text);
	return false;
}

static void *address(const void *p) { return (void *)(uintptr_t)p; }

/* ---- sets of leaves ---------------------------------------------------------------------------------------------- */

static bool is_local_among(const expr *e, void *set) { return e->op == EXPR_LOCAL && map_get(set, e->local); }

static bool is_var_among(const sym *var, void *set)
{
	return map_get(set, var) || (var->role == SYM_SCALAR && expr_any(var->scalar, is_local_among, set));
}

/* Does s depend on a loop variable or local of the set? */
static bool sym_reads(const sym *s, map *set) { return sym_any_var(s, is_var_among, set); }

static bool is_leaf_among(const expr *e, void *set)
{
	if (e->op == EXPR_LOAD || e->op == EXPR_INDEX)
		return sym_reads(e->index, set);
	return is_local_among(e, set);
}

static bool expr_reads(const expr *e, map *set) { return expr_any(e, is_leaf_among, set); }

/* ---- scopes ------------------------------------------------------------------------------------------------------ */

static void show(verifier *v, const void *what)
{
	map_put(v->visible, what, address(what));
	vec_push(v->scratch, &v->scope, what);
}

static void close_scope(verifier *v, int outside)
{
	while (v->scope.n > outside)
		map_put(v->visible, vec_pop(&v->scope), NULL);
}

static bool enter_name(verifier *v, const char *name)
{
	if (!name || !*name)
		return fail(v, "a buffer or local has no name");
	if (map_has(v->names, name))
		return fail(v, "the name '%s' is given twice", name);
	map_put(v->names, name, NULL);
	return true;
}

static bool local_readable(verifier *v, const local *l)
{
	if (!map_get(v->visible, l))
		return fail(v, "local '%s' is read outside its block or before its declaration", l->name);
	if (v->vector && map_get(v->partial, l) && l != v->updated)
		return fail(v, "'%s' is read inside the vector loop that reduces it", l->name);
	return true;
}

static bool buffer_known(verifier *v, const buffer *b)
{
	return map_get(v->visible, b) || fail(v, "'%s' is no parameter and no array in scope", b->name);
}

/* Callbacks of the searches: true (stop) at the first violation. */
static bool bad_leaf_of_scalar(const expr *e, void *user)
{
	verifier *v = user;
	if (e->op == EXPR_ARG)
		return !fail(v, "operand %%%lld of a map is left in an expression", (long long)e->i);
	if (e->op == EXPR_LOCAL)
		return !local_readable(v, e->local);
	return e->op == EXPR_LOAD && !buffer_known(v, e->buffer);
}

static bool bad_var(const sym *var, void *user)
{
	verifier *v = user;
	switch (var->role) {
	case SYM_DIM:
		return v->dims && !map_has(v->dims, var) && !fail(v, "symbol %s is no dim of the program", var->name);
	case SYM_LOOP:
		return !map_get(v->visible, var) && !fail(v, "loop variable '%s' is used outside its loop", var->name);
	case SYM_SCALAR:
		if (!dtype_is_int(var->scalar->type) && var->scalar->type != BOOL)
			return !fail(v, "a symbolic integer is computed as %s", dtype_name(var->scalar->type));
		return expr_any(var->scalar, bad_leaf_of_scalar, v); /* symbols inside it are visited by the search */
	}
	return false;
}

static bool check_sym(verifier *v, const sym *s) { return !sym_any_var(s, bad_var, v); }

static bool bad_leaf(const expr *e, void *user)
{
	verifier *v = user;
	if (e->op == EXPR_BYTE && v->vector)
		return !fail(v, "a byte is read in a vector loop");
	if (e->op == EXPR_LOAD || e->op == EXPR_INDEX)
		if (!check_sym(user, e->index))
			return true;
	return bad_leaf_of_scalar(e, user);
}

static bool check_expr(verifier *v, const expr *e) { return !expr_any(e, bad_leaf, v); }

static bool not_dim(const sym *var, void *user)
{
	(void)user;
	return var->role != SYM_DIM;
}

static bool check_dims_only(verifier *v, const sym *s, const char *what)
{
	if (sym_any_var(s, not_dim, NULL))
		return fail(v, "%s depends on more than dims", what);
	return check_sym(v, s);
}

/* ---- vector loops ------------------------------------------------------------------------------------------------ */

static bool combines_lanes(expr_op op, dtype t)
{
	switch ((int)op) {
	case EXPR_ADD:
	case EXPR_MUL: return dtype_is_float(t) || dtype_is_int(t);
	case EXPR_MIN:
	case EXPR_MAX: return t != STRING;
	case EXPR_AND:
	case EXPR_OR: return t == BOOL || dtype_is_int(t);
	default: return false;
	}
}

static bool check_reduction(verifier *v, const lane_reduction *r)
{
	if (!local_readable(v, r->l))
		return false;
	if (!r->l->assigned)
		return fail(v, "'%s' is reduced but is a let", r->l->name);
	if (!combines_lanes(r->combine, r->l->type))
		return fail(v, "lanes of '%s' (%s) cannot be combined by %s", r->l->name, dtype_name(r->l->type),
		            expr_op_table[r->combine].name);
	if (map_get(v->partial, r->l))
		return fail(v, "'%s' is reduced twice by one loop", r->l->name);
	return true;
}

/* Adds locals that differ by lane to v->varying; true when there was a new one. */
static bool spread(verifier *v, const block *b)
{
	bool grown = false;
	for (int i = 0; i < b->n; i++) {
		const stmt *s = b->v[i];
		if (s->kind == STMT_FOR) {
			grown |= spread(v, &s->f.body);
		} else if (s->kind == STMT_IF || s->kind == STMT_WHILE) {
			grown |= spread(v, &s->branch.then);
			grown |= spread(v, &s->branch.otherwise);
		} else if (s->kind == STMT_LET || s->kind == STMT_VAR || s->kind == STMT_SET) {
			if (!map_get(v->varying, s->set.l) && expr_reads(s->set.e, v->varying)) {
				map_put(v->varying, s->set.l, s->set.l);
				grown = true;
			}
		}
	}
	return grown;
}

static bool enter_vector(verifier *v, const stmt *s)
{
	if (v->vector)
		return fail(v, "vector loop '%s' is inside vector loop '%s'", s->f.var->name, v->vector->f.var->name);
	if (s->f.lanes < 0 || s->f.lanes > MAX_LANES)
		return fail(v, "vector loop '%s' has %d lanes, expected 0..%d", s->f.var->name, s->f.lanes, MAX_LANES);
	v->inside = map_new(v->scratch);
	v->partial = map_new(v->scratch);
	v->varying = map_new(v->scratch);
	map_put(v->varying, s->f.var, s->f.var);
	for (int i = 0; i < s->f.reductions.n; i++) {
		lane_reduction *r = &s->f.reductions.v[i];
		if (!check_reduction(v, r))
			return false;
		map_put(v->partial, r->l, r);
		map_put(v->varying, r->l, r->l);
	}
	while (spread(v, &s->f.body)) {
	}
	v->vector = s;
	return true;
}

/* Is e, read lane by lane, `l combine x`, with x free of l?  `set` is {l}. */
static bool accumulates(const expr *e, const local *l, expr_op combine, map *set)
{
	if (e->op == EXPR_LOCAL)
		return e->local == l;
	if (e->op == EXPR_SELECT || e->op == EXPR_CHOOSE)
		return !expr_reads(e->in[0], set) && accumulates(e->in[1], l, combine, set) &&
		       accumulates(e->in[2], l, combine, set);
	if (e->op == combine) {
		int at = expr_reads(e->in[0], set) ? 0 : 1;
		return !expr_reads(e->in[1 - at], set) && accumulates(e->in[at], l, combine, set);
	}
	if (combine != EXPR_ADD)
		return false;
	if (e->op == EXPR_SUB)
		return !expr_reads(e->in[1], set) && accumulates(e->in[0], l, combine, set);
	return e->op == EXPR_FMA && !expr_reads(e->in[0], set) && !expr_reads(e->in[1], set) &&
	       accumulates(e->in[2], l, combine, set);
}

/* A set inside a vector loop. */
static bool check_update(verifier *v, const local *l, const expr *e)
{
	if (map_get(v->inside, l))
		return true;
	const lane_reduction *r = map_get(v->partial, l);
	if (!r)
		return fail(v, "'%s' is assigned inside vector loop '%s', which does not reduce it", l->name, v->vector->f.var->name);
	map *set = map_new(v->scratch);
	map_put(set, l, address(l));
	if (!accumulates(e, l, r->combine, set))
		return fail(v, "'%s' is reduced by %s but assigned otherwise", l->name, expr_op_table[r->combine].name);
	v->updated = l;
	return true;
}

static bool check_uniform(verifier *v, bool differs, const char *what)
{
	return !differs || fail(v, "%s inside vector loop '%s' differs by lane", what, v->vector->f.var->name);
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

static bool check_block(verifier *v, const block *b);

static bool check_unroll(verifier *v, const stmt *s)
{
	int64_t n;
	if (!sym_is_const(s->f.extent, &n) || n < 0 || n > MAX_UNROLL)
		return fail(v, "the extent of unroll '%s' is not a constant up to %d", s->f.var->name, MAX_UNROLL);
	v->unrolled *= n ? n : 1;
	if (v->unrolled > MAX_UNROLL_TOTAL)
		return fail(v, "unroll '%s' makes more than %d copies with the ones around it", s->f.var->name, MAX_UNROLL_TOTAL);
	return true;
}

static bool check_loop_var(verifier *v, const sym *var)
{
	if (!var || var->kind != SYM_VAR || var->role != SYM_LOOP)
		return fail(v, "a loop runs over something that is no loop variable");
	return !map_get(v->visible, var) || fail(v, "loop variable '%s' is that of a loop around", var->name);
}

static bool check_for(verifier *v, const stmt *s)
{
	int64_t unrolled = v->unrolled;
	int outside = v->scope.n;
	if (!check_loop_var(v, s->f.var) || !check_sym(v, s->f.extent))
		return false;
	if (v->vector && !check_uniform(v, sym_reads(s->f.extent, v->varying), "a loop extent"))
		return false;
	if (s->f.loop != LOOP_VECTOR && s->f.reductions.n)
		return fail(v, "loop '%s' has reductions but is no vector loop", s->f.var->name);
	if (s->f.loop == LOOP_UNROLL && !check_unroll(v, s))
		return false;
	if (s->f.loop == LOOP_VECTOR && !enter_vector(v, s))
		return false;
	show(v, s->f.var);
	if (!check_block(v, &s->f.body))
		return false;
	close_scope(v, outside);
	v->unrolled = unrolled;
	if (s->f.loop == LOOP_VECTOR)
		v->vector = NULL;
	return true;
}

static bool check_assigned_type(verifier *v, const local *l, const expr *e)
{
	return e->type == l->type || fail(v, "'%s' is %s but given %s", l->name, dtype_name(l->type), dtype_name(e->type));
}

static bool check_declaration(verifier *v, const stmt *s)
{
	const local *l = s->set.l;
	if (!enter_name(v, l->name) || !check_expr(v, s->set.e) || !check_assigned_type(v, l, s->set.e))
		return false;
	if (l->assigned != (s->kind == STMT_VAR))
		return fail(v, "'%s' is declared as let and var", l->name);
	if (l->type >= DTYPE_COUNT || dtype_table[l->type].compute != l->type)
		return fail(v, "'%s' is %s, which is no compute type", l->name, dtype_name(l->type));
	show(v, l);
	if (v->vector)
		map_put(v->inside, l, address(l));
	return true;
}

static bool check_set(verifier *v, const stmt *s)
{
	const local *l = s->set.l;
	if (!l->assigned)
		return fail(v, "'%s' is a let and is assigned", l->name);
	if (!map_get(v->visible, l))
		return fail(v, "'%s' is assigned outside its block", l->name);
	if (v->vector && !check_update(v, l, s->set.e))
		return false;
	bool ok = check_expr(v, s->set.e);
	v->updated = NULL;
	return ok && check_assigned_type(v, l, s->set.e);
}

static bool check_store(verifier *v, const stmt *s)
{
	const buffer *b = s->store.b;
	if (!buffer_known(v, b) || !check_sym(v, s->store.index) || !check_expr(v, s->store.e))
		return false;
	if (!b->written)
		return fail(v, "'%s' is stored to but is not an out parameter", b->name);
	if (s->store.e->type != dtype_table[b->type].compute)
		return fail(v, "%s is stored to '%s', which takes %s", dtype_name(s->store.e->type), b->name,
		            dtype_name(dtype_table[b->type].compute));
	return true;
}

static bool check_branch(verifier *v, const stmt *s)
{
	const char *what = s->kind == STMT_IF ? "the condition of an if" : "the condition of a while";
	if (!check_expr(v, s->branch.cond))
		return false;
	if (s->branch.cond->type != BOOL)
		return fail(v, "%s is %s, expected bool", what, dtype_name(s->branch.cond->type));
	if (v->vector && !check_uniform(v, expr_reads(s->branch.cond, v->varying), what))
		return false;
	return check_block(v, &s->branch.then) && check_block(v, &s->branch.otherwise);
}

static bool check_array(verifier *v, const buffer *b)
{
	int64_t n;
	size_t bytes;
	if (!enter_name(v, b->name))
		return false;
	if (v->vector)
		return fail(v, "array '%s' is declared inside a vector loop", b->name);
	if (b->param != -1 || !b->written)
		return fail(v, "array '%s' is marked as a parameter or read-only", b->name);
	if (!sym_is_const(b->size, &n) || n < 0)
		return fail(v, "the size of array '%s' is not constant", b->name);
	if (b->type >= DTYPE_COUNT || !dtype_bytes(b->type, (size_t)n, &bytes) || bytes > MAX_ARRAY_BYTES)
		return fail(v, "array '%s' is larger than %d bytes", b->name, MAX_ARRAY_BYTES);
	v->array_bytes += bytes;
	if (v->array_bytes > MAX_ARRAY_BYTES)
		return fail(v, "arrays take more than %d bytes together, with '%s'", MAX_ARRAY_BYTES, b->name);
	show(v, b);
	return true;
}

static bool check_stmt(verifier *v, const stmt *s)
{
	switch (s->kind) {
	case STMT_FOR: return check_for(v, s);
	case STMT_LET:
	case STMT_VAR: return check_declaration(v, s);
	case STMT_SET: return check_set(v, s);
	case STMT_STORE: return check_store(v, s);
	case STMT_IF:
	case STMT_WHILE: return check_branch(v, s);
	case STMT_ARRAY: return check_array(v, s->array);
	case STMT_PREFETCH: return buffer_known(v, s->prefetch.b) && check_sym(v, s->prefetch.index);
	}
	return fail(v, "unknown statement kind %d", (int)s->kind);
}

static bool check_block(verifier *v, const block *b)
{
	int outside = v->scope.n;
	for (int i = 0; i < b->n; i++)
		if (!check_stmt(v, b->v[i]))
			return false;
	close_scope(v, outside);
	return true;
}

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

static bool check_param(verifier *v, const buffer *b, int position)
{
	if (!enter_name(v, b->name))
		return false;
	if (b->param != position)
		return fail(v, "parameter '%s' says it is number %d but is %d", b->name, b->param, position);
	if (b->type >= DTYPE_COUNT)
		return fail(v, "parameter '%s' has no type", b->name);
	if (b->align < 1 || (b->align & (b->align - 1)))
		return fail(v, "the alignment %d of '%s' is no power of two", b->align, b->name);
	return check_dims_only(v, b->size, "the size of a parameter");
}

static bool check_kernel(verifier *v, const kernel *k)
{
	v->k = k;
	v->names = map_new_str(v->scratch);
	v->visible = map_new(v->scratch);
	v->scope.n = 0;
	v->array_bytes = 0;
	v->unrolled = 1;
	v->vector = NULL;
	v->updated = NULL;
	for (int i = 0; i < k->params.n; i++) {
		if (!check_param(v, k->params.v[i], i))
			return false;
		show(v, k->params.v[i]);
	}
	if (!k->tiles != !k->tile_var)
		return fail(v, "tiles and their variable are not both there");
	if (k->tiles) {
		if (!check_dims_only(v, k->tiles, "the number of tiles") || !check_loop_var(v, k->tile_var))
			return false;
		show(v, k->tile_var);
	}
	bool ok = check_block(v, &k->body);
	v->k = ok ? NULL : k;
	return ok;
}

bool kernel_verify(const kernel *k, arena *scratch, const char **why)
{
	verifier v = {.scratch = scratch};
	bool ok = check_kernel(&v, k);
	*why = v.why;
	return ok;
}

/* ---- programs ---------------------------------------------------------------------------------------------------- */

static bool check_port_storage(verifier *v, const storage *s, const port *ports, int n, map *seen)
{
	if (s->index < 0 || s->index >= n)
		return fail(v, "storage %%%s is port %d of %d", s->name, s->index, n);
	const port *q = &ports[s->index];
	if (map_has(seen, q))
		return fail(v, "port %%%s has two storages", q->name);
	map_put(seen, q, NULL);
	if (q->type != s->type)
		return fail(v, "storage %%%s is %s, its port is %s", s->name, dtype_name(s->type), dtype_name(q->type));
	if (sym_product(s->size->ctx, q->dims, q->rank) != s->size)
		return fail(v, "storage %%%s has another number of elements than its port", s->name);
	return true;
}

static bool check_storage(verifier *v, const program *p, const storage *s, map *ports)
{
	int64_t offset;
	if (!check_dims_only(v, s->size, "the size of a storage"))
		return false;
	switch (s->kind) {
	case STORAGE_INPUT: return check_port_storage(v, s, p->inputs.v, p->inputs.n, ports);
	case STORAGE_OUTPUT: return check_port_storage(v, s, p->outputs.v, p->outputs.n, ports);
	case STORAGE_CONST:
		if (!s->data)
			return fail(v, "constant %%%s has no data", s->name);
		if (s->data->type != s->type || !sym_is(s->size, (int64_t)s->data->n_elements))
			return fail(v, "constant %%%s has data of another type or size", s->name);
		return true;
	case STORAGE_ARENA:
		if (!s->offset)
			return true;
		if (sym_is_const(s->offset, &offset) && offset % BUFFER_ALIGN)
			return fail(v, "arena %%%s is at %lld, no multiple of %d", s->name, (long long)offset, BUFFER_ALIGN);
		return check_dims_only(v, s->offset, "the offset of a storage");
	case STORAGE_CARRIED: return true;
	case STORAGE_PART:
		if (!s->whole || s->whole->kind == STORAGE_PART || s->whole->kind == STORAGE_CARRIED || s->whole->type != s->type ||
		    dtype_table[s->type].bits < 8)
			return fail(v, "part %%%s lies in no storage of its type", s->name);
		return check_dims_only(v, s->start, "the start of a part");
	}
	return fail(v, "storage %%%s has an unknown kind", s->name);
}

static bool is_given(const storage *s) { return s->kind == STORAGE_INPUT || s->kind == STORAGE_CONST; }

/* Bytes that the base of s is aligned to: a caller's tensor to its element. */
static int storage_align(const storage *s)
{
	int bytes = dtype_table[s->type].bits / 8;
	return s->kind == STORAGE_CONST || s->kind == STORAGE_ARENA ? BUFFER_ALIGN : bytes ? bytes : 1;
}

/* Has s been written, or is it given or empty? */
static bool is_ready(const storage *s, const map *written)
{
	return is_given(s) || sym_is(s->size, 0) || map_has(written, s) || (s->kind == STORAGE_PART && is_ready(s->whole, written));
}

static bool check_arg(verifier *v, const kernel *k, const buffer *b, const storage *s, const map *written)
{
	sym *size = s->type == STRING ? sym_muli(s->size, STRING_WORDS) : s->size;
	if (buffer_type(s->type) != b->type)
		return fail(v, "call of @%s: %%%s is %s, '%s' is %s", k->name, s->name, dtype_name(s->type), b->name,
		            dtype_name(b->type));
	if (size != b->size && sym_proves_lt(size, b->size))
		return fail(v, "call of @%s: %%%s is smaller than '%s'", k->name, s->name, b->name);
	if (storage_align(s) < b->align)
		return fail(v, "call of @%s: %%%s is aligned to %d, '%s' to %d", k->name, s->name, storage_align(s), b->name, b->align);
	if (b->written && is_given(s))
		return fail(v, "call of @%s writes %%%s, an input or constant", k->name, s->name);
	if (!b->written && !is_ready(s, written))
		return fail(v, "call of @%s reads %%%s before anything wrote it", k->name, s->name);
	return true;
}

static bool check_call(verifier *v, const program *p, const step *s, const map *kernels, map *written)
{
	if (!map_has(kernels, s->k) || s->k->in != p)
		return fail(v, "a step calls a kernel that is not the program's");
	if (s->args.n != s->k->params.n)
		return fail(v, "call of @%s with %d arguments, expected %d", s->k->name, s->args.n, s->k->params.n);
	for (int i = 0; i < s->args.n; i++)
		if (!check_arg(v, s->k, s->k->params.v[i], s->args.v[i], written))
			return false;
	for (int i = 0; i < s->args.n; i++) {
		if (!s->k->params.v[i]->written)
			continue;
		map_put(written, s->args.v[i], NULL);
		if (s->args.v[i]->kind == STORAGE_PART)
			map_put(written, s->args.v[i]->whole, NULL);
	}
	return true;
}

static bool is_program_dim(const verifier *v, const sym *s)
{
	return s && s->kind == SYM_VAR && s->role == SYM_DIM && map_has(v->dims, s);
}

static bool check_bind(verifier *v, const step *s)
{
	if (!is_program_dim(v, s->symbol) && (!s->symbol || s->symbol->kind != SYM_CONST))
		return fail(v, "a bind gives something that is no dim of the program");
	if (!s->from)
		return s->value ? check_dims_only(v, s->value, "what a dim is bound to") : fail(v, "a bind has no value");
	if (s->from->type != I64)
		return fail(v, "bind takes its value from %%%s, which is %s", s->from->name, dtype_name(s->from->type));
	return true;
}

static bool check_flag(verifier *v, const storage *s, dtype t, const map *written, const char *what)
{
	if (s->type != t)
		return fail(v, "%s %%%s is %s, expected %s", what, s->name, dtype_name(s->type), dtype_name(t));
	return !written || is_ready(s, written) || fail(v, "%s %%%s is read before anything wrote it", what, s->name);
}

static bool check_carry(verifier *v, const carry *c, map *written)
{
	if (!c->current || !c->from || !c->next || c->current->kind != STORAGE_CARRIED)
		return fail(v, "a loop carries something that is no carried storage, or from or to nowhere");
	if (c->from->type != c->current->type || c->next->type != c->current->type ||
	    (c->result && (c->result->type != c->current->type || is_given(c->result))))
		return fail(v, "the loop that carries %%%s changes its type, or keeps it where it cannot", c->current->name);
	if (!is_ready(c->from, written))
		return fail(v, "%%%s, with which a loop begins, is read before anything wrote it", c->from->name);
	map_put(written, c->current, NULL);
	return true;
}

static bool check_steps(verifier *v, const program *p, const step_list *steps, const map *kernels, map *written);

static bool check_loop_step(verifier *v, const program *p, const step *s, const map *kernels, map *written)
{
	if (!is_program_dim(v, s->symbol) && !(s->symbol && sym_is(s->symbol, 0)))
		return fail(v, "a loop counts by something that is no dim of the program");
	if (!s->trip && !s->from)
		return fail(v, "a loop never ends");
	if (s->trip && !check_dims_only(v, s->trip, "the trip count of a loop"))
		return false;
	if (!s->from != !s->go_on)
		return fail(v, "a loop has half a condition");
	if (s->from && !check_flag(v, s->from, BOOL, written, "the condition"))
		return false;
	if (s->count && !check_flag(v, s->count, I64, NULL, "the count"))
		return false;
	for (int i = 0; i < s->carried.n; i++)
		if (!check_carry(v, &s->carried.v[i], written))
			return false;
	if (!check_steps(v, p, &s->body, kernels, written))
		return false;
	if (s->go_on && !check_flag(v, s->go_on, BOOL, written, "the condition"))
		return false;
	for (int i = 0; i < s->carried.n; i++) {
		if (!is_ready(s->carried.v[i].next, written))
			return fail(v, "%%%s is carried on, but nothing wrote it", s->carried.v[i].next->name);
		if (s->carried.v[i].result)
			map_put(written, s->carried.v[i].result, NULL);
	}
	if (s->count)
		map_put(written, s->count, NULL);
	return true;
}

static bool is_no_dim_of(const sym *var, void *user) { return !map_has(user, var); }

static bool check_step(verifier *v, const program *p, const step *s, const map *kernels, map *written)
{
	switch (s->kind) {
	case STEP_CALL: return check_call(v, p, s, kernels, written);
	case STEP_BIND: return check_bind(v, s);
	case STEP_LOOP: return check_loop_step(v, p, s, kernels, written);
	case STEP_ASSUME:
		return !condition_any_var(&s->assumed, is_no_dim_of, (void *)(uintptr_t)v->dims) ||
		       fail(v, "an assumed condition is about more than dims");
	case STEP_IF:
		return check_flag(v, s->from, BOOL, written, "the condition") && check_steps(v, p, &s->body, kernels, written) &&
		       check_steps(v, p, &s->otherwise, kernels, written);
	}
	return fail(v, "unknown step kind %d", (int)s->kind);
}

static bool check_steps(verifier *v, const program *p, const step_list *steps, const map *kernels, map *written)
{
	for (int i = 0; i < steps->n; i++)
		if (!check_step(v, p, &steps->v[i], kernels, written))
			return false;
	return true;
}

static void note_bound(step *s, void *user)
{
	if (s->kind == STEP_BIND || s->kind == STEP_LOOP)
		map_put(user, s->symbol, s);
}

static bool is_bound(const sym *var, void *user) { return map_has(user, var); }

/* Those of the program are checked before any step. */
static bool check_assumed(verifier *v, const program *p)
{
	map *bound = map_new(v->scratch);
	steps_walk(&p->steps, note_bound, bound);
	for (int i = 0; i < p->assumed.n; i++) {
		if (condition_any_var(&p->assumed.v[i], is_no_dim_of, (void *)(uintptr_t)v->dims))
			return fail(v, "an assumed condition is about more than dims");
		if (condition_any_var(&p->assumed.v[i], is_bound, bound))
			return fail(v, "a condition assumed before all steps is about a dim that a step binds");
	}
	return true;
}

static bool check_program(verifier *v, const program *p)
{
	map *dims = map_new(v->scratch), *ports = map_new(v->scratch), *kernels = map_new(v->scratch);
	map *storage_names = map_new_str(v->scratch);
	for (int i = 0; i < p->dims.n; i++)
		map_put(dims, p->dims.v[i], NULL);
	v->dims = dims;
	v->visible = map_new(v->scratch);
	if (!check_assumed(v, p))
		return false;
	for (int i = 0; i < p->storages.n; i++) {
		const storage *s = p->storages.v[i];
		if (map_has(storage_names, s->name))
			return fail(v, "two storages are named %%%s", s->name);
		map_put(storage_names, s->name, NULL);
		if (!check_storage(v, p, s, ports))
			return false;
	}
	for (int i = 0; i < p->kernels.n; i++) {
		map_put(kernels, p->kernels.v[i], NULL);
		if (!check_kernel(v, p->kernels.v[i]))
			return false;
	}
	return check_steps(v, p, &p->steps, kernels, map_new(v->scratch));
}

bool program_verify(const program *p, arena *scratch, const char **why)
{
	verifier v = {.scratch = scratch};
	bool ok = check_program(&v, p);
	*why = v.why;
	return ok;
}
