/* Operators that read images at computed places. */
#include "frontend/onnx_attr.h"

#include <string.h>

/* ONNX GridSample-22; until 16 the modes had names of images. */
value *import_grid_sample(importer *im, const onnx_node *n)
{
	static const char *const spellings[][2] = {{"bilinear", "linear"}, {"bicubic", "cubic"}};
	value *x = input(im, n, 0), *grid = input(im, n, 1);
	expect_type(im, n, x, TYPES_FLOAT);
	expect_type(im, n, grid, TYPES_FLOAT);
	expect_rank(im, n, x, 3, 5);
	const char *mode = attr_word(im, n, "mode", n->version < 20 ? "bilinear nearest bicubic" : "linear nearest cubic");
	for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
		if (strcmp(mode, spellings[i][0]) == 0)
			mode = spellings[i][1];
	attr attrs[] = {
		attr_of_word("mode", mode),
		attr_of_word("padding", attr_word(im, n, "padding_mode", "zeros border reflection")),
		attr_of_int("align_corners", attr_flag(im, n, "align_corners", false)),
	};
	return build(im->graph, OP_GRID_SAMPLE, (value *[]){x, grid}, 2, attrs, 3);
}

/* ONNX RoiAlign-22; since 16 coordinates are of pixel centres by default. */
value *import_roi_align(importer *im, const onnx_node *n)
{
	value *x = input(im, n, 0), *rois = input(im, n, 1), *batch = input(im, n, 2);
	expect_type(im, n, x, TYPES_FLOAT);
	expect_type(im, n, rois, TYPES_FLOAT);
	const char *mode = n->version < 16 ? "output_half_pixel"
					   : attr_word(im, n, "coordinate_transformation_mode", "half_pixel output_half_pixel");
	sym *shape[] = {size(im, attr_int(im, n, "output_height", 1)), size(im, attr_int(im, n, "output_width", 1))};
	attr attrs[] = {
		attr_of_word("mode", attr_word(im, n, "mode", "avg max")),
		attr_of_syms(im->graph, "shape", shape, 2),
		attr_of_int("ratio", attr_int(im, n, "sampling_ratio", 0)),
		attr_of_float("scale", attr_float(im, n, "spatial_scale", 1)),
		attr_of_int("half_pixel", strcmp(mode, "half_pixel") == 0),
	};
	return build(im->graph, OP_ROI_ALIGN, (value *[]){x, rois, batch}, 3, attrs, 5);
}
