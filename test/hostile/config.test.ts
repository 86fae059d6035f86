import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig, parseConfig } from '../../src/config/load-config.ts'
import { isSealError, messageOf } from '../../src/errors.ts'
import { PART_BYTES_MIN, SEGMENT_BYTES_MAX } from '../../src/limits.ts'
import { MINIMAL, parseTree, refusalOf } from '../unit/config/sample.ts'

const SECRET = 'hunter2'
const KEK = '1234abcd-12ab-34cd-56ef-1234567890ab'
const OTHER_KEK = '5678abcd-12ab-34cd-56ef-1234567890ab'
const KEK_ARN = `arn:aws:kms:us-east-1:111122223333:key/${OTHER_KEK}`
const folder = mkdtempSync(join(tmpdir(), 'sealstream-hostile-'))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The refusal of a file with this text behind a configuration that is fine. */
const refusalOfText = (yaml: string) =>
  refusalOf(() => parseConfig(`${MINIMAL}${yaml}`, {}, 'test.yaml'))

/** Nine levels of ten aliases each: a billion entries when written out. */
const aliasBomb = [
  'a: &a [x, x, x, x, x, x, x, x, x, x]',
  ...[...'bcdefghi'].map((name, i) => {
    const before = `*${'abcdefgh'[i]}`
    return `${name}: &${name} [${Array(10).fill(before).join(', ')}]`
  }),
].join('\n')

describe('a configuration file', () => {
  it.each([
    [
      'a key twice',
      'log: {level: info}\nlog: {level: warn}',
      'line 7, column 1: duplicate key log',
    ],
    ['a key twice in braces', 'log: {level: info, level: warn}', 'duplicate key level'],
    ['a key twice, once in quotes', 'log: {level: info, "level": warn}', 'duplicate key level'],
    ['an unknown key', 'logs: {}', 'logs: unknown key, did you mean log?'],
    ['a key of the prototype', '__proto__: {groupId: x}', '__proto__: unknown key'],
    ['a merge key', 'log: {<<: {level: warn}}', 'log.<<: unknown key'],
    ['a number that is none', 'window: {ageMs: .nan}', 'window.ageMs: must be'],
    ['an endless number', 'workers: {threads: .inf}', 'workers.threads: must be a whole number'],
    ['a number beyond 2^53', 'workers: {threads: 9007199254740993}', 'workers.threads: must be'],
    ['a tag of a program', 'log: !!js/function x', 'not valid YAML (tag resolve failed)'],
    ['a tag of its own', 'log: !level {level: warn}', 'not valid YAML (tag resolve failed)'],
    ['an alias that leads nowhere', 'a: *nowhere', 'has an alias that leads nowhere'],
    ['a billion laughs', aliasBomb, 'aliases that grow without end'],
    ['an alias to itself', 'log: &a {level: *a}', 'log.level: must be one of'],
    ['brackets that do not end', 'a: [1', 'not valid YAML'],
    ['3,000 brackets', `log: ${'['.repeat(3_000)}${']'.repeat(3_000)}`, '(resource exhaustion)'],
    ['a second document', '---\nlog: {}', 'not valid YAML (multiple docs)'],
    ['a zero byte', '\u0000', 'not valid YAML'],
    [
      'a list of unknown keys',
      `${Array.from({ length: 300 }, (_, i) => `k${i}: 1`).join('\n')}`,
      'and 200 more',
    ],
  ])('with %s is refused', (_what, yaml, problem) => {
    expect(refusalOfText(yaml)).toContain(problem)
  })

  it.each([
    ['nothing', '', 'kafka.brokers: is required'],
    ['a list', '- a', 'the file: must be a section of keys'],
    ['a bare word', SECRET, 'the file: must be a section of keys'],
  ])('of %s is refused', (_what, yaml, problem) => {
    const refusal = refusalOf(() => parseConfig(yaml, {}, 'test.yaml'))
    expect(refusal).toContain(problem)
    expect(refusal).not.toContain(SECRET)
  })

  it.each<[string, Uint8Array | string, string]>([
    ['more than 1 MiB', '#'.repeat(1024 * 1024 + 1), 'is more than 1MiB'],
    ['latin1', Buffer.from(`${MINIMAL}log: {level: "\xe9"}`, 'latin1'), 'is not UTF-8'],
    ['UTF-16', Buffer.from(MINIMAL, 'utf16le'), 'must be a section of keys'],
  ])('in %s is refused', (what, content, problem) => {
    const file = join(folder, `${what.replace(/\W/g, '')}.yaml`)
    writeFileSync(file, content)
    expect(refusalOf(() => loadConfig({ file, env: {} }))).toContain(problem)
  })

  it('of 1 MiB is read, with a byte order mark before it', () => {
    const file = join(folder, 'long.yaml')
    const comment = Buffer.alloc(1024 * 1024 - MINIMAL.length - 3, '#')
    writeFileSync(file, Buffer.concat([Buffer.from(`\ufeff${MINIMAL}`), comment]))
    expect(loadConfig({ file, env: {} }).config.s3.bucket).toBe('sealed-data')
  })

  it.runIf(existsSync('/dev/zero'))('that never ends is refused', () => {
    expect(refusalOf(() => loadConfig({ file: '/dev/zero', env: {} }))).toContain('more than 1MiB')
  })
})

