import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig, parseConfig } from '../../../src/config/load-config.ts'
import { isSealError } from '../../../src/errors.ts'
import { MINIMAL, parseTree, refusalOf } from './sample.ts'

describe('an accepted configuration', () => {
  it('fills in every default', () => {
    const { config, warnings } = parseConfig(MINIMAL, {}, 'test.yaml')
    expect(warnings).toEqual([])
    expect(config.kafka).toMatchObject({
      groupId: 'sealstream',
      lanes: 4,
      sessionTimeoutMs: 30_000,
    })
    expect(config.window).toEqual({
      ageMs: 3_600_000,
      messagesMax: 100_000_000,
      bytesMax: 64 * 1024 ** 3,
      outageFactor: 4,
      reserve: 0,
    })
    expect(config.http).toEqual({ enabled: true, host: '127.0.0.1', port: 9464 })
    expect(config.kafka).not.toHaveProperty('sasl')
  })

  it('is frozen at every depth', () => {
    const { config } = parseConfig(MINIMAL, {}, 'test.yaml')
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      expect(Object.isFrozen(value)).toBe(true)
      Object.values(value).forEach(walk)
    }
    walk(config)
  })

  it('uses path style with an endpoint of its own, unless told otherwise', () => {
    const endpoint = { 's3.endpoint': 'http://127.0.0.1:7070' }
    expect(parseTree({}).config.s3.forcePathStyle).toBe(false)
    expect(parseTree(endpoint).config.s3.forcePathStyle).toBe(true)
    expect(parseTree({ ...endpoint, 's3.forcePathStyle': false }).config.s3.forcePathStyle).toBe(
      false,
    )
  })
})

