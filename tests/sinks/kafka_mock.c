/* kafka_mock - librdkafka's own mock cluster as a process, for tests/integration/test_sinks*.py.
 *
 *   kafka_mock TOPIC [FILE]   prints the brokers' addresses, then takes commands, a line each:
 *
 *   errors N             the next N requests to produce are answered with errors that are to be
 *                        tried again, of different kinds
 *   fail                 the next one is answered with an error that is not
 *   down, up             of all brokers
 *   no topic, topic      the brokers don't know the topic; they know it again
 *   lose N               for N milliseconds the brokers take requests and do not answer, then all
 *                        connections are cut: what they took is in the topic, and nobody knows
 *   read                 all messages of the topic, a JSON line each: {key, log, position, schema,
 *                        value}; ends with a line "end"
 *   kept                 {messages, missed} of FILE
 *
 * The mock keeps the newest 5 MB or 100,000 messages of a partition.  With FILE a consumer reads on
 * all the time and writes every message into it, as `read` does; `missed` says how many were gone
 * before it came to them.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { N_BROKERS = 3, N_PARTITIONS = 4, PRODUCE = 0, QUIET_MS = 1000, REASON_MAX = 256 };

/* What reads on and keeps every message. */
struct keeper {
    const char *topic;
    rd_kafka_t *reader;
    FILE *file;
    pthread_t thread;
    pthread_mutex_t mutex; /* of the file */
    atomic_long next[N_PARTITIONS], messages, missed;
    atomic_bool stopping;
};

/* A cluster that fails on purpose would say so on every line. */
static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)client;
    (void)level;
    (void)facility;
    (void)text;
}

static rd_kafka_t *make_client(rd_kafka_type_t type, const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[REASON_MAX];

    rd_kafka_conf_set_log_cb(conf, on_log);
    if (brokers) {
        rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why));
        rd_kafka_conf_set(conf, "group.id", "reader", why, sizeof(why));
        rd_kafka_conf_set(conf, "enable.partition.eof", "true", why, sizeof(why));
        rd_kafka_conf_set(conf, "check.crcs", "false", why, sizeof(why));
        rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", why, sizeof(why));
        rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "200", why, sizeof(why));
        rd_kafka_conf_set(conf, "fetch.wait.max.ms", "20", why, sizeof(why));
        rd_kafka_conf_set(conf, "fetch.error.backoff.ms", "20", why, sizeof(why));
    }
    return rd_kafka_new(type, conf, why, sizeof(why));
}

static json_t *header_of(const rd_kafka_message_t *message, const char *name)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value;
    size_t len;

    if (rd_kafka_message_headers(message, &headers) ||
        rd_kafka_header_get_last(headers, name, &value, &len))
        return json_null();
    return json_stringn(value, len);
}

static void print_message(FILE *file, const rd_kafka_message_t *message)
{
    json_t *json = json_pack(
        "{s:o, s:o, s:o, s:o, s:o}", "key", json_stringn(message->key, message->key_len), "log",
        header_of(message, "log"), "position", header_of(message, "position"), "schema",
        header_of(message, "schema"), "value", json_stringn(message->payload, message->len));

    json_dumpf(json, file, JSON_COMPACT);
    putc('\n', file);
    json_decref(json);
}

