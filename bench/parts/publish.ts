import { KafkaReferenceSink } from '../../src/adapters/kafka/kafka-reference-sink.ts'
import { RecordRunWriter } from '../../src/format/record-run.ts'
import { ReferenceEncoder } from '../../src/format/reference-value.ts'
import type { BenchStack } from '../bench-stack.ts'
import { createTopic } from '../road/road.ts'
import { type ServiceCost, serviceCost } from './service-cost.ts'

const TOPIC = 'publish'
const PARTITIONS = 4
const REFERENCES = 20_000
const TRANSACTIONS = 10

/** What publishing a reference costs: transactions of 20,000, as segments bring them. */
export async function publish(stack: BenchStack, repeats: number): Promise<ServiceCost> {
  await createTopic(stack, TOPIC, PARTITIONS)
  const sink = new KafkaReferenceSink({
    ...{ brokers: stack.kafka.brokers, clientId: 'bench', requestTimeoutMs: 30_000 },
    ...{ groupId: TOPIC, transactionTimeoutMs: 60_000 },
  })
  const lane = await sink.openLane(0)
  const records = Array.from({ length: PARTITIONS }, (_, partition) => {
    const encoder = new ReferenceEncoder('publish/segments/bench/x.seal', TOPIC, partition)
    const writer = new RecordRunWriter()
    for (let i = 0; i < REFERENCES / PARTITIONS; i++)
      writer.add(encoder.encode(i, i * 1_100, 1_100))
    return { topic: TOPIC, partition, runs: writer.take() }
  })
  try {
    return await serviceCost(stack, ['kafka'], repeats, async () => {
      for (let i = 0; i < TRANSACTIONS; i++) {
        const offsets = [{ topic: TOPIC, partition: 0, nextOffset: i }]
        await lane.publish({ records, offsets }, () => true)
      }
      return TRANSACTIONS * REFERENCES
    })
  } finally {
    await lane.close()
  }
}
