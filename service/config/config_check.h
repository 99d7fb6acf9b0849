/* config_check.h - what the values of single keys must look like: NULL, or what is wrong. */
#ifndef CONFIG_CONFIG_CHECK_H
#define CONFIG_CONFIG_CHECK_H
#include <stdbool.h>

#include "proto/slice.h"

enum { CONFIG_PERSON_MAX = 120 }; /* bytes of a person's name */

/* Whether that can be a person's name: 1 to CONFIG_PERSON_MAX printable characters of ASCII,
 * without blanks, commas, `"` and `\`. */
bool config_is_person(struct slice name);

/* Whether `text` is a URL of a kind that people's names and tokens may be sent to: https, or http
 * to this very host. */
bool config_is_safe_url(const char *text);

const char *config_check_address(const char *text);
const char *config_check_network(const char *text);
const char *config_check_asn(const char *text);
const char *config_check_redis_url(const char *text);
const char *config_check_brand_name(const char *text);
const char *config_check_host(const char *text);
const char *config_check_base_url(const char *text);   /* scheme, host, port */
const char *config_check_folder_url(const char *text); /* may hold a folder */
const char *config_check_url(const char *text);        /* any, without braces */
const char *config_check_header(const char *text);     /* that a proxy may say a user in */
const char *config_check_user(const char *text);       /* a person, or `*…` for some or all */
/* https, or http to this very host; without query and fragment: of a provider. */
const char *config_check_issuer(const char *text);
const char *config_check_sign_out_url(const char *text); /* a URL, or a path of the same host */
const char *config_check_color(const char *text);
const char *config_check_kind(const char *text);
/* Of `when`: a kind, `page`, `same`, or a template, which is looked at later. */
const char *config_check_when(const char *text);
const char *config_check_kind_name(const char *text);
const char *config_check_arg(const char *text); /* of a link */
const char *config_check_variant(const char *text);
const char *config_check_country(const char *text);
const char *config_check_language(const char *text);
const char *config_check_device(const char *text);
const char *config_check_smtp_url(const char *text);
const char *config_check_mail_address(const char *text);
const char *config_check_mail_from(const char *text); /* an address, or a name and <address> */

#endif
