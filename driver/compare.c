/* Comparing with a reference.
 *
 * A float output of a network is right when the error is small against the whole tensor: a single element near zero may be
 * relatively wrong.  Integers, booleans and strings are equal or wrong, except integers of quantised models, which are judged
 * like floats.  NaN and infinities must stand at the same places. */
#include "driver/compare.h"

#include <math.h>
#include <string.h>

match_rule match_rule_of(dtype t, bool quantised)
{
	match_rule r = {.norm = 2e-4, .peak = 2e-3, .rtol = -1, .atol = -1};
	if (dtype_is_float(t) && t != F32 && t != F64)
		r.norm = r.peak = 1e-2;
	if (quantised) {
		r.norm = r.peak = 3e-2;
		r.same_argmax = true;
	}
	return r;
}

/* As a float, also of integers. */
static double element(const tensor *t, size_t i)
{
	return dtype_is_float(t->type) ? tensor_float(t, i) : (double)tensor_int(t, i);
}

static bool same_string(const tensor *y, const tensor *ref, size_t i)
{
	slice a = ((const slice *)y->data)[i], b = ((const slice *)ref->data)[i];
	return a.len == b.len && (a.len == 0 || !memcmp(a.data, b.data, a.len));
}

/* How much element i differs; infinite where it cannot be said. */
static double difference(const tensor *y, const tensor *ref, size_t i)
{
	if (ref->type == STRING)
		return same_string(y, ref, i) ? 0 : INFINITY;
	if (!dtype_is_float(ref->type) && tensor_int(y, i) == tensor_int(ref, i))
		return 0;
	double a = element(y, i), b = element(ref, i);
	if (isnan(a) || isnan(b))
		return isnan(a) && isnan(b) ? 0 : INFINITY;
	if (isinf(a) || isinf(b))
		return a == b ? 0 : INFINITY;
	double far = fabs(a - b);
	return far > 0 || dtype_is_float(ref->type) ? far : 1; /* integers so large that doubles do not tell them apart */
}

/* The elements that differ most, each found once. */
static void find_worst(match *m, const double *differences, size_t n)
{
	enum { MOST = sizeof m->worst / sizeof *m->worst };
	while (m->n_worst < MOST) {
		size_t best = n;
		for (size_t i = 0; i < n; i++) {
			bool taken = differences[i] == 0;
			for (int k = 0; k < m->n_worst; k++)
				taken = taken || m->worst[k] == i;
			if (!taken && (best == n || differences[i] > differences[best]))
				best = i;
		}
		if (best == n)
			return;
		m->worst[m->n_worst++] = best;
	}
}

/* The largest element of each row of the last axis is the same; rows of the reference with a tie have any of them. */
static bool same_argmax(const tensor *y, const tensor *ref)
{
	size_t n = ref->rank ? (size_t)ref->dims[ref->rank - 1] : 1;
	for (size_t row = 0; n > 1 && row < ref->n_elements; row += n) {
		size_t of_y = row, of_ref = row;
		for (size_t i = row; i < row + n; i++) {
			of_y = element(y, i) > element(y, of_y) ? i : of_y;
			of_ref = element(ref, i) > element(ref, of_ref) ? i : of_ref;
		}
		if (of_y != of_ref && element(ref, of_y) != element(ref, of_ref))
			return false;
	}
	return true;
}

/* Errors of finite elements, relative to the whole reference.  A reference of zeros is matched by zeros only. */
static void measure(match *m, const tensor *ref, const double *differences)
{
	double sum = 0, ref_sum = 0, peak = 0, ref_peak = 0;
	for (size_t i = 0; i < ref->n_elements; i++) {
		double r = element(ref, i), e = differences[i];
		if (!isfinite(r) || !isfinite(e))
			continue;
		sum += e * e;
		ref_sum += r * r;
		peak = fmax(peak, e);
		ref_peak = fmax(ref_peak, fabs(r));
	}
	m->norm = sum > 0 ? sqrt(sum / ref_sum) : 0;
	m->peak = peak > 0 ? peak / ref_peak : 0;
}

static bool within(const match_rule *rule, const tensor *ref, double e, size_t i)
{
	double r = element(ref, i);
	return e <= rule->atol + rule->rtol * (isfinite(r) ? fabs(r) : 0);
}

static void judge_elements(match *m, const tensor *ref, const match_rule *rule, const double *differences)
{
	for (size_t i = 0; i < ref->n_elements; i++)
		m->n_wrong += !within(rule, ref, differences[i], i);
	if (m->n_wrong)
		m->why = "elements differ by more than the tolerance";
}

static void judge_whole(match *m, const tensor *y, const tensor *ref, const match_rule *rule, const double *differences)
{
	bool exact = !dtype_is_float(ref->type), misplaced = false;
	for (size_t i = 0; i < ref->n_elements; i++) {
		m->n_wrong += differences[i] != 0;
		misplaced = misplaced || isinf(differences[i]);
	}
	if (exact && m->n_wrong && !(rule->same_argmax && ref->type != STRING && ref->type != BOOL))
		m->why = "elements are not equal";
	else if (misplaced)
		m->why = "NaN or infinity stands in one of them only";
	else if (m->norm > rule->norm || m->peak > rule->peak)
		m->why = "the error is too large";
	else if (rule->same_argmax && ref->rank <= 2 && !same_argmax(y, ref))
		m->why = "the largest elements are not at the same place";
}

match tensor_match(arena *a, const tensor *y, const tensor *ref, const match_rule *rule)
{
	match m = {0};
	bool same_shape = y->rank == ref->rank;
	for (int i = 0; same_shape && i < y->rank; i++)
		same_shape = y->dims[i] == ref->dims[i];
	if (y->type != ref->type || !same_shape) {
		m.why = y->type != ref->type ? "the element types differ" : "the shapes differ";
		return m;
	}
	double *differences = new_array(a, double, ref->n_elements + 1);
	for (size_t i = 0; i < ref->n_elements; i++)
		differences[i] = difference(y, ref, i);
	if (ref->type != STRING)
		measure(&m, ref, differences);
	if (rule->rtol >= 0 && ref->type != STRING)
		judge_elements(&m, ref, rule, differences);
	else
		judge_whole(&m, y, ref, rule, differences);
	m.ok = !m.why;
	find_worst(&m, differences, ref->n_elements);
	return m;
}
