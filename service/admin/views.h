/* views.h - a view: a page of the dashboard with its period, filters and comparison. */
#ifndef ADMIN_VIEWS_H
#define ADMIN_VIEWS_H
#include <stdbool.h>

#include <jansson.h>

struct faults;

enum { VIEWS_NAME_MAX = 100 /* characters */ };

/* Checks the members `page` and `filters` of a body; those that are missing are wrong only when
 * `is_whole`.  What is wrong is added to `faults`. */
void views_check(const json_t *body, bool is_whole, struct faults *faults);

#endif
