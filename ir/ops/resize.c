/* resize: interpolation along every axis whose size changes, after ONNX Resize-19 and onnxruntime's f32 arithmetic.
 *
 * An output index o corresponds to a position x on the operand's axis, by {coordinates} and the scale (out size / in size).
 * Nearest rounds x; linear and cubic blend 2 or 4 elements around it, per axis, so k axes read 2^k or 4^k elements.
 * Where the scale is a whole number or a power of two fraction, x is the exact fraction (a*o + b) / d: then index and weight
 * are integer arithmetic, and upsampling by two reads in[h/2][w/2].  Every index is clamped into its axis.
 *
 * Attributes: shape; mode = nearest|linear|cubic; coordinates; nearest = rounding; cubic_a; exclude_outside;
 * extrapolation (tf_crop_and_resize only); scales per axis, when static and not just the ratio of sizes; roi: starts of all
 * axes, then ends. */
#include "ir/ops/rules.h"

#include <math.h>
#include <string.h>

enum { MAX_LINEAR_AXES = 6, MAX_CUBIC_AXES = 3, MAX_TAPS = 4 };

#define COORDINATES                                                                                 \
	"half_pixel half_pixel_symmetric pytorch_half_pixel align_corners asymmetric tf_half_pixel_for_nn " \
	"tf_crop_and_resize"

static bool mode_is(const node *n, const char *mode) { return node_word_is(n, "mode", "nearest", mode); }
static bool coordinates_are(const node *n, const char *word)
{
	return node_word_is(n, "coordinates", "half_pixel", word);
}

static bool is_resized(const node *n, int axis)
{
	const double *scales = node_floats(n, "scales");
	return n->in[0]->dims[axis] != n->out[0]->dims[axis] || (scales && scales[axis] != 1) ||
	       coordinates_are(n, "tf_crop_and_resize");
}

static bool resizable_axes(const node *n, const char **why)
{
	int axes = 0, most = mode_is(n, "linear") ? MAX_LINEAR_AXES : mode_is(n, "cubic") ? MAX_CUBIC_AXES : MAX_RANK;
	const double *scales = node_floats(n, "scales");
	for (int i = 0; i < n->in[0]->rank; i++) {
		axes += is_resized(n, i);
		if (scales && !(scales[i] > 0 && scales[i] < 1e9))
			return rule_refuse(n, why, "scales[%d] is %g, must be positive", i, scales[i]);
		if (!rule_nonempty_for(n, n->in[0]->dims[i], n->out[0]->dims[i]))
			return rule_refuse(n, why, "axis %d of size 0 cannot grow", i);
	}
	if (axes > most)
		return rule_refuse(n, why, "interpolates along %d axes, at most %d are supported", axes, most);
	return true;
}

bool infer_resize(node *n, const char **why)
{
	int rank = n->n_in > 0 ? n->in[0]->rank : 0, count;
	if (!rule_form(n, why, 1, "shape mode coordinates nearest cubic_a exclude_outside extrapolation scales roi") ||
	    !rule_syms(n, why, "shape", rank, 0) || !rule_word(n, why, "mode", "nearest linear cubic") ||
	    !rule_word(n, why, "coordinates", COORDINATES) ||
	    !rule_word(n, why, "nearest", "round_prefer_floor round_prefer_ceil floor ceil") ||
	    !rule_float(n, why, "cubic_a") || !rule_int(n, why, "exclude_outside", 0, 1) ||
	    !rule_float(n, why, "extrapolation") || !rule_floats(n, why, "scales", rank) ||
	    !rule_floats(n, why, "roi", 2 * rank))
		return false;
	const value *x = n->in[0];
	if (n->n_in == 2 && (n->in[1]->type != F32 || n->in[1]->rank != 1 ||
			     !dim_agree(n, n->in[1]->dims[0], sym_const(n->graph->syms, rank))))
		return rule_refuse(n, why, "scales must be f32[%d]", rank);
	if (coordinates_are(n, "tf_crop_and_resize") && !node_attr(n, "roi"))
		return rule_refuse(n, why, "coordinates=tf_crop_and_resize needs roi");
	bool computes = !mode_is(n, "nearest") || coordinates_are(n, "tf_crop_and_resize");
	if (computes && !dtype_is_float(x->type) && !dtype_is_int(x->type))
		return rule_refuse(n, why, "cannot interpolate %s", dtype_name(x->type));
	return rule_result(n, why, 0, x->type, rank, node_syms(n, "shape", &count)) && resizable_axes(n, why);
}

