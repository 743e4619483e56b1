#include "driver/report_html.h"

#include "driver/format.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- a log-log plane ------------------------------------------------------------------------------------------------------ */
typedef struct axis {
	double lo, hi;     /* values, powers of 10 where they are ends of the plane */
	double from, to;   /* pixels */
} axis;

static double at_pixel(const axis *a, double v)
{
	v = v < a->lo ? a->lo : v > a->hi ? a->hi : v;
	return a->from + (log10(v) - log10(a->lo)) / (log10(a->hi) - log10(a->lo)) * (a->to - a->from);
}

static void include(axis *a, double v)
{
	a->lo = v < a->lo ? v : a->lo;
	a->hi = v > a->hi ? v : a->hi;
}

enum { WIDTH = 1040, HEIGHT = 420, LEFT = 70, RIGHT = 20, TOP = 14, BOTTOM = 40 };
static const double LARGEST_DOT = 26; /* radius of a kernel that takes all the time */

static void add_grid(str *s, const axis *x, const axis *y)
{
	for (double v = pow(10, ceil(log10(x->lo) - 1e-9)); v <= x->hi * 1.0001; v *= 10) {
		str_addf(s, "<path class=grid d=\"M%.1f %.1fV%.1f\"/><text text-anchor=middle x=%.1f y=%.1f>%g</text>\n", at_pixel(x, v), y->from, y->to,
		         at_pixel(x, v), y->from + 16, v);
	}
	for (double v = pow(10, ceil(log10(y->lo) - 1e-9)); v <= y->hi * 1.0001; v *= 10) {
		str_addf(s, "<path class=grid d=\"M%.1f %.1fH%.1f\"/><text text-anchor=end x=%.1f y=%.1f>", x->from, at_pixel(y, v), x->to, x->from - 6,
		         at_pixel(y, v) + 4);
		add_quantity(s, v, "");
		str_add(s, "</text>\n");
	}
	str_addf(s, "<text class=dim text-anchor=end x=%.1f y=%.1f>operations per byte</text>\n", x->to, y->from + 32);
	str_addf(s, "<text class=dim x=%.1f y=%.1f>operations per second</text>\n", x->from + 6, y->to + 12);
}

/* bandwidth * intensity up to the peak, clipped to the plane at the left and below. */
static void add_roof(str *s, const axis *x, const axis *y, const char *class, double bandwidth, double peak)
{
	if (bandwidth <= 0)
		return;
	double from = bandwidth * x->lo < y->lo ? y->lo / bandwidth : x->lo, ridge = peak / bandwidth;
	if (ridge < from)
		from = ridge;
	str_addf(s, "<path class=%s d=\"M%.1f %.1fL%.1f %.1fH%.1f\"/>\n", class, at_pixel(x, from), at_pixel(y, bandwidth * from), at_pixel(x, ridge),
	         at_pixel(y, peak), x->to);
}

static bool has_dot(const kernel_row *row) { return row->of_call.known && row->seconds > 0 && row->of_call.flops > 0 && row->of_call.bytes > 0; }

static void add_dot(str *s, const axis *x, const axis *y, const kernel_row *row)
{
	const work *w = &row->of_call;
	double radius = 3 + LARGEST_DOT * sqrt(row->share);
	str_addf(s, "<circle class=dot cx=%.1f cy=%.1f r=%.1f><title>", at_pixel(x, w->flops / w->bytes), at_pixel(y, w->flops / row->seconds), radius);
	add_html_text(s, row->k->name);
	str_addf(s, "\n%.1f %% of the time, ", row->share * 100);
	add_quantity(s, w->flops / row->seconds, "FLOP/s, ");
	add_quantity(s, w->bytes / row->seconds, "B/s");
	if (row->of_roof >= 0)
		str_addf(s, "\n%.0f %% of the roofline", row->of_roof * 100);
	str_add(s, "</title></circle>\n");
}

