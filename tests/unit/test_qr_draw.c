#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <png.h>

#include "service/admin/qr_draw.h"

enum { SIDE_MAX = 177 + 2 * QR_MARGIN };

static const char url[] = "HTTPS://GO.ACME.EXAMPLE/07D8TMA8GSFRVNJTKXR4VGC4Y3MS6SMXNR2A1R4CQQ89M";

/* The modules of a picture, margin and all. */
struct modules {
    int side;
    unsigned char dark[SIDE_MAX][SIDE_MAX];
};

/* Reads back what the path draws. */
static void read_svg(char *svg, size_t len, struct modules *out)
{
    char *text = calloc(1, len + 1), *at;
    int x, y, run, n, used;

    memcpy(text, svg, len);
    memset(out, 0, sizeof(*out));
    assert_int_equal(sscanf(strstr(text, "viewBox"), "viewBox=\"0 0 %d", &out->side), 1);
    at = strstr(text, "#000\" d=\"") + strlen("#000\" d=\"");
    while ((n = sscanf(at, "M%d %dh%dv1h-%*dz%n", &x, &y, &run, &used)) == 3) {
        for (int i = 0; i < run; i++)
            out->dark[y][x + i] = 1;
        at += used;
    }
    assert_memory_equal(at, "\"/></svg>\n", 10);
    free(text);
}

static void read_png(const void *bytes, size_t len, unsigned size, struct modules *out)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    unsigned char *pixels;

    memset(out, 0, sizeof(*out));
    assert_true(png_image_begin_read_from_memory(&image, bytes, len));
    image.format = PNG_FORMAT_GRAY;
    assert_int_equal(image.width, image.height);
    assert_int_equal(image.width % size, 0);
    pixels = malloc(PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, pixels, 0, NULL));
    out->side = (int)(image.width / size);
    for (unsigned y = 0; y < image.height; y++) {
        for (unsigned x = 0; x < image.width; x++) {
            unsigned char dark = pixels[y * image.width + x] == 0;

            if (x % size == 0 && y % size == 0)
                out->dark[y / size][x / size] = dark;
            assert_int_equal(out->dark[y / size][x / size], dark);
        }
    }
    free(pixels);
}

static void both_pictures_show_the_same_code(void **state)
{
    const unsigned sizes[] = {1, 3, 8, QR_SIZE_MAX};
    static struct modules svg, png;
    size_t len;
    void *picture = qr_draw_svg(url, &len);

    (void)state;
    assert_non_null(picture);
    read_svg(picture, len, &svg);
    free(picture);
    /* The corner of a finder pattern, and the quiet zone around it. */
    assert_true(svg.dark[QR_MARGIN][QR_MARGIN] && svg.dark[QR_MARGIN][QR_MARGIN + 6]);
    assert_false(svg.dark[QR_MARGIN][QR_MARGIN - 1] || svg.dark[QR_MARGIN + 1][QR_MARGIN + 1]);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        picture = qr_draw_png(url, sizes[i], &len);
        assert_non_null(picture);
        read_png(picture, len, sizes[i], &png);
        free(picture);
        assert_int_equal(png.side, svg.side);
        assert_memory_equal(png.dark, svg.dark, sizeof(svg.dark));
    }
}

static void upper_case_makes_a_smaller_code(void **state)
{
    static struct modules upper, lower;
    char text[sizeof(url)];
    size_t len;
    void *picture = qr_draw_svg(url, &len);

    (void)state;
    read_svg(picture, len, &upper);
    free(picture);
    for (size_t i = 0; i < sizeof(url); i++)
        text[i] = url[i] >= 'A' && url[i] <= 'Z' ? (char)(url[i] | 0x20) : url[i];
    picture = qr_draw_svg(text, &len);
    read_svg(picture, len, &lower);
    free(picture);
    assert_int_equal(upper.side, 33 + 2 * QR_MARGIN);
    assert_int_equal(lower.side, 37 + 2 * QR_MARGIN);
}

static void a_text_that_fits_no_code_is_refused(void **state)
{
    static char text[8000];
    size_t len = 0;

    (void)state;
    memset(text, 'A', sizeof(text) - 1);
    assert_null(qr_draw_svg(text, &len));
    assert_null(qr_draw_png(text, 1, &len));
    text[3391] = '\0'; /* the most that alphanumeric mode holds at level M */
    for (unsigned size = 1; size <= QR_SIZE_MAX; size += QR_SIZE_MAX - 1) {
        void *picture = qr_draw_png(text, size, &len);

        assert_non_null(picture);
        free(picture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_pictures_show_the_same_code),
        cmocka_unit_test(upper_case_makes_a_smaller_code),
        cmocka_unit_test(a_text_that_fits_no_code_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
