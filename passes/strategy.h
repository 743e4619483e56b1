/* Strategies: the ways to compute a contraction or a convolution fast.
 *
 * A row says when a strategy applies to a node, what it costs on a target, how it packs weights and how it is lowered.
 * `prepack` picks the cheapest row of each node, lets it pack, and records its name as attribute "strategy"; lowering calls
 * the same row.  A node without the attribute is lowered as a plain fold (lower_reduce.c).
 *
 * A choice is a row and the width of its panels.  `choices_of` lists all that could be made for a node, that of the costs first;
 * a tuning file (tuning.h) can prefer another one. */
#pragma once

#include "passes/lower.h"

/* What register tiles are chosen for. */
typedef struct product_size {
	int64_t rows;    /* -1: known while running */
	int64_t lines;   /* so many times these rows, if more than 1: a tile may cover whole lines or run over their ends */
	int64_t columns;
} product_size;

typedef struct strategy {
	const char *name;
	op op;
	bool (*applies)(const node *n, const pass_ctx *ctx);
	/* Time relative to the other rows that apply, in vector operations at typical sizes. */
	double (*cost)(const node *n, const pass_ctx *ctx);
	/* NULL: no panels.  Else the product, by which their width is chosen. */
	product_size (*panels)(const node *n, const pass_ctx *ctx);
	/* Rewrites operands (weights as ordinary ops on constants, which folding performs) and adds attributes.  Panels are so many
	 * vectors wide; 0 where there are none. */
	void (*pack)(node *n, pass_ctx *ctx, int vectors);
	void (*lower)(group_lowering *gl, node *anchor);
} strategy;

#define WHOLE(name)
#define PANELS(name) product_size name##_panels(const node *n, const pass_ctx *ctx);
#define STRATEGY(name, op, packing, purpose)                 \
	bool name##_applies(const node *n, const pass_ctx *ctx); \
	double name##_cost(const node *n, const pass_ctx *ctx);  \
	void name##_pack(node *n, pass_ctx *ctx, int vectors);   \
	void name##_lower(group_lowering *gl, node *anchor);     \
	packing(name)
#include "passes/strategies.def"
#undef STRATEGY
#undef WHOLE
#undef PANELS

extern const strategy strategy_table[];
extern const int strategy_count;
const strategy *strategy_find(const char *name);

typedef struct choice {
	const strategy *strategy;
	int vectors; /* of a panel; 0: no panels */
} choice;

enum { MAX_CHOICES = 32 };

/* What can be chosen for n: first what costs least, then everything else that is not hopeless.  0: no row applies. */
int choices_of(const node *n, const pass_ctx *ctx, choice out[MAX_CHOICES]);
/* Packs operands of n and records the strategy.  The graph's insertion point is n. */
void choice_apply(choice c, node *n, pass_ctx *ctx);

/* Appends the packed form of an operand to n. */
void append_packed(node *n, value *packed);
/* The value of a size where symbols of the model have typical values. */
int64_t typical_size(const sym *s);
/* The same of a first axis, which counts images, lines of text, or both at once: the most where that has a bound. */
int64_t typical_batch(const sym *s);
/* A node whose arithmetic the register tiles do: f32, or a storage type computed in f32. */
bool computes_in_f32(const node *n);

/* ---- register tiles (lower_tile.c) ----------------------------------------------------------------------------------- */
/* out[row][col] = finish(init[col] + sum over red of a[row][red] * b[red][col]) over a register tile.
 * Every expression is over the variables named here, which the generator replaces. */
typedef struct tile_problem {
	node *anchor;
	coord at;              /* coordinates of the anchor's output */
	loop_list outer;       /* each combination is independent: batch, group, outer spatial axes */
	sym *row[2];           /* row[1]: innermost; row[0]: the axis around it, or NULL */
	sym *row_extent[2];
	/* Not NULL: row[1] counts the pixels of lines `width` long, and these stand for its line and its place in the line; they are
	 * computed once per row of a tile, so a tile may run over the end of a line. */
	sym *line, *place, *width;
	sym *col, *col_extent; /* lanes run over it */
	loop_list red;         /* reduction loops; the last one is unrolled */
	const expr *a, *b;
	const expr *init;      /* NULL: 0 */
	int vectors;           /* per row of the tile; fixed by the packing */
	int max_rows;          /* of the tile */
	substitution merged;   /* applied first: variables of axes that were merged into others */
	int64_t a_row_bytes;   /* memory of A behind one step of the blocked row axis, for cache blocking; 0 = unknown */
	buffer *to;            /* not NULL: sums go there as they are, at to_index of row and column, and finish is the caller's */
	sym *to_index;
	const expr *plus;      /* not NULL: added to those sums; must not read what they are stored over, since rows may be computed twice */
} tile_problem;

void lower_tile(group_lowering *gl, tile_problem *tp);
/* All rows (along row[1]) of one panel, written here: for kernels of several products.  Needs `to`. */
void lower_tile_panel(group_lowering *gl, const tile_problem *tp, sym *panel);

/* Vectors per row for n columns and rows along an axis of m (-1: dynamic), and the most rows that go with them on this target. */
int tile_vectors(const target *t, int64_t m, int64_t n);
/* All widths that may be worth trying, that of tile_vectors first; how many. */
int tile_widths(const target *t, product_size of, int out[2 * MAX_TILES]);
/* Rows computed over rows wanted, with balanced tiles of at most `most` rows. */
double tile_waste(int64_t m, int most);
/* Whether tiles of at most `most` rows should run over the ends of lines rather than cover parts of lines, or whole ones. */
bool lines_are_joined(int64_t width, int64_t lines, int most);
int tile_rows(const target *t, int64_t m, int vectors);