void svg_roofline(str *s, const report *r)
{
	const roofline *roof = &r->of.m->roofline;
	double ridge = roof->memory > 0 ? roof->flops / roof->memory : 1;
	axis x = {ridge, ridge, LEFT, WIDTH - RIGHT}, y = {roof->flops, roof->flops, HEIGHT - BOTTOM, TOP};
	for (int i = 0; i < r->n_rows; i++) {
		const kernel_row *row = &r->rows[i];
		if (!has_dot(row))
			continue;
		include(&x, row->of_call.flops / row->of_call.bytes);
		include(&y, row->of_call.flops / row->seconds);
	}
	x.lo = pow(10, floor(log10(x.lo * 0.8)));
	x.hi = pow(10, ceil(log10(x.hi * 1.25)));
	y.lo /= 2;
	y.hi *= 2;
	str_addf(s, "<svg viewBox=\"0 0 %d %d\" width=%d height=%d role=img aria-label=\"roofline\">\n", WIDTH, HEIGHT, WIDTH, HEIGHT);
	add_grid(s, &x, &y);
	add_roof(s, &x, &y, "cache", roof->cache, roof->flops);
	add_roof(s, &x, &y, "roof", roof->memory, roof->flops);
	for (int i = 0; i < r->n_rows; i++)
		if (has_dot(&r->rows[r->by_time[i]]))
			add_dot(s, &x, &y, &r->rows[r->by_time[i]]);
	str_add(s, "</svg>\n");
}

/* ---- the fused graph ------------------------------------------------------------------------------------------------------- */
enum {
	BOX_WIDTH = 620, BOX_HEIGHT = 32, ROW = 44, INDENT = 18, MARGIN = 12,
	LANE = 9,            /* between lines beside the boxes */
	NAME_LENGTH = 76,    /* bytes beside the time */
	VALUES_LENGTH = 100,
};

/* A line of the drawing: a port, a call, or the head of a branch or a loop. */
typedef struct line {
	const step *step;       /* NULL: a port */
	const storage *port;
	const char *text;       /* of a branch or loop */
	int depth;
} line;

/* A value: from the line that writes it first to the last one that reads it; several write it in parts. */
typedef struct wire {
	const storage *s;
	int from, last, lane;
	vec(int) writers, readers;
} wire;

typedef struct drawing {
	str *s;
	const report *r;
	arena *a;
	vec(line) lines;
	vec(wire *) wires;
	map *wire_of; /* by storage */
	int lanes;
} drawing;

static void add_step_lines(drawing *g, const step_list *steps, int depth)
{
	for (int i = 0; i < steps->n; i++) {
		const step *s = &steps->v[i];
		if (s->kind == STEP_CALL)
			vec_push(g->a, &g->lines, ((line){.step = s, .depth = depth}));
		if (s->kind == STEP_LOOP) {
			str text = str_new(g->a);
			str_add(&text, "loop");
			if (s->trip) {
				str_add(&text, " of at most ");
				sym_print(&text, s->trip);
			}
			vec_push(g->a, &g->lines, ((line){.step = s, .text = text.data, .depth = depth}));
		}
		if (s->kind == STEP_IF)
			vec_push(g->a, &g->lines, ((line){.step = s, .text = arena_printf(g->a, "if %s", s->from->name), .depth = depth}));
		add_step_lines(g, &s->body, depth + 1);
		if (s->otherwise.n)
			vec_push(g->a, &g->lines, ((line){.step = s, .text = "else", .depth = depth}));
		add_step_lines(g, &s->otherwise, depth + 1);
	}
}

static void add_port_lines(drawing *g, storage_kind kind)
{
	const program *p = g->r->of.body->p;
	for (int i = 0; i < p->storages.n; i++)
		if (p->storages.v[i]->kind == kind)
			vec_push(g->a, &g->lines, ((line){.port = p->storages.v[i]}));
}

