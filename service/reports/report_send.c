#include "service/reports/report_send.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include <curl/curl.h>
#include <sodium.h>

#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/config/config.h"
#include "service/config/linefile.h"
#include "service/reports/report_when.h"
#include "service/sinks/sink_http.h"

enum {
    WORD_BYTES = 42, /* of an encoded word: with its frame it has less than 75 characters */
    LINE_MAX_LEN = 4096,
    DATE_LEN = 64,
    REPLY_MAX = 160,
    CONNECT_MAX_MS = 10000,
    ANSWER_MS = 10000, /* so long a process that stops waits to hear what came of what it sent */
};

/* --- a mail's fields --- */

static bool is_ascii(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
            return false;
    }
    return true;
}

/* Adds `text` to `line`: as it is, or as encoded words (RFC 2047), each on a line of its own. */
static void add_words(char line[static LINE_MAX_LEN], const char *text)
{
    size_t at = strlen(line), len = strlen(text);

    if (is_ascii(text)) {
        snprintf(line + at, LINE_MAX_LEN - at, "%s", text);
        return;
    }
    for (size_t i = 0; i < len && at + 100 < LINE_MAX_LEN;) {
        char word[sodium_base64_ENCODED_LEN(WORD_BYTES, sodium_base64_VARIANT_ORIGINAL)];
        size_t n = len - i < WORD_BYTES ? len - i : WORD_BYTES;

        while (i + n < len && ((unsigned char)text[i + n] & 0xc0) == 0x80)
            n--; /* a word holds whole characters */
        if (n == 0)
            break;
        sodium_bin2base64(word, sizeof(word), (const unsigned char *)text + i, n,
                          sodium_base64_VARIANT_ORIGINAL);
        at += (size_t)snprintf(line + at, LINE_MAX_LEN - at,
                               "%s=?UTF-8?B?%s?=", i > 0 ? "\r\n " : "", word);
        i += n;
    }
}

/* Where the address of "Name <address>" or "address" begins, and its length. */
static struct slice address_of(const char *from)
{
    const char *open = strrchr(from, '<');

    return open ? slice_make(open + 1, strcspn(open + 1, ">")) : slice_of(from);
}

static void write_from(const char *from, char line[static LINE_MAX_LEN])
{
    struct slice address = address_of(from);
    struct slice name = slice_trim(slice_make(from, (size_t)(address.ptr - from)));
    char plain[256] = "";
    size_t at = 0;

    if (name.len > 0) /* the bracket */
        name = slice_trim(slice_make(name.ptr, name.len - 1));
    for (size_t i = 0; i < name.len && at + 1 < sizeof(plain); i++) {
        if (name.ptr[i] != '"' && name.ptr[i] != '\\')
            plain[at++] = name.ptr[i];
    }
    plain[at] = '\0';
    snprintf(line, LINE_MAX_LEN, "From: ");
    if (at > 0 && is_ascii(plain))
        snprintf(line, LINE_MAX_LEN, "From: \"%s\"", plain);
    else
        add_words(line, plain);
    at = strlen(line);
    snprintf(line + at, LINE_MAX_LEN - at, "%s<%.*s>", name.len > 0 ? " " : "", SLICE_ARG(address));
}

void report_mail_id(const struct config_smtp *smtp, const char *name,
                    const struct report_period *period, char out[static REPORT_ID_MAX])
{
    struct slice address = address_of(smtp->from);
    const char *at = memchr(address.ptr, '@', address.len);

    snprintf(out, REPORT_ID_MAX, "hopcount.%s.%s.%s@%.*s", name, report_every_name(period->every),
             period->first, at ? (int)(address.ptr + address.len - at - 1) : 0, at ? at + 1 : "");
}

static struct curl_slist *add_field(struct curl_slist *fields, const char *line)
{
    struct curl_slist *longer = curl_slist_append(fields, line);

    return longer ? longer : fields;
}

