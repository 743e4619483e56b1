/* Resize and Upsample: sizes and scales become the shape of a core resize. */
#include "frontend/onnx_attr.h"

#include <math.h>
#include <string.h>

typedef struct resizing {
	sym *shape[MAX_RANK];
	double scale[MAX_RANK];
	bool by_scale; /* scales were given: they, not the ratios of sizes, map positions */
} resizing;

enum { MAX_DENOMINATOR = 64 };

/* floor(in * scale), for symbolic sizes as a whole fraction. */
static sym *scaled_size(importer *im, const onnx_node *n, sym *in, double scale)
{
	int64_t d;
	if (!(scale > 0) || scale > INT32_MAX)
		refuse(im, n, "a scale is %g, must be positive", scale);
	if (sym_is_const(in, &d)) {
		double out = floor((double)d * scale);
		if (out > INT32_MAX)
			refuse(im, n, "a size of %lld times %g is too large", (long long)d, scale);
		return size(im, (int64_t)out);
	}
	for (int64_t q = 1; q <= MAX_DENOMINATOR; q++) {
		double p = scale * (double)q;
		if (p == floor(p))
			return sym_floordiv(sym_muli(in, (int64_t)p), size(im, q));
	}
	refuse(im, n, "the scale %g of a dynamic size is no fraction with a denominator up to %d", scale, MAX_DENOMINATOR);
}

/* Is the position map of out / in in f32 just that of the scale? */
static bool is_ratio(const resizing *r, const value *x, int i)
{
	int64_t in, out;
	if (sym_is_const(x->dims[i], &in) && sym_is_const(r->shape[i], &out))
		return (float)out / (float)in == (float)r->scale[i];
	return r->scale[i] == floor(r->scale[i]); /* a multiple: the ratio is exact */
}

static const tensor *floats_of(importer *im, const onnx_node *n, value *v, const char *what, int count)
{
	const tensor *t = constant_of(v);
	if (!t)
		note_unknown(im, v);
	if (!t || !dtype_is_float(t->type))
		refuse(im, n, "%s must be a constant of floats", what);
	if (t->n_elements != (size_t)count)
		refuse(im, n, "%s has %zu elements, needs %d", what, t->n_elements, count);
	return t;
}

/* keep_aspect_ratio_policy: one scale for all axes, the smaller or the larger. */
static void keep_aspect(importer *im, const onnx_node *n, const value *x, const int64_t *axes, int count, resizing *r, bool larger)
{
	double scale = 0;
	for (int i = 0; i < count; i++) {
		int64_t in, out;
		if (!sym_is_const(x->dims[axes[i]], &in) || !sym_is_const(r->shape[axes[i]], &out) || in == 0)
			refuse(im, n, "keep_aspect_ratio_policy needs known sizes");
		double s = (double)out / (double)in;
		scale = i == 0 || (larger ? s > scale : s < scale) ? s : scale;
	}
	for (int i = 0; i < count; i++) {
		int64_t in = sym_value(x->dims[axes[i]]);
		r->shape[axes[i]] = size(im, (int64_t)floor(scale * (double)in + 0.5));
		r->scale[axes[i]] = scale;
	}
	r->by_scale = true;
}

/* Sets shape and scales from input `scales` or `sizes`, for the named axes. */
static void set_sizes(importer *im, const onnx_node *n, const value *x, value *scales, value *sizes, resizing *r)
{
	int64_t all[MAX_RANK];
	int_list list = attr_ints(im, n, "axes");
	const char *policy = attr_word(im, n, "keep_aspect_ratio_policy", "stretch not_larger not_smaller");
	int count = list.given ? list.n : x->rank;
	if (count > x->rank)
		refuse(im, n, "axes has %d entries for rank %d", count, x->rank);
	for (int i = 0; i < x->rank; i++) {
		all[i] = i;
		r->shape[i] = x->dims[i];
		r->scale[i] = 1;
	}
	for (int i = 0; i < count; i++)
		all[i] = list.given ? axis_in(im, n, list.v[i], x->rank) : i;
	if (sizes) {
		sym_list to = elements_of(im, n, sizes, "sizes");
		if (to.n != count)
			refuse(im, n, "sizes has %d elements, needs %d", to.n, count);
		for (int i = 0; i < count; i++)
			r->shape[all[i]] = to.v[i];
		if (policy[0] == 'n')
			keep_aspect(im, n, x, all, count, r, strcmp(policy, "not_smaller") == 0);
		return;
	}
	if (!scales)
		refuse(im, n, "has neither scales nor sizes");
	const tensor *t = floats_of(im, n, scales, "scales", count);
	r->by_scale = true;
	for (int i = 0; i < count; i++) {
		r->scale[all[i]] = tensor_float(t, (size_t)i);
		r->shape[all[i]] = scaled_size(im, n, x->dims[all[i]], r->scale[all[i]]);
	}
}

static attr attr_of_floats(importer *im, const char *name, const double *v, int n)
{
	double *kept = new_array(im->a, double, (size_t)n);
	memcpy(kept, v, (size_t)n * sizeof *v);
	return (attr){.name = name, .kind = ATTR_FLOATS, .n = n, .floats = kept};
}