static void write_value(drawing *g, const storage *s, int at)
{
	wire *w = map_get(g->wire_of, s);
	if (!w) {
		w = new(g->a, wire);
		*w = (wire){.s = s, .from = at};
		map_put(g->wire_of, s, w);
		vec_push(g->a, &g->wires, w);
	}
	vec_push(g->a, &w->writers, at);
	w->last = at;
}

static void read_value(drawing *g, const storage *s, int at)
{
	wire *w = map_get(g->wire_of, s);
	if (!w || (w->readers.n && w->readers.v[w->readers.n - 1] == at))
		return;
	vec_push(g->a, &w->readers, at);
	w->last = at > w->last ? at : w->last;
}

static const storage *whole_of(const storage *s) { return s->kind == STORAGE_PART ? s->whole : s; }

static void connect(drawing *g)
{
	for (int i = 0; i < g->lines.n; i++) {
		const line *l = &g->lines.v[i];
		if (!l->step) {
			if (l->port->kind == STORAGE_INPUT)
				write_value(g, l->port, i);
			else
				read_value(g, l->port, i);
			continue;
		}
		if (l->text)
			continue;
		for (int k = 0; k < l->step->args.n; k++) {
			const storage *s = whole_of(l->step->args.v[k]);
			if (l->step->k->params.v[k]->written)
				write_value(g, s, i);
			else
				read_value(g, s, i);
		}
	}
}

static bool is_straight(const wire *w) { return w->last == w->from + 1 && w->readers.n == 1; }

/* Each long wire has the nearest lane that is free along it; wires are in order of their beginning. */
static void choose_lanes(drawing *g)
{
	int *end = new_array(g->a, int, (size_t)g->wires.n + 1); /* of the last wire in each lane */
	for (int i = 0; i < g->wires.n; i++) {
		wire *w = g->wires.v[i];
		if (!w->readers.n || is_straight(w))
			continue;
		while (w->lane < g->lanes && end[w->lane] > w->from)
			w->lane++;
		end[w->lane] = w->last;
		g->lanes = w->lane < g->lanes ? g->lanes : w->lane + 1;
	}
}

static int left_of(const line *l) { return MARGIN + l->depth * INDENT; }
static int top_of(int at) { return MARGIN + at * ROW; }

/* As plain text. */
static void add_value(const drawing *g, str *s, const storage *v)
{
	int64_t n;
	str_addf(s, "%s: %s", v->name, dtype_name(v->type));
	if (!run_size(g->r->sizes, v->size, &n))
		return;
	str_addf(s, " × %" PRId64 ", ", n);
	add_quantity(s, (double)n * dtype_table[v->type].bits / 8, "B");
}

static void add_value_html(const drawing *g, const storage *v)
{
	str text = str_new(g->a);
	add_value(g, &text, v);
	add_html_cut(g->s, text.data, VALUES_LENGTH);
}

/* What the kernel leaves to others. */
static void add_results(const drawing *g, const step *call)
{
	str text = str_new(g->a);
	for (int i = 0; i < call->args.n; i++) {
		const storage *s = call->args.v[i];
		bool scratch = s->kind == STORAGE_ARENA && s->first_step == s->last_step;
		if (!call->k->params.v[i]->written || scratch)
			continue;
		str_add(&text, text.len ? "; " : "→ ");
		add_value(g, &text, s);
	}
	add_html_cut(g->s, text.data, VALUES_LENGTH);
}

static const kernel_row *row_of(const report *r, const kernel *k)
{
	for (int i = 0; i < r->n_rows; i++)
		if (r->rows[i].k == k)
			return &r->rows[i];
	return NULL;
}