static struct curl_slist *fields_of(const struct report_mailer *mailer,
                                    const struct report_mail *mail, const char *title)
{
    char line[LINE_MAX_LEN], date[DATE_LEN];
    time_t now_s = (time_t)(clock_wall_ms() / 1000);
    struct curl_slist *fields = NULL;
    struct tm now;

    strftime(date, sizeof(date), "Date: %a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now_s, &now));
    fields = add_field(fields, date);
    write_from(mailer->smtp->from, line);
    fields = add_field(fields, line);
    snprintf(line, sizeof(line), "To: %s", mail->shown);
    fields = add_field(fields, line);
    snprintf(line, sizeof(line), "Subject: ");
    add_words(line, title);
    fields = add_field(fields, line);
    snprintf(line, sizeof(line), "Message-ID: <%s>", mail->id);
    fields = add_field(fields, line);
    /* No out-of-office reply is wanted (RFC 3834). */
    return add_field(fields, "Auto-Submitted: auto-generated");
}

/* --- its parts --- */

/* With the line ends that mails have; the caller frees it. */
static char *with_crlf(const char *text)
{
    size_t n = 1, at = 0;
    char *out;

    for (const char *c = text; *c; c++)
        n += *c == '\n' ? 2 : 1;
    out = malloc(n);
    for (; out && *text; text++) {
        if (*text == '\n')
            out[at++] = '\r';
        out[at++] = *text;
    }
    if (out)
        out[at] = '\0';
    return out;
}

static bool add_part(curl_mime *parts, const struct report_mail *mail, enum report_form form,
                     const char *type)
{
    char *text = report_write(mail->report, mail->language, form);
    char *lines = text ? with_crlf(text) : NULL;
    curl_mimepart *part = lines ? curl_mime_addpart(parts) : NULL;
    bool ok = part && curl_mime_data(part, lines, CURL_ZERO_TERMINATED) == CURLE_OK &&
              curl_mime_type(part, type) == CURLE_OK &&
              curl_mime_encoder(part, "quoted-printable") == CURLE_OK;

    free(lines);
    free(text);
    return ok;
}

/* Plain text first: of the parts of an alternative the last one that can be shown is. */
static curl_mime *parts_of(CURL *curl, const struct report_mail *mail)
{
    curl_mime *whole = curl_mime_init(curl), *alternative = curl_mime_init(curl);
    curl_mimepart *part = whole && alternative ? curl_mime_addpart(whole) : NULL;

    if (part && add_part(alternative, mail, REPORT_PLAIN, "text/plain; charset=utf-8") &&
        add_part(alternative, mail, REPORT_HTML, "text/html; charset=utf-8") &&
        curl_mime_subparts(part, alternative) == CURLE_OK) {
        struct curl_slist *inlined = curl_slist_append(NULL, "Content-Disposition: inline");

        if (curl_mime_type(part, "multipart/alternative") == CURLE_OK && inlined &&
            curl_mime_headers(part, inlined, 1) == CURLE_OK)
            return whole;
        curl_slist_free_all(inlined);
        alternative = NULL; /* it is the part's */
    }
    curl_mime_free(alternative);
    curl_mime_free(whole);
    return NULL;
}

/* --- sending it --- */

/* What the server has said, and whether to wait for more of it. */
struct smtp_talk {
    char refusal[REPLY_MAX]; /* the last one */
    bool has_data;           /* it has asked for the mail: from then on it may take it */
    const atomic_bool *stopping, *is_cut;
    int64_t stopped_ms; /* monotonic: when it was seen that the process stops; 0 = it does not */
};

/* As text that can stand in a record and a log line: without control bytes, nor mail addresses,
 * which servers like to repeat. */
static void set_why(char why[static REPORT_WHY_MAX], const char *before, const char *text)
{
    static const char address[] = "(address)";
    size_t at = (size_t)snprintf(why, REPORT_WHY_MAX, "%s", before);

    while (*text && at + sizeof(address) < REPORT_WHY_MAX) {
        size_t len = strcspn(text, " \t<>()[]\"',;:");

        if (memchr(text, '@', len)) {
            memcpy(why + at, address, sizeof(address));
            at += sizeof(address) - 1;
            text += len;
            continue;
        }
        len = len > 0 ? len : 1;
        for (; len > 0 && at + 1 < REPORT_WHY_MAX; len--, text++)
            why[at++] = isprint((unsigned char)*text) ? *text : '?';
    }
    why[at] = '\0';
}

static size_t on_reply(char *bytes, size_t size, size_t n, void *arg)
{
    struct smtp_talk *talk = arg;
    size_t len = 0;

    if (size * n >= 3 && memcmp(bytes, "354", 3) == 0)
        talk->has_data = true;
    if (size * n == 0 || (bytes[0] != '4' && bytes[0] != '5')) /* what it says of QUIT, too */
        return size * n;
    for (size_t i = 0; i < size * n && len + 1 < sizeof(talk->refusal); i++) {
        if (bytes[i] != '\r' && bytes[i] != '\n')
            talk->refusal[len++] = bytes[i];
    }
    talk->refusal[len] = '\0';
    return size * n;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct smtp_talk *talk = arg;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    if (!talk->stopping || !atomic_load(talk->stopping))
        return 0;
    if (talk->stopped_ms == 0)
        talk->stopped_ms = clock_mono_ms();
    return !talk->has_data || (talk->is_cut && atomic_load(talk->is_cut)) ||
           clock_mono_ms() - talk->stopped_ms >= ANSWER_MS;
}

static void set_options(CURL *curl, const struct report_mailer *mailer, struct smtp_talk *talk)
{
    const struct config_smtp *smtp = mailer->smtp;
    int64_t connect_ms = smtp->timeout_ms < CONNECT_MAX_MS ? smtp->timeout_ms : CONNECT_MAX_MS;

    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_URL, smtp->url);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)smtp->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    if (smtp->tls == 0)
        curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    if (smtp->tls_ca)
        curl_easy_setopt(curl, CURLOPT_CAINFO, smtp->tls_ca);
    if (smtp->username) {
        curl_easy_setopt(curl, CURLOPT_USERNAME, smtp->username);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, mailer->password);
    }
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_reply);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, talk);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, talk);
}

