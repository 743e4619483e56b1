/* What other importers normalise by. */
#pragma once

#include "frontend/import.h"

value *softmax_over(importer *im, value *x, const int *axes, int count); /* x in its compute type */