typedef struct interpolation {
	const char *mode, *coordinates, *nearest;
	double cubic_a, extrapolation;
	bool exclude_outside;
	const double *roi; /* 2 * rank, or NULL */
} interpolation;

static value *resize(importer *im, value *x, const resizing *r, const interpolation *how)
{
	attr attrs[9] = {
		attr_of_syms(im->graph, "shape", r->shape, x->rank),
		attr_of_word("mode", how->mode),
		attr_of_word("coordinates", how->coordinates),
	};
	int n = 3;
	bool ratios = true;
	for (int i = 0; i < x->rank; i++)
		ratios = ratios && is_ratio(r, x, i);
	if (how->mode[0] == 'n')
		attrs[n++] = attr_of_word("nearest", how->nearest);
	if (how->mode[0] == 'c') {
		attrs[n++] = attr_of_float("cubic_a", how->cubic_a);
		attrs[n++] = attr_of_int("exclude_outside", how->exclude_outside);
	}
	if (r->by_scale && !ratios)
		attrs[n++] = attr_of_floats(im, "scales", r->scale, x->rank);
	if (how->roi) {
		attrs[n++] = attr_of_floats(im, "roi", how->roi, 2 * x->rank);
		attrs[n++] = attr_of_float("extrapolation", how->extrapolation);
	}
	return build(im->graph, OP_RESIZE, &x, 1, attrs, n);
}

/* ---- antialias -------------------------------------------------------------------------------------------------------- */
/* Filters that are stretched by 1 / scale when an axis shrinks, so that every element counts: tables of taps and weights. */

/* Position on an axis of `in` elements of output o of `out`, before rounding. */
static double source_position(importer *im, const onnx_node *n, const interpolation *how, double o, double in, double out, double scale)
{
	const char *c = how->coordinates;
	double width = scale * in;
	if (strcmp(c, "half_pixel") == 0 || (strcmp(c, "pytorch_half_pixel") == 0 && width != 1))
		return (o + 0.5) / scale - 0.5;
	if (strcmp(c, "pytorch_half_pixel") == 0)
		return -0.5;
	if (strcmp(c, "half_pixel_symmetric") == 0)
		return in / 2 * (1 - out / width) + (o + 0.5) / scale - 0.5;
	if (strcmp(c, "asymmetric") == 0)
		return o / scale;
	if (strcmp(c, "align_corners") == 0)
		return width == 1 ? 0 : o * (in - 1) / (width - 1);
	refuse(im, n, "antialias=1 with coordinate_transformation_mode=%s is not supported", c);
}

