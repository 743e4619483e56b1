/* The model around kernels: programs in text, compiled into memory and into objects, and run through the runtime. */
#define _POSIX_C_SOURCE 200809L
#include "tests/unit/unit.h"

#include "backend/backend.h"
#include "runtime/dlrt.h"
#include "support/file.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* y = (x * 2 + c) * 2; the first and the last kernel have the same code. */
static const char scale_add[] =
	"program @\"tiny-net\"\n"
	"input 0 %x: f32[6]\n"
	"output 0 %y: f32[6]\n"
	"const %c: f32[6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]\n"
	"const %same: f32[6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]\n"
	"arena %t: f32[6] at 0 live 0..1\n"
	"arena %u: f32[6] at 64 live 1..2\n"
	"workspace 128\n"
	"kernel @scale(x: f32[6] align 4, out y: f32[6] align 4) nodes \"a (Mul)\" flops 6 bytes 48 {\n"
	"  for i < 6 {\n"
	"    y[i] = x[i] * 2.0\n"
	"  }\n"
	"}\n"
	"kernel @\"add+1\"(x: f32[6], c: f32[6], out y: f32[6]) parallel t < 3 {\n"
	"  for i < 2 {\n"
	"    y[t*2 + i] = x[t*2 + i] + c[t*2 + i]\n"
	"  }\n"
	"}\n"
	"kernel @scale2(a: f32[6] align 4, out b: f32[6] align 4) {\n"
	"  for j < 6 {\n"
	"    b[j] = a[j] * 2.0\n"
	"  }\n"
	"}\n"
	"run {\n"
	"  @scale(%x, %t)\n"
	"  @\"add+1\"(%t, %same, %u)\n"
	"  @scale2(%u, %y)\n"
	"}\n";

/* y[i] = x[i] + x[n - 1 - i] in a workspace that depends on n; z is empty or has n - 1 elements. */
static const char dynamic[] =
	"program @dynamic\n"
	"dim n = 1..100\n"
	"input 0 %x: f32[n]\n"
	"output 0 %y: f32[n,2]\n"
	"output 1 %z: f32[n - 1]\n"
	"arena %t: f32[n] at 64 live 0..1\n"
	"workspace 64 + (n*4 + 63) / 64 * 64\n"
	"kernel @flip(x: f32[n] align 4, out t: f32[n]) {\n"
	"  for i < n {\n"
	"    t[i] = x[n - 1 - i]\n"
	"  }\n"
	"}\n"
	"kernel @both(x: f32[n] align 4, t: f32[n], out y: f32[n*2] align 4, out z: f32[n - 1] align 4) parallel r < n {\n"
	"  y[r*2] = x[r]\n"
	"  y[r*2 + 1] = t[r]\n"
	"  if ([r] < [n - 1]) {\n"
	"    z[r] = x[r] + x[r + 1]\n"
	"  }\n"
	"}\n"
	"run {\n"
	"  @flip(%x, %t)\n"
	"  @both(%x, %t, %y, %z)\n"
	"}\n";

/* The positive elements of x: how many there are is known after the first kernel. */
static const char from_data[] =
	"program @positive\n"
	"dim found = 0..8\n"
	"input 0 %x: i64[8]\n"
	"output 0 %y: i64[found]\n"
	"arena %count: i64[1] at 0 live 0..1\n"
	"workspace 64\n"
	"kernel @count(x: i64[8] align 8, out n: i64[1]) {\n"
	"  n[0] = 0\n"
	"  for i < 8 {\n"
	"    if (x[i] > 0) {\n"
	"      n[0] = n[0] + 1\n"
	"    }\n"
	"  }\n"
	"}\n"
	"kernel @iota(out y: i64[found] align 8) {\n"
	"  for i < found {\n"
	"    y[i] = [i + found]\n"
	"  }\n"
	"}\n"
	"run {\n"
	"  @count(%x, %count)\n"
	"  bind found = %count\n"
	"  @iota(%y)\n"
	"}\n";

typedef struct fixture {
	arena *a;
	diag *d;
	program *p;
	emit_options o;
} fixture;

