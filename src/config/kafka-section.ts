import {
  bytes,
  choice,
  count,
  durationMs,
  flag,
  list,
  optional,
  optionalSection,
  required,
  section,
  text,
  withDefault,
} from './leaves.ts'
import { refuseHostAndPort, refuseTopic, TOPIC_NAME } from './rules.ts'

import { caFile, MINUTE_MS, requestTimeoutMs, SECOND_MS, tlsEnabled } from './shared-keys.ts'

const KIB = 1024
const MIB = 1024 * KIB

export const kafka = section('Where messages come from and references go to.', {
  brokers: required(
    list({
      about: 'Brokers to begin with.',
      bounds: 'host:port each',
      lengthMin: 1,
      refuse: refuseHostAndPort,
    }),
    '["127.0.0.1:9092"]',
  ),
  tls: section('Encryption of the connections to the brokers.', {
    enabled: tlsEnabled,
    caFile,
    certFile: optional(
      text({ about: 'PEM file with the certificate of this client. Goes with keyFile.' }),
      'no client certificate',
      '/etc/sealstream/client.pem',
    ),
    keyFile: optional(
      text({ about: 'PEM file with the private key of this client. Goes with certFile.' }),
      'no client certificate',
      '/etc/sealstream/client-key.pem',
    ),
  }),
  sasl: optionalSection('Credentials for the brokers. Left out: none.', {
    mechanism: required(
      choice(['plain', 'scram-sha-256', 'scram-sha-512'], { about: 'SASL mechanism.' }),
      'scram-sha-512',
    ),
    username: required(text({ about: 'Name of the Kafka user.' }), 'sealstream'),
    password: required(text({ about: 'Password of the Kafka user.', secret: true }), 'change-me'),
  }),
  clientId: withDefault(
    text({ about: 'Name of this client in the logs of the broker.' }),
    'sealstream',
  ),
  groupId: withDefault(
    text({ about: 'Consumer group, also the begin of every transactional id.' }),
    'sealstream',
  ),
  topics: required(
    list({
      about: 'Topics whose messages are sealed.',
      bounds: 'topic names',
      lengthMin: 1,
      pattern: TOPIC_NAME,
      refuse: refuseTopic,
    }),
    '["orders"]',
  ),
  referenceTopicSuffix: withDefault(
    text({
      about: 'References of topic T go to T with this suffix.',
      bounds: 'part of a topic name',
      pattern: TOPIC_NAME,
    }),
    '.sealed',
  ),
  referencePer: withDefault(
    choice(['message', 'part'], {
      about:
        'What a record of a reference topic names: one message, or all that follow each other in one part of a segment. Readers take both.',
    }),
    'message',
  ),
  quarantineTopicSuffix: withDefault(
    text({
      about: 'Notes on unsealable messages of topic T go to T with this suffix.',
      bounds: 'part of a topic name',
      pattern: TOPIC_NAME,
    }),
    '.quarantine',
  ),
  createTopics: withDefault(
    flag({ about: 'Whether missing reference and quarantine topics are created.' }),
    true,
  ),
  replicationFactor: withDefault(
    count({
      about: "Copies of each created topic. -1 is the broker's default.",
      unit: 'copies',
      min: -1,
      max: 32_767,
      bounds: '-1, or 1 to 32767',
    }).refine((value) => value !== 0, 'must be -1 or at least 1'),
    -1,
  ),
  lanes: withDefault(
    count({
      about:
        'Fixed shares of the source partitions, one transactional id each. Same in every process.',
      unit: 'lanes',
      min: 1,
      max: 1024,
    }),
    4,
  ),
  sessionTimeoutMs: withDefault(
    durationMs({
      about: 'How long the group waits for a silent process before it gives its partitions away.',
      min: 6 * SECOND_MS,
      max: 30 * MINUTE_MS,
    }),
    30 * SECOND_MS,
  ),
  heartbeatIntervalMs: withDefault(
    durationMs({
      about: 'How often this process tells the group that it lives.',
      min: 100,
      max: 10 * MINUTE_MS,
    }),
    3 * SECOND_MS,
  ),
  transactionTimeoutMs: withDefault(
    durationMs({
      about: 'After this the broker aborts an open transaction.',
      min: 10 * SECOND_MS,
      max: 15 * MINUTE_MS,
    }),
    60 * SECOND_MS,
  ),
  fetchBytesMax: withDefault(
    bytes({
      about: 'Most bytes of the fetches under way, over all brokers.',
      min: 64 * KIB,
      max: 1024 * MIB,
    }),
    16 * MIB,
  ),
  fetchBytesPerPartitionMax: withDefault(
    bytes({ about: 'Most bytes of one partition in one fetch.', min: 64 * KIB, max: 256 * MIB }),
    4 * MIB,
  ),
  fetchBytesMin: withDefault(
    bytes({
      about: 'A fetch with less waits for more, up to fetchWaitMs: few large fetches cost less.',
      min: 1,
      max: 64 * MIB,
    }),
    256 * KIB,
  ),
  fetchWaitMs: withDefault(
    durationMs({
      about: 'How long the broker may hold a fetch that has less than fetchBytesMin.',
      min: 1,
      max: 30 * SECOND_MS,
    }),
    100,
  ),
  requestTimeoutMs: requestTimeoutMs(30 * SECOND_MS),
})
