/* What operators of ai.onnx.ml share. */
#pragma once

#include "frontend/import.h"
#include "frontend/onnx_attr.h"

value *ml_batch(importer *im, const onnx_node *n); /* input 0 as numbers [batch, features] in f32 or f64 */
/* Scores [batch, classes] after "NONE", "SOFTMAX", "LOGISTIC" or "SOFTMAX_ZERO"; other words are refused. */
value *ml_transform(importer *im, const onnx_node *n, value *scores, const char *how);
