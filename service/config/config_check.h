/* config_check.h - what the values of single keys must look like: NULL, or what is wrong. */
#ifndef CONFIG_CONFIG_CHECK_H
#define CONFIG_CONFIG_CHECK_H

const char *config_check_address(const char *text);
const char *config_check_network(const char *text);
const char *config_check_asn(const char *text);
const char *config_check_redis_url(const char *text);
const char *config_check_brand_name(const char *text);
const char *config_check_host(const char *text);
const char *config_check_base_url(const char *text);    /* scheme, host, port */
const char *config_check_billing_url(const char *text); /* may hold a folder */
const char *config_check_url(const char *text);         /* any, without braces */
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

#endif