/* ---- positions ------------------------------------------------------------------------------------------------------ */
static const expr *f32_of(elem *e, double x) { return expr_float(e->exprs, F32, (float)x); }
static const expr *f32_size(elem *e, sym *s) { return expr_cast(e->exprs, F32, expr_index(e->exprs, s)); }
static const expr *binary(elem *e, expr_op what, const expr *x, const expr *y)
{
	return expr_binary(e->exprs, what, x, y);
}

/* The scale in f32, as onnxruntime gets it: given, or the ratio of the sizes. */
static const expr *scale_of(elem *e, const node *n, int axis)
{
	const double *scales = node_floats(n, "scales");
	int64_t in, out;
	if (scales)
		return f32_of(e, scales[axis]);
	if (n->n_in == 2)
		return elem_read(e, n->in[1], (coord){.rank = 1, .i = {sym_const(e->syms, axis)}});
	if (sym_is_const(n->in[0]->dims[axis], &in) && sym_is_const(n->out[0]->dims[axis], &out) && in > 0)
		return f32_of(e, (float)out / (float)in);
	return binary(e, EXPR_DIV, f32_size(e, n->out[0]->dims[axis]), f32_size(e, n->in[0]->dims[axis]));
}

static const expr *half_pixel(elem *e, const expr *o, const expr *scale)
{
	const expr *half = f32_of(e, 0.5);
	return binary(e, EXPR_SUB, binary(e, EXPR_DIV, binary(e, EXPR_ADD, o, half), scale), half);
}

/* offset + half_pixel, where offset keeps the centres of both images together. */
static const expr *half_pixel_symmetric(elem *e, const expr *o, const expr *scale, const expr *in, const expr *out)
{
	const expr *adjustment = binary(e, EXPR_DIV, out, binary(e, EXPR_MUL, scale, in));
	const expr *offset = binary(e, EXPR_MUL, binary(e, EXPR_DIV, in, f32_of(e, 2)),
				    binary(e, EXPR_SUB, f32_of(e, 1), adjustment));
	return binary(e, EXPR_ADD, offset, half_pixel(e, o, scale));
}

/* x where the axis has more than one output, else the position of the only one. */
static const expr *unless_single(elem *e, sym *out, const expr *x, const expr *single)
{
	const expr *is_single = elem_lt(e, out, sym_const(e->syms, 2));
	return is_single ? expr_ternary(e->exprs, EXPR_SELECT, is_single, single, x) : single;
}

static const expr *crop(elem *e, const node *n, int axis, const expr *o, const expr *in_last, const expr *out_last, sym *out)
{
	const double *roi = node_floats(n, "roi");
	float start = (float)roi[axis], end = (float)roi[n->in[0]->rank + axis];
	const expr *single = binary(e, EXPR_MUL, f32_of(e, 0.5f * (start + end)), in_last);
	const expr *span = binary(e, EXPR_MUL, f32_of(e, end - start), in_last);
	const expr *x = binary(e, EXPR_ADD, binary(e, EXPR_MUL, f32_of(e, start), in_last),
			       binary(e, EXPR_DIV, binary(e, EXPR_MUL, o, span), out_last));
	return unless_single(e, out, x, single);
}

