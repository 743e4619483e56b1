/* Texts: statuses, element types, and the message that says what exactly is wrong.
 *
 * The message is built in the caller's buffer, so this file has its own minimal formatter: a build for bare metal has
 * no stdio, and everywhere else it would be most of the runtime's size. */
#include <stdarg.h>

#include "dlrt_internal.h"

static const char *const status_texts[DLRT_STATUS_LAST + 1] = {
	[DLRT_OK] = "ok",
	[DLRT_NULL] = "a pointer that is needed is NULL",
	[DLRT_TYPE] = "a tensor has the wrong element type",
	[DLRT_RANK] = "a tensor has the wrong rank",
	[DLRT_DIMS] = "a tensor has a wrong dimension, or sizes do not fit together",
	[DLRT_COUNT] = "the model has more inputs, outputs or dimensions than the runtime or the profile holds",
	[DLRT_WORKSPACE] = "the workspace is too small",
	[DLRT_ALIGN] = "data or the workspace is not aligned",
	[DLRT_CPU] = "the CPU lacks an instruction set that the model was compiled for",
	[DLRT_VERSION] = "the model was compiled for another version of the runtime",
	[DLRT_MEMORY] = "out of memory, or no allocator",
	[DLRT_RANGE] = "a size overflows or a symbol is out of bounds",
	[DLRT_DATA] = "the model cannot compute these input values",
	[DLRT_WEIGHTS] = "the external weights are missing or have the wrong size",
};

const char *dlrt_strerror(dlrt_status status)
{
	if ((unsigned)status > DLRT_STATUS_LAST)
		return "unknown status";
	return status_texts[status];
}

typedef struct type_row {
	const char *name;
	uint8_t bits;
	uint8_t align;   /* in bytes */
} type_row;

static const type_row types[DLRT_TYPE_LAST + 1] = {
	[DLRT_UNDEFINED] = {"undefined", 0, 1},
	[DLRT_F32] = {"f32", 32, 4},
	[DLRT_U8] = {"u8", 8, 1},
	[DLRT_I8] = {"i8", 8, 1},
	[DLRT_U16] = {"u16", 16, 2},
	[DLRT_I16] = {"i16", 16, 2},
	[DLRT_I32] = {"i32", 32, 4},
	[DLRT_I64] = {"i64", 64, 8},
	[DLRT_STRING] = {"string", 8 * sizeof(dlrt_string), _Alignof(dlrt_string)},
	[DLRT_BOOL] = {"bool", 8, 1},
	[DLRT_F16] = {"f16", 16, 2},
	[DLRT_F64] = {"f64", 64, 8},
	[DLRT_U32] = {"u32", 32, 4},
	[DLRT_U64] = {"u64", 64, 8},
	[DLRT_C64] = {"c64", 64, 4},
	[DLRT_C128] = {"c128", 128, 8},
	[DLRT_BF16] = {"bf16", 16, 2},
	[DLRT_F8E4M3FN] = {"f8e4m3fn", 8, 1},
	[DLRT_F8E4M3FNUZ] = {"f8e4m3fnuz", 8, 1},
	[DLRT_F8E5M2] = {"f8e5m2", 8, 1},
	[DLRT_F8E5M2FNUZ] = {"f8e5m2fnuz", 8, 1},
	[DLRT_U4] = {"u4", 4, 1},
	[DLRT_I4] = {"i4", 4, 1},
	[DLRT_F4E2M1] = {"f4e2m1", 4, 1},
	[DLRT_F8E8M0] = {"f8e8m0", 8, 1},
	[DLRT_U2] = {"u2", 2, 1},
	[DLRT_I2] = {"i2", 2, 1},
};

static const type_row *type_row_of(int32_t type)
{
	bool known = type > DLRT_UNDEFINED && type <= DLRT_TYPE_LAST;
	return &types[known ? type : DLRT_UNDEFINED];
}

int dlrt_type_bits(dlrt_type type)
{
	return type_row_of((int32_t)type)->bits;
}

const char *dlrt_type_name(dlrt_type type)
{
	return type_row_of((int32_t)type)->name;
}

size_t dlrt_type_align(int32_t type)
{
	return type_row_of(type)->align;
}

/* The caller's buffer while it is written: room for one more character and the terminator while end - at > 1. */
typedef struct text {
	char *at;
	char *end;
} text;

static void put_char(text *t, char c)
{
	if (t->end - t->at > 1)
		*t->at++ = c;
}

static void put_string(text *t, const char *s)
{
	for (s = s ? s : "?"; *s; s++)
		put_char(t, *s);
}

static void put_int(text *t, int64_t value)
{
	char digits[20];
	int n = 0;
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	do {
		digits[n++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (value < 0)
		put_char(t, '-');
	while (n)
		put_char(t, digits[--n]);
}

static void put_format(text *t, const char *format, va_list args)
{
	for (; *format; format++) {
		if (*format != '%') {
			put_char(t, *format);
		} else if (*++format == 's') {
			put_string(t, va_arg(args, const char *));
		} else {
			put_int(t, va_arg(args, int64_t));
		}
	}
	*t->at = '\0';
}

static bool wants_message(const dlrt_options *options)
{
	return options && options->message && options->message_bytes;
}

dlrt_status dlrt_fail(const dlrt_options *options, dlrt_status status, const char *format, ...)
{
	if (wants_message(options)) {
		text t = {options->message, options->message + options->message_bytes};
		va_list args;
		va_start(args, format);
		put_format(&t, format, args);
		va_end(args);
	}
	return status;
}

void dlrt_fail_more(const dlrt_options *options, const char *format, ...)
{
	if (!wants_message(options))
		return;
	text t = {options->message, options->message + options->message_bytes};
	while (*t.at)
		t.at++;
	va_list args;
	va_start(args, format);
	put_format(&t, format, args);
	va_end(args);
}
