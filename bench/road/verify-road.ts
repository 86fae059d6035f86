import type { StackEndpoints } from '../../docker/stack/stack.ts'
import { feedReferences } from '../../src/adapters/kafka/kafka-reference-feed.ts'
import { createReader, type Message, parseReferences, type Reference } from '../../src/index.ts'
import type { Produced, ProducedLog } from '../kafka/fill.ts'
import { ReferenceTally } from './reference-tally.ts'

const SAMPLE_MAX = 400
const NAMED_MAX = 5
/** Their frames are in memory together. */
const OPENED_TOGETHER = 16

/** What was looked at, and found well. */
export interface Verified {
  readonly references: number
  /** Messages that were opened and compared byte for byte. */
  readonly opened: number
}

/**
 * Reads all references of a topic as a read_committed consumer, holds them against what was produced
 * (each message once, none beside), opens a sample spread over all of them and compares it byte for byte.
 * Throws when anything is wrong.
 */
export async function verifyRoad(
  stack: StackEndpoints,
  prefix: string,
  log: ProducedLog,
  signal: AbortSignal,
  referenceTopicSuffix = '.sealed',
): Promise<Verified> {
  const tally = new ReferenceTally(log.countByPartition)
  const stride = Math.max(1, Math.floor(log.messages / SAMPLE_MAX))
  const sample: Reference[] = []
  const kafka = { brokers: stack.kafka.brokers, clientId: 'bench', requestTimeoutMs: 30_000 }
  const topic = `${log.topic}${referenceTopicSuffix}`
  const feed = { topic, from: 'beginning', follow: false, signal } as const
  await feedReferences({ ...kafka, ...feed }, async (values) => {
    for (const reference of values.flatMap((value) => parseReferences(value))) {
      if (tally.references % stride === 0) sample.push(reference)
      tally.see(reference.partition, reference.offset)
    }
  })
  signal.throwIfAborted()
  const faults = [...tally.faults(), ...(await compare(stack, prefix, sample, log))]
  if (faults.length > 0) {
    const named = faults.slice(0, NAMED_MAX).join(', ')
    throw new Error(`the references of ${log.topic} are wrong in ${faults.length} places: ${named}`)
  }
  return { references: tally.references, opened: sample.length }
}

async function compare(
  stack: StackEndpoints,
  prefix: string,
  sample: readonly Reference[],
  log: ProducedLog,
): Promise<string[]> {
  const { keyId, ...kms } = stack.kms
  const reader = createReader({
    s3: { ...stack.s3, prefix },
    kms: { ...kms, allowedKeyIds: [keyId] },
  })
  try {
    const faults: string[] = []
    for (let at = 0; at < sample.length; at += OPENED_TOGETHER) {
      const slice = sample.slice(at, at + OPENED_TOGETHER)
      for (const message of await reader.openReferences(slice)) {
        const produced = log.at(message.partition, message.offset)
        if (produced !== null && isSame(message, produced)) continue
        faults.push(`${message.partition}@${message.offset} is not what was produced`)
      }
    }
    return faults
  } finally {
    await reader.close()
  }
}

function isSame(message: Message, { key, value, headers, timestampMs }: Produced): boolean {
  return (
    (message.key === null) === (key === null) &&
    Buffer.compare(message.key ?? Buffer.alloc(0), key ?? Buffer.alloc(0)) === 0 &&
    message.value !== null &&
    Buffer.compare(message.value, value) === 0 &&
    message.timestampMs === BigInt(timestampMs) &&
    message.headers.length === headers.length &&
    headers.every(([name, text], i) => {
      const [ownName, own] = message.headers[i] ?? []
      return String(ownName) === name && own != null && Buffer.compare(own, text) === 0
    })
  )
}