static void add_call_box(drawing *g, const line *l, int at)
{
	str *s = g->s;
	const kernel *k = l->step->k;
	const kernel_row *row = row_of(g->r, k);
	int x = left_of(l), y = top_of(at), width = BOX_WIDTH - l->depth * INDENT;
	str_addf(s, "<g><title>");
	add_html_text(s, k->nodes && *k->nodes ? k->nodes : k->name);
	str_addf(s, "</title><rect class=box x=%d y=%d width=%d height=%d rx=4 />", x, y, width, BOX_HEIGHT);
	if (g->r->by_time) {
		double most = g->r->rows[g->r->by_time[0]].share, high = most > 0 ? row->share / most * BOX_HEIGHT : 0;
		str_addf(s, "<rect class=heat x=%d y=%.1f width=4 height=%.1f />", x, y + BOX_HEIGHT - high, high);
		str_addf(s, "<text class=dim text-anchor=end x=%d y=%d>", x + width - 8, y + 13);
		add_seconds(s, row->mean * row->runs);
		str_addf(s, ", %.1f %%</text>", row->share * 100);
	}
	str_addf(s, "<text x=%d y=%d>", x + 10, y + 13);
	add_html_cut(s, k->name, NAME_LENGTH);
	str_addf(s, "</text><text class=dim x=%d y=%d>", x + 10, y + 27);
	add_results(g, l->step);
	str_add(s, "</text></g>\n");
}

static void add_port_box(drawing *g, const line *l, int at)
{
	int x = left_of(l), y = top_of(at);
	str_addf(g->s, "<rect class=port x=%d y=%d width=%d height=%d rx=14 /><text x=%d y=%d>%s ", x, y + 2, BOX_WIDTH, BOX_HEIGHT - 4, x + 14, y + 20,
	         l->port->kind == STORAGE_INPUT ? "input" : "output");
	add_value_html(g, l->port);
	str_add(g->s, "</text>\n");
}

static void add_line(drawing *g, int at)
{
	const line *l = &g->lines.v[at];
	if (!l->step) {
		add_port_box(g, l, at);
	} else if (l->text) {
		str_addf(g->s, "<text x=%d y=%d>", left_of(l), top_of(at) + BOX_HEIGHT - 6);
		add_html_text(g->s, l->text);
		str_add(g->s, "</text>\n");
	} else {
		add_call_box(g, l, at);
	}
}

static void add_wire(drawing *g, const wire *w)
{
	str *s = g->s;
	int right = MARGIN + BOX_WIDTH, lane = right + 16 + w->lane * LANE, middle = BOX_HEIGHT / 2;
	if (!w->readers.n)
		return;
	str_add(s, "<g><title>");
	add_value_html(g, w->s);
	str_add(s, "</title>");
	if (is_straight(w)) {
		int x = left_of(&g->lines.v[w->last]) + 24, y = top_of(w->last);
		str_addf(s, "<path class=edge d=\"M%d %dV%d\"/><path class=tip d=\"M%d %dl-4 -6h8z\"/>", x, y - ROW + BOX_HEIGHT, y - 4, x, y);
	} else {
		str_addf(s, "<path class=edge d=\"M%d %dV%d", lane, top_of(w->from) + middle + 5, top_of(w->last) + middle - 5);
		for (int i = 0; i < w->writers.n; i++)
			str_addf(s, "M%d %dH%d", right, top_of(w->writers.v[i]) + middle + 5, lane);
		for (int i = 0; i < w->readers.n; i++)
			str_addf(s, "M%d %dH%d", lane, top_of(w->readers.v[i]) + middle - 5, right + 6);
		str_add(s, "\"/><path class=tip d=\"");
		for (int i = 0; i < w->readers.n; i++)
			str_addf(s, "M%d %dl6 -4v8z", right, top_of(w->readers.v[i]) + middle - 5);
		str_add(s, "\"/>");
	}
	str_add(s, "</g>\n");
}

