import { FRAME_OVERHEAD_BYTES } from '../format/frame.ts'
import { isSameKek } from '../keys/kek-name.ts'
import { TOPIC_NAME_LENGTH_MAX } from '../limits.ts'
import { incidentProblems } from './incident-relations.ts'
import { kmsProblems, kmsWarnings } from './kms-relations.ts'
import { memoryNeedText, rssBytesNeeded } from './memory-need.ts'
import type { Problem } from './problems.ts'
import { formatBytes, formatDurationMs } from './quantity.ts'
import { endpointProblems, hostOf, isLoopback } from './rules.ts'
import type { Config } from './schema.ts'

const MIB = 1024 * 1024
const TRANSPORT_OVERHEAD_BYTES = MIB

/** What single values cannot tell: how they must stand to each other. */
export function relationProblems(config: Config): Problem[] {
  return [
    ...topicProblems(config),
    ...timeProblems(config),
    ...sizeProblems(config),
    ...memoryProblems(config),
    ...pairProblems(config),
    ...s3Problems(config),
    ...kmsProblems(config),
    ...keyDomainProblems(config),
    ...exposureProblems(config),
    ...incidentProblems(config),
  ]
}

/** What is allowed, but worth a word: connections that others on the network can read. */
export function warningsOf(config: Config): string[] {
  const { kafka, cassandra, http } = config
  const warnings: string[] = []
  const isRemote = (address: string) => !isLoopback(hostOf(address))
  if (!kafka.tls.enabled && kafka.brokers.some(isRemote)) {
    warnings.push('kafka.tls.enabled: is false, plaintext messages cross the network readable')
    if (kafka.sasl?.mechanism === 'plain') {
      warnings.push('kafka.sasl.mechanism: is plain without TLS, the password crosses readable')
    }
  }
  if (!cassandra.tls.enabled && cassandra.contactPoints.some(isRemote)) {
    warnings.push('cassandra.tls.enabled: is false, mapping rows cross the network readable')
  }
  if (http.enabled && isRemote(http.host)) {
    warnings.push('http.host: is not loopback, metrics are open to the network without credentials')
  }
  return [...warnings, ...kmsWarnings(config)]
}

function topicProblems({ kafka }: Config): Problem[] {
  const problems: Problem[] = []
  const suffixes = [kafka.referenceTopicSuffix, kafka.quarantineTopicSuffix]
  if (suffixes[0] === suffixes[1]) {
    problems.push({
      path: 'kafka.quarantineTopicSuffix',
      reason: 'must differ from kafka.referenceTopicSuffix',
    })
  }
  const longest = Math.max(...suffixes.map((suffix) => suffix.length))
  for (const [index, topic] of kafka.topics.entries()) {
    const path = `kafka.topics.${index}`
    const suffix = suffixes.find((candidate) => topic.endsWith(candidate))
    if (suffix !== undefined) {
      problems.push({ path, reason: `must not end in ${suffix}, which marks topics made here` })
    }
    if (topic.length + longest > TOPIC_NAME_LENGTH_MAX) {
      const reason = `is too long: with its suffix a topic name has at most ${TOPIC_NAME_LENGTH_MAX} characters`
      problems.push({ path, reason })
    }
  }
  return [...problems, ...outputProblems(kafka)]
}

/** Suffixes can make one output topic of two, and then references and notes would mix. */
function outputProblems({ topics, referenceTopicSuffix, quarantineTopicSuffix }: Config['kafka']) {
  const noted = new Map(topics.map((topic) => [topic + quarantineTopicSuffix, topic]))
  return topics.flatMap((topic, index): Problem[] => {
    if (referenceTopicSuffix === quarantineTopicSuffix) return []
    const other = topics.indexOf(noted.get(topic + referenceTopicSuffix) ?? '')
    if (other < 0) return []
    const reason = `has references where the quarantine of kafka.topics.${other} is, mend the suffixes`
    return [{ path: `kafka.topics.${index}`, reason }]
  })
}

function timeProblems({ kafka, window, segment }: Config): Problem[] {
  const problems: Problem[] = []
  if (kafka.heartbeatIntervalMs * 3 > kafka.sessionTimeoutMs) {
    problems.push({
      path: 'kafka.heartbeatIntervalMs',
      reason: `must be at most a third of kafka.sessionTimeoutMs (${formatDurationMs(kafka.sessionTimeoutMs)})`,
    })
  }
  if (kafka.fetchWaitMs >= kafka.requestTimeoutMs) {
    problems.push({
      path: 'kafka.fetchWaitMs',
      reason: `must be below kafka.requestTimeoutMs (${formatDurationMs(kafka.requestTimeoutMs)})`,
    })
  }
  if (segment.publishWithinMs <= segment.ageMs) {
    problems.push({
      path: 'segment.publishWithinMs',
      reason: `must be above segment.ageMs (${formatDurationMs(segment.ageMs)})`,
    })
  }
  if (window.ageMs < segment.ageMs) {
    problems.push({
      path: 'window.ageMs',
      reason: `must be at least segment.ageMs (${formatDurationMs(segment.ageMs)})`,
    })
  }
  return problems
}

