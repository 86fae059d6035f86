import type { BatchTemplate } from './batch-template.ts'
import { RawProducer } from './raw-producer.ts'
import type { RecordContent } from './records.ts'

/** A message as it was produced. */
export interface Produced extends RecordContent {
  readonly timestampMs: number
}

/** Remembers what was produced at every offset, by batch and not by message. */
export class ProducedLog {
  readonly topic: string
  readonly partitions: number
  readonly #partitions: Batch[][]

  constructor(topic: string, partitions: number) {
    this.topic = topic
    this.partitions = partitions
    this.#partitions = Array.from({ length: partitions }, () => [])
  }

  /** A batch stands in the topic from an offset on; those of a partition come in their order. */
  add(partition: number, baseOffset: number, count: number, from: Origin): void {
    this.#partitions[partition]?.push({ baseOffset, count, ...from })
  }

  get messages(): number {
    return this.countByPartition.reduce((sum, count) => sum + count, 0)
  }

  get countByPartition(): number[] {
    return this.#partitions.map((batches) => {
      const last = batches.at(-1)
      return last === undefined ? 0 : last.baseOffset + last.count
    })
  }

  /** What was produced at an offset, or null when nothing was. */
  at(partition: number, offset: number): Produced | null {
    const batches = this.#partitions[partition] ?? []
    let [low, high] = [0, batches.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((batches[middle] as Batch).baseOffset <= offset) low = middle + 1
      else high = middle
    }
    const batch = batches[low - 1]
    const content = batch?.template.contents[offset - batch.baseOffset]
    if (batch === undefined || content === undefined || offset >= batch.baseOffset + batch.count) {
      return null
    }
    return { ...content, timestampMs: batch.timestampMs }
  }
}

interface Origin {
  readonly template: BatchTemplate
  readonly timestampMs: number
}

interface Batch extends Origin {
  readonly baseOffset: number
  readonly count: number
}

const UNDER_WAY_MAX = 8

/** Adds messages to a topic, partition by turns, and to the log of what stands where. */
export async function fillTopic(
  broker: string,
  log: ProducedLog,
  messages: number,
  templates: readonly BatchTemplate[],
): Promise<void> {
  const { topic, partitions } = log
  const producer = await RawProducer.connect(broker)
  const timestampMs = Date.now()
  const underWay = new Set<Promise<void>>()
  try {
    let sent = 0
    for (let turn = 0; sent < messages; turn++) {
      const partition = turn % partitions
      // A turn of all partitions takes the next template, so that neighbours differ.
      const at = (turn + Math.floor(turn / partitions)) % templates.length
      const template = templates[at] as BatchTemplate
      const count = Math.min(template.contents.length, messages - sent)
      const pieces = template.batch(count, timestampMs)
      const sending = producer.send(topic, [{ partition, pieces }]).then(([offset]) => {
        log.add(partition, offset as number, count, { template, timestampMs })
        underWay.delete(sending)
      })
      // Whoever waits for it rejects; what is sent beside it must not count as unhandled.
      sending.catch(() => {})
      underWay.add(sending)
      sent += count
      if (underWay.size >= UNDER_WAY_MAX) await Promise.race(underWay)
    }
    await Promise.all(underWay)
  } finally {
    producer.close()
  }
}
