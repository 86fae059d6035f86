import { count, flag, list, optional, required, section, text, withDefault } from './leaves.ts'
import {
  BUCKET_NAME,
  KEYSPACE_NAME,
  OBJECT_PREFIX,
  refuseContactPoint,
  refuseEndpoint,
  refuseKeyId,
} from './rules.ts'

import { caFile, requestTimeoutMs, SECOND_MS, tlsEnabled } from './shared-keys.ts'

const endpoint = (service: string, example: string) =>
  optional(
    text({
      about: `Address of the ${service} service.`,
      bounds: 'http or https URL',
      refuse: refuseEndpoint,
    }),
    'AWS',
    example,
  )

const allowPlainHttp = withDefault(
  flag({
    about: 'Lets the endpoint be http on another machine. Credentials then travel readable.',
  }),
  false,
)

const region = withDefault(text({ about: 'AWS region.' }), 'us-east-1')

const accessKeyId = optional(
  text({ about: 'Access key id. Goes with secretAccessKey.' }),
  'the AWS default chain',
  'AKIAIOSFODNN7EXAMPLE',
)

const secretAccessKey = optional(
  text({ about: 'Secret access key. Goes with accessKeyId.', secret: true }),
  'the AWS default chain',
  'change-me',
)

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
      bounds: 'no slash at either end',
      pattern: OBJECT_PREFIX,
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

export const kms = section('The key management service that holds the KEK.', {
  keyId: required(
    text({
      about: 'KEK that wraps new DEKs.',
      bounds: 'key id or ARN, no alias',
      refuse: refuseKeyId,
    }),
    '1234abcd-12ab-34cd-56ef-1234567890ab',
  ),
  allowedKeyIds: withDefault(
    list({
      about: 'More KEKs whose DEKs a reader opens; keyId is always allowed.',
      bounds: 'key ids or ARNs, no alias',
      lengthMin: 0,
      refuse: refuseKeyId,
    }),
    [],
  ),
  endpoint: endpoint('KMS', 'http://127.0.0.1:4566'),
  allowPlainHttp,
  region,
  accessKeyId,
  secretAccessKey,
  requestTimeoutMs: requestTimeoutMs(10 * SECOND_MS),
})
