#include "service/config/texts.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/language.h"
#include "service/base/error.h"
#include "service/config/config_check.h"
#include "service/config/embedded.h"
#include "service/config/pool.h"
#include "service/config/schema.h"

struct texts {
    struct pool pool;
    unsigned n;
    struct slice tags[TEXTS_LANGUAGES_MAX];                      /* of those below */
    const struct texts_language *languages[TEXTS_LANGUAGES_MAX]; /* in our pool, or the base's */
    bool is_own[TEXTS_LANGUAGES_MAX];                            /* in our pool */
};

/* --- a file --- */

/* Its lines by enum text; NULL = not in the file. */
struct texts_file {
    char *line[TEXTS];
};

/* A table is read by its columns. */
/* clang-format off */

#define LINE(key, number, limit, text) \
    {.name = key, .type = SCHEMA_TEXT, .offset = (number) * sizeof(char *), \
     .size = sizeof(char *), .max = limit, .help = text}
#define PAGE(key, number, text) \
    LINE(key "_title", number ## _TITLE, 120, "Heading of the page for " text "."), \
    LINE(key "_text", number, 800, "What the page for " text " says.")

static const struct schema_key file_keys[] = {
    PAGE("bad_request", TEXT_BAD_REQUEST, "a request that can't be answered"),
    PAGE("not_found", TEXT_NOT_FOUND, "a link that doesn't work"),
    PAGE("expired", TEXT_EXPIRED, "an expired link"),
    PAGE("view", TEXT_VIEW, "a press of a button that came from no page, or an old one"),
    PAGE("unsure", TEXT_UNSURE, "a press while Redis can't say whether the link was used"),
    PAGE("revoked", TEXT_REVOKED, "a revoked link"),
    PAGE("used", TEXT_USED, "a link that was used as often as it may be"),
    PAGE("later", TEXT_LATER, "a link of which a process can't tell yet whether it is valid"),
    PAGE("settled", TEXT_SETTLED, "an invoice with nothing to pay"),
    PAGE("opt_out", TEXT_OPT_OUT, "a link to opt out of tracking"),
    PAGE("opted_out", TEXT_OPTED_OUT, "a client who has opted out"),
    PAGE("renewed", TEXT_RENEWED, "a client who asked for a fresh link"),
    PAGE("home", TEXT_HOME, "/ of a brand without a home"),
    PAGE("onward", TEXT_ONWARD, "Office programs, which leads on by itself"),
    PAGE("confirm", TEXT_CONFIRM, "a link that wants a press of a button"),
    LINE("go_on", TEXT_GO_ON, 80, "Button that leads on."),
    LINE("again", TEXT_AGAIN, 80, "Button that opens the page anew."),
    LINE("opt_out_button", TEXT_OPT_OUT_BUTTON, 80, "Button that opts out."),
    LINE("renew_button", TEXT_RENEW_BUTTON, 80, "Button that asks for a fresh link."),
    LINE("account_link", TEXT_ACCOUNT_LINK, 80, "Button that leads into the account."),
    LINE("home_link", TEXT_HOME_LINK, 80, "Link to the brand's home page."),
    LINE("help", TEXT_HELP, 80, "What stands before the brand's support."),
    {.name = NULL},
};

/* clang-format on */

int texts_find(const struct texts *texts, struct slice tag)
{
    for (unsigned i = 0; i < texts->n; i++) {
        if (language_matches(tag, texts->tags[i]) && language_matches(texts->tags[i], tag))
            return (int)i;
    }
    return -1;
}

/* Where the texts of `tag` go: the place of the base's, or a new one; -1 and the error. */
static int find_place(const struct texts *texts, struct slice tag, const char *path,
                      struct error *err)
{
    int place = texts_find(texts, tag);

    if (place >= 0 && texts->is_own[place]) {
        error_set(err, "%s: there is a file for '%.*s' already; remove one", path,
                  SLICE_ARG(texts->tags[place]));
        return -1;
    }
    if (place < 0 && texts->n == TEXTS_LANGUAGES_MAX) {
        error_set(err, "%s: at most %d languages are allowed", path, TEXTS_LANGUAGES_MAX);
        return -1;
    }
    return place < 0 ? (int)texts->n : place;
}

/* The texts of a file over those that it goes on from, NULL = none. */
static bool fill(struct texts *texts, struct texts_language *out, const struct texts_language *base,
                 const struct texts_file *from, const char *path, struct error *err)
{
    for (unsigned i = 0; i < TEXTS; i++) {
        if (from->line[i]) {
            out->text[i] = pool_html(&texts->pool, from->line[i]);
        } else if (base) {
            out->text[i] = base->text[i];
        } else {
            const struct schema_key *key = file_keys;

            while (key->name && key->offset != i * sizeof(char *))
                key++;
            error_set(err, "%s: %s is missing; a language that isn't built in needs every text",
                      path, key->name);
            return false;
        }
        if (!out->text[i].ptr) {
            error_set(err, "%s: out of memory", path);
            return false;
        }
    }
    return true;
}

/* Adds what `data` holds, a file of the language `tag`. */
static bool add_file(struct texts *texts, const char *tag, const char *path,
                     const struct embedded_file *data, struct error *err)
{
    struct schema_doc *doc = NULL;
    struct texts_language *language = pool_alloc(&texts->pool, sizeof(*language));
    char *own_tag = pool_text(&texts->pool, tag);
    int place, base = -1;
    bool ok = false;

    if (!language || !own_tag) {
        error_set(err, "%s: out of memory", path);
        goto out;
    }
    /* As Content-Language and the pages' attribute want it. */
    for (char *c = strchr(own_tag, '_'); c; c = strchr(c, '_'))
        *c = '-';
    language->tag = slice_of(own_tag);
    place = find_place(texts, language->tag, path, err);
    if (place < 0)
        goto out;
    doc = schema_parse(file_keys, sizeof(struct texts_file), path, data->text, data->len, err);
    if (!doc)
        goto out;
    /* The language that the tag is, or is a special form of; the most special of several. */
    for (unsigned i = 0; i < texts->n; i++) {
        if (language_matches(language->tag, texts->tags[i]) &&
            (base < 0 || texts->tags[i].len > texts->tags[base].len))
            base = (int)i;
    }
    if (!fill(texts, language, base < 0 ? NULL : texts->languages[base], schema_doc_data(doc), path,
              err))
        goto out;
    texts->languages[place] = language;
    texts->tags[place] = language->tag;
    texts->is_own[place] = true;
    if ((unsigned)place == texts->n)
        texts->n++;
    ok = true;
out:
    schema_doc_free(doc);
    return ok;
}

/* --- all --- */

struct texts *texts_new(struct error *err)
{
    struct texts *texts = calloc(1, sizeof(*texts));
    bool ok = texts != NULL;

    if (!ok)
        error_set(err, "out of memory");
    for (const struct embedded_file *data = embedded_texts; ok && data->name; data++) {
        char path[64];

        snprintf(path, sizeof(path), "texts/%s.yaml (built in)", data->name);
        ok = add_file(texts, data->name, path, data, err);
    }
    if (!ok) {
        texts_free(texts);
        texts = NULL;
    }
    return texts;
}

/* What editors and mounts leave beside the files (.de.yaml.swp, de.yaml~, ..data) is none. */
static int is_texts_file(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* A language before its special forms, which go on from it. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
    size_t a_len = strlen((*a)->d_name), b_len = strlen((*b)->d_name);

    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool add_named(struct texts *texts, const char *folder, const char *name, struct error *err)
{
    const char *dot = strrchr(name, '.'), *wrong;
    struct embedded_file data = {0};
    char tag[256] = "", *path = NULL, *text = NULL;
    bool ok = false;

    if (asprintf(&path, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name) < 0) {
        path = NULL;
        error_set(err, "%s: out of memory", folder);
        goto out;
    }
    snprintf(tag, sizeof(tag), "%.*s", (int)(dot - name), name);
    wrong = config_check_language(tag);
    if (wrong) {
        error_set(err, "%s: '%.60s' %s", path, tag, wrong);
        goto out;
    }
    if (strcmp(dot, ".yaml") != 0) {
        error_set(err, "%s: is not read; call it %s.yaml", path, tag);
        goto out;
    }
    text = schema_read_file(path, &data.len, err);
    if (!text)
        goto out;
    data.text = text;
    ok = add_file(texts, tag, path, &data, err);
out:
    free(text);
    free(path);
    return ok;
}

struct texts *texts_load(const struct texts *base, const char *folder, struct error *err)
{
    struct texts *texts = calloc(1, sizeof(*texts));
    struct dirent **names = NULL;
    int n = texts ? scandir(folder, &names, is_texts_file, compare_names) : 0;
    int error = errno;
    bool ok = texts && n > 0;

    if (!texts) {
        error_set(err, "%s: out of memory", folder);
    } else if (n < 0) {
        error_set(err, "%s: cannot read: %s; name a folder of files such as de.yaml", folder,
                  strerror(error));
    } else if (n == 0) {
        error_set(err, "%s: holds no file such as de.yaml; add one or remove the key", folder);
    } else {
        texts->n = base->n;
        memcpy(texts->tags, base->tags, sizeof(texts->tags));
        memcpy(texts->languages, base->languages, sizeof(texts->languages));
    }
    for (int i = 0; i < n; i++) {
        ok = ok && add_named(texts, folder, names[i]->d_name, err);
        free(names[i]);
    }
    free(names);
    if (!ok) {
        texts_free(texts);
        texts = NULL;
    }
    return texts;
}

void texts_free(struct texts *texts)
{
    if (texts)
        pool_clear(&texts->pool);
    free(texts);
}

const struct texts_language *texts_choose(const struct texts *texts, struct slice accept_language,
                                          int fallback)
{
    return texts
        ->languages[language_choose(accept_language, texts->tags, texts->n, (unsigned)fallback)];
}