/* The last output index.  ONNX takes it from scale * in size, which is not whole when the scale was given so. */
static const expr *last_output(elem *e, const node *n, int axis)
{
	const double *scales = node_floats(n, "scales");
	int64_t in, out;
	if (scales && sym_is_const(n->in[0]->dims[axis], &in) && sym_is_const(n->out[0]->dims[axis], &out)) {
		double width = (float)scales[axis] * (float)in;
		if (fabs(width - (double)out) > 1e-3)
			return f32_of(e, width - 1);
	}
	return f32_size(e, sym_addi(n->out[0]->dims[axis], -1));
}

/* Position on the operand's axis of output index o, in f32. */
static const expr *position(elem *e, const node *n, int axis, sym *index)
{
	sym *in = n->in[0]->dims[axis], *out = n->out[0]->dims[axis];
	const expr *o = f32_size(e, index), *scale = scale_of(e, n, axis), *zero = f32_of(e, 0);
	const expr *in_last = f32_size(e, sym_addi(in, -1)), *out_last = last_output(e, n, axis);
	if (coordinates_are(n, "asymmetric"))
		return binary(e, EXPR_DIV, o, scale);
	if (coordinates_are(n, "align_corners"))
		return unless_single(e, out, binary(e, EXPR_DIV, binary(e, EXPR_MUL, o, in_last), out_last), zero);
	if (coordinates_are(n, "pytorch_half_pixel"))
		return unless_single(e, out, half_pixel(e, o, scale), zero);
	if (coordinates_are(n, "half_pixel_symmetric"))
		return half_pixel_symmetric(e, o, scale, f32_size(e, in), f32_size(e, out));
	if (coordinates_are(n, "tf_half_pixel_for_nn"))
		return binary(e, EXPR_DIV, binary(e, EXPR_ADD, o, f32_of(e, 0.5)), scale);
	if (coordinates_are(n, "tf_crop_and_resize"))
		return crop(e, n, axis, o, in_last, out_last, out);
	return half_pixel(e, o, scale);
}

/* ---- exact positions ------------------------------------------------------------------------------------------------ */
typedef struct fraction { /* (a * o + b) / d */
	int64_t a, b, d;
} fraction;

/* Is x a whole number or the reciprocal of a power of two, p/q? */
static bool simple_ratio(double x, int64_t *p, int64_t *q)
{
	for (*q = 1; *q <= 64; *q *= 2) {
		double whole = x * (double)*q;
		*p = whole >= 1 && whole <= 1024 ? (int64_t)whole : 0;
		if (*p >= 1 && (double)*p == whole)
			return *q == 1 || *p == 1;
	}
	return false;
}

/* The scale p/q of an axis, when the sizes are in that ratio for certain. */
static bool exact_scale(const node *n, int axis, int64_t *p, int64_t *q)
{
	sym *in = n->in[0]->dims[axis], *out = n->out[0]->dims[axis];
	const double *scales = node_floats(n, "scales");
	int64_t i, o;
	if (n->n_in == 2 && !scales)
		return false;
	if (sym_is(in, 0) || sym_is(out, 0))
		return false;
	if (scales) {
		if (!simple_ratio(scales[axis], p, q))
			return false;
	} else if (sym_is_const(in, &i) && sym_is_const(out, &o)) {
		if (!simple_ratio((double)o / (double)i, p, q))
			return false;
	} else {
		*q = 1;
		if (!sym_is_const(sym_floordiv(out, in), p) || *p < 1) {
			*p = 1;
			if (!sym_is_const(sym_floordiv(in, out), q) || *q < 1 || !simple_ratio(1.0 / (double)*q, p, q))
				return false;
		}
	}
	return sym_muli(in, *p) == sym_muli(out, *q);
}

