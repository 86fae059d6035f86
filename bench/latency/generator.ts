import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { templatesOf } from '../kafka/contents.ts'
import { RawProducer, type ReadyBatch } from '../kafka/raw-producer.ts'
import { monotonicMs } from './monotonic.ts'
import { dueOf, type Schedule } from './timeline.ts'

/** What the generating thread is told. */
export interface GeneratorOrder {
  readonly broker: string
  readonly topic: string
  readonly partitions: number
  readonly perSecond: number
  readonly seconds: number
  readonly size: number | 'mix'
  readonly domains: number
}

/** What it answers. */
export interface Generated {
  readonly schedule: Schedule
  readonly messages: number
  /** The most that it was late with a message; latencies hold that too. */
  readonly lateMsMax: number
}

/** What a producer would wait for more to send. */
const TICK_MS = 5
const LEAD_MS = 200

/**
 * Sends at an even pace whatever comes back: each tick sends what is due by the schedule, and a tick
 * that comes late sends all that it missed, under the times at which it was meant to.
 */
async function generate(order: GeneratorOrder): Promise<Generated> {
  const { broker, topic, partitions, perSecond } = order
  const producer = await RawProducer.connect(broker)
  const [template] = templatesOf(order)
  if (template === undefined) throw new Error('no template')
  const schedule = { startMs: monotonicMs() + LEAD_MS, perSecond, partitions }
  const messages = Math.floor(perSecond * order.seconds)
  const sent = new Array<number>(partitions).fill(0)
  const answers: Promise<unknown>[] = []
  let [done, lateMsMax] = [0, 0]
  while (done < messages) {
    await sleep(TICK_MS)
    const nowMs = monotonicMs()
    const due = Math.min(messages, Math.floor(((nowMs - schedule.startMs) * perSecond) / 1000))
    if (due <= done) continue
    lateMsMax = Math.max(lateMsMax, nowMs - schedule.startMs - (done * 1000) / perSecond)
    done = due
    for (;;) {
      const batches: ReadyBatch[] = []
      for (let partition = 0; partition < partitions; partition++) {
        const left = dueOf(due, partition, partitions) - (sent[partition] as number)
        const count = Math.min(left, template.contents.length)
        if (count <= 0) continue
        sent[partition] = (sent[partition] as number) + count
        batches.push({ partition, pieces: template.batch(count, Date.now()) })
      }
      if (batches.length === 0) break
      answers.push(producer.send(topic, batches))
    }
  }
  await Promise.all(answers)
  producer.close()
  return { schedule, messages, lateMsMax }
}

parentPort?.postMessage(await generate(workerData as GeneratorOrder))
