/* `dlcc run`: runs a model in this process; writes its outputs to files or prints them. */
#include "driver/driver.h"
#include "driver/report.h"
#include "driver/tensors.h"

#include <errno.h>
#include <string.h>

static bool write_outputs(const session *s, const dlrt_tensor *outputs, const char *dir, diag *d)
{
	arena *a = arena_new("outputs");
	bool ok = make_dirs(dir);
	if (!ok)
		diag_error(d, DIAG_FILE(dir), "cannot make the directory: %s", strerror(errno));
	for (int i = 0; ok && i < s->model->n_outputs; i++)
		ok = tensor_write(arena_printf(a, "%s/output_%d.pb", dir, i), &outputs[i], s->model->outputs[i].name, d);
	arena_free(a);
	return ok;
}

static void print_outputs(const session *s, arena *a, const dlrt_tensor *outputs)
{
	for (int i = 0; i < s->model->n_outputs; i++) {
		printf("%s: ", s->model->outputs[i].name);
		tensor_print(stdout, a, &outputs[i]);
		putchar('\n');
	}
}

static bool repeat(session *s, arena *a, const dlrt_tensor *inputs, dlrt_tensor *outputs, diag *d)
{
	bool ok = session_run(s, a, inputs, outputs, d);
	for (int64_t i = 1; ok && i < s->o->repeat; i++) {
		arena *run = arena_new("run"); /* what the last run allocates must survive */
		bool last = i + 1 == s->o->repeat;
		ok = session_rerun(s, last ? a : run, inputs, outputs, d);
		arena_free(run);
	}
	return ok;
}

/* Without the machine's roofline, which `dlcc bench` measures. */
static void print_profile(session *s, const dlrt_tensor *inputs, const dlrt_tensor *outputs, const dlrt_profile *profile)
{
	arena *a = arena_new("profile");
	const body *b = session_body(s, inputs);
	measurement m = {.s = s, .body = b, .inputs = inputs, .kernels = session_kernels(s, b, profile),
	                 .profiled_runs = s->o->repeat > 1 ? (int)s->o->repeat : 1, .timed = true,
	                 .sizes = run_sizes_of(a, b->p, inputs, outputs)};
	report r = report_of(a, (subject){s->file, b, &m});
	str text = str_new(a);
	report_profile(&text, &r);
	fwrite(text.data, 1, text.len, stderr);
	arena_free(a);
}

int command_run(options *o, diag *d)
{
	session s;
	bool ok = session_open(&s, o, o->data, d) && report_session(&s, d);
	if (ok) {
		dlrt_tensor *inputs = new_array(o->a, dlrt_tensor, (size_t)s.model->n_inputs + 1);
		dlrt_tensor *outputs = new_array(o->a, dlrt_tensor, (size_t)s.model->n_outputs + 1);
		dlrt_profile *profile = o->profile ? session_start_profile(&s, o->a) : NULL;
		ok = session_inputs(&s, o->a, inputs, d) && repeat(&s, o->a, inputs, outputs, d);
		if (ok && o->output_dir)
			ok = write_outputs(&s, outputs, o->output_dir, d);
		else if (ok)
			print_outputs(&s, o->a, outputs);
		if (ok && profile)
			print_profile(&s, inputs, outputs, profile);
	}
	session_close(&s);
	return ok && diag_error_count(d) == 0 ? 0 : 1;
}
