import { describe, expect, it } from 'vitest'
import { parseTree, refusalOf } from './sample.ts'

const GCP_KEY = 'projects/p/locations/l/keyRings/r/cryptoKeys/k'
const GCP = { 'kms.provider': 'gcp', 'kms.keyId': GCP_KEY, 'kms.gcp.allowPlainHttp': false }
const VAULT = {
  'kms.provider': 'vault',
  'kms.keyId': 'orders',
  'kms.vault.address': 'https://vault.internal:8200',
  'kms.vault.tokenFile': '/run/secrets/vault-token',
}
const AZURE_KEY = 'https://seal.vault.azure.net/keys/orders'
const AZURE = {
  'kms.provider': 'azure',
  'kms.keyId': AZURE_KEY,
  'kms.azure.algorithm': 'RSA-OAEP-256',
}

describe('values that do not go together', () => {
  it.each([
    [
      { 'keyDomain.header': 'tenant' },
      'keyDomain.header: is given, but keyDomain.by is not header',
    ],
    [
      { 'keyDomain.fallback': 'shared' },
      'keyDomain.fallback: is given, but keyDomain.by is not header',
    ],
    [
      { 'keyDomain.keks': ['orderz=1234abcd-12ab-34cd-56ef-1234567890ab'] },
      'keyDomain.keks.0: names a domain that is none of kafka.topics',
    ],
    [
      { 'window.reserve': 1000, 'memory.deksMax': 16 },
      'window.reserve: must be well below memory.deksMax',
    ],
    [{ 'kafka.heartbeatIntervalMs': '11s' }, 'kafka.heartbeatIntervalMs: must be at most a third'],
    [
      { 'kafka.fetchWaitMs': '2s', 'kafka.requestTimeoutMs': '2s' },
      'kafka.fetchWaitMs: must be below',
    ],
    [
      { 'window.ageMs': '1s', 'segment.ageMs': '2s' },
      'window.ageMs: must be at least segment.ageMs (2s)',
    ],
    [{ 'segment.bytesMax': '7MiB' }, 'segment.bytesMax: must be at least part.bytesMax (8MiB)'],
    [
      { 'memory.inFlightBytesMax': '15MiB', 'message.bytesMax': '1MiB' },
      'at least twice part.bytesMax (16MiB)',
    ],
    [{ 'memory.inFlightBytesMax': '16MiB' }, 'at least message.bytesMax and 1MiB (17MiB)'],
    [{ 'kafka.fetchBytesMax': '1MiB' }, 'kafka.fetchBytesMax: must be at least'],
    [{ 's3.accessKeyId': 'a' }, 's3.secretAccessKey: is required beside accessKeyId'],
    [{ 'kms.aws.secretAccessKey': 'a' }, 'kms.aws.accessKeyId: is required beside secretAccessKey'],
    [{ 'cassandra.username': 'a' }, 'cassandra.password: is required beside username'],
    [
      { 'kafka.tls.enabled': true, 'kafka.tls.keyFile': 'k' },
      'kafka.tls.certFile: is required beside keyFile',
    ],
    [{ 'cassandra.tls.caFile': 'k' }, 'cassandra.tls.caFile: is given, but tls.enabled is false'],
    [{ 'kafka.topics': ['a.sealed'] }, 'kafka.topics.0: must not end in .sealed'],
    [{ 'kafka.topics': ['ok', 'a.quarantine'] }, 'kafka.topics.1: must not end in .quarantine'],
    [{ 'kafka.topics': ['x'.repeat(240)] }, 'kafka.topics.0: is too long'],
    [{ 'kafka.referenceTopicSuffix': '.x', 'kafka.quarantineTopicSuffix': '.x' }, 'must differ'],
    [
      { 'kms.aws.endpoint': 'http://kms.internal:4566' },
      'kms.aws.endpoint: is plain http to another machine',
    ],
    [{ 'kms.provider': 'vault' }, 'kms.vault: is required beside provider: vault'],
    [{ ...VAULT, 'kms.vault.tokenFile': undefined }, 'kms.vault.tokenFile: or token is required'],
    [
      { ...VAULT, 'kms.vault.address': 'http://vault.internal:8200' },
      'kms.vault.address: is plain http to another machine',
    ],
    [{ ...VAULT, 'kms.vault.mount': '/transit' }, 'kms.vault.mount: must be names joined by'],
    [{ ...VAULT, 'kms.vault.mount': 'a/../b' }, 'kms.vault.mount: must be names joined by'],
    [{ ...VAULT, 'kms.vault.namespace': 'a b' }, 'kms.vault.namespace: must hold visible ASCII'],
    [{ ...VAULT, 'kms.keyId': 'transit/orders.' }, 'kms.keyId: must be the name of a Transit key'],
    [{ ...VAULT, 'kms.keyId': 'a/../orders' }, 'kms.keyId: must be the name of a Transit key'],
    [{ ...VAULT, 'kms.allowedKeyIds': ['a//b'] }, 'kms.allowedKeyIds.0: must be the name of a'],
    [{ 'kms.provider': 'gcp', 'kms.keyId': GCP_KEY }, 'kms.gcp: is required beside provider: gcp'],
    [{ ...GCP, 'kms.keyId': `${GCP_KEY}/cryptoKeyVersions/1` }, 'kms.keyId: must be projects/P'],
    [
      { ...GCP, 'kms.gcp.endpoint': 'https://kms.internal/v1' },
      'kms.gcp.endpoint: must have no path',
    ],
    [
      { ...GCP, 'kms.gcp.endpoint': 'http://kms.internal' },
      'kms.gcp.endpoint: is plain http to another machine',
    ],
    [{ ...AZURE, 'kms.keyId': `${AZURE_KEY}/0123` }, 'kms.keyId: must be https://VAULT/keys/NAME'],
    [{ ...AZURE, 'kms.azure.tenantId': 'a' }, 'kms.azure.clientId: is required beside tenantId'],
    [{ ...AZURE, 'kms.azure.algorithm': 'A256GCM' }, 'kms.azure.algorithm: must be RSA-OAEP-256'],
    [{ 's3.endpoint': 'http://10.0.0.7' }, 's3.endpoint: is plain http to another machine'],
  ])('are refused: %j', (changes, problem) => {
    expect(refusalOf(() => parseTree(changes))).toContain(problem)
  })

  it.each([
    { 'kafka.heartbeatIntervalMs': '10s' },
    { 'window.ageMs': '1s' },
    { 'segment.bytesMax': '8MiB' },
    { 'memory.inFlightBytesMax': '17MiB' },
    { 'kafka.fetchBytesMax': '4MiB' },
    { 'kafka.topics': ['x'.repeat(238)] },
    { 'kms.aws.endpoint': 'https://kms.internal' },
    { 'kms.aws.endpoint': 'http://kms.internal', 'kms.aws.allowPlainHttp': true },
    { 's3.endpoint': 'http://localhost:7070' },
    VAULT,
    { ...VAULT, 'kms.keyId': 'team/transit/orders.v2', 'kms.vault.mount': 'team/transit' },
    { ...VAULT, 'kms.vault.address': 'http://127.0.0.1:8200', 'kms.vault.namespace': 'a/b' },
    GCP,
    { ...GCP, 'kms.gcp.endpoint': 'https://kms.internal' },
    { ...GCP, 'kms.gcp.endpoint': 'http://127.0.0.1:9010/' },
    AZURE,
    {
      ...AZURE,
      'kms.azure.algorithm': 'A256GCM',
      'kms.keyId': 'https://seal.managedhsm.azure.net/keys/orders',
    },
    { 's3.endpoint': 'http://[::1]:7070' },
  ])('are accepted at the edge: %j', (changes) => {
    expect(refusalOf(() => parseTree(changes))).toBe('')
  })
})

describe('connections that others can read', () => {
  it.each([
    [{ 'kafka.brokers': ['kafka-1:9092'] }, 'kafka.tls.enabled'],
    [{ 'cassandra.contactPoints': ['10.1.2.3'] }, 'cassandra.tls.enabled'],
    [{ 'http.host': '0.0.0.0' }, 'http.host'],
  ])('are accepted with a warning: %j', (changes, path) => {
    const { warnings } = parseTree(changes)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(new RegExp(`^${path}: `))
  })

  it('bring no warning on this machine or with TLS', () => {
    const quiet = {
      'kafka.brokers': ['kafka-1:9092'],
      'kafka.tls.enabled': true,
      'cassandra.contactPoints': ['[::1]:9042', 'localhost'],
    }
    expect(parseTree(quiet).warnings).toEqual([])
  })

  it('bring a second warning when the password crosses too', () => {
    const sasl = { mechanism: 'plain', username: 'u', password: 'p' }
    const { warnings } = parseTree({ 'kafka.brokers': ['kafka-1:9092'], 'kafka.sasl': sasl })
    expect(warnings.map((warning) => warning.split(':')[0])).toEqual([
      'kafka.tls.enabled',
      'kafka.sasl.mechanism',
    ])
  })
})
