/* The table of core ops, expanded from graph_ops.def: an op without one of its rules does not link. */
#include "ir/ops/rules.h"

#include <limits.h>
#include <string.h>

enum { MANY = INT_MAX };

#define ELEM_RULE(text)   .form = FORM_ELEM, .elem = elem_##text
#define REDUCE_RULE(text) .form = FORM_REDUCE, .reduction = reduction_##text
#define BUILD_RULE(text)  .form = FORM_BUILD, .build = kernel_##text
#define OTHER_RULE(text)  .form = FORM_OTHER

const op_info op_table[OP_COUNT] = {
#define OP(name, text_, min, max, form_, purpose_) \
	[OP_##name] = {.text = #text_, .purpose = purpose_, .min_in = min, .max_in = max, .infer = infer_##text_, form_##_RULE(text_)},
#include "ir/graph_ops.def"
#undef OP
};

op op_find(const char *text, size_t n)
{
	for (int i = 0; i < OP_COUNT; i++)
		if (strlen(op_table[i].text) == n && memcmp(op_table[i].text, text, n) == 0)
			return (op)i;
	return OP_COUNT;
}