/* A consumer of every partition from its beginning. */
static rd_kafka_t *make_reader(const char *topic, const char *brokers)
{
    rd_kafka_t *reader = make_client(RD_KAFKA_CONSUMER, brokers);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(N_PARTITIONS);

    for (int i = 0; i < N_PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(all, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(reader, all);
    rd_kafka_topic_partition_list_destroy(all);
    return reader;
}

/* Every partition to its end. */
static void read_all(const char *topic, const char *brokers)
{
    rd_kafka_t *reader = make_reader(topic, brokers);
    int n_ended = 0;

    while (n_ended < N_PARTITIONS) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, QUIET_MS);

        if (message && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            n_ended++;
        else if (message && !message->err)
            print_message(stdout, message);
        if (message)
            rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    puts("end");
}

static void *keep(void *arg)
{
    struct keeper *keeper = arg;

    while (!atomic_load(&keeper->stopping)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(keeper->reader, 100);

        if (message && !message->err) {
            atomic_long *next = &keeper->next[message->partition];

            pthread_mutex_lock(&keeper->mutex);
            print_message(keeper->file, message);
            pthread_mutex_unlock(&keeper->mutex);
            atomic_fetch_add(&keeper->missed, message->offset - atomic_load(next));
            atomic_fetch_add(&keeper->messages, 1);
            atomic_store(next, message->offset + 1);
        }
        if (message)
            rd_kafka_message_destroy(message);
    }
    return NULL;
}

/* Waits until the keeper has all that the topic has by now. */
static void print_kept(struct keeper *keeper)
{
    for (int i = 0; i < N_PARTITIONS; i++) {
        int64_t first, end = 0;

        while (rd_kafka_query_watermark_offsets(keeper->reader, keeper->topic, i, &first, &end,
                                                QUIET_MS))
            usleep(10000);
        while (atomic_load(&keeper->next[i]) < end)
            usleep(10000);
    }
    pthread_mutex_lock(&keeper->mutex);
    fflush(keeper->file);
    pthread_mutex_unlock(&keeper->mutex);
    printf("{\"messages\": %ld, \"missed\": %ld}\n", atomic_load(&keeper->messages),
           atomic_load(&keeper->missed));
}

static void keeper_start(struct keeper *keeper, const char *topic, const char *brokers,
                         const char *path)
{
    keeper->topic = topic;
    keeper->file = fopen(path, "w");
    if (!keeper->file) {
        perror(path);
        exit(1);
    }
    pthread_mutex_init(&keeper->mutex, NULL);
    keeper->reader = make_reader(topic, brokers);
    pthread_create(&keeper->thread, NULL, keep, keeper);
}

static void keeper_stop(struct keeper *keeper)
{
    atomic_store(&keeper->stopping, true);
    pthread_join(keeper->thread, NULL);
    rd_kafka_consumer_close(keeper->reader);
    rd_kafka_destroy(keeper->reader);
    fclose(keeper->file);
}

static void push_errors(rd_kafka_mock_cluster_t *cluster, int n)
{
    static const rd_kafka_resp_err_t kinds[] = {
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT};

    for (int i = 0; i < n; i++)
        rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, kinds[i % 4]);
}

static void set_brokers(rd_kafka_mock_cluster_t *cluster, int is_up)
{
    for (int id = 1; id <= N_BROKERS; id++) {
        if (is_up)
            rd_kafka_mock_broker_set_up(cluster, id);
        else
            rd_kafka_mock_broker_set_down(cluster, id);
    }
}

static void lose_answers(rd_kafka_mock_cluster_t *cluster, int ms)
{
    for (int id = 1; id <= N_BROKERS; id++)
        rd_kafka_mock_broker_set_rtt(cluster, id, 3600000);
    usleep((unsigned)ms * 1000);
    set_brokers(cluster, 0);
    for (int id = 1; id <= N_BROKERS; id++)
        rd_kafka_mock_broker_set_rtt(cluster, id, 0);
    set_brokers(cluster, 1);
}

int main(int argc, char **argv)
{
    struct keeper keeper = {0};
    rd_kafka_t *owner = make_client(RD_KAFKA_PRODUCER, NULL);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(owner, N_BROKERS);
    char line[128];

    if (argc < 2 || argc > 3 || !cluster)
        return 1;
    rd_kafka_mock_topic_create(cluster, argv[1], N_PARTITIONS, 1);
    if (argc == 3)
        keeper_start(&keeper, argv[1], rd_kafka_mock_cluster_bootstraps(cluster), argv[2]);
    setlinebuf(stdout);
    puts(rd_kafka_mock_cluster_bootstraps(cluster));
    while (fgets(line, sizeof(line), stdin)) {
        if (strncmp(line, "errors ", 7) == 0)
            push_errors(cluster, atoi(line + 7));
        else if (strcmp(line, "fail\n") == 0)
            rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1,
                                              RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
        else if (strcmp(line, "no topic\n") == 0)
            rd_kafka_mock_topic_set_error(cluster, argv[1],
                                          RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
        else if (strcmp(line, "topic\n") == 0)
            rd_kafka_mock_topic_set_error(cluster, argv[1], RD_KAFKA_RESP_ERR_NO_ERROR);
        else if (strncmp(line, "lose ", 5) == 0)
            lose_answers(cluster, atoi(line + 5));
        else if (strcmp(line, "kept\n") == 0 && keeper.file)
            print_kept(&keeper);
        else if (strcmp(line, "read\n") == 0)
            read_all(argv[1], rd_kafka_mock_cluster_bootstraps(cluster));
        else
            set_brokers(cluster, strcmp(line, "up\n") == 0);
        puts("ok");
    }
    if (keeper.file)
        keeper_stop(&keeper);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(owner);
    return 0;
}
