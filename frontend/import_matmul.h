/* What other importers multiply matrices by. */
#pragma once

#include "frontend/import.h"

value *matmul(importer *im, const onnx_node *n, value *a, value *b);