static fixture make(const char *text)
{
	fixture f = {.a = arena_new("test")};
	f.d = diag_new(f.a, stderr);
	f.p = program_parse(f.a, "test.kernels", text, strlen(text), f.d);
	assert_non_null(f.p);
	const char *why = "";
	if (!program_verify(f.p, f.a, &why))
		fail_msg("%s", why);
	f.o = (emit_options){.target = target_find("native"), .opt = 2};
	assert_non_null(f.o.target);
	return f;
}

static void drop(fixture *f)
{
	assert_int_equal(diag_error_count(f->d), 0);
	arena_free(f->a);
}

static dlrt_tensor vector(dlrt_type type, void *data, int64_t n)
{
	return (dlrt_tensor){.data = data, .type = type, .rank = 1, .dims = {n}};
}

static void assert_floats(const float *found, const float *wanted, int n)
{
	for (int i = 0; i < n; i++)
		assert_float_equal(found[i], wanted[i], 0);
}

/* ---- in memory ---------------------------------------------------------------------------------------------------- */

static void test_describes_the_model(void **state)
{
	(void)state;
	fixture f = make(dynamic);
	jit *j = jit_compile(f.p, &f.o, f.d);
	const dlrt_model *m = jit_model(j);
	assert_int_equal(m->abi, DLRT_ABI);
	assert_string_equal(m->name, "dynamic");
	assert_int_equal(m->n_inputs, 1);
	assert_int_equal(m->n_outputs, 2);
	assert_int_equal(m->n_symbols, 1);
	assert_int_equal(m->n_kernels, 2);
	assert_string_equal(m->symbols[0].name, "n");
	assert_int_equal(m->symbols[0].hi, 100);
	assert_string_equal(m->outputs[1].name, "z");
	assert_int_equal(m->outputs[0].type, DLRT_F32);
	assert_int_equal(m->outputs[0].dims[0].symbol, 0);
	assert_int_equal(m->outputs[0].dims[1].symbol, DLRT_DIM_CONSTANT);
	assert_int_equal(m->outputs[0].dims[1].value, 2);
	assert_int_equal(m->outputs[1].dims[0].symbol, DLRT_DIM_COMPUTED);
	assert_string_equal(m->kernels[1].name, "both");
	assert_int_equal(m->workspace_bytes, 64 + 448);
	jit_free(j);
	drop(&f);
}

static void run_scale_add(const dlrt_model *m, const dlrt_options *o)
{
	float x[6] = {0, 1, 2, 3, 4, 5}, y[6];
	dlrt_tensor in = vector(DLRT_F32, x, 6), out = vector(DLRT_F32, y, 6);
	assert_int_equal(dlrt_run(m, &in, &out, o), DLRT_OK);
	assert_floats(y, (float[]){2, 8, 14, 20, 26, 32}, 6);
}

static void test_runs_steps(void **state)
{
	(void)state;
	for (int opt = 0; opt <= 3; opt++) {
		fixture f = make(scale_add);
		f.o.opt = opt;
		jit *j = jit_compile(f.p, &f.o, f.d);
		run_scale_add(jit_model(j), NULL);
		jit_free(j);
		drop(&f);
	}
}

static void test_shares_tiles_among_threads(void **state)
{
	(void)state;
	fixture f = make(scale_add);
	jit *j = jit_compile(f.p, &f.o, f.d);
	dlrt_threads *threads = dlrt_threads_new(3);
	dlrt_options o = {.threads = threads};
	for (int i = 0; i < 100; i++)
		run_scale_add(jit_model(j), &o);
	dlrt_threads_free(threads);
	jit_free(j);
	drop(&f);
}

static void test_reports_kernels_to_a_profile(void **state)
{
	(void)state;
	fixture f = make(scale_add);
	jit *j = jit_compile(f.p, &f.o, f.d);
	dlrt_profile_entry entries[3];
	dlrt_profile profile;
	assert_int_equal(dlrt_profile_init(&profile, entries, 3, NULL, NULL), DLRT_OK);
	dlrt_options o = {.profile = &profile};
	run_scale_add(jit_model(j), &o);
	run_scale_add(jit_model(j), &o);
	for (int i = 0; i < 3; i++)
		assert_int_equal(entries[i].count, 2);
	assert_string_equal(jit_model(j)->kernels[1].name, "add+1");
	assert_string_equal(jit_model(j)->kernels[0].nodes, "a (Mul)");
	assert_int_equal(jit_model(j)->kernels[0].flops, 6);
	assert_int_equal(jit_model(j)->kernels[1].flops, -1);
	jit_free(j);
	drop(&f);
}