/* The filter at distance t: a triangle, or Keys' cubic. */
static double filter(const interpolation *how, double t)
{
	double a = how->cubic_a;
	t = fabs(t);
	if (how->mode[0] == 'l')
		return t < 1 ? 1 - t : 0;
	if (t <= 1)
		return ((a + 2) * t - (a + 3)) * t * t + 1;
	return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

/* Taps and weights of output o. */
static void filter_taps(const interpolation *how, double x, double scale, int64_t in, int64_t taps, int64_t *index, double *weight)
{
	double base = ceil(x) - 1, sum = 0;
	for (int64_t k = 0; k < taps; k++) {
		double at = base + (double)(k + 1 - taps / 2);
		bool inside = at >= 0 && at < (double)in;
		weight[k] = how->exclude_outside && !inside ? 0 : filter(how, (at - x) * scale);
		index[k] = (int64_t)fmin(fmax(at, 0), (double)in - 1);
		sum += weight[k];
	}
	for (int64_t k = 0; k < taps; k++)
		weight[k] /= sum;
}

/* x with one axis resized: the sum over a new axis of taps that are gathered and weighted. */
static value *filtered(importer *im, const onnx_node *n, value *x, int axis, sym *to, double ratio, const interpolation *how)
{
	int64_t in, out;
	if (!sym_is_const(x->dims[axis], &in) || !sym_is_const(to, &out) || in < 1)
		refuse(im, n, "antialias=1 needs known sizes");
	double scale = fmin(ratio, 1), reach = (how->mode[0] == 'l' ? 1 : 2) / scale;
	int64_t taps = 2 * (int64_t)ceil(reach);
	if (x->rank == MAX_RANK || !(reach < 1 << 20) || (out > 0 && taps > (1 << 26) / out))
		refuse(im, n, "antialias=1 with a scale of %g is not supported", ratio);
	int64_t dims[] = {out, taps};
	int64_t *index = new_array(im->a, int64_t, (size_t)(out * taps));
	double *weight = new_array(im->a, double, (size_t)(out * taps));
	for (int64_t o = 0; o < out; o++)
		filter_taps(how, source_position(im, n, how, (double)o, (double)in, (double)out, ratio), scale, in, taps,
			    index + o * taps, weight + o * taps);
	value *weights = build_cast(im->graph, x->type, build_const(im->graph, tensor_new(im->a, F64, 2, dims, weight), NULL));
	value *picked = build_gather(im->graph, x, build_const(im->graph, tensor_new(im->a, I64, 2, dims, index), NULL), axis);
	sym *shape[MAX_RANK] = {to, size(im, taps)};
	for (int i = axis + 1; i < x->rank; i++)
		shape[i - axis + 1] = size(im, 1);
	weights = reshape(im, weights, shape, x->rank - axis + 1);
	int along = axis + 1;
	return reduce_axes(im, build_binary(im->graph, EXPR_MUL, picked, weights), "sum", &along, 1, false);
}

static value *antialiased(importer *im, const onnx_node *n, value *x, const resizing *r, const interpolation *how)
{
	value *y = x->type == F64 ? x : narrow(im, x, F32);
	if (how->mode[0] == 'n')
		refuse(im, n, "antialias=1 is for the modes linear and cubic");
	for (int i = 0; i < x->rank; i++) {
		int64_t in, out;
		bool known = sym_is_const(x->dims[i], &in) && sym_is_const(r->shape[i], &out) && in > 0;
		double ratio = r->by_scale ? r->scale[i] : known ? (double)out / (double)in : 1;
		if (r->shape[i] != x->dims[i] || ratio != 1)
			y = filtered(im, n, y, i, r->shape[i], ratio, how);
	}
	return narrow(im, y, x->type);
}

/* roi is given for the axes of attribute axes; the others are whole. */
static const double *region_of(importer *im, const onnx_node *n, const value *x)
{
	int_list axes = attr_ints(im, n, "axes");
	int count = axes.given ? axes.n : x->rank;
	const tensor *t = floats_of(im, n, input(im, n, 1), "roi", 2 * count);
	double *roi = new_array(im->a, double, 2 * (size_t)x->rank);
	for (int i = 0; i < x->rank; i++)
		roi[x->rank + i] = 1;
	for (int i = 0; i < count; i++) {
		int axis = axes.given ? axis_in(im, n, axes.v[i], x->rank) : i;
		roi[axis] = tensor_float(t, (size_t)i);
		roi[x->rank + axis] = tensor_float(t, (size_t)(count + i));
	}
	return roi;
}

static value *present(const onnx_node *n, int i)
{
	value *v = input_or_null(n, i);
	return v && v->rank == 1 && sym_is(v->dims[0], 0) ? NULL : v; /* an empty tensor is an absent one */
}

/* ONNX Resize-19; version 10 is Upsample with the mode linear for any rank. */
value *import_resize(importer *im, const onnx_node *n)
{
	resizing r = {0};
	value *x = input(im, n, 0);
	expect_type(im, n, x, TYPES_NUMBER);
	interpolation how = {.mode = attr_word(im, n, "mode", "nearest linear cubic")};
	if (n->version < 11) {
		set_sizes(im, n, x, input(im, n, 1), NULL, &r);
		how.coordinates = "asymmetric";
		how.nearest = "floor";
		return resize(im, x, &r, &how);
	}
	how.coordinates = attr_word(im, n, "coordinate_transformation_mode",
				    "half_pixel half_pixel_symmetric pytorch_half_pixel align_corners asymmetric "
				    "tf_half_pixel_for_nn tf_crop_and_resize");
	how.nearest = attr_word(im, n, "nearest_mode", "round_prefer_floor round_prefer_ceil floor ceil");
	how.cubic_a = attr_float(im, n, "cubic_coeff_a", -0.75);
	how.exclude_outside = attr_flag(im, n, "exclude_outside", false);
	how.extrapolation = attr_float(im, n, "extrapolation_value", 0);
	if (strcmp(how.coordinates, "tf_crop_and_resize") == 0)
		how.roi = region_of(im, n, x);
	set_sizes(im, n, x, present(n, 2), present(n, 3), &r);
	if (attr_flag(im, n, "antialias", false))
		return antialiased(im, n, x, &r, &how);
	return resize(im, x, &r, &how);
}

/* ONNX Upsample-9; before 9 the scales are an attribute. */
value *import_upsample(importer *im, const onnx_node *n)
{
	resizing r = {0};
	value *x = input(im, n, 0);
	interpolation how = {.coordinates = "asymmetric", .nearest = "floor"};
	how.mode = attr_word(im, n, "mode", n->version < 7 ? "nearest bilinear" : "nearest linear");
	if (how.mode[0] == 'b')
		how.mode = "linear";
	if (n->version >= 9) {
		set_sizes(im, n, x, input(im, n, 1), NULL, &r);
		return resize(im, x, &r, &how);
	}
	float_list scales = attr_floats(im, n, "scales");
	float pair[4] = {1, 1, (float)attr_float(im, n, "height_scale", 1), (float)attr_float(im, n, "width_scale", 1)};
	if (n->version < 7)
		scales = (float_list){pair, 4, true};
	if (scales.n != x->rank)
		refuse(im, n, "scales has %d entries for rank %d", scales.n, x->rank);
	r.by_scale = true;
	for (int i = 0; i < x->rank; i++) {
		r.scale[i] = scales.v[i];
		r.shape[i] = scaled_size(im, n, x->dims[i], scales.v[i]);
	}
	return resize(im, x, &r, &how);
}
