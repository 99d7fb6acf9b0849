#include "service/admin/qr_draw.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <qrencode.h>

enum {
    MODULE_MAX = 24, /* bytes that one run of dark modules takes in an SVG */
    SVG_FRAME = 400, /* bytes of what stands around them */
    ROW_BYTES_MAX = (177 + 2 * QR_MARGIN) * QR_SIZE_MAX / 8 + 1, /* 177 modules: the largest code */
};

/* 15 % of the code may be dirt or damage: the usual level for print. */
static QRcode *encode(const char *text)
{
    return QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
}

static bool is_dark(const QRcode *code, int x, int y)
{
    return x >= 0 && y >= 0 && x < code->width && y < code->width &&
           (code->data[y * code->width + x] & 1);
}

/* Runs of dark modules, each a rectangle in one path. */
static size_t write_path(const QRcode *code, char *out, size_t max)
{
    size_t n = 0;

    for (int y = 0; y < code->width; y++) {
        for (int x = 0; x < code->width; x++) {
            int run = 0;

            while (is_dark(code, x + run, y))
                run++;
            if (run == 0)
                continue;
            n += (size_t)snprintf(out + n, max - n, "M%d %dh%dv1h-%dz", x + QR_MARGIN,
                                  y + QR_MARGIN, run, run);
            x += run;
        }
    }
    return n;
}

void *qr_draw_svg(const char *text, size_t *len)
{
    QRcode *code = encode(text);
    size_t max, n;
    char *out;
    int side;

    if (!code)
        return NULL;
    side = code->width + 2 * QR_MARGIN;
    max = SVG_FRAME + (size_t)(code->width * code->width) / 2 * MODULE_MAX;
    out = malloc(max);
    if (out) {
        n = (size_t)snprintf(out, max,
                             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                             "shape-rendering=\"crispEdges\"><title>QR code</title>"
                             "<path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path fill=\"#000\" d=\"",
                             side, side, side, side);
        n += write_path(code, out + n, max - n);
        *len = n + (size_t)snprintf(out + n, max - n, "\"/></svg>\n");
    }
    QRcode_free(code);
    return out;
}

/* Where libpng writes to. */
struct sink {
    unsigned char *bytes;
    size_t len, room;
};

static void on_png_write(png_structp png, png_bytep bytes, png_size_t n)
{
    struct sink *sink = png_get_io_ptr(png);

    if (sink->len + n > sink->room) {
        size_t room = (sink->len + n) * 2;
        unsigned char *grown = realloc(sink->bytes, room);

        if (!grown)
            png_error(png, "out of memory");
        sink->bytes = grown;
        sink->room = room;
    }
    memcpy(sink->bytes + sink->len, bytes, n);
    sink->len += n;
}

static void on_png_flush(png_structp png)
{
    (void)png;
}

/* libpng would write to stderr. */
static void on_png_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

/* One row of pixels, a bit each, 1 = light. */
static void draw_row(const QRcode *code, int y, unsigned size, unsigned char *row, size_t row_len)
{
    memset(row, 0xff, row_len);
    for (int x = 0; x < code->width; x++) {
        size_t at = (size_t)(x + QR_MARGIN) * size;

        if (!is_dark(code, x, y))
            continue;
        for (size_t i = at; i < at + size; i++)
            row[i / 8] &= (unsigned char)~(0x80U >> i % 8);
    }
}

/* The part that libpng may jump out of: false then.  No locals change after setjmp(). */
static bool write_png(png_structp png, png_infop info, const QRcode *code, unsigned size)
{
    const unsigned side = (unsigned)(code->width + 2 * QR_MARGIN) * size;
    unsigned char row[ROW_BYTES_MAX];

    if (setjmp(png_jmpbuf(png)))
        return false;
    png_set_IHDR(png, info, side, side, 1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (unsigned y = 0; y < side; y++) {
        draw_row(code, (int)(y / size) - QR_MARGIN, size, row, (side + 7) / 8);
        png_write_row(png, row);
    }
    png_write_end(png, info);
    return true;
}

void *qr_draw_png(const char *text, unsigned size, size_t *len)
{
    QRcode *code = encode(text);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, on_png_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    struct sink sink = {.bytes = NULL};
    bool done = false;

    if (code && info) {
        png_set_write_fn(png, &sink, on_png_write, on_png_flush);
        done = write_png(png, info, code, size);
    }
    png_destroy_write_struct(png ? &png : NULL, info ? &info : NULL);
    QRcode_free(code);
    if (!done) {
        free(sink.bytes);
        return NULL;
    }
    *len = sink.len;
    return sink.bytes;
}
