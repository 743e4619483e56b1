/* `dlcc test`: runs a model on directories of ONNX backend-test data and compares its outputs.  One compiled model serves all
 * of them, whatever their shapes are. */
#define _POSIX_C_SOURCE 200809L
#include "driver/compare.h"
#include "driver/driver.h"
#include "driver/report.h"
#include "driver/tensors.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef vec(const char *) paths;

static int by_length_and_name(const void *p, const void *q)
{
	const char *a = *(const char *const *)p, *b = *(const char *const *)q;
	size_t na = strlen(a), nb = strlen(b);
	return na != nb ? (na < nb ? -1 : 1) : strcmp(a, b);
}

/* The test_data_set_* beside the model, by number. */
static void find_data_sets(arena *a, const char *model, paths *out)
{
	const char *dir = path_dir(a, model);
	DIR *listing = opendir(dir);
	for (struct dirent *e; listing && (e = readdir(listing));)
		if (!strncmp(e->d_name, "test_data_set_", strlen("test_data_set_")))
			vec_push(a, out, arena_printf(a, "%s/%s", dir, e->d_name));
	if (listing)
		closedir(listing);
	if (out->n)
		qsort(out->v, (size_t)out->n, sizeof *out->v, by_length_and_name);
}

typedef struct tally {
	int passed, failed;
} tally;

/* ---- one output ------------------------------------------------------------------------------------------------------- */
static void print_index(const tensor *t, size_t i)
{
	char text[MAX_RANK * 24], *at = text + sizeof text - 1;
	*at = '\0';
	for (int k = t->rank; k-- > 0;) {
		char number[24];
		size_t dim = (size_t)t->dims[k];
		int n = snprintf(number, sizeof number, "%zu%s", i % dim, k + 1 < t->rank ? "," : "");
		at -= n;
		memcpy(at, number, (size_t)n);
		i /= dim;
	}
	printf("[%s]", at);
}

static void print_number(const tensor *t, size_t i)
{
	if (t->type == STRING)
		printf(" %14.*s", (int)((const slice *)t->data)[i].len, ((const slice *)t->data)[i].data);
	else if (dtype_is_float(t->type))
		printf(" %14.7g", tensor_float(t, i));
	else
		printf(" %14" PRId64, tensor_int(t, i));
}

static void print_worst(const match *m, const tensor *y, const tensor *ref)
{
	if (m->n_worst)
		printf("    %14s %14s  at\n", "got", "expected");
	for (int i = 0; i < m->n_worst; i++) {
		printf("    ");
		print_number(y, m->worst[i]);
		print_number(ref, m->worst[i]);
		printf("  ");
		print_index(ref, m->worst[i]);
		putchar('\n');
	}
}

static void print_type(const tensor *t)
{
	printf("%s[", dtype_name(t->type));
	for (int i = 0; i < t->rank; i++)
		printf("%s%" PRId64, i ? "," : "", t->dims[i]);
	putchar(']');
}

static bool check_output(const session *s, arena *a, const char *name, const dlrt_tensor *got, const dlrt_tensor *wanted)
{
	const options *o = s->o;
	tensor y = tensor_view(a, got), ref = tensor_view(a, wanted);
	match_rule rule = match_rule_of(ref.type, s->c.quantised);
	if (o->rtol >= 0 || o->atol >= 0) {
		rule.rtol = o->rtol >= 0 ? o->rtol : 0;
		rule.atol = o->atol >= 0 ? o->atol : 0;
	}
	match m = tensor_match(a, &y, &ref, &rule);
	printf("  %s  %s: ", m.ok ? "ok  " : "FAIL", name);
	print_type(&y);
	if (y.type == ref.type && y.n_elements == ref.n_elements)
		printf("  |error|/|ref| %.2e, max %.2e", m.norm, m.peak);
	if (m.ok) {
		putchar('\n');
		return true;
	}
	printf("  %s", m.why);
	if (!m.n_worst) {
		printf(": expected ");
		print_type(&ref);
	} else {
		printf(" (%zu of %zu elements)", m.n_wrong, ref.n_elements);
	}
	putchar('\n');
	print_worst(&m, &y, &ref);
	return false;
}