static bool exact_position(const node *n, int axis, fraction *f)
{
	int64_t p, q;
	if (!exact_scale(n, axis, &p, &q))
		return false;
	if (coordinates_are(n, "asymmetric")) {
		*f = (fraction){q, 0, p};
		return true;
	}
	bool several = sym_proves_ge(n->out[0]->dims[axis], sym_const(n->graph->syms, 2));
	bool half = coordinates_are(n, "half_pixel") || coordinates_are(n, "half_pixel_symmetric") ||
		    (coordinates_are(n, "pytorch_half_pixel") && several);
	*f = (fraction){2 * q, q - p, 2 * p};
	return half;
}

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* floor((a*o + b) / d), reduced by what a and d have in common. */
static sym *floor_fraction(sym *o, fraction f)
{
	int64_t g = f.a, rest = f.d;
	while (rest != 0) {
		int64_t t = g % rest;
		g = rest;
		rest = t;
	}
	return sym_divi(sym_addi(sym_muli(o, f.a / g), floor_div(f.b, g)), f.d / g);
}

/* The fraction whose floor is the rounded one: ceil y = floor((y + d - 1) / d), ties up or down around a half. */
static fraction rounded(const node *n, fraction f)
{
	if (node_word_is(n, "nearest", "round_prefer_floor", "floor"))
		return f;
	if (node_word_is(n, "nearest", "round_prefer_floor", "ceil"))
		return (fraction){f.a, f.b + f.d - 1, f.d};
	bool up = node_word_is(n, "nearest", "round_prefer_floor", "round_prefer_ceil");
	return (fraction){2 * f.a, 2 * f.b + f.d - (up ? 0 : 1), 2 * f.d};
}

/* ---- taps ----------------------------------------------------------------------------------------------------------- */
/* The elements along one axis that are blended, and their weights (NULL: 1). */
typedef struct taps {
	int n;
	sym *at[MAX_TAPS];
	const expr *weight[MAX_TAPS];
} taps;

/* i clamped into its axis.  It never decreases with o, so `first` >= 0 and `beyond` <= 0 (the index at o = 0, and how far
 * past the last one the largest is) spare the clamps. */
static sym *clamped(sym *i, sym *extent, int64_t first, int64_t beyond)
{
	sym *zero = sym_const(i->ctx, 0);
	if (beyond > 0 && !sym_proves_lt(i, extent))
		i = sym_min(i, sym_addi(extent, -1));
	return first >= 0 || sym_proves_ge(i, zero) ? i : sym_max(i, zero);
}

/* At o = out size, which is in size * d / a, (a*o + b) / d is in size + b/d; the last o is one less. */
static sym *clamped_fraction(sym *o, fraction f, int64_t offset, sym *extent)
{
	sym *i = sym_addi(floor_fraction(o, f), offset);
	return clamped(i, extent, floor_div(f.b, f.d) + offset, floor_div(f.b - f.a, f.d) + 1 + offset);
}

/* A whole f32 as an integer: brought near the axis first, so that no conversion can overflow. */
static sym *whole_index(elem *e, const expr *x, sym *extent)
{
	enum { MARGIN = 4 };
	sym *end = sym_addi(extent, MARGIN);
	const expr *near = binary(e, EXPR_MAX, binary(e, EXPR_MIN, x, f32_size(e, end)), f32_of(e, -MARGIN));
	bool narrow = extent->hi < INT32_MAX / 2;
	const expr *i = expr_cast(e->exprs, I64, expr_cast(e->exprs, narrow ? I32 : I64, near));
	return expr_to_sym(e->exprs, i, -MARGIN, extent->hi == INT64_MAX ? INT64_MAX : end->hi, NULL);
}

static const expr *rounded_position(elem *e, const node *n, const expr *x)
{
	const expr *floor = expr_unary(e->exprs, EXPR_FLOOR, x);
	if (node_word_is(n, "nearest", "round_prefer_floor", "floor"))
		return floor;
	if (node_word_is(n, "nearest", "round_prefer_floor", "ceil"))
		return expr_unary(e->exprs, EXPR_CEIL, x);
	bool up = node_word_is(n, "nearest", "round_prefer_floor", "round_prefer_ceil");
	const expr *rest = binary(e, EXPR_SUB, x, floor);
	const expr *down = binary(e, up ? EXPR_LT : EXPR_LE, rest, f32_of(e, 0.5));
	return expr_ternary(e->exprs, EXPR_SELECT, down, floor, binary(e, EXPR_ADD, floor, f32_of(e, 1)));
}

