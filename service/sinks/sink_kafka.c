/* Kafka and what speaks its protocol: a message for each record, or for several, by an idempotent
 * producer.
 *
 * The producer's memory is what makes a message come once; it is gone after a crash, and of no use
 * after an outcome that isn't known.  Then the producer is thrown away and the whole range sent
 * again: log and position of a record are the same, so that whoever reads can tell. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <sodium.h>

#include "service/base/background.h"
#include "service/base/clock.h"
#include "service/base/error.h"
#include "service/base/log.h"
#include "service/config/config.h"
#include "service/sinks/sink.h"
#include "service/sinks/sink_batch.h"
#include "service/sinks/sink_key.h"

enum {
    ROWS_MAX = 50000,
    LINGER_MS = 500,
    POLL_MS = 50,
    POSITION_MAX = 20, /* digits of 2^64 */
    LOG_LEN = 2 * CLICK_LOG_ID_LEN,
    /* So many messages are with the producer at most: half the processor time of a message is the
     * taking and giving back of its parts, and memory that was just given back is in the cache.  At
     * 50 ms of round trip it lets 80,000 a second pass. */
    OUT_MAX = 4096,
    OUT_MIN = 64, /* messages of several records: so many at least */
};

/* What a message holds: a record, or lines of them. */
struct schema {
    const char *name;
    ssize_t len;
};
static const struct schema one_record = {"hopcount.record/1", 17};
static const struct schema many_records = {"hopcount.records/1", 18};

struct kafka {
    struct sink_options options;
    char password[SINK_SECRET_MAX];
    rd_kafka_t *producer; /* NULL: there is none, or it was thrown away */
    rd_kafka_topic_t *topic;
    char *text;   /* of the message that is made just now: message_records lines */
    size_t n_out; /* messages whose outcome is open */
    size_t out_max;
    size_t n_failed; /* of this range */
    char why[SINK_RESULT_WHY_MAX];
};

/* --- librdkafka's calls --- */

/* A message is there, or will not be. */
static void on_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *arg)
{
    struct kafka *k = arg;

    (void)producer;
    k->n_out--;
    if (!message->err)
        return;
    k->n_failed++;
    /* The cause was told before: a broker that is down or refuses. */
    if (message->err != RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || !k->why[0])
        snprintf(k->why, sizeof(k->why), "%s", rd_kafka_err2str(message->err));
}

static void on_error(rd_kafka_t *producer, int err, const char *reason, void *arg)
{
    struct kafka *k = arg;

    (void)producer;
    /* All brokers being down follows from what was said of each. */
    if (err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !k->why[0])
        snprintf(k->why, sizeof(k->why), "%.150s", reason);
}

/* What it would write to stderr is told by on_error(). */
static void on_log(const rd_kafka_t *producer, int level, const char *facility, const char *text)
{
    (void)producer;
    (void)level;
    (void)facility;
    (void)text;
}

/* --- the producer --- */

static bool set_option(rd_kafka_conf_t *conf, const char *name, const char *value,
                       struct error *err)
{
    char why[256];

    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
        return true;
    error_set(err, "options: %s", why);
    return false;
}

/* The options of the configuration, and over them what counting once needs. */
static rd_kafka_conf_t *make_conf(struct kafka *k, struct error *err)
{
    const struct config_sink *config = k->options.config;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char timeout[24];
    bool ok = true;

    snprintf(timeout, sizeof(timeout), "%" PRId64, config->timeout_ms);
    for (unsigned i = 0; ok && i < config->n_options; i++)
        ok = set_option(conf, config->options[i].name, config->options[i].value, err);
    ok = ok && set_option(conf, "bootstrap.servers", config->brokers, err) &&
         set_option(conf, "client.id", "hopcount", err) &&
         set_option(conf, "enable.idempotence", "true", err) &&
         set_option(conf, "acks", "all", err) &&
         set_option(conf, "message.timeout.ms", timeout, err) &&
         (!config->username || set_option(conf, "sasl.username", config->username, err)) &&
         (!k->password[0] || set_option(conf, "sasl.password", k->password, err));
    if (!ok) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_opaque(conf, k);
    return conf;
}

