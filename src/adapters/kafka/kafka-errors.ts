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
  'INVALID_TRANSACTION_TIMEOUT',
])

const REMEDY_SASL = 'mend kafka.sasl, or leave it out where the listener wants none'
const REMEDIES: Readonly<Record<string, string>> = {
  SASL_AUTHENTICATION_FAILED: REMEDY_SASL,
  UNSUPPORTED_SASL_MECHANISM: REMEDY_SASL,
  ILLEGAL_SASL_STATE: REMEDY_SASL,
  MESSAGE_TOO_LARGE: 'raise max.message.bytes of the output topics',
  INVALID_REPLICATION_FACTOR: 'mend kafka.replicationFactor',
  INVALID_TRANSACTION_TIMEOUT:
    'lower kafka.transactionTimeoutMs, or raise transaction.max.timeout.ms of the brokers',
  INVALID_TOPIC_EXCEPTION: 'mend the topic names',
  POLICY_VIOLATION: 'create the topic by hand',
}

/**
 * What a failure of the Kafka client means to us. `doing` says what was tried, `where` which brokers
 * were asked. Whatever is not known to be final counts as passing: the road then waits.
 */
export function kafkaError(error: unknown, doing: string, where: readonly string[]): SealError {
  const own = causesOf(error).find((cause) => cause instanceof SealError)
  if (own !== undefined) return own
  const { type, name } = rootOf(error)
  const innermost = causesOf(error).at(-1) ?? error
  const detail = `${doing}: ${messageOf(innermost)}`
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
    const remedy = REMEDIES[type] ?? (name === '' ? 'grant the right' : REMEDY_SASL)
    return new SealError('SEAL_KAFKA_REFUSED', `Kafka refuses ${detail}; ${remedy}`, {
      cause: error,
    })
  }
  return new SealError(
    'SEAL_KAFKA_UNAVAILABLE',
    `Kafka at ${where.join(', ')} does not answer (${detail})`,
    { retryable: true, cause: error },
  )
}

interface Root {
  /** The Kafka protocol's own name of the error, where it has one. */
  readonly type: string
  readonly name: string
}

/** What a chain of causes says, the innermost having the last word. */
function rootOf(error: unknown): Root {
  let type = ''
  let name = ''
  for (const cause of causesOf(error)) {
    if ('type' in cause && typeof cause.type === 'string') type = cause.type
    if (cause.name.includes('SASL')) name ||= cause.name
  }
  return { type, name }
}

/** An error, the first of several that it gathers, and so on down its causes. */
function causesOf(error: unknown): Error[] {
  const causes: Error[] = []
  let next = error
  while (next instanceof Error && !causes.includes(next)) {
    causes.push(next)
    const gathered = 'errors' in next && Array.isArray(next.errors) ? next.errors[0] : undefined
    next = gathered ?? next.cause
  }
  return causes
}

/** Of a reference topic that is not there. */
export function noReferenceTopic(topic: string, brokers: readonly string[]): SealError {
  const message = `no topic ${topic} on ${brokers.join(', ')}; has its source been sealed yet?`
  return new SealError('SEAL_TOPIC_MISSING', message)
}

/** True for the refusal that only says: the last transaction is still being ended, try again. */
export function isConcurrentTransaction(error: unknown): boolean {
  return rootOf(error).type === 'CONCURRENT_TRANSACTIONS'
}