function sizeProblems({ kafka, segment, part, message, memory }: Config): Problem[] {
  const least: [path: string, bytes: number, leastBytes: number, what: string][] = [
    ['segment.bytesMax', segment.bytesMax, part.bytesMax, 'part.bytesMax'],
    ['memory.inFlightBytesMax', memory.inFlightBytesMax, 2 * part.bytesMax, 'twice part.bytesMax'],
    [
      'memory.inFlightBytesMax',
      memory.inFlightBytesMax,
      message.bytesMax + TRANSPORT_OVERHEAD_BYTES,
      'message.bytesMax and 1MiB',
    ],
    [
      'kafka.fetchBytesMax',
      kafka.fetchBytesMax,
      kafka.fetchBytesPerPartitionMax,
      'kafka.fetchBytesPerPartitionMax',
    ],
  ]
  return least
    .filter(([, bytes, leastBytes]) => bytes < leastBytes)
    .map(([path, , leastBytes, what]) => ({
      path,
      reason: `must be at least ${what} (${formatBytes(leastBytes)})`,
    }))
}

/** A ceiling below what may be under way would have reading pause for good. */
function memoryProblems(config: Config): Problem[] {
  const { rssBytesMax } = config.memory
  const neededBytes = rssBytesNeeded(config)
  if (rssBytesMax === undefined || rssBytesMax >= neededBytes) return []
  const reason = `must be at least ${formatBytes(Math.ceil(neededBytes / MIB) * MIB)}: ${memoryNeedText(config)}; raise it, or lower one of these`
  return [{ path: 'memory.rssBytesMax', reason }]
}

/** Keys that make sense only together. */
function pairProblems({ kafka, s3, cassandra }: Config): Problem[] {
  const problems: Problem[] = []
  const pair = (section: string, keys: object, first: string, second: string) => {
    if (first in keys === second in keys) return
    const [given, missing] = first in keys ? [first, second] : [second, first]
    problems.push({ path: `${section}.${missing}`, reason: `is required beside ${given}` })
  }
  pair('s3', s3, 'accessKeyId', 'secretAccessKey')
  pair('cassandra', cassandra, 'username', 'password')
  pair('kafka.tls', kafka.tls, 'certFile', 'keyFile')
  for (const [section, tls] of Object.entries({ kafka: kafka.tls, cassandra: cassandra.tls })) {
    if (tls.enabled) continue
    for (const key of Object.keys(tls).filter((name) => name !== 'enabled')) {
      problems.push({ path: `${section}.tls.${key}`, reason: 'is given, but tls.enabled is false' })
    }
  }
  return problems
}

function s3Problems({ s3 }: Config): Problem[] {
  return endpointProblems('s3', s3)
}

/** A key that has no effect would make somebody believe in a separation that is not there. */
function keyDomainProblems({ keyDomain, kafka, window, memory, kms }: Config): Problem[] {
  const problems: Problem[] = []
  for (const name of ['header', 'fallback'] as const) {
    if (keyDomain.by !== 'topic' || keyDomain[name] === undefined) continue
    problems.push({ path: `keyDomain.${name}`, reason: 'is given, but keyDomain.by is not header' })
  }
  if (window.reserve + 1 >= memory.deksMax) {
    problems.push({ path: 'window.reserve', reason: 'must be well below memory.deksMax' })
  }
  if (keyDomain.by === 'header' && keyDomain.header === undefined) {
    problems.push({ path: 'keyDomain.header', reason: 'is required beside by: header' })
  }
  const domains = keyDomain.keks.map((entry) => entry.slice(0, entry.indexOf('=')))
  for (const [index, domain] of domains.entries()) {
    const path = `keyDomain.keks.${index}`
    if (domains.indexOf(domain) !== index) {
      problems.push({ path, reason: 'gives a domain a second KEK' })
    }
    if (keyDomain.by === 'topic' && !kafka.topics.includes(domain)) {
      problems.push({ path, reason: 'names a domain that is none of kafka.topics' })
    }
  }
  return keyDomain.allowSharedKeks ? problems : [...problems, ...sharedKeks(keyDomain.keks, kms)]
}

function sharedKeks(entries: readonly string[], { keyId }: Config['kms']): Problem[] {
  const keks = entries.map((entry) => entry.slice(entry.indexOf('=') + 1))
  const isSame = (a: string, b: string) => isSameKek(a, b) || isSameKek(b, a)
  return keks.flatMap((kek, index): Problem[] => {
    const first = keks.findIndex((other) => isSame(other, kek))
    const owner = isSame(keyId, kek) ? 'kms.keyId' : `keyDomain.keks.${first}`
    if (owner !== 'kms.keyId' && first === index) return []
    const reason = `has the KEK of ${owner}, give it one of its own or set keyDomain.allowSharedKeks: true`
    return [{ path: `keyDomain.keks.${index}`, reason }]
  })
}

/** The first message of a window always goes in, so the budget must hold the largest one. */
function exposureProblems({ exposure, message }: Config): Problem[] {
  const leastBytes = message.bytesMax + FRAME_OVERHEAD_BYTES
  if (exposure?.bytesMax === undefined || exposure.bytesMax >= leastBytes) return []
  const reason = `must be at least message.bytesMax and its frame (${formatBytes(leastBytes)})`
  return [{ path: 'exposure.bytesMax', reason }]
}