/* Keys' cubic at the distances 1+s, s, 1-s, 2-s. */
static void cubic_weights(elem *e, double alpha, const expr *s, const expr **w)
{
	expr_ctx *c = e->exprs;
	const expr *a = f32_of(e, alpha), *one = f32_of(e, 1), *opposite = binary(e, EXPR_SUB, one, s);
	const expr *far[2] = {binary(e, EXPR_ADD, s, one), binary(e, EXPR_ADD, opposite, one)};
	const expr *near[2] = {s, opposite};
	for (int i = 0; i < 2; i++) {
		/* ((a*t - 5a)*t + 8a)*t - 4a and ((a + 2)*t - (a + 3))*t*t + 1 */
		const expr *t = far[i];
		const expr *x = binary(e, EXPR_SUB, binary(e, EXPR_MUL, a, t), f32_of(e, 5 * alpha));
		x = binary(e, EXPR_ADD, binary(e, EXPR_MUL, x, t), f32_of(e, 8 * alpha));
		w[i == 0 ? 0 : 3] = binary(e, EXPR_SUB, binary(e, EXPR_MUL, x, t), f32_of(e, 4 * alpha));
		t = near[i];
		x = binary(e, EXPR_SUB, binary(e, EXPR_MUL, f32_of(e, alpha + 2), t), f32_of(e, alpha + 3));
		x = binary(e, EXPR_MUL, binary(e, EXPR_MUL, x, t), t);
		w[i == 0 ? 1 : 2] = expr_binary(c, EXPR_ADD, x, one);
	}
}

/* Taps outside the axis weigh nothing; the others are scaled up to a sum of 1. */
static void exclude_outside(elem *e, sym *base, sym *extent, taps *t)
{
	const expr *sum = f32_of(e, 0);
	for (int k = 0; k < t->n; k++) {
		const expr *inside = elem_inside(e, sym_addi(base, k - 1), extent);
		if (inside)
			t->weight[k] = expr_ternary(e->exprs, EXPR_SELECT, inside, t->weight[k], f32_of(e, 0));
		sum = binary(e, EXPR_ADD, sum, t->weight[k]);
	}
	for (int k = 0; k < t->n; k++)
		t->weight[k] = binary(e, EXPR_DIV, t->weight[k], sum);
}

static void weigh(elem *e, const node *n, const expr *s, sym *base, sym *extent, taps *t)
{
	if (t->n == 2) {
		t->weight[0] = binary(e, EXPR_SUB, f32_of(e, 1), s);
		t->weight[1] = s;
	} else if (t->n == 4) {
		cubic_weights(e, node_float(n, "cubic_a", -0.75), s, t->weight);
		if (node_int(n, "exclude_outside", 0))
			exclude_outside(e, base, extent, t);
	}
}

static taps exact_taps(elem *e, const node *n, int axis, sym *o, fraction f)
{
	sym *extent = n->in[0]->dims[axis];
	if (mode_is(n, "nearest"))
		return (taps){.n = 1, .at = {clamped_fraction(o, rounded(n, f), 0, extent)}};
	taps t = {.n = f.d == 1 ? 1 : mode_is(n, "linear") ? 2 : 4};
	int before = t.n == 4 ? 1 : 0;
	for (int k = 0; k < t.n; k++)
		t.at[k] = clamped_fraction(o, f, k - before, extent);
	sym *rest = sym_modi(sym_addi(sym_muli(o, f.a), f.b), f.d);
	int64_t constant;
	const expr *s = sym_is_const(rest, &constant) ? f32_of(e, (double)constant / (double)f.d)
						      : binary(e, EXPR_DIV, f32_size(e, rest), f32_of(e, (double)f.d));
	weigh(e, n, s, floor_fraction(o, f), extent, &t);
	return t;
}

