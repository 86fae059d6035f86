import {
  choice,
  count,
  flag,
  list,
  optional,
  required,
  section,
  text,
  withDefault,
} from './leaves.ts'
import {
  BUCKET_NAME,
  KEYSPACE_NAME,
  OBJECT_PREFIX,
  refuseContactPoint,
  refuseLongPrefix,
} from './rules.ts'

import {
  accessKeyId,
  allowPlainHttp,
  caFile,
  endpoint,
  region,
  requestTimeoutMs,
  SECOND_MS,
  secretAccessKey,
  tlsEnabled,
} from './shared-keys.ts'

export const s3 = section('Where segments are stored.', {
  endpoint: endpoint('S3', 'http://127.0.0.1:7070'),
  allowPlainHttp,
  region,
  bucket: required(
    text({
      about: 'Bucket of the segments. It must exist.',
      bounds: 'bucket name',
      pattern: BUCKET_NAME,
    }),
    'sealstream',
  ),
  prefix: withDefault(
    text({
      about: 'What every object key begins with.',
      bounds: 'no slash at either end, at most 512 characters',
      pattern: OBJECT_PREFIX,
      refuse: refuseLongPrefix,
    }),
    'sealstream',
  ),
  forcePathStyle: optional(
    flag({ about: 'Whether the bucket goes into the path and not into the host name.' }),
    'true when endpoint is set',
    'true',
  ),
  accessKeyId,
  secretAccessKey,
  requestTimeoutMs: requestTimeoutMs(30 * SECOND_MS),
})

export const cassandra = section('Where the mapping from DEK to message is stored.', {
  contactPoints: required(
    list({
      about: 'Nodes to begin with.',
      bounds: 'host or host:port each',
      lengthMin: 1,
      refuse: refuseContactPoint,
    }),
    '["127.0.0.1:9042"]',
  ),
  localDatacenter: withDefault(text({ about: 'Data centre whose nodes are used.' }), 'datacenter1'),
  tls: section('Encryption of the connections to the nodes.', { enabled: tlsEnabled, caFile }),
  username: optional(
    text({ about: 'Name of the Cassandra user. Goes with password.' }),
    'no credentials',
    'sealstream',
  ),
  password: optional(
    text({ about: 'Password of the Cassandra user. Goes with username.', secret: true }),
    'no credentials',
    'change-me',
  ),
  keyspace: withDefault(
    text({ about: 'Keyspace of the tables.', bounds: 'keyspace name', pattern: KEYSPACE_NAME }),
    'sealstream',
  ),
  createSchema: withDefault(
    flag({ about: 'Whether a missing keyspace and missing tables are created.' }),
    true,
  ),
  replicationFactor: withDefault(
    count({
      about: 'Copies of a row when the keyspace is created.',
      unit: 'copies',
      min: 1,
      max: 32,
    }),
    3,
  ),
  requestTimeoutMs: requestTimeoutMs(12 * SECOND_MS),
})

export const mapping = section('How the mapping is written, and what look-ups find it by.', {
  mode: withDefault(
    choice(['rows', 'runs'], {
      about:
        'A row a message, which any CQL client can query; or packed runs, a fraction of the load and the disk. Look-ups read both.',
    }),
    'rows',
  ),
  messageIdHeader: optional(
    text({
      about:
        'Name of the header with the id that producers give a message, so that impact --message-id finds it. Costs one more row a message. Whoever reads the tables can try out ids (docs/threat-model.md).',
    }),
    'ids are not kept',
    'message-id',
  ),
})