/* A 5yz is for good, but for what is said of names and passwords, which the operator can mend. */
static enum report_outcome outcome_of(CURLcode code, long reply)
{
    if (code == CURLE_OK)
        return REPORT_SENT;
    if (code == CURLE_LOGIN_DENIED || reply < 500 || reply >= 600 || reply == 530 || reply == 534 ||
        reply == 535 || reply == 538)
        return REPORT_LATER;
    return REPORT_REFUSED;
}

/* Makes the end of the connection short: libcurl says QUIT then, and would wait up to two minutes
 * for a server that has stopped to answer. */
static void stop_reading(CURL *curl)
{
    curl_socket_t socket = CURL_SOCKET_BAD;

    if (curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK &&
        socket != CURL_SOCKET_BAD)
        shutdown(socket, SHUT_RD);
}

bool report_mailer_init(struct report_mailer *mailer, const struct config_smtp *smtp,
                        struct error *err)
{
    *mailer = (struct report_mailer){.smtp = smtp};
    return !smtp->password_file || sink_password_load(smtp->password_file, mailer->password, err);
}

void report_mailer_clear(struct report_mailer *mailer)
{
    sodium_memzero(mailer->password, sizeof(mailer->password));
}

enum report_outcome report_send_mail(const struct report_mailer *mailer,
                                     const struct report_mail *mail,
                                     char why[static REPORT_WHY_MAX])
{
    struct slice from = address_of(mailer->smtp->from);
    char sender[300], receiver[300], curl_error[CURL_ERROR_SIZE] = "";
    char *title = report_write(mail->report, mail->language, REPORT_TITLE);
    struct curl_slist *fields = title ? fields_of(mailer, mail, title) : NULL, *receivers;
    struct smtp_talk talk = {.stopping = mailer->stopping, .is_cut = mailer->is_cut};
    CURL *curl = curl_easy_init();
    curl_mime *parts = curl ? parts_of(curl, mail) : NULL;
    CURLcode code = CURLE_OUT_OF_MEMORY;
    long status = 0;

    snprintf(sender, sizeof(sender), "<%.*s>", SLICE_ARG(from));
    snprintf(receiver, sizeof(receiver), "<%s>", mail->to);
    receivers = curl_slist_append(NULL, receiver);
    if (parts && fields && receivers) {
        set_options(curl, mailer, &talk);
        curl_easy_setopt(curl, CURLOPT_MAIL_FROM, sender);
        curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, receivers);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
        curl_easy_setopt(curl, CURLOPT_MIMEPOST, parts);
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, curl_error);
        code = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        stop_reading(curl);
    }
    if (code != CURLE_OK && status >= 400)
        set_why(why, "the mail server answers: ", talk.refusal);
    else if (code != CURLE_OK)
        set_why(why, "", curl_error[0] ? curl_error : curl_easy_strerror(code));
    curl_slist_free_all(receivers);
    curl_slist_free_all(fields);
    curl_mime_free(parts);
    curl_easy_cleanup(curl);
    free(title);
    return outcome_of(code, status);
}