static void test_sizes_follow_symbols(void **state)
{
	(void)state;
	fixture f = make(dynamic);
	jit *j = jit_compile(f.p, &f.o, f.d);
	float x[3] = {1, 2, 4}, y[6], z[2];
	dlrt_tensor in = vector(DLRT_F32, x, 3);
	dlrt_tensor out[2] = {{.data = y}, {.data = z}};
	size_t bytes;
	assert_int_equal(dlrt_workspace_size(jit_model(j), &in, &bytes), DLRT_OK);
	assert_int_equal(bytes, 128);
	assert_int_equal(dlrt_run(jit_model(j), &in, out, NULL), DLRT_OK);
	assert_int_equal(out[0].dims[0], 3);
	assert_int_equal(out[0].dims[1], 2);
	assert_int_equal(out[1].dims[0], 2);
	assert_floats(y, (float[]){1, 4, 2, 2, 4, 1}, 6);
	assert_floats(z, (float[]){3, 6}, 2);
	in.dims[0] = 101;
	assert_int_equal(dlrt_run(jit_model(j), &in, out, NULL), DLRT_RANGE);
	jit_free(j);
	drop(&f);
}

static void test_overflow_is_a_status(void **state)
{
	(void)state;
	static const char text[] =
		"program @big\n"
		"dim n = 0..\n"
		"input 0 %x: f32[n]\n"
		"output 0 %y: f32[n*n*n]\n"
		"workspace n*n*64\n"
		"kernel @none(x: f32[n] align 4) {\n}\n"
		"run {\n  @none(%x)\n}\n";
	fixture f = make(text);
	jit *j = jit_compile(f.p, &f.o, f.d);
	const dlrt_model *m = jit_model(j);
	assert_int_equal(m->workspace_bytes, UINT64_MAX);
	uint64_t bytes;
	int64_t dims[2];
	int64_t small = 5, large = INT64_C(1) << 31;
	assert_int_equal(m->workspace(&small, &bytes), DLRT_OK);
	assert_int_equal(bytes, 1600);
	assert_int_equal(m->workspace(&large, &bytes), DLRT_RANGE);
	assert_int_equal(m->dims(&small, dims), DLRT_OK);
	assert_int_equal(dims[1], 125);
	assert_int_equal(m->dims(&large, dims), DLRT_RANGE);
	jit_free(j);
	drop(&f);
}

