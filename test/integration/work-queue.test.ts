import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import { KafkaWorkQueue } from '../../src/adapters/kafka/kafka-work-queue.ts'
import { workQueueContract } from '../contracts/work-queue.contract.ts'

workQueueContract('a topic', () => {
  const name = `work-${randomUUID()}`
  const { brokers } = inject('stack').kafka
  const options = {
    ...{ brokers, clientId: 'test', requestTimeoutMs: 10_000 },
    ...{ topic: name, groupId: name, sessionTimeoutMs: 6_000, replicationFactor: -1 },
  }
  return () => new KafkaWorkQueue(options)
})
