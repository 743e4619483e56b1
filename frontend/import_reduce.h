/* The arguments of reductions in onnx_ops.def. */
#pragma once

typedef enum fold_kind {
	FOLD_SUM,
	FOLD_PROD,
	FOLD_MAX,
	FOLD_MIN,
	FOLD_MEAN,
	FOLD_L1,
	FOLD_L2,
	FOLD_SUM_SQUARE,
	FOLD_LOG_SUM,
	FOLD_LOG_SUM_EXP,
} fold_kind;
