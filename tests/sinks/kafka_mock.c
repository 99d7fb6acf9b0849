/* kafka_mock - librdkafka's own mock cluster as a process, for
 * tests/integration/test_sinks_kafka.py.
 *
 *   kafka_mock TOPIC     prints the brokers' addresses, then takes commands, a line each:
 *
 *   errors N             the next N requests to produce are answered with errors that are to be
 *                        tried again, of different kinds
 *   fail                 the next one is answered with an error that is not
 *   down, up             of all brokers
 *   no topic, topic      the brokers don't know the topic; they know it again
 *   read                 all records of the topic, a JSON line each: {key, log, position, value};
 *                        ends with a line "end"
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { N_BROKERS = 3, N_PARTITIONS = 4, PRODUCE = 0, QUIET_MS = 1000, REASON_MAX = 256 };

static rd_kafka_t *make_client(rd_kafka_type_t type, const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[REASON_MAX];

    if (brokers) {
        rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why));
        rd_kafka_conf_set(conf, "group.id", "reader", why, sizeof(why));
        rd_kafka_conf_set(conf, "enable.partition.eof", "true", why, sizeof(why));
        rd_kafka_conf_set(conf, "check.crcs", "false", why, sizeof(why));
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

static void print_message(const rd_kafka_message_t *message)
{
    json_t *json =
        json_pack("{s:o, s:o, s:o, s:o}", "key", json_stringn(message->key, message->key_len),
                  "log", header_of(message, "log"), "position", header_of(message, "position"),
                  "value", json_stringn(message->payload, message->len));

    json_dumpf(json, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(json);
}

/* Every partition from its beginning to its end. */
static void read_all(const char *topic, const char *brokers)
{
    rd_kafka_t *reader = make_client(RD_KAFKA_CONSUMER, brokers);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(N_PARTITIONS);
    int n_ended = 0;

    for (int i = 0; i < N_PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(all, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(reader, all);
    while (n_ended < N_PARTITIONS) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, QUIET_MS);

        if (message && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            n_ended++;
        else if (message && !message->err)
            print_message(message);
        if (message)
            rd_kafka_message_destroy(message);
    }
    rd_kafka_topic_partition_list_destroy(all);
    rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    puts("end");
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

int main(int argc, char **argv)
{
    rd_kafka_t *owner = make_client(RD_KAFKA_PRODUCER, NULL);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(owner, N_BROKERS);
    char line[128];

    if (argc != 2 || !cluster)
        return 1;
    rd_kafka_mock_topic_create(cluster, argv[1], N_PARTITIONS, 1);
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
        else if (strcmp(line, "read\n") == 0)
            read_all(argv[1], rd_kafka_mock_cluster_bootstraps(cluster));
        else
            set_brokers(cluster, strcmp(line, "up\n") == 0);
        puts("ok");
    }
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(owner);
    return 0;
}