describe('a value', () => {
  it.each([
    ['kafka.lanes', '4', 'must be a whole number from 1 to 1024'],
    ['kafka.lanes', -1, 'must be a whole number from 1 to 1024'],
    ['kafka.lanes', 2 ** 53, 'must be a whole number from 1 to 1024'],
    ['kafka.lanes', true, 'must be a whole number from 1 to 1024'],
    ['kafka.groupId', '', 'must not be empty'],
    ['kafka.groupId', 7, 'must be text'],
    ['kafka.groupId', 'a\u001b[2Jb', 'must not hold control characters'],
    ['kafka.clientId', 'a\nb', 'must not hold control characters'],
    ['kafka.brokers', 'a:1', 'must be a list'],
    ['part.bytesMax', '8', 'must be a size such as 64KiB'],
    ['part.bytesMax', '8MB', 'has a decimal unit, write MiB'],
    ['part.bytesMax', '8mib', 'must be a size such as'],
    ['part.bytesMax', '-8MiB', 'must be a size such as'],
    ['part.bytesMax', '0.3B', 'must be a size such as'],
    ['part.bytesMax', '99999999999999999999TiB', 'must be a size such as'],
    ['window.ageMs', '10', 'must be a duration such as'],
    ['window.ageMs', 0, 'must be 100ms to 24h'],
    ['window.ageMs', '24.001h', 'must be'],
    ['window.messagesMax', 0, 'must be a whole number from 1'],
    ['window.messagesMax', 2 ** 32, 'must be a whole number from 1'],
    ['window.bytesMax', 0, 'must be 1B to 1TiB'],
    ['window.outageFactor', 0, 'must be a whole number from 1 to 24'],
    ['window.outageFactor', 25, 'must be a whole number from 1 to 24'],
    ['segment.bytesMax', '4MiB', 'must be 5MiB to 4GiB'],
    ['segment.bytesMax', '4.5GiB', 'must be 5MiB to 4GiB'],
    ['part.bytesMax', '4MiB', 'must be 5MiB to 64MiB'],
    ['kafka.transactionTimeoutMs', '16m', 'must be 10s to 15m'],
    ['s3.prefix', 'p'.repeat(513), 'must have at most 512 characters'],
    ['kms.keyId', 'alias/orders', 'must not be an alias'],
    ['kms.keyId', `${KEK}\u0000`, 'must not hold control characters'],
  ])('is refused: %s = %j', (path, value, reason) => {
    expect(refusalOf(() => parseTree({ [path]: value }))).toMatch(`${path}: ${reason}`)
  })

  it.each([
    ['window.messagesMax', 1],
    ['window.messagesMax', 2 ** 32 - 1],
    ['window.ageMs', '24h'],
    ['kafka.transactionTimeoutMs', '15m'],
    ['s3.prefix', 'p'.repeat(512)],
  ])('is taken at the edge: %s = %j', (path, value) => {
    expect(refusalOf(() => parseTree({ [path]: value }))).toBe('')
  })

  it('cannot make more than the 10,000 parts that S3 takes', () => {
    expect(SEGMENT_BYTES_MAX / PART_BYTES_MIN).toBeLessThan(10_000)
  })
})