static void test_outputs_sized_by_data(void **state)
{
	(void)state;
	fixture f = make(from_data);
	jit *j = jit_compile(f.p, &f.o, f.d);
	int64_t x[8] = {1, 0, 5, -2, 3, 0, 0, 0};
	dlrt_tensor in = vector(DLRT_I64, x, 8), out = {0};
	assert_int_equal(dlrt_run(jit_model(j), &in, &out, NULL), DLRT_OK);
	assert_int_equal(out.dims[0], 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(((int64_t *)out.data)[i], 3 + i);
	free(out.data);
	jit_free(j);
	drop(&f);
}

static void test_bound_value_outside_its_range(void **state)
{
	(void)state;
	char text[sizeof from_data];
	memcpy(text, from_data, sizeof text);
	*strstr(text, "0..8") = '4'; /* found = 4..8 */
	fixture f = make(text);
	jit *j = jit_compile(f.p, &f.o, f.d);
	int64_t x[8] = {1, 0, 5, -2, 3, 0, 0, 0};
	dlrt_tensor in = vector(DLRT_I64, x, 8), out = {0};
	assert_int_equal(dlrt_run(jit_model(j), &in, &out, NULL), DLRT_DATA);
	jit_free(j);
	drop(&f);
}

/* A condition of a symbol that a step binds is tested by a step behind it. */
static void test_bound_value_against_a_condition(void **state)
{
	(void)state;
	const char *bound = strstr(from_data, "  @iota(%y)\n}");
	assert_non_null(bound);
	for (int wanted = 3; wanted <= 4; wanted++) {
		char text[sizeof from_data + 100];
		snprintf(text, sizeof text, "%.*s  assume found >= %d\n%s", (int)(bound - from_data), from_data, wanted, bound);
		fixture f = make(text);
		jit *j = jit_compile(f.p, &f.o, f.d);
		int64_t x[8] = {1, 0, 5, -2, 3, 0, 0, 0};
		dlrt_tensor in = vector(DLRT_I64, x, 8), out = {0};
		assert_null(jit_model(j)->check);
		assert_int_equal(dlrt_run(jit_model(j), &in, &out, NULL), wanted == 3 ? DLRT_OK : DLRT_DATA);
		free(out.data);
		jit_free(j);
		drop(&f);
	}
}

/* The typed call sees symbols only; it refuses what contradicts a condition too. */
static void test_typed_call_checks_conditions(void **state)
{
	(void)state;
	static const char head[] = "program @dynamic\ndim n = 1..100\n";
	assert_int_equal(strncmp(dynamic, head, sizeof head - 1), 0);
	char text[sizeof dynamic + 100];
	snprintf(text, sizeof text, "%sassume n %% 3 == 0\nassume n == 1 or 6\n%s", head, dynamic + sizeof head - 1);
	fixture f = make(text);
	jit *j = jit_compile(f.p, &f.o, f.d);
	const dlrt_model *m = jit_model(j);
	float x[9] = {0}, y[18], z[9];
	const void *in[] = {x};
	void *out[] = {y, z};
	static const struct { int64_t n; dlrt_status status; int32_t failed; } rows[] = {
		{6, DLRT_OK, 1}, {4, DLRT_DIMS, 0}, {1, DLRT_DIMS, 0}, {9, DLRT_DIMS, 1},
	};
	assert_string_equal(m->conditions[1], "n == 1 or 6");
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		int32_t failed = 7;
		assert_int_equal(m->check(&rows[i].n, &failed), rows[i].status);
		assert_int_equal(failed, rows[i].failed);
		assert_int_equal(dlrt_run_typed(m, in, out, &rows[i].n, NULL, NULL), rows[i].status);
	}
	jit_free(j);
	drop(&f);
}

/* y = x + 0 + 1 + ... + (n - 1) by n kernels of different code, enough for several modules. */
static program *with_many_kernels(fixture *f)
{
	enum { N = 100, STATEMENTS = 5 };
	str text = str_new(f->a);
	str_add(&text, "program @many\ninput 0 %x: f32[8]\noutput 0 %y: f32[8]\n"
	               "arena %t0: f32[8] at 0 live 0..99\narena %t1: f32[8] at 64 live 0..99\nworkspace 128\n");
	for (int k = 0; k < N; k++) {
		str_addf(&text, "kernel @k%d(x: f32[8] align 4, out y: f32[8] align 4) parallel t < 2 {\n", k);
		for (int s = 0; s < STATEMENTS; s++)
			str_addf(&text, "  for i < 4 {\n    y[t*4 + i] = x[t*4 + i] + %d.0\n  }\n", k);
		str_add(&text, "}\n");
	}
	str_add(&text, "run {\n");
	for (int k = 0; k < N; k++) {
		const char *from = k ? arena_printf(f->a, "%%t%d", k % 2) : "%x";
		const char *to = k < N - 1 ? arena_printf(f->a, "%%t%d", (k + 1) % 2) : "%y";
		str_addf(&text, "  @k%d(%s, %s)\n", k, from, to);
	}
	str_add(&text, "}\n");
	program *p = program_parse(f->a, "many.kernels", text.data, text.len, f->d);
	assert_non_null(p);
	return p;
}

static void run_many(const dlrt_model *m)
{
	float x[8] = {0, 1, 2, 3, 4, 5, 6, 7}, y[8];
	dlrt_tensor in = vector(DLRT_F32, x, 8), out = vector(DLRT_F32, y, 8);
	assert_int_equal(dlrt_run(m, &in, &out, NULL), DLRT_OK);
	for (int i = 0; i < 8; i++)
		assert_float_equal(y[i], x[i] + 99 * 100 / 2, 0);
}

static void test_many_modules_in_memory(void **state)
{
	(void)state;
	fixture f = make(scale_add);
	f.o.threads = 2;
	jit *j = jit_compile(with_many_kernels(&f), &f.o, f.d);
	run_many(jit_model(j));
	jit_free(j);
	drop(&f);
}