void svg_graph(str *s, const report *r)
{
	arena *a = arena_new("drawing");
	drawing g = {.s = s, .r = r, .a = a, .wire_of = map_new(a)};
	add_port_lines(&g, STORAGE_INPUT);
	add_step_lines(&g, &r->of.body->p->steps, 0);
	add_port_lines(&g, STORAGE_OUTPUT);
	connect(&g);
	choose_lanes(&g);
	int width = 2 * MARGIN + BOX_WIDTH + 24 + g.lanes * LANE, height = top_of(g.lines.n);
	str_addf(s, "<svg viewBox=\"0 0 %d %d\" width=%d height=%d role=img aria-label=\"fused graph\">\n", width, height, width, height);
	for (int i = 0; i < g.wires.n; i++)
		add_wire(&g, g.wires.v[i]);
	for (int i = 0; i < g.lines.n; i++)
		add_line(&g, i);
	str_add(s, "</svg>\n");
	arena_free(a);
}

/* ---- the arena -------------------------------------------------------------------------------------------------------------- */
enum { COLOURS = 6, GRID_LINES = 4, MAX_STEP_LABELS = 12 };

typedef struct plane {
	double per_step, per_byte; /* pixels */
} plane;

static double step_x(const plane *p, int at) { return LEFT + at * p->per_step; }
static double byte_y(const plane *p, double at) { return HEIGHT - BOTTOM - at * p->per_byte; }

static void add_block(str *s, const plane *p, const arena_block *b, int colour)
{
	double x = step_x(p, b->s->first_step), width = (b->s->last_step - b->s->first_step + 1) * p->per_step;
	str_addf(s, "<rect class=\"block c%d\" x=%.2f y=%.2f width=%.2f height=%.2f><title>", colour, x, byte_y(p, (double)(b->at + b->bytes)), width,
	         (double)b->bytes * p->per_byte);
	add_html_text(s, b->s->name);
	str_add(s, "\n");
	add_quantity(s, (double)b->bytes, "B");
	str_addf(s, " at %" PRId64 ", steps %d to %d</title></rect>\n", b->at, b->s->first_step, b->s->last_step);
}

static void add_level(str *s, const plane *p, double bytes, const char *class)
{
	str_addf(s, "<path class=%s d=\"M%d %.1fH%d\"/><text text-anchor=end x=%d y=%.1f>", class, LEFT, byte_y(p, bytes), WIDTH - RIGHT, LEFT - 6,
	         byte_y(p, bytes) + 4);
	add_quantity(s, bytes, "B");
	str_add(s, "</text>\n");
}

void svg_arena(str *s, const report *r)
{
	double size = (double)(r->workspace > r->most_live ? r->workspace : r->most_live);
	plane p = {(double)(WIDTH - LEFT - RIGHT) / r->n_steps, size > 0 ? (HEIGHT - TOP - BOTTOM) / size : 0};
	int stride = (r->n_steps + MAX_STEP_LABELS - 1) / MAX_STEP_LABELS;
	str_addf(s, "<svg viewBox=\"0 0 %d %d\" width=%d height=%d role=img aria-label=\"arena\">\n", WIDTH, HEIGHT, WIDTH, HEIGHT);
	for (int i = 0; i <= GRID_LINES; i++)
		add_level(s, &p, size * i / GRID_LINES, i == GRID_LINES ? "axis" : "grid");
	for (int i = 0; i < r->n_blocks; i++)
		if (r->blocks[i].bytes)
			add_block(s, &p, &r->blocks[i], i % COLOURS);
	str_addf(s, "<path class=live d=\"M%d %.1f", LEFT, byte_y(&p, 0));
	for (int at = 0; at < r->n_steps; at++)
		str_addf(s, "V%.1fH%.1f", byte_y(&p, (double)r->live[at]), step_x(&p, at + 1));
	str_addf(s, "V%.1f\"><title>bytes alive</title></path>\n", byte_y(&p, 0));
	for (int at = 0; at < r->n_steps; at += stride)
		str_addf(s, "<text text-anchor=middle x=%.1f y=%d>%d</text>\n", step_x(&p, at) + p.per_step / 2, HEIGHT - BOTTOM + 16, at);
	str_addf(s, "<text class=dim text-anchor=end x=%d y=%d>step</text>\n</svg>\n", WIDTH - RIGHT, HEIGHT - BOTTOM + 32);
}