describe('a variable', () => {
  it.each([
    ['SEALSTREAM_KAFKA_LANES', SECRET, 'kafka.lanes: must be a whole number'],
    ['SEALSTREAM_KAFKA_LANES', '', 'kafka.lanes: must be a whole number'],
    ['SEALSTREAM_KAFKA_LANES', 'NaN', 'kafka.lanes: must be a whole number'],
    ['SEALSTREAM_KAFKA_LANES', '0x10', 'kafka.lanes: must be a whole number'],
    ['SEALSTREAM_KAFKA_LANES', '1e3', 'kafka.lanes: must be a whole number'],
    ['SEALSTREAM_KAFKA_LANES', '9007199254740993', 'kafka.lanes: must be a whole number'],
    ['SEALSTREAM_HTTP_ENABLED', 'TRUE', 'http.enabled: must be true or false'],
    ['SEALSTREAM_HTTP_ENABLED', '', 'http.enabled: must be true or false'],
    ['SEALSTREAM_PART_BYTES_MAX', '8MB', 'part.bytesMax: has a decimal unit'],
    ['SEALSTREAM_S3_SECRET_ACCESS_KEY', '', 's3.secretAccessKey: must not be empty'],
    ['SEALSTREAM_KAFKA_TOPICS', ',', 'kafka.topics.0: must not be empty'],
    ['SEALSTREAM_KAFKA', SECRET, 'SEALSTREAM_KAFKA: unknown variable'],
    ['SEALSTREAM_LOG_LEVLE', SECRET, 'unknown variable, did you mean SEALSTREAM_LOG_LEVEL?'],
  ])('is refused: %s=%s', (name, value, problem) => {
    const refusal = refusalOf(() => parseTree({}, { [name]: value }))
    expect(refusal).toContain(problem)
    expect(refusal).not.toContain(SECRET)
  })
})

