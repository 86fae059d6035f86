import { messageOf, SealError } from '../../errors.ts'

const FENCED = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
])
const REFUSED = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
  'INCONSISTENT_GROUP_PROTOCOL',
  'MESSAGE_TOO_LARGE',
  'INVALID_TOPIC_EXCEPTION',
  'POLICY_VIOLATION',
  'INVALID_REPLICATION_FACTOR',
])

/**
 * What a failure of the Kafka client means to us. `doing` says what was tried, `where` which brokers
 * were asked. Whatever is not known to be final counts as passing: the road then waits.
 */
export function kafkaError(error: unknown, doing: string, where: readonly string[]): SealError {
  if (error instanceof SealError) return error
  const { type, name } = rootOf(error)
  const detail = `${doing}: ${messageOf(error)}`
  if (FENCED.has(type)) {
    return new SealError('SEAL_FENCED', `another process serves this lane now (${detail})`)
  }
  if (type === 'INCONSISTENT_GROUP_PROTOCOL') {
    return new SealError(
      'SEAL_KAFKA_REFUSED',
      'the consumer group has members with another number of lanes; kafka.lanes must be the same in all of them, or use another kafka.groupId',
    )
  }
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
    return new SealError('SEAL_TOPIC_MISSING', `a topic is missing (${detail})`, { cause: error })
  }
  if (REFUSED.has(type) || name.includes('SASL')) {
    return new SealError('SEAL_KAFKA_REFUSED', `Kafka refuses ${detail}`, { cause: error })
  }
  return new SealError(
    'SEAL_KAFKA_UNAVAILABLE',
    `Kafka at ${where.join(', ')} does not answer (${detail})`,
    { retryable: true, cause: error },
  )
}

/** The Kafka error type at the bottom of a chain of causes, and the name of the outermost error. */
function rootOf(error: unknown): { type: string; name: string } {
  let type = ''
  let name = ''
  for (let e = error; e instanceof Error; e = e.cause) {
    if ('type' in e && typeof e.type === 'string') type = e.type
    name ||= e.name.includes('SASL') ? e.name : ''
  }
  return { type, name }
}

/** True for the refusal that only says: the last transaction is still being ended, try again. */
export function isConcurrentTransaction(error: unknown): boolean {
  return rootOf(error).type === 'CONCURRENT_TRANSACTIONS'
}
