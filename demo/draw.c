// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Draw a picture, grant the pages that have it, and wait until nobody has it any more.
 *
 *	draw MEETING DOMID FILE
 *
 * FILE gets the same picture, to compare. The other side is export.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

#define WIDTH 320
#define HEIGHT 240
#define STEPS 60

/* How many steps a point of the plane takes to leave the Mandelbrot set. */
static unsigned int steps_to_leave(double real, double imaginary)
{
	double x = 0, y = 0;
	unsigned int steps = 0;

	while (steps < STEPS && x * x + y * y < 4) {
		double next = x * x - y * y + real;

		y = 2 * x * y + imaginary;
		x = next;
		steps++;
	}
	return steps;
}

/* A portable pixmap, ppm(5). Returns its length. */
static size_t draw(char *picture)
{
	char *next = picture + sprintf(picture, "P6\n%d %d\n255\n", WIDTH, HEIGHT);

	for (unsigned int row = 0; row < HEIGHT; row++) {
		for (unsigned int column = 0; column < WIDTH; column++) {
			unsigned int steps = steps_to_leave(-2.2 + column * 3.2 / WIDTH,
							    -1.2 + row * 2.4 / HEIGHT);

			*next++ = steps == STEPS ? 0 : steps * 9;
			*next++ = steps == STEPS ? 0 : 40 + steps * 3;
			*next++ = steps == STEPS ? 0 : 120 + steps * 2;
		}
	}
	return next - picture;
}

int main(int argc, char **argv)
{
	static char picture[64 + WIDTH * HEIGHT * 3];
	struct offer offer = { 0 };
	unsigned int domid;
	size_t size;
	char *memory;
	FILE *file;

	if (argc != 4) {
		fprintf(stderr, "usage: draw MEETING DOMID FILE\n");
		return 2;
	}
	meet(argv[1]);
	domid = atoi(argv[2]);
	size = draw(picture);
	file = fopen(argv[3], "w");
	if (!file || fwrite(picture, size, 1, file) != 1 || fclose(file))
		fail("cannot write %s", argv[3]);

	memory = grant_pages(domid, (size + PAGE_BYTES - 1) / PAGE_BYTES, &offer);
	memcpy(memory, picture, size);
	offer.checksum = checksum(picture, size);
	tell("drew a picture of %d x %d, %zu bytes, and granted its %u pages to domain %u", WIDTH,
	     HEIGHT, size, offer.pages, domid);
	publish("bytes", "%zu", size);
	publish_offer(&offer);

	free(await("answer", "the other domain to be done with the picture"));
	tell("nobody has the picture's pages any more: the grants end");
	return 0;
}
