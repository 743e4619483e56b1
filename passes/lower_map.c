/* Element-wise kernels: one loop nest in the order of the output's storage, the innermost loop in vectors.
 *
 * Neighbouring axes merge where every access walks them as one, so a whole relu is a single loop.  The outer loops become the
 * parallel loop; a single long loop is cut into chunks for it. */
#include "passes/lower.h"

enum {
	CHUNK = 4096,    /* elements of a tile cut from one long loop */
	INNER = 2048,    /* elements a tile should have when it is made of whole inner loops */
	UNKNOWN = 256,   /* assumed extent of a dynamic loop */
};

static int64_t likely(const sym *extent)
{
	return extent->lo == extent->hi ? extent->lo : UNKNOWN;
}

/* How many of the outer loops to give to the parallel loop, so that the rest is INNER elements or one loop. */
static int outer_loops(const loop_list *l)
{
	int64_t inside = 1;
	int n = l->n;
	while (n > 0 && inside < INNER)
		inside *= likely(l->extent[--n]);
	return n;
}

/* Cuts the only loop into chunks: tiles over chunks, an inner loop of at most CHUNK elements. */
static void cut_loop(group_lowering *gl, loop_list *l, substitution *s)
{
	sym *n = l->extent[0], *chunk = sym_const(gl->b.syms, CHUNK);
	if (n->hi <= CHUNK)
		return;
	sym *t = kb_parallel(&gl->b, "t", sym_ceildiv(n, chunk));
	sym *start = sym_mul(t, chunk);
	sym *extent = sym_min(chunk, sym_sub(n, start));
	sym *i = sym_loop(gl->b.syms, "i", extent);
	substitute(s, l->var[0], sym_add(start, i));
	l->var[0] = i;
	l->extent[0] = extent;
}

void lower_map(group_lowering *gl)
{
	kernel_builder *b = &gl->b;
	loop_list l = {0};
	substitution s = {0};
	coord at = loops_of(gl, gl->out, &l);
	const expr *e = root_element(gl, at);
	sym *index;
	buffer *to = store_place(gl, gl->out, at, &index);
	loops_collapse(gl, &l, &s, &e, 1, &index, 1);

	int outer = outer_loops(&l);
	if (l.n == 1)
		cut_loop(gl, &l, &s), outer = 0;
	else if (!work_is_small(value_size(gl->out)))
		loops_open_tiles(gl, &l, outer, &s);
	else
		outer = 0;
	for (int i = outer; i < l.n; i++) {
		sym *v = i == l.n - 1 ? kb_vector(b, "i", l.extent[i], 0) : kb_for(b, "i", l.extent[i]);
		substitute(&s, l.var[i], v);
	}
	kb_store(b, to, sym_substitute(&s, index), expr_substitute(b, &s, e));
	for (int i = outer; i < l.n; i++)
		kb_end(b);
}
