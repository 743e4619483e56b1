/* TensorProto in every storage form, and files outside the model. */
#define _GNU_SOURCE /* mkdtemp, symlink */
#include "tests/unit/unit.h"

#include "tests/unit/frontend/model.h"

#include "support/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static file_data packed(arena *a, const Onnx__TensorProto *p)
{
	size_t n = onnx__tensor_proto__get_packed_size(p);
	unsigned char *data = arena_alloc(a, n, 1);
	onnx__tensor_proto__pack(p, data);
	return (file_data){.data = data, .size = n};
}

static bool read_back(arena *a, const Onnx__TensorProto *p, tensor *t, diag *d)
{
	const char *name;
	file_data f = packed(a, p);
	return onnx_read_tensor(a, "t.pb", f.data, f.size, t, &name, d);
}

/* Every type whose elements stand in int32_data: 1, 2, 3 as numbers or bit patterns. */
static void int32_data_holds_all_narrow_types(void **state)
{
	(void)state;
	static const struct {
		dtype type;
		int32_t entries[3];
		int n;
		double elements[3];
	} rows[] = {
		{I32, {-1, 2, 3}, 3, {-1, 2, 3}},
		{I16, {-1, 2, 3}, 3, {-1, 2, 3}},
		{U16, {65535, 2, 3}, 3, {65535, 2, 3}},
		{I8, {-1, 2, 3}, 3, {-1, 2, 3}},
		{U8, {255, 2, 3}, 3, {255, 2, 3}},
		{BOOL, {1, 0, 1}, 3, {1, 0, 1}},
		{F16, {0x3c00, 0xc000, 0x3800}, 3, {1, -2, 0.5}},
		{BF16, {0x3f80, 0xc000, 0x3f00}, 3, {1, -2, 0.5}},
		{F8E4M3FN, {0x38, 0xc0, 0x30}, 3, {1, -2, 0.5}},
		{F8E5M2, {0x3c, 0xc0, 0x38}, 3, {1, -2, 0.5}},
		{I4, {0x2f, 0x03}, 2, {-1, 2, 3}},
		{U4, {0x2f, 0x03}, 2, {15, 2, 3}},
		{F4E2M1, {0xc2, 0x01}, 2, {1, -2, 0.5}},
		{U2, {0x39}, 1, {1, 2, 3}},
	};
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		arena *a = arena_new("test");
		diag *d = diag_new(a, NULL);
		Onnx__TensorProto *p = tensor_proto(a, "t", dtype_table[rows[i].type].onnx, DIMS(3));
		tensor t;
		p->n_int32_data = (size_t)rows[i].n;
		p->int32_data = new_array(a, int32_t, 3);
		memcpy(p->int32_data, rows[i].entries, sizeof rows[i].entries);
		assert_true(read_back(a, p, &t, d));
		assert_int_equal(t.type, rows[i].type);
		for (size_t k = 0; k < 3; k++)
			if (tensor_float(&t, k) != rows[i].elements[k])
				fail_msg("%s[%zu] is %g", dtype_name(t.type), k, tensor_float(&t, k));
		p->n_int32_data--;
		assert_false(read_back(a, p, &t, d));
		arena_free(a);
	}
}

static void every_type_survives_writing_and_reading(void **state)
{
	(void)state;
	static const unsigned char bytes[64] = {1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 0, 1};
	static const slice texts[] = {{"a", 1}, {"", 0}, {"b\0c", 3}};
	for (dtype type = 0; type < DTYPE_COUNT; type++) {
		arena *a = arena_new("test");
		diag *d = diag_new(a, NULL);
		tensor *t = tensor_new(a, type, 1, (int64_t[]){3}, type == STRING ? (const void *)texts : bytes), back;
		str out = str_new(a);
		const char *name;
		onnx_write_tensor(&out, t, "who");
		assert_true(onnx_read_tensor(a, "t.pb", (const unsigned char *)out.data, out.len, &back, &name, d));
		assert_string_equal(name, "who");
		if (type != STRING) {
			assert_true(tensor_equal(t, &back));
		} else {
			const slice *s = back.data;
			assert_int_equal(s[2].len, 3);
			assert_memory_equal(s[2].data, "b\0c", 3);
		}
		arena_free(a);
	}
}

static void large_raw_data_is_not_copied(void **state)
{
	(void)state;
	enum { N = 100000 };
	arena *a = arena_new("test"), *own = arena_new("own");
	diag *d = diag_new(a, NULL);
	Onnx__TensorProto *p = tensor_proto(a, "t", ONNX_FLOAT, DIMS(N));
	tensor_raw(a, p, new_array(a, float, N), N * sizeof(float));
	file_data f = packed(a, p);
	tensor t;
	const char *name;
	assert_true(onnx_read_tensor(own, "t.pb", f.data, f.size, &t, &name, d));
	assert_true((const unsigned char *)t.data > f.data && (const unsigned char *)t.data < f.data + f.size);
	assert_true(arena_bytes(own) < 10000);
	arena_free(own);
	arena_free(a);
}