/* What it has not delivered is dropped: it is sent again by the next one. */
static void drop_producer(struct kafka *k)
{
    if (!k->producer)
        return;
    if (k->topic)
        rd_kafka_topic_destroy(k->topic);
    k->topic = NULL;
    rd_kafka_purge(k->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy_flags(k->producer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    k->producer = NULL;
    k->n_out = 0;
}

static bool start_producer(struct kafka *k)
{
    struct error err = {0};
    rd_kafka_conf_t *conf;

    if (k->producer)
        return true;
    conf = make_conf(k, &err);
    if (conf)
        k->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, k->why, sizeof(k->why));
    else
        snprintf(k->why, sizeof(k->why), "%.150s", err.text);
    if (conf && !k->producer)
        rd_kafka_conf_destroy(conf);
    if (k->producer &&
        !(k->topic = rd_kafka_topic_new(k->producer, k->options.config->topic, NULL))) {
        snprintf(k->why, sizeof(k->why), "%s", rd_kafka_err2str(rd_kafka_last_error()));
        drop_producer(k);
    }
    return k->producer != NULL;
}

/* --- a range --- */

static bool is_stopping(const struct kafka *k)
{
    return atomic_load(k->options.stopping);
}

static size_t write_digits(uint64_t n, char out[static POSITION_MAX])
{
    char digits[POSITION_MAX];
    size_t len = 0;

    do {
        digits[len++] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    for (size_t i = 0; i < len; i++)
        out[i] = digits[len - 1 - i];
    return len;
}

/* NULL: out of memory. */
static rd_kafka_headers_t *make_headers(const struct kafka *k, const char *log, uint64_t first)
{
    const struct schema *schema =
        k->options.config->message_records > 1 ? &many_records : &one_record;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(3);
    char position[POSITION_MAX];

    if (headers && (rd_kafka_header_add(headers, "log", -1, log, LOG_LEN) ||
                    rd_kafka_header_add(headers, "position", -1, position,
                                        (ssize_t)write_digits(first, position)) ||
                    rd_kafka_header_add(headers, "schema", -1, schema->name, schema->len))) {
        rd_kafka_headers_destroy(headers);
        headers = NULL;
    }
    return headers;
}

/* Hands over what stands in `text`: records of the log, the first of them of that position.  Waits
 * for room while the producer has enough to do.  What it refuses counts as failed. */
static void produce(struct kafka *k, const char *log, uint64_t first, size_t len)
{
    /* The producer owns the headers when it takes the message.  Given one by one, librdkafka before
     * 2.12 frees them twice when it doesn't, because the topic is gone. */
    rd_kafka_headers_t *headers = make_headers(k, log, first);
    /* An array, because the macros of rd_kafka_producev() are no standard C. */
    const rd_kafka_vu_t message[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = k->topic},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {k->text, len}},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(char *)log, LOG_LEN}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_resp_err_t code = headers ? RD_KAFKA_RESP_ERR__QUEUE_FULL : RD_KAFKA_RESP_ERR__FAIL;

    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && !is_stopping(k) && k->n_failed == 0) {
        rd_kafka_error_t *error;

        while (k->n_out >= k->out_max && !is_stopping(k) && k->n_failed == 0)
            rd_kafka_poll(k->producer, POLL_MS);
        error = rd_kafka_produceva(k->producer, message, sizeof(message) / sizeof(message[0]));
        code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
        if (error)
            rd_kafka_error_destroy(error);
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) /* options made it smaller */
            rd_kafka_poll(k->producer, POLL_MS);
    }
    if (!code) {
        k->n_out++;
        return;
    }
    if (headers)
        rd_kafka_headers_destroy(headers);
    k->n_failed++;
    if (!k->why[0])
        snprintf(k->why, sizeof(k->why), "%s", rd_kafka_err2str(code));
}

/* Makes messages of the batch's records, until one is refused. */
static void produce_all(struct kafka *k, struct sink_batch *batch, struct sink_result *result)
{
    struct record record;
    uint64_t first = 0;
    size_t len = 0;
    int64_t n = 0;

    while (k->n_failed == 0 && !is_stopping(k) && sink_batch_next(batch, &record)) {
        if (n++ == 0)
            first = record.position;
        len += record_json(&record, &k->options.form, k->text + len);
        if (++result->n_sent % SINK_BATCH_CHUNK == 0)
            rd_kafka_poll(k->producer, 0);
        if (n == k->options.config->message_records) {
            produce(k, record.log, first, len - 1); /* without the last line feed */
            n = 0;
            len = 0;
        }
    }
    if (n > 0 && k->n_failed == 0)
        produce(k, batch->log_hex, first, len - 1);
}

static enum sink_outcome put(void *self, struct sink_batch *batch, struct sink_result *result)
{
    struct kafka *k = self;

    k->n_failed = 0;
    k->why[0] = '\0';
    if (start_producer(k))
        produce_all(k, batch, result);
    /* Each message has its outcome within message.timeout.ms. */
    while (k->producer && k->n_out > 0 && k->n_failed == 0 && !is_stopping(k))
        rd_kafka_flush(k->producer, POLL_MS);
    if (k->producer && k->n_out == 0 && k->n_failed == 0 && !is_stopping(k))
        return SINK_DONE;
    drop_producer(k);
    sink_result_why(result, "%s", k->why[0] ? k->why : "stopped");
    return SINK_LATER;
}

/* --- open and close --- */

static void kafka_close(void *self)
{
    struct kafka *k = self;

    if (!k)
        return;
    drop_producer(k);
    sodium_memzero(k->password, sizeof(k->password));
    free(k->text);
    free(k);
}

static void *kafka_open(const struct sink_options *options, struct error *err)
{
    struct kafka *k = calloc(1, sizeof(*k));
    rd_kafka_conf_t *conf = NULL;
    const char *password_file = options->config->password_file;

    if (!k) {
        error_set(err, "out of memory");
        return NULL;
    }
    k->options = *options;
    k->out_max = OUT_MAX / (size_t)options->config->message_records;
    if (k->out_max < OUT_MIN)
        k->out_max = OUT_MIN;
    k->text = malloc((size_t)options->config->message_records * RECORD_TEXT_MAX);
    if (!k->text) {
        error_set(err, "out of memory");
        kafka_close(k);
        return NULL;
    }
    if (!password_file || sink_password_load(password_file, k->password, err))
        conf = make_conf(k, err);
    if (!conf) {
        kafka_close(k);
        return NULL;
    }
    rd_kafka_conf_destroy(conf);
    return k;
}

const struct sink_type sink_type_kafka = {
    .has_intents = true,
    .rows_max = ROWS_MAX,
    .linger_ms = LINGER_MS,
    .open = kafka_open,
    .put = put,
    .close = kafka_close,
};
