import { errors, types } from 'cassandra-driver'
import { describe, expect, test } from 'vitest'
import { mappingFailure } from '../../../../src/adapters/cassandra/failures.ts'
import { SealError } from '../../../../src/errors.ts'

const place = { endpoints: ['cas1:9042'], localDatacenter: 'dc1', keyspace: 'sealstream' }
const codes = types.responseErrorCodes
const answer = (code: number, message = 'said the node') => new errors.ResponseError(code, message)

describe('what may pass by itself is unavailable and retryable', () => {
  test.each([
    ['no host', new errors.NoHostAvailableError({ 'cas1:9042': new Error('ECONNREFUSED') })],
    ['a request that timed out', new errors.OperationTimedOutError('12000 ms')],
    ['too few replicas', answer(codes.unavailableException)],
    ['an overloaded node', answer(codes.overloaded)],
    ['a write timeout', answer(codes.writeTimeout)],
    ['a read timeout', answer(codes.readTimeout)],
    ['a socket that broke', new Error('Socket was closed')],
  ])('%s', (_, error) => {
    const failure = mappingFailure(error, place)
    expect(failure).toMatchObject({ code: 'SEAL_MAPPING_UNAVAILABLE', retryable: true })
    expect(failure.message).toContain('cas1:9042')
  })
})

describe('what somebody must change is refused, and the message names the way out', () => {
  test.each([
    ['wrong credentials', new errors.AuthenticationError('no'), 'cassandra.username'],
    ['credentials the node rejects', answer(codes.badCredentials), 'cassandra.username'],
    ['missing rights', answer(codes.unauthorized), 'grant the role'],
    [
      'a missing keyspace',
      answer(codes.invalid, "Keyspace 'sealstream' does not exist"),
      'cassandra.createSchema',
    ],
    [
      'a missing table',
      answer(codes.invalid, 'table deks does not exist'),
      'cassandra.createSchema',
    ],
    [
      'a wrong datacenter',
      new errors.ArgumentError('Datacenter dc1 was not found. Available DCs are: [eu]'),
      'cassandra.localDatacenter',
    ],
    ['a syntax error', answer(codes.syntaxError), 'said the node'],
    [
      'a refusal behind silence of other nodes',
      new errors.NoHostAvailableError({
        a: new Error('off'),
        b: new errors.AuthenticationError(''),
      }),
      'cassandra.password',
    ],
  ])('%s', (_, error, wayOut) => {
    const failure = mappingFailure(error, place)
    expect(failure).toMatchObject({ code: 'SEAL_MAPPING_REFUSED', retryable: false })
    expect(failure.message).toContain(wayOut)
    expect(failure.message).not.toContain('\n')
  })
})

test('an error of sealstream passes as it is', () => {
  const error = new SealError('SEAL_INPUT_INVALID', 'x')
  expect(mappingFailure(error, place)).toBe(error)
})
