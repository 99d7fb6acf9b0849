#include "service/config/config_check.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "proto/click.h"
#include "proto/number.h"
#include "proto/template.h"
#include "proto/token.h"
#include "service/base/address.h"
#include "service/redis/redis_url.h"

static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char digits[] = "0123456789";

/* Whether `text` is made of bytes of the sets alone. */
static bool made_of(const char *text, const char *a, const char *b, const char *c)
{
    for (; *text; text++) {
        if (!strchr(a, *text) && !strchr(b, *text) && !strchr(c, *text))
            return false;
    }
    return true;
}

const char *config_check_address(const char *text)
{
    struct address address;

    if (address_parse(text, &address))
        return NULL;
    return "is not an address; write IPv4:port (0.0.0.0:8080) or [IPv6]:port ([::]:8080)";
}

const char *config_check_network(const char *text)
{
    struct network network;

    if (network_parse(text, &network))
        return NULL;
    return "is not a network; write 10.0.0.0/8 or 2001:db8::/32, with no bits set behind the "
           "prefix";
}

const char *config_check_asn(const char *text)
{
    const char *number = text[0] == 'A' && text[1] == 'S' ? text + 2 : text;
    uint32_t asn;

    if (number[0] != '0' && number_parse_u32(slice_of(number), UINT32_MAX, &asn))
        return NULL;
    return "is not an autonomous system; write AS22843 or 22843";
}

const char *config_check_redis_url(const char *text)
{
    if (redis_url_has_scheme(text))
        return NULL;
    return "is not a Redis URL; it starts with redis://, rediss://, valkey://, valkeys://, "
           "unix://, sentinel:// or cluster://";
}

const char *config_check_brand_name(const char *text)
{
    if (strlen(text) <= TOKEN_BRAND_MAX && made_of(text, lower, digits, "-_.") &&
        !strchr("-_.", text[0]))
        return NULL;
    return "is not a brand name; use at most 63 of a-z, 0-9, '-', '_', '.', and a letter or digit "
           "first";
}

/* Letters, digits, dots and hyphens, or an IPv6 address in brackets; no port: hosts are compared
 * without it. */
const char *config_check_host(const char *text)
{
    size_t len = strlen(text);

    if (text[0] == '[' && len > 2 && text[len - 1] == ']') {
        struct network network;
        char ip[64];

        if (len - 2 >= sizeof(ip))
            return "is not a host; the address in brackets is too long";
        memcpy(ip, text + 1, len - 2);
        ip[len - 2] = '\0';
        if (strchr(ip, ':') && !strchr(ip, '/') && network_parse(ip, &network))
            return NULL;
        return "is not a host; write an IPv6 address in the brackets";
    }
    if (strchr(text, ':'))
        return "is not a host; leave scheme and port away";
    if (len <= 253 && made_of(text, lower, upper, "0123456789-.") && text[0] != '.' &&
        text[0] != '-' && !strstr(text, ".."))
        return NULL;
    return "is not a host; write a name such as go.acme.example (other scripts as xn--…)";
}

const char *config_check_url(const char *text)
{
    struct template tpl;
    enum template_status status;
    size_t position;

    if (strchr(text, '{') || strchr(text, '}'))
        return "takes no values in braces; write a plain URL";
    status = template_compile(&tpl, slice_of(text), false, &position);
    return status == TEMPLATE_OK ? NULL : template_status_text(status);
}

const char *config_check_base_url(const char *text)
{
    const char *wrong = config_check_url(text);
    const char *rest;

    if (wrong)
        return wrong;
    rest = strstr(text, "://") + 3;
    rest += strcspn(rest, "/?#");
    if (rest[0] == '\0' || strcmp(rest, "/") == 0)
        return NULL;
    return "has a path; links start right after the host, write https://host";
}

/* A query is allowed only where a path goes on behind it: HostBill's "index.php?/". */
const char *config_check_folder_url(const char *text)
{
    const char *wrong = config_check_url(text);
    size_t len = strlen(text);

    if (wrong)
        return wrong;
    if (strchr(text, '#') || (strchr(text, '?') && text[len - 1] != '/'))
        return "has a query or fragment; write the URL only up to its folder";
    return NULL;
}

const char *config_check_header(const char *text)
{
    static const char *const taken[] = {"Authorization", "Cookie",         "Host",        "Origin",
                                        "Content-Type",  "Content-Length", "X-CSRF-Token"};

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (strcasecmp(text, taken[i]) == 0)
            return "has a meaning of its own; name a field that the proxy sets or removes in "
                   "every request";
    }
    if (made_of(text, lower, upper, "0123456789-"))
        return NULL;
    return "is not the name of a field; write letters, digits and hyphens: X-Auth-Request-Email";
}

bool config_is_person(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] <= ' ' || name.ptr[i] > '~' || strchr(",\"\\", name.ptr[i]))
            return false;
    }
    return name.len > 0 && name.len <= CONFIG_PERSON_MAX;
}

const char *config_check_user(const char *text)
{
    if (!config_is_person(slice_of(text)))
        return "is no name; use up to 120 printable characters of ASCII, without blanks and commas";
    if (text[0] == '*' && text[1] != '\0' && (text[1] != '@' || text[2] == '\0'))
        return "is neither a name nor a pattern; write *@acme.example for all there, * for all";
    return NULL;
}