static void contradictions_are_errors(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	tensor t;
	Onnx__TensorProto *p = tensor_proto(a, "t", ONNX_FLOAT, DIMS(1));
	p->n_int64_data = 1;
	p->int64_data = new(a, int64_t);
	assert_false(read_back(a, p, &t, d));
	assert_non_null(strstr(diag_text(d), "t.pb: error: the tensor \"t\" is f32, but has int64_data"));
	p = tensor_proto(a, "neg", ONNX_FLOAT, DIMS(-1));
	assert_false(read_back(a, p, &t, d));
	p = tensor_proto(a, "rank", ONNX_FLOAT, DIMS(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
	assert_false(read_back(a, p, &t, d));
	arena_free(a);
}

static void bools_are_normalised(void **state)
{
	(void)state;
	arena *a = arena_new("test");
	diag *d = diag_new(a, NULL);
	tensor t;
	Onnx__TensorProto *p = tensor_proto(a, "t", ONNX_BOOL, DIMS(3));
	tensor_raw(a, p, "\x02\x00\xff", 3);
	assert_true(read_back(a, p, &t, d));
	assert_memory_equal(t.data, "\x01\x00\x01", 3);
	arena_free(a);
}

/* ---- external data --------------------------------------------------------------------------------------------------------- */
static void entry(arena *a, Onnx__TensorProto *t, const char *key, const char *text)
{
	Onnx__StringStringEntryProto *e = new(a, Onnx__StringStringEntryProto);
	Onnx__StringStringEntryProto **v = new_array(a, Onnx__StringStringEntryProto *, t->n_external_data + 1);
	onnx__string_string_entry_proto__init(e);
	e->key = arena_strdup(a, key);
	e->value = arena_strdup(a, text);
	for (size_t i = 0; i < t->n_external_data; i++)
		v[i] = t->external_data[i];
	v[t->n_external_data++] = e;
	t->external_data = v;
	t->has_data_location = true;
	t->data_location = 1;
}

static void external_data_stays_below_the_model(void **state)
{
	(void)state;
	static const struct {
		const char *location, *offset, *length, *message; /* NULL: fine */
	} rows[] = {
		{"w.bin", "4", "8", NULL},
		{"w.bin", "4", NULL, NULL},
		{"w.bin", "8", "8", "lies in \"w.bin\" from byte 8, 8 bytes, but the file has 12"},
		{"w.bin", "18446744073709551615", "8", "lies in \"w.bin\""},
		{"w.bin", "x", "8", "are not numbers"},
		{"w.bin", "0", "12", "has 12 bytes in \"w.bin\", its dims need 8"},
		{"../w.bin", "0", "8", "../w.bin"},
		{"/etc/passwd", "0", "8", "/etc/passwd"},
		{"link", "0", "8", "link"},
		{"absent", "0", "8", "absent"},
	};
	char dir[] = "/tmp/dlcc-test-XXXXXX";
	assert_non_null(mkdtemp(dir));
	arena *a = arena_new("test");
	const char *file = arena_printf(a, "%s/w.bin", dir), *link = arena_printf(a, "%s/link", dir);
	FILE *f = fopen(file, "wb");
	assert_int_equal(fwrite((float[]){1, 2, 3}, 4, 3, f), 3);
	fclose(f);
	assert_int_equal(symlink("w.bin", link), 0);
	for (size_t i = 0; i < N_ROWS(rows); i++) {
		diag *d = diag_new(a, NULL);
		onnx_files files = {0};
		import_options o = {.files = &files};
		model *m = model_new(a, 17);
		Onnx__TensorProto *t = model_tensor(m, "w", ONNX_FLOAT, DIMS(2));
		entry(a, t, "location", rows[i].location);
		entry(a, t, "offset", rows[i].offset);
		if (rows[i].length)
			entry(a, t, "length", rows[i].length);
		model_input(m, "x", ONNX_FLOAT, DIMS(2));
		model_node(m, "Add", "x,w", "y");
		model_output(m, "y");
		file_data bytes = model_bytes(m);
		graph *g = onnx_import(a, arena_printf(a, "%s/m.onnx", dir), bytes.data, bytes.size, &o, d);
		if (rows[i].message) {
			assert_null(g);
			if (!strstr(diag_text(d), rows[i].message))
				fail_msg("%s", diag_text(d));
		} else {
			assert_string_equal(diag_text(d), "");
			assert_true(tensor_float(value_tensor(g->outputs.v[0]->def->in[1]), 1) == 3);
		}
		onnx_files_close(&files);
	}
	unlink(file);
	unlink(link);
	rmdir(dir);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(int32_data_holds_all_narrow_types),
		cmocka_unit_test(every_type_survives_writing_and_reading),
		cmocka_unit_test(large_raw_data_is_not_copied),
		cmocka_unit_test(contradictions_are_errors),
		cmocka_unit_test(bools_are_normalised),
		cmocka_unit_test(external_data_stays_below_the_model),
	};
	return RUN_TESTS(tests);
}