static taps taps_of(elem *e, const node *n, int axis, sym *o)
{
	fraction f;
	if (!is_resized(n, axis))
		return (taps){.n = 1, .at = {o}};
	sym *extent = n->in[0]->dims[axis];
	if (sym_is(extent, 0))
		return (taps){.n = 1, .at = {sym_const(e->syms, 0)}};
	if (exact_position(n, axis, &f))
		return exact_taps(e, n, axis, o, f);
	const expr *x = position(e, n, axis, o);
	bool nearest = mode_is(n, "nearest");
	const expr *whole = nearest ? rounded_position(e, n, x) : expr_unary(e->exprs, EXPR_FLOOR, x);
	sym *base = whole_index(e, whole, extent);
	taps t = {.n = nearest ? 1 : mode_is(n, "linear") ? 2 : 4};
	for (int k = 0; k < t.n; k++)
		t.at[k] = clamped(sym_addi(base, t.n == 4 ? k - 1 : k), extent, -1, 1);
	if (!nearest)
		weigh(e, n, binary(e, EXPR_SUB, x, whole), base, extent, &t);
	return t;
}

/* ---- elements ------------------------------------------------------------------------------------------------------- */
/* The sum over all taps of the axes from `axis` on of weights times element, in the type that is blended in. */
static const expr *blend(elem *e, const node *n, const taps *t, int axis, coord at, dtype type)
{
	if (axis == at.rank)
		return expr_cast(e->exprs, type, elem_read(e, n->in[0], at));
	const expr *sum = NULL;
	for (int k = 0; k < t[axis].n; k++) {
		const expr *part = blend(e, n, t, axis + 1, coord_with(at, axis, t[axis].at[k]), type);
		if (t[axis].weight[k])
			part = binary(e, EXPR_MUL, part, expr_cast(e->exprs, type, t[axis].weight[k]));
		sum = sum ? binary(e, EXPR_ADD, sum, part) : part;
	}
	return sum;
}

/* tf_crop_and_resize: positions outside the operand give {extrapolation}. */
static const expr *extrapolated(elem *e, const node *n, coord at, const expr *inside_value)
{
	const expr *inside = NULL;
	for (int i = 0; i < at.rank; i++) {
		const expr *x = position(e, n, i, at.i[i]), *last = f32_size(e, sym_addi(n->in[0]->dims[i], -1));
		inside = elem_and(e, inside, binary(e, EXPR_LE, f32_of(e, 0), x));
		inside = elem_and(e, inside, binary(e, EXPR_LE, x, last));
	}
	if (!inside)
		return inside_value;
	const expr *outside = elem_number(e, n->in[0]->type, node_float(n, "extrapolation", 0));
	return expr_ternary(e->exprs, EXPR_CHOOSE, inside, inside_value, outside);
}

const expr *elem_resize(elem *e, const node *n, coord at)
{
	const value *x = n->in[0];
	taps t[MAX_RANK];
	for (int i = 0; i < at.rank; i++)
		t[i] = taps_of(e, n, i, at.i[i]);
	const expr *result;
	if (mode_is(n, "nearest")) {
		coord c = at;
		for (int i = 0; i < at.rank; i++)
			c.i[i] = t[i].at[0];
		result = elem_read(e, x, c);
	} else {
		dtype type = x->type == F64 ? F64 : F32;
		result = expr_cast(e->exprs, type_compute(x->type), blend(e, n, t, 0, at, type));
		result = elem_stored(e, n->out[0], result);
	}
	return coordinates_are(n, "tf_crop_and_resize") ? extrapolated(e, n, at, result) : result;
}