/* ---- files -------------------------------------------------------------------------------------------------------- */

static const char *in_folder(const fixture *f, const char *folder, const char *name)
{
	return arena_printf(f->a, "%s/%s", folder, name);
}

static char *new_folder(const fixture *f)
{
	char *folder = arena_strdup(f->a, "/tmp/dlcc-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return folder;
}

static void remove_file(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

/* More than 4 KiB of weights, so that they go through a file: element i is i. */
static program *with_large_weights(fixture *f)
{
	enum { N = 5000 };
	str text = str_new(f->a);
	str_addf(&text, "program @large\ninput 0 %%x: f32[%d]\noutput 0 %%y: f32[%d]\n", N, N);
	str_addf(&text, "const %%w: f32[%d]\n", N);
	str_addf(&text, "kernel @add(x: f32[%d] align 4, w: f32[%d], out y: f32[%d] align 4) {\n", N, N, N);
	str_addf(&text, "  vector i < %d {\n    y[i] = x[i] + w[i]\n  }\n}\nrun {\n  @add(%%x, %%w, %%y)\n}\n", N);
	program *p = program_parse(f->a, "large.kernels", text.data, text.len, f->d);
	assert_non_null(p);
	float *data = arena_array(f->a, N, sizeof *data, 64);
	for (int i = 0; i < N; i++)
		data[i] = (float)i;
	for (int i = 0; i < p->storages.n; i++)
		if (p->storages.v[i]->kind == STORAGE_CONST)
			p->storages.v[i]->data = tensor_new(f->a, F32, 1, (int64_t[]){N}, data);
	return p;
}

static void assert_same_files(const fixture *f, const char *a, const char *b)
{
	file_data x, y;
	assert_true(file_map(a, &x, f->d));
	assert_true(file_map(b, &y, f->d));
	assert_int_equal(x.size, y.size);
	assert_memory_equal(x.data, y.data, x.size);
	file_unmap(&x);
	file_unmap(&y);
}

static void check_reproducible(fixture *f, program *p)
{
	const char *one = new_folder(f), *two = new_folder(f);
	const char *a = in_folder(f, one, "model.o"), *b = in_folder(f, two, "another name.o");
	assert_true(emit_file(p, &f->o, EMIT_OBJECT, a, f->d));
	assert_true(emit_file(p, &f->o, EMIT_OBJECT, b, f->d));
	assert_same_files(f, a, b);
	remove_file(a);
	remove_file(b);
	assert_int_equal(rmdir(one), 0); /* nothing else was left there */
	assert_int_equal(rmdir(two), 0);
}

static void test_objects_are_reproducible(void **state)
{
	(void)state;
	fixture f = make(scale_add);
	check_reproducible(&f, f.p);
	check_reproducible(&f, with_large_weights(&f));
	f.o.debug_info = true;
	f.o.kernel_text_path = "model.kernels";
	check_reproducible(&f, f.p);
	drop(&f);
}

static void *open_shared(fixture *f, program *p, const char *path)
{
	assert_true(emit_shared(p, &f->o, DLRT_ARCHIVE, path, f->d));
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		fail_msg("%s", dlerror());
	return library;
}

static void test_typed_call_of_a_shared_library(void **state)
{
	(void)state;
	fixture f = make(dynamic);
	const char *folder = new_folder(&f), *path = in_folder(&f, folder, "dynamic.so");
	void *library = open_shared(&f, f.p, path);
	dlrt_status (*run)(const float *, float *, float *, int64_t, void *, dlrt_threads *);
	*(void **)&run = dlsym(library, "dynamic_run");
	assert_non_null(run);
	float x[3] = {1, 2, 4}, y[6], z[2];
	assert_int_equal(run(x, y, z, 3, NULL, NULL), DLRT_OK);
	assert_floats(y, (float[]){1, 4, 2, 2, 4, 1}, 6);
	assert_int_equal(run(x, y, z, 0, NULL, NULL), DLRT_RANGE);
	assert_int_equal(run(NULL, y, z, 3, NULL, NULL), DLRT_NULL);
	dlclose(library);
	remove_file(path);
	assert_int_equal(rmdir(folder), 0);
	drop(&f);
}

static void test_many_modules_in_an_object(void **state)
{
	(void)state;
	fixture f = make(scale_add);
	program *p = with_many_kernels(&f);
	f.o.debug_info = true;
	f.o.kernel_text_path = "many.kernels";
	const char *folder = new_folder(&f), *one = in_folder(&f, folder, "one.o"), *three = in_folder(&f, folder, "three.o");
	f.o.threads = 1;
	assert_true(emit_file(p, &f.o, EMIT_OBJECT, one, f.d));
	f.o.threads = 3;
	assert_true(emit_file(p, &f.o, EMIT_OBJECT, three, f.d));
	assert_same_files(&f, one, three);
	remove_file(one);
	remove_file(three);
	const char *path = in_folder(&f, folder, "many.so");
	void *library = open_shared(&f, p, path);
	const dlrt_model *m = dlsym(library, "many");
	assert_non_null(m);
	assert_null(dlsym(library, "many.k7"));
	run_many(m);
	dlclose(library);
	remove_file(path);
	assert_int_equal(rmdir(folder), 0);
	drop(&f);
}

static void test_weights_in_the_object(void **state)
{
	(void)state;
	fixture f = make(scale_add);
	const char *folder = new_folder(&f), *path = in_folder(&f, folder, "large.so");
	void *library = open_shared(&f, with_large_weights(&f), path);
	const dlrt_model *m = dlsym(library, "large");
	assert_non_null(m);
	assert_int_equal(m->weights_bytes, 5000 * 4 + 32);
	assert_int_equal((uintptr_t)m->weights % 64, 0);
	float *x = arena_array(f.a, 5000, sizeof *x, 64), *y = arena_array(f.a, 5000, sizeof *y, 64);
	dlrt_tensor in = vector(DLRT_F32, x, 5000), out = vector(DLRT_F32, y, 5000);
	x[4999] = 0.5f;
	assert_int_equal(dlrt_run(m, &in, &out, NULL), DLRT_OK);
	assert_float_equal(y[1234], 1234, 0);
	assert_float_equal(y[4999], 4999.5, 0);
	dlclose(library);
	remove_file(path);
	assert_int_equal(rmdir(folder), 0);
	drop(&f);
}

static void test_weights_in_a_file(void **state)
{
	(void)state;
	fixture f = make(scale_add);
	const char *folder = new_folder(&f), *path = in_folder(&f, folder, "net.so");
	f.o.weights_path = in_folder(&f, folder, "net.weights");
	void *library = open_shared(&f, f.p, path);
	const dlrt_model *m = dlsym(library, "tiny_net");
	assert_non_null(m);
	assert_null(dlsym(library, "tiny_net_run"));
	file_data blob;
	assert_true(file_map(f.o.weights_path, &blob, f.d));
	assert_int_equal(blob.size, 64); /* the two constants are equal */
	assert_int_equal(m->weights_bytes, blob.size);
	dlrt_options o = {.weights = blob.data, .weights_bytes = blob.size};
	run_scale_add(m, &o);
	float x[6] = {0}, y[6];
	dlrt_tensor in = vector(DLRT_F32, x, 6), out = vector(DLRT_F32, y, 6);
	assert_int_equal(dlrt_run(m, &in, &out, NULL), DLRT_WEIGHTS);
	file_unmap(&blob);
	dlclose(library);
	remove_file(path);
	remove_file(f.o.weights_path);
	assert_int_equal(rmdir(folder), 0);
	drop(&f);
}

static void test_text_kinds(void **state)
{
	(void)state;
	fixture f = make(scale_add);
	program *p = with_large_weights(&f);
	static const struct { emit_kind kind; const char *wanted; } rows[] = {
		{EMIT_ASSEMBLY, ".incbin \"model.txt.weights\""},
		{EMIT_LLVM, "define internal void @large.add(ptr"},
	};
	const char *folder = new_folder(&f), *path = in_folder(&f, folder, "model.txt");
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		file_data text;
		assert_true(emit_file(p, &f.o, rows[i].kind, path, f.d));
		assert_true(file_map(path, &text, f.d));
		char *copy = arena_strndup(f.a, (const char *)text.data, text.size);
		assert_non_null(strstr(copy, rows[i].wanted));
		file_unmap(&text);
		remove_file(in_folder(&f, folder, "model.txt.weights"));
	}
	remove_file(path);
	assert_int_equal(rmdir(folder), 0);
	drop(&f);
}

static void test_unwritable_output_is_an_error(void **state)
{
	(void)state;
	fixture f = make(scale_add);
	diag *quiet = diag_new(f.a, NULL);
	assert_false(emit_file(f.p, &f.o, EMIT_OBJECT, "/nonexistent/model.o", quiet));
	assert_int_equal(diag_error_count(quiet), 1);
	f.o.triple = "nonsense-unknown-unknown";
	assert_false(emit_file(f.p, &f.o, EMIT_OBJECT, "/tmp/never.o", quiet));
	assert_non_null(strstr(diag_text(quiet), "nonsense"));
	f.o.triple = "s390x-unknown-linux-gnu";
	assert_false(emit_file(f.p, &f.o, EMIT_OBJECT, "/tmp/never.o", quiet));
	assert_non_null(strstr(diag_text(quiet), "is not one of target"));
	drop(&f);
}

/* ---- the header --------------------------------------------------------------------------------------------------- */

static void assert_contains(const str *text, const char *wanted)
{
	if (!strstr(text->data, wanted))
		fail_msg("not in the header: %s\n%s", wanted, text->data);
}

static void test_header_of_a_dynamic_model(void **state)
{
	(void)state;
	fixture f = make(dynamic);
	str h = str_new(f.a);
	emit_header(&h, f.p, &f.o);
	assert_contains(&h, "extern const dlrt_model dynamic;");
	assert_contains(&h, "#define DYNAMIC_WORKSPACE_BYTES 512u");
	assert_contains(&h, "#define DYNAMIC_N_MIN 1\n#define DYNAMIC_N_MAX 100\n");
	assert_contains(&h, " *   y: f32[n,2]\n");
	assert_contains(&h, "dlrt_status dynamic_run(const float *x, float *y, float *z, int64_t n, void *workspace, "
	                    "dlrt_threads *threads);");
	drop(&f);
}

static void test_header_names_are_identifiers(void **state)
{
	(void)state;
	static const char text[] =
		"program @\"7/weird*/model\"\n"
		"input 0 %\"a/b\": f16[2]\n"
		"input 1 %\"a.b\": i64[2]\n"
		"input 2 %for: bool[2]\n"
		"output 0 %workspace: u8[2]\n"
		"kernel @none(x: f16[2] align 2) {\n}\n"
		"run {\n  @none(%\"a/b\")\n}\n";
	fixture f = make(text);
	str h = str_new(f.a);
	emit_header(&h, f.p, &f.o);
	assert_contains(&h, "const uint16_t *a_b, const int64_t *a_b_1, const uint8_t *for_, uint8_t *workspace_1, void *workspace,");
	assert_contains(&h, "x_7_weird_model_run(");
	assert_contains(&h, "7/weird* /model");
	drop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describes_the_model),
		cmocka_unit_test(test_runs_steps),
		cmocka_unit_test(test_shares_tiles_among_threads),
		cmocka_unit_test(test_reports_kernels_to_a_profile),
		cmocka_unit_test(test_sizes_follow_symbols),
		cmocka_unit_test(test_overflow_is_a_status),
		cmocka_unit_test(test_outputs_sized_by_data),
		cmocka_unit_test(test_bound_value_outside_its_range),
		cmocka_unit_test(test_bound_value_against_a_condition),
		cmocka_unit_test(test_typed_call_checks_conditions),
		cmocka_unit_test(test_many_modules_in_memory),
		cmocka_unit_test(test_objects_are_reproducible),
		cmocka_unit_test(test_typed_call_of_a_shared_library),
		cmocka_unit_test(test_many_modules_in_an_object),
		cmocka_unit_test(test_weights_in_the_object),
		cmocka_unit_test(test_weights_in_a_file),
		cmocka_unit_test(test_text_kinds),
		cmocka_unit_test(test_unwritable_output_is_an_error),
		cmocka_unit_test(test_header_of_a_dynamic_model),
		cmocka_unit_test(test_header_names_are_identifiers),
	};
	return RUN_TESTS(tests);
}