describe('values that do not go together', () => {
  it.each([
    ['a segment below one part', { 'segment.bytesMax': '7MiB' }, 'must be at least part.bytesMax'],
    [
      'a heartbeat as long as the session',
      { 'kafka.heartbeatIntervalMs': '30s' },
      'must be at most a third of kafka.sessionTimeoutMs (30s)',
    ],
    [
      'a segment that outlives its window',
      { 'window.ageMs': '1s', 'segment.ageMs': '2s' },
      'window.ageMs: must be at least segment.ageMs',
    ],
    [
      'a topic that is its own output',
      { 'kafka.topics': ['orders', 'orders.sealed'] },
      'kafka.topics.1: must not end in .sealed',
    ],
    [
      'topics whose outputs are the same',
      {
        'kafka.topics': ['a', 'ax'],
        'kafka.referenceTopicSuffix': '-q',
        'kafka.quarantineTopicSuffix': 'x-q',
      },
      'kafka.topics.1: has references where the quarantine of kafka.topics.0 is',
    ],
    [
      'a topic twice',
      { 'kafka.topics': ['a', 'b', 'a'] },
      'kafka.topics.2: is the same as entry 0',
    ],
    [
      'a topic that grows with every commit',
      { 'kafka.topics': ['__consumer_offsets'] },
      "kafka.topics.0: must not be one of Kafka's own topics",
    ],
    [
      'a topic too long for its suffix',
      { 'kafka.topics': ['t'.repeat(249)] },
      'kafka.topics.0: is too long',
    ],
    [
      'a KMS over http',
      { 'kms.aws.endpoint': 'http://kms.internal' },
      'is plain http to another machine, use https or set kms.aws.allowPlainHttp: true',
    ],
    [
      'the KEK of all for a tenant',
      { 'keyDomain.keks': [`orders=${KEK}`] },
      'keyDomain.keks.0: has the KEK of kms.keyId',
    ],
    [
      'one KEK for two tenants',
      {
        'keyDomain.by': 'header',
        'keyDomain.header': 't',
        'keyDomain.keks': [`a=${OTHER_KEK}`, `b=${KEK_ARN}`],
      },
      'keyDomain.keks.1: has the KEK of keyDomain.keks.0, give it one of its own or set keyDomain.allowSharedKeks: true',
    ],
    [
      'a key of another provider',
      { 'kms.endpoint': 'http://127.0.0.1:4566' },
      'kms.endpoint: unknown key, did you mean kms.aws.endpoint?',
    ],
  ])('are refused: %s', (_what, changes, problem) => {
    expect(refusalOf(() => parseTree(changes))).toContain(problem)
  })

  it('are taken where a flag says so', () => {
    const shared = { 'keyDomain.keks': [`orders=${KEK}`], 'keyDomain.allowSharedKeks': true }
    const plain = { 'kms.aws.endpoint': 'http://kms.internal', 'kms.aws.allowPlainHttp': true }
    expect(refusalOf(() => parseTree({ ...shared, ...plain }))).toBe('')
  })

  it.each([
    ['Kafka', { 'kafka.brokers': ['kafka-1:9092'] }, 'kafka.tls.enabled: is false'],
    ['Cassandra', { 'cassandra.contactPoints': ['10.1.2.3'] }, 'cassandra.tls.enabled: is false'],
    ['metrics', { 'http.host': '0.0.0.0' }, 'http.host: is not loopback'],
  ])('are warned of: %s that others on the network can read', (_what, changes, warning) => {
    expect(parseTree(changes).warnings.join()).toContain(warning)
  })
})

describe('the refusal', () => {
  it('never holds a secret, whatever is wrong with its key', () => {
    for (const value of [[SECRET], { [SECRET.length]: SECRET }, 7, null, ` ${SECRET}\u0000`]) {
      const sasl = { mechanism: SECRET, username: ['x'], password: value }
      const changes = { 'kafka.sasl': sasl, 's3.secretAccessKey': value, 'kafka.lanes': SECRET }
      const refusal = refusalOf(() => parseTree(changes))
      expect(refusal).toContain('kafka.sasl.mechanism: must be one of')
      expect(refusal).not.toContain(SECRET)
    }
  })

  it('is one typed error of one line', () => {
    try {
      parseConfig(`${MINIMAL}"a\\nb\\u001b": 1`, {}, 'test.yaml')
      expect.unreachable()
    } catch (error) {
      expect(isSealError(error, 'SEAL_CONFIG_INVALID')).toBe(true)
      expect(messageOf(error)).not.toContain('\n')
    }
  })

  it('ends every command that reads the file with exit code 2', () => {
    const file = join(folder, 'wrong.yaml')
    writeFileSync(file, `kafka: {lanes: ${SECRET}}`)
    const cli = join(import.meta.dirname, '../../src/cli/main.ts')
    for (const args of [['run'], ['config', 'check'], ['keys', 'list']]) {
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        [cli, ...args, '--config', file],
        { env: {}, encoding: 'utf8' },
      )
      expect({ args, status, stdout }).toEqual({ args, status: 2, stdout: '' })
      expect(stderr).toContain('[SEAL_CONFIG_INVALID]')
      expect(stderr).not.toContain(SECRET)
    }
  })
})
