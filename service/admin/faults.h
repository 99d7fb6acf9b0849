/* faults.h - all that is wrong with the fields of a request, collected for one reply. */
#ifndef ADMIN_FAULTS_H
#define ADMIN_FAULTS_H
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "proto/slice.h"
#include "service/admin/request.h"

enum { FAULTS_MAX = 100 }; /* that a reply lists; more are counted */

/* Start from {0}; faults_clear() frees what it holds. */
struct faults {
    enum problem
        problem; /* of the reply: that of the first, but a wrong value goes before others */
    size_t n;
    json_t *errors;   /* [{field, detail}]; NULL: none yet */
    bool is_in_array; /* the fields of what follows are called "[3].object" */
    size_t index;
};

/* Adds one.  `field` "" or NULL: none in particular.  `rest` goes on behind its name, as in
 * request_fail().  Returns false. */
bool faults_add(struct faults *faults, enum problem problem, struct slice field, const char *rest);

/* Adds each parameter of the query that the path doesn't take. */
void faults_add_strays(struct faults *faults, const struct request *request);

/* The first sentence; "" when there is none.  Borrowed. */
const char *faults_first(const struct faults *faults);

/* Replies with all of them, at least one, and clears.  Takes the request. */
void faults_reply(struct faults *faults, struct request *request);
void faults_clear(struct faults *faults);

#endif
