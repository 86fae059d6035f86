import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { variableOf } from '../../../src/config/environment.ts'
import { configLeaves } from '../../../src/config/walk.ts'
import { parseTree, refusalOf } from './sample.ts'

describe('variables', () => {
  it('are named after the path of their key', () => {
    expect(variableOf(['kafka', 'groupId'])).toBe('SEALSTREAM_KAFKA_GROUP_ID')
    expect(variableOf(['kafka', 'tls', 'caFile'])).toBe('SEALSTREAM_KAFKA_TLS_CA_FILE')
    expect(variableOf(['s3', 'secretAccessKey'])).toBe('SEALSTREAM_S3_SECRET_ACCESS_KEY')
  })

  it('are different for different keys', () => {
    const names = configLeaves.map((leaf) => variableOf(leaf.path))
    expect(new Set(names).size).toBe(names.length)
  })

  it.each([
    ['kafka.groupId', 'SEALSTREAM_KAFKA_GROUP_ID', fc.stringMatching(/^[a-z0-9 -]*[a-z]$/)],
    ['kafka.lanes', 'SEALSTREAM_KAFKA_LANES', fc.integer({ min: -2, max: 1100 })],
    [
      'kafka.replicationFactor',
      'SEALSTREAM_KAFKA_REPLICATION_FACTOR',
      fc.integer({ min: -2, max: 3 }),
    ],
    ['segment.ageMs', 'SEALSTREAM_SEGMENT_AGE_MS', fc.constantFrom('250ms', '2s', 500, '1d', '2h')],
    ['part.bytesMax', 'SEALSTREAM_PART_BYTES_MAX', fc.constantFrom('6MiB', '8MB', 6_000_000, 7)],
    ['http.enabled', 'SEALSTREAM_HTTP_ENABLED', fc.constantFrom(true, false, 'yes')],
    ['log.level', 'SEALSTREAM_LOG_LEVEL', fc.constantFrom('debug', 'fatal', 'loud')],
    [
      'kafka.topics',
      'SEALSTREAM_KAFKA_TOPICS',
      fc.array(fc.stringMatching(/^[a-c]{1,2}$/), { maxLength: 4 }),
    ],
    ['s3.bucket', 'SEALSTREAM_S3_BUCKET', fc.constantFrom('bucket-2', '', 'x')],
  ])('say what the file says: %s', (path, variable, values: fc.Arbitrary<unknown>) => {
    const outcomeOf = (parse: () => unknown) => {
      let parsed: unknown
      const refusal = refusalOf(() => {
        parsed = parse()
      })
      return refusal === '' ? parsed : refusal
    }
    fc.assert(
      fc.property(values, (value) => {
        const fromFile = outcomeOf(() => parseTree({ [path]: value }))
        const fromEnvironment = outcomeOf(() => parseTree({}, { [variable]: String(value) }))
        expect(fromEnvironment).toEqual(fromFile)
      }),
      { numRuns: 30 },
    )
  })

  it('win over the file', () => {
    const { config } = parseTree({ 'kafka.lanes': 8 }, { SEALSTREAM_KAFKA_LANES: '2' })
    expect(config.kafka.lanes).toBe(2)
  })

  it('can make a section that the file does not have', () => {
    const { config } = parseTree(
      {},
      {
        SEALSTREAM_KAFKA_SASL_MECHANISM: 'scram-sha-512',
        SEALSTREAM_KAFKA_SASL_USERNAME: 'u',
        SEALSTREAM_KAFKA_SASL_PASSWORD: ' p ',
      },
    )
    expect(config.kafka.sasl).toEqual({
      mechanism: 'scram-sha-512',
      username: 'u',
      password: ' p ',
    })
  })

  it('take spaces around the entries of a list', () => {
    const { config } = parseTree({}, { SEALSTREAM_KAFKA_BROKERS: 'localhost:1, localhost:2' })
    expect(config.kafka.brokers).toEqual(['localhost:1', 'localhost:2'])
  })

  it('are refused when no key has their name', () => {
    expect(refusalOf(() => parseTree({}, { SEALSTREAM_KAFKA_GROUPID: 'x' }))).toBe(
      'test.yaml is refused: SEALSTREAM_KAFKA_GROUPID: unknown variable, did you mean SEALSTREAM_KAFKA_GROUP_ID?',
    )
  })

  it('of other programs are left alone', () => {
    const others = {
      HOME: '/',
      SEALSTREAM_STACK_DIR: 'x',
      SEALSTREAM_PARTS: 'kafka',
      SEALSTREAM_CONFIG: 'a.yaml',
      SEALSTREAM_FAILPOINT: 'before-commit:exit',
    }
    expect(refusalOf(() => parseTree({}, others))).toBe('')
  })

  it('do not repair a section of the wrong type', () => {
    expect(refusalOf(() => parseTree({ log: 'x' }, { SEALSTREAM_LOG_LEVEL: 'info' }))).toContain(
      'log: must be a section of keys',
    )
  })
})
