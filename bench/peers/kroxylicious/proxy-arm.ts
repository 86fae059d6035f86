import { cpuMicrosPerMessage, cpuSecondsOf } from '../../../examples/demo/cpu-time.ts'
import { createKafka } from '../../../src/adapters/kafka/kafka-client.ts'
import type { BenchStack } from '../../bench-stack.ts'
import type { BatchTemplate } from '../../kafka/batch-template.ts'
import { fillTopic, ProducedLog } from '../../kafka/fill.ts'
import { createTopic } from '../../road/road.ts'
import type { PeerFigures } from '../peer-row.ts'
import { startProxy } from './proxy-process.ts'

const WARM_UP_TURNS = 2
const READ_WITHIN_MS = 120_000

/** What the proxy took to encrypt on the way in and to decrypt on the way out. */
export interface ProxyFigures {
  readonly producing: PeerFigures
  readonly consuming: PeerFigures
}

/**
 * Produces through the proxy, twice unmeasured so that its compilers are through, and reads everything
 * back through it, comparing with what was produced. A message in the topic itself must be ciphertext.
 */
export async function measureProxy(
  stack: BenchStack,
  partitions: number,
  messages: number,
  templates: readonly BatchTemplate[],
): Promise<ProxyFigures> {
  const proxy = await startProxy(stack)
  const measure = async (work: () => Promise<void>): Promise<PeerFigures> => {
    const leaders = { peer: proxy.pid, ...stack.processes }
    const [before, beganMs] = [cpuSecondsOf(leaders), performance.now()]
    await work()
    const perSecond = (messages * 1000) / (performance.now() - beganMs)
    const cpuMicros = cpuMicrosPerMessage(before, cpuSecondsOf(leaders), messages) ?? {}
    return { messages, perSecond, cpuMicros }
  }
  let producing: PeerFigures | null = null
  let log: ProducedLog | null = null
  for (let turn = 0; turn <= WARM_UP_TURNS; turn++) {
    const topic = `kroxylicious-${turn}`
    await createTopic(stack, topic, partitions)
    producing = await measure(async () => {
      log = new ProducedLog(topic, partitions)
      await fillTopic(proxy.broker, log, messages, templates)
    })
    await readThrough(proxy.bootstrap, log as unknown as ProducedLog, messages, true)
  }
  const filled = log as unknown as ProducedLog
  const [broker = ''] = stack.kafka.brokers
  await readThrough(broker, filled, partitions, false)
  const consuming = await measure(() => readThrough(proxy.bootstrap, filled, messages, true))
  return { producing: producing as PeerFigures, consuming }
}

/** Reads `count` messages and throws unless they are, or are not, what was produced. */
async function readThrough(
  broker: string,
  log: ProducedLog,
  count: number,
  isPlain: boolean,
): Promise<void> {
  const kafka = createKafka({ brokers: [broker], clientId: 'bench', requestTimeoutMs: 10_000 })
  const consumer = kafka.consumer({ groupId: `bench-${performance.now()}`, maxWaitTimeInMs: 100 })
  const finished = Promise.withResolvers<void>()
  consumer.on(consumer.events.CRASH, ({ payload }) => finished.reject(payload.error))
  const timer = setTimeout(
    () => finished.reject(new Error(`${seen} of ${count} messages came through ${broker}`)),
    READ_WITHIN_MS,
  )
  let seen = 0
  await consumer.connect()
  try {
    await consumer.subscribe({ topics: [log.topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        const { partition } = batch
        // Our client makes them on the way.
        const messages = [...batch.messages]
        for (const { offset, value } of messages) {
          const produced = log.at(partition, Number(offset))
          const isEqual = value !== null && produced !== null && value.equals(produced.value)
          if (isEqual !== isPlain) finished.reject(new Error(`${partition}@${offset} is wrong`))
        }
        seen += messages.length
        if (seen >= count) finished.resolve()
      },
    })
    await finished.promise
  } finally {
    clearTimeout(timer)
    await consumer.disconnect()
  }
}
