import type { Batch, EachBatchPayload, KafkaMessage } from 'kafkajs'
import type { Reference } from '../../src/format/reference-value.ts'

/** Everything that a handler did to its fetch, in order. */
export interface FetchLog {
  readonly steps: string[]
  isRunning: boolean
  isStale: boolean
}

/** Records of a reference topic as kafkajs hands them over, from offset 10 on, with a marker behind. */
export function referenceRecords(
  references: readonly (Reference | Buffer | null)[],
): KafkaMessage[] {
  return references.map((reference, i) => ({
    key: null,
    value:
      reference === null || Buffer.isBuffer(reference)
        ? reference
        : Buffer.from(JSON.stringify({ v: 1, ...reference })),
    timestamp: '0',
    attributes: 0,
    offset: String(10 + i),
    headers: {},
  }))
}

/** One fetch as kafkajs hands it over, and what is done to it. */
export function fetchOf(
  messages: KafkaMessage[],
  { topic = 'orders.sealed', partition = 0 } = {},
): { payload: EachBatchPayload; log: FetchLog } {
  const log: FetchLog = { steps: [], isRunning: true, isStale: false }
  const end = 10 + messages.length
  const batch: Batch = {
    ...{ topic, partition, messages, highWatermark: String(end + 1) },
    isEmpty: () => messages.length === 0,
    firstOffset: () => messages[0]?.offset ?? null,
    // The marker of the transaction.
    lastOffset: () => String(end),
    offsetLag: () => '0',
    offsetLagLow: () => '0',
  }
  const payload: EachBatchPayload = {
    batch,
    resolveOffset: (offset) => void log.steps.push(`resolve ${offset}`),
    heartbeat: async () => void log.steps.push('beat'),
    pause: () => () => {},
    commitOffsetsIfNecessary: async () => void log.steps.push('commit'),
    uncommittedOffsets: () => ({ topics: [] }),
    isRunning: () => log.isRunning,
    isStale: () => log.isStale,
  }
  return { payload, log }
}