describe('a refused configuration', () => {
  it('lists all problems at once, each with its path', () => {
    const refusal = refusalOf(() =>
      parseTree({
        'kafka.brokers': ['nowhere'],
        'kafka.lanes': 0,
        's3.bucket': undefined,
        'kms.keyId': 'alias/orders',
        'part.bytesMax': '8MB',
        'log.level': 'loud',
      }),
    )
    expect(refusal).toContain('test.yaml is refused for 6 reasons')
    expect(refusal).toContain('kafka.brokers.0: must be host:port')
    expect(refusal).toContain('kafka.lanes: must be a whole number from 1 to 1024')
    expect(refusal).toContain('s3.bucket: is required')
    expect(refusal).toContain('kms.keyId: must not be an alias, which can point to another key')
    expect(refusal).toContain('part.bytesMax: has a decimal unit, write MiB')
    expect(refusal).toContain('log.level: must be one of trace, debug')
  })

  it('is a SealError of its own code, on one line', () => {
    try {
      parseTree({ 'kafka.lanes': 0, 'kafka.topics': [] })
      expect.unreachable()
    } catch (error) {
      expect(isSealError(error, 'SEAL_CONFIG_INVALID')).toBe(true)
      expect((error as Error).message).not.toContain('\n')
    }
  })

  it.each([
    ['kafka.groupID', 'kafka.groupID: unknown key, did you mean groupId?'],
    ['windw', 'windw: unknown key, did you mean window?'],
    ['kafka.tls.cafile', 'kafka.tls.cafile: unknown key, did you mean caFile?'],
    ['brokers', 'brokers: unknown key, did you mean kafka.brokers?'],
    ['kafka.zzzzzz', 'kafka.zzzzzz: unknown key'],
    ['toString', 'toString: unknown key'],
  ])('names the unknown key %s and the likely one', (path, problem) => {
    expect(refusalOf(() => parseTree({ [path]: 1 }))).toBe(`test.yaml is refused: ${problem}`)
  })

  it.each([
    ['kafka', 'text', 'kafka: must be a section of keys'],
    ['log', null, 'log: must be a section of keys'],
    ['kafka.topics', 'orders', 'kafka.topics: must be a list'],
    ['kafka.topics', [7], 'kafka.topics.0: must be text'],
    ['kafka.topics', ['a', 'b', 'a'], 'kafka.topics.2: is the same as entry 0'],
    ['kafka.topics', ['a/b'], 'kafka.topics.0: must hold only letters'],
    ['kafka.topics', ['x'.repeat(250)], 'kafka.topics.0: must have at most 249'],
    ['kafka.topics', [], 'kafka.topics: must have at least one entry'],
    ['kafka.groupId', '', 'kafka.groupId: must not be empty'],
    ['kafka.groupId', '  ', 'kafka.groupId: must not be empty'],
    ['kafka.groupId', 5, 'kafka.groupId: must be text'],
    ['kafka.createTopics', 'yes', 'kafka.createTopics: must be true or false'],
    ['kafka.replicationFactor', 0, 'kafka.replicationFactor: must be -1 or at least 1'],
    ['kafka.lanes', '4', 'kafka.lanes: must be a whole number'],
    ['kafka.lanes', 1.5, 'kafka.lanes: must be a whole number'],
    ['kafka.brokers', ['a:0'], 'kafka.brokers.0: must have a port'],
    ['kafka.brokers', ['a:70000'], 'kafka.brokers.0: must have a port'],
    ['kafka.sasl', { mechanism: 'gssapi' }, 'kafka.sasl.username: is required'],
    ['s3.prefix', '/a', 's3.prefix: must be names joined by single slashes'],
    ['s3.prefix', 'a/', 's3.prefix: must be names joined by single slashes'],
    ['s3.bucket', 'No', 's3.bucket: must be a bucket name'],
    ['s3.endpoint', 'ftp://x', 's3.endpoint: must be an http or https URL'],
    ['s3.endpoint', 'https://u:p@x', 's3.endpoint: must not hold credentials'],
    ['kms.keyId', 'arn:aws:kms:eu-west-1:1:alias/x', 'kms.keyId: must not be an alias'],
    ['kms.allowedKeyIds', ['alias/x'], 'kms.allowedKeyIds.0: must not be an alias'],
    ['window.ageMs', '25h', 'window.ageMs: must be 100ms to 24h'],
    ['window.messagesMax', 2 ** 32, 'window.messagesMax: must be a whole number'],
    ['segment.messagesMax', 2 ** 20 + 1, 'segment.messagesMax: must be a whole number'],
    ['part.bytesMax', '4MiB', 'part.bytesMax: must be 5MiB to 64MiB'],
    ['message.bytesMax', '65MiB', 'message.bytesMax: must be 1KiB to 64MiB'],
    ['http.port', 65_536, 'http.port: must be a whole number'],
  ])('refuses %s = %j', (path, value, problem) => {
    expect(refusalOf(() => parseTree({ [path]: value }))).toContain(problem)
  })

  it('names what is required when the file is empty', () => {
    const refusal = refusalOf(() => parseConfig('', {}, 'test.yaml'))
    for (const path of ['kafka.brokers', 'kafka.topics', 's3.bucket', 'cassandra.contactPoints']) {
      expect(refusal).toContain(`${path}: is required`)
    }
  })
})

describe('the file', () => {
  it('is the one given, else that of SEALSTREAM_CONFIG', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'sealstream-')), 'a.yaml')
    writeFileSync(file, MINIMAL)
    expect(loadConfig({ file, env: {} }).config.s3.bucket).toBe('sealed-data')
    expect(loadConfig({ env: { SEALSTREAM_CONFIG: file } }).config.s3.bucket).toBe('sealed-data')
  })

  it('is named with the way out when it is missing', () => {
    expect(refusalOf(() => loadConfig({ file: 'none.yaml', env: {} }))).toBe(
      'the configuration is refused: none.yaml: no such file, name one with --config or SEALSTREAM_CONFIG',
    )
  })

  it('is named when it is a directory', () => {
    expect(refusalOf(() => loadConfig({ file: tmpdir(), env: {} }))).toContain('EISDIR')
  })
})