/* ---- one data set ------------------------------------------------------------------------------------------------------ */
static bool all_given(const session *s, const char *dir, const dlrt_tensor *inputs, diag *d)
{
	for (int i = 0; i < s->model->n_inputs; i++) {
		if (inputs[i].type == DLRT_UNDEFINED) {
			diag_error(d, DIAG_FILE(dir), "has no input_%d.pb for input '%s'", i, s->model->inputs[i].name);
			return false;
		}
	}
	return true;
}

/* An output of the model: as many tensors as the reference holds, and each like it. */
static bool check_port(const session *s, arena *a, const port_note *note, const char *path, const dlrt_tensor *outputs, diag *d)
{
	held_tensors ref = {0};
	int count = 0;
	if (!value_read(a, path, note->kind, note->name, &ref, d))
		return false;
	for (int i = 0; i < ref.n; i++)
		count += ref.v[i].tensor.rank >= 0;
	bool ok = count == note->count;
	if (!ok)
		printf("  FAIL  %s: %d tensors, expected %d\n", note->name, note->count, count);
	for (int i = 0; ok && i < count; i++) {
		int at = note->first + i;
		ok = check_output(s, a, s->model->outputs[at].name, &outputs[at], &ref.v[i].tensor) && ok;
	}
	return ok;
}

static bool check_outputs(const session *s, arena *a, const char *dir, const dlrt_tensor *outputs, diag *d)
{
	bool ok = true, any = false;
	int n = s->notes.outputs.n ? s->notes.outputs.n : s->model->n_outputs;
	for (int i = 0; i < n; i++) {
		const char *path = arena_printf(a, "%s/output_%d.pb", dir, i);
		port_note note = s->notes.outputs.n ? s->notes.outputs.v[i] : (port_note){s->model->outputs[i].name, "t", i, 1};
		if (!path_exists(path))
			continue;
		any = true;
		ok = check_port(s, a, &note, path, outputs, d) && ok;
	}
	if (!any)
		diag_error(d, DIAG_FILE(dir), "has no output_0.pb to compare with");
	return ok && any;
}

static bool check_set(session *s, const char *dir, diag *d)
{
	arena *a = arena_new("data set");
	const dlrt_model *m = s->model;
	dlrt_tensor *inputs = new_array(a, dlrt_tensor, (size_t)m->n_inputs + 1);
	dlrt_tensor *outputs = new_array(a, dlrt_tensor, (size_t)m->n_outputs + 1);
	printf("%s", dir);
	for (int i = 0; s->fixed_to_data && i < s->co.constants.n; i++)
		printf("%s%s", i ? ", " : ": compiled for its ", s->co.constants.v[i].name);
	putchar('\n');
	fflush(stdout);
	bool ok = path_is_dir(dir);
	if (!ok)
		diag_error(d, DIAG_FILE(dir), "is no directory of test data");
	ok = ok && session_read_inputs(s, a, dir, inputs, d) && all_given(s, dir, inputs, d) &&
	     session_run(s, a, inputs, outputs, d) && check_outputs(s, a, dir, outputs, d);
	arena_free(a);
	return ok;
}

int command_test(options *o, diag *d)
{
	session s;
	tally t = {0};
	paths sets = {0};
	for (int i = 0; i < o->operands.n; i++)
		vec_push(o->a, &sets, o->operands.v[i]);
	if (!sets.n)
		find_data_sets(o->a, o->model, &sets);
	if (!sets.n) {
		diag_error(d, DIAG_FILE(o->model), "no test data");
		diag_hint(d, "name directories with input_0.pb ... and output_0.pb ..., or put test_data_set_0 beside the model");
		return 1;
	}
	bool ok = session_open(&s, o, sets.v[0], d) && report_session(&s, d);
	for (int i = 0; ok && i < sets.n; i++) {
		if (i && s.fixed_to_data) { /* to the data of another set */
			session_close(&s);
			ok = session_open(&s, o, sets.v[i], d);
		}
		if (ok)
			*(check_set(&s, sets.v[i], d) ? &t.passed : &t.failed) += 1;
	}
	session_close(&s);
	if (ok)
		printf("%d passed, %d failed\n", t.passed, t.failed);
	return ok && !t.failed ? 0 : 1;
}