/* --- chats --- */

bool report_url_load(const char *path, char out[static REPORT_URL_MAX], struct error *err)
{
    struct linefile *file = linefile_load(path, S_IRWXO | S_IWGRP, err);
    struct linefile_line line;
    const char *wrong = NULL;

    if (!file)
        return false;
    if (!linefile_next(file, &line) || line.n_fields != 1 || line.field[0].len >= REPORT_URL_MAX) {
        wrong = "its first line is no URL; write the one that the chat gave you";
    } else {
        snprintf(out, REPORT_URL_MAX, "%.*s", SLICE_ARG(line.field[0]));
        wrong = sink_http_check_url(out);
    }
    linefile_free(file);
    if (wrong)
        error_set(err, "%s: %s", path, wrong);
    return wrong == NULL;
}

enum report_outcome report_send_post(const struct report_post *post,
                                     char why[static REPORT_WHY_MAX])
{
    static const atomic_bool never = false;
    const struct sink_http_options options = {
        .timeout_ms = post->timeout_ms,
        .allow_private = post->allow_private,
        .never_repeats = true,
        .stopping = post->stopping ? post->stopping : &never,
        .answer_ms = ANSWER_MS,
        .is_cut = post->is_cut,
    };
    char *body = report_write(post->report, post->language, post->form);
    struct sink_http *http = sink_http_new(&options);
    struct curl_slist *fields = curl_slist_append(NULL, "Content-Type: application/json");
    struct sink_http_answer *answer = calloc(1, sizeof(*answer));
    enum report_outcome outcome = REPORT_LATER;

    snprintf(why, REPORT_WHY_MAX, "out of memory");
    if (body && http && fields && answer) {
        const struct sink_http_request request = {
            .url = post->url, .headers = fields, .body = body, .body_len = strlen(body)};

        sink_http_post(http, &request, answer);
        set_why(why, "", answer->error);
        if (answer->status != 0)
            snprintf(why, REPORT_WHY_MAX, "the chat's webhook answers %ld", answer->status);
        if (answer->status >= 200 && answer->status < 300)
            outcome = REPORT_SENT;
        else if (answer->status >= 300 && answer->status < 500 && answer->status != 408 &&
                 answer->status != 429)
            outcome = REPORT_REFUSED;
    }
    free(answer);
    curl_slist_free_all(fields);
    sink_http_free(http);
    free(body);
    return outcome;
}