bool config_is_safe_url(const char *text)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
    const char *host = text + 7;
    size_t len;

    if (config_check_url(text) || strchr(text, '#'))
        return false;
    if (strncasecmp(text, "https://", 8) == 0)
        return true;
    len = strcspn(host, ":/?");
    if (host[0] == '[')
        len = strcspn(host, "]") + 1;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        if (len == strlen(hosts[i]) && strncasecmp(host, hosts[i], len) == 0)
            return true;
    }
    return false;
}

const char *config_check_issuer(const char *text)
{
    if (config_is_safe_url(text) && !strchr(text, '?'))
        return NULL;
    return "is not the URL of a provider; write https://host/path, without query and fragment "
           "(http only for 127.0.0.1, [::1] and localhost)";
}

const char *config_check_sign_out_url(const char *text)
{
    if (text[0] == '/' && text[1] != '/' && !strpbrk(text, "{}\\ \""))
        return NULL;
    return config_check_url(text) ? "is neither a URL nor a path such as /oauth2/sign_out" : NULL;
}

const char *config_check_color(const char *text)
{
    if (text[0] == '#' && strlen(text) == 7 && made_of(text + 1, digits, "abcdef", "ABCDEF"))
        return NULL;
    return "is not a colour; write '#rrggbb' in quotes";
}

const char *config_check_kind(const char *text)
{
    static const char *const kinds[] = {"view", "pay", "login", "1",  "2",  "3",  "4",  "5",  "6",
                                        "7",    "8",   "9",     "10", "11", "12", "13", "14", "15"};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(text, kinds[i]) == 0)
            return NULL;
    }
    return "is not a kind; write view, pay, login or a number from 4 to 15";
}

const char *config_check_when(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!(*c >= 'a' && *c <= 'z') && !(*c >= '0' && *c <= '9') && *c != '_' && *c != '-')
            return strstr(text, "://")
                       ? NULL
                       : "is no kind, page, same or template; a template is a whole "
                         "URL such as https://…?id={object}";
    }
    return NULL; /* the name of a kind, maybe */
}

const char *config_check_kind_name(const char *text)
{
    if (strlen(text) <= 31 && made_of(text, lower, digits, "-_") && strchr(lower, text[0]))
        return NULL;
    return "is not a name; use at most 31 of a-z, 0-9, '-', '_', and a letter first";
}

const char *config_check_arg(const char *text)
{
    return made_of(text, lower, upper, "0123456789._~-")
               ? NULL
               : "has other characters than A-Z a-z 0-9 . _ ~ -, which links can hold";
}

const char *config_check_variant(const char *text)
{
    if (strcmp(text, "none") == 0 || (text[0] >= 'A' && text[0] <= 'G' && text[1] == '\0'))
        return NULL;
    return "is not a variant; write none or A … G";
}

const char *config_check_country(const char *text)
{
    if (strlen(text) == 2 && made_of(text, upper, "", ""))
        return NULL;
    return "is not a country; write two capital letters of ISO 3166-1, NO in quotes";
}

const char *config_check_language(const char *text)
{
    if (strlen(text) >= 2 && strlen(text) <= 16 && made_of(text, lower, upper, "0123456789-_") &&
        !strchr("-_", text[0]) && !strchr("-_", text[strlen(text) - 1]))
        return NULL;
    return "is not a language; write a tag such as de or pt-br";
}

const char *config_check_device(const char *text)
{
    for (unsigned i = 0; i < CLICK_DEVICES; i++) {
        if (strcmp(text, click_device_name(i)) == 0)
            return NULL;
    }
    return "is not a device; write phone, tablet, desktop or other";
}

/* No user name: the file may be read by many. */
const char *config_check_smtp_url(const char *text)
{
    const char *host = strncmp(text, "smtp://", 7) == 0    ? text + 7
                       : strncmp(text, "smtps://", 8) == 0 ? text + 8
                                                           : "";

    if (host[0] && made_of(host, lower, digits, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-.:[]"))
        return NULL;
    return "is no mail server; write smtp://host:587 or smtps://host, and a user in smtp.username";
}

/* The characters that need no quotes (RFC 5322, dot-atom); no IP address in brackets. */
static bool is_mail_address(struct slice text)
{
    static const char local[] = "!#$%&'*+-/=?^_`{|}~.";
    const char *at = memrchr(text.ptr, '@', text.len);
    char part[256];

    if (!at || at == text.ptr || text.len > 254 || at + 1 == text.ptr + text.len)
        return false;
    memcpy(part, text.ptr, text.len);
    part[text.len] = '\0';
    part[at - text.ptr] = '\0';
    for (const char *c = part; *c; c++) {
        if (!strchr(lower, *c) && !strchr(upper, *c) && !strchr(digits, *c) && !strchr(local, *c))
            return false;
    }
    return made_of(part + (at - text.ptr) + 1, lower, digits, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-.");
}

const char *config_check_mail_address(const char *text)
{
    return is_mail_address(slice_of(text)) ? NULL : "is no mail address; write name@example.com";
}

const char *config_check_mail_from(const char *text)
{
    const char *open = strchr(text, '<');
    size_t len = strlen(text);

    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 127)
            return "has a control character";
    }
    if (is_mail_address(slice_of(text)) ||
        (open && text[len - 1] == '>' &&
         is_mail_address(slice_make(open + 1, (size_t)(text + len - 1 - open - 1)))))
        return NULL;
    return "is no sender; write name@example.com or Reports <name@example.com>";
}
