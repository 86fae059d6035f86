import type { Consumer, ConsumerConfig, ConsumerCrashEvent, ConsumerRunConfig } from 'kafkajs'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  SealedConsumer,
  type SealedConsumerOptions,
} from '../../../../src/adapters/kafka/sealed-consumer.ts'
import { SealError } from '../../../../src/errors.ts'
import type { Reference } from '../../../../src/format/reference-value.ts'
import type { SettleOptions } from '../../../../src/reader/sealed-reader.ts'
import { message } from '../../../support/messages.ts'
import { fetchOf, referenceRecords } from '../../../support/reference-batch.ts'

/** What of a kafkajs consumer is used, with its crash in the hands of the test. */
class FakeConsumer {
  readonly events = { CRASH: 'consumer.crash' }
  readonly calls: string[] = []
  config: ConsumerRunConfig = {}
  crash: (event: Pick<ConsumerCrashEvent, 'payload'>) => void = () => {}

  on(_name: string, listener: typeof this.crash): void {
    this.crash = listener
  }

  async run(config: ConsumerRunConfig): Promise<void> {
    this.config = config
    this.calls.push('run')
  }

  async stop(): Promise<void> {
    this.calls.push('stop')
  }

  async disconnect(): Promise<void> {
    this.calls.push('disconnect')
  }

  paused() {
    return []
  }
}

const references: Reference[] = [0, 1, 2].map((offset) => ({
  ...{ object: 'sealed/segments/orders/a.seal', topic: 'orders', partition: 0, offset },
  ...{ position: 160, length: 100 },
}))

let fake: FakeConsumer
let asked: SettleOptions[]
let outcome: () => ReturnType<typeof message> | SealError

beforeEach(() => {
  fake = new FakeConsumer()
  asked = []
  outcome = () => message()
})

function consumerOf(over: Partial<SealedConsumerOptions> = {}): SealedConsumer {
  const reader: SealedConsumerOptions['reader'] = {
    settleReferences: async (values, options = {}) => {
      asked.push(options)
      return values.map(outcome)
    },
  }
  return new SealedConsumer(fake as unknown as Consumer, { reader, ...over })
}

describe('a consumer of sealed messages', () => {
  it('reads committed records alone, whatever it is told', () => {
    const made: ConsumerConfig[] = []
    const kafka = { consumer: (config: ConsumerConfig) => made.push(config) as unknown as Consumer }
    const config = { kafka, groupId: 'g', readUncommitted: true }
    new SealedConsumer(config, { reader: { settleReferences: async () => [] } })
    expect(made).toEqual([{ groupId: 'g', readUncommitted: false }])
  })

  it.each(['skip', { triesMax: 2, lastly: 'skip' }] as const)(
    'skips nothing that nobody keeps: %j',
    (policy) => {
      const skipping = { policies: { gone: policy } }
      expect(() => consumerOf(skipping)).toThrow('say with deadLetter where they are kept')
      consumerOf({ ...skipping, deadLetter: async () => {} })
    },
  )

  it('resolves by itself alone, and passes on how offsets are committed', async () => {
    await expect(consumerOf().run({})).rejects.toMatchObject({ code: 'SEAL_INPUT_INVALID' })
    await consumerOf().run({
      eachMessage: async () => {},
      autoCommitThreshold: 7,
      autoCommit: false,
    })
    expect(fake.config).toMatchObject({
      ...{ eachBatchAutoResolve: false, autoCommitThreshold: 7, autoCommit: false },
    })
    expect(fake.config.eachMessage).toBeUndefined()
  })

  it('takes references of the source alone that their topic is named after', async () => {
    const eachMessage = async () => {}
    await consumerOf().run({ eachMessage })
    const { payload } = fetchOf(referenceRecords(references), { partition: 3 })
    await fake.config.eachBatch?.(payload)
    expect(asked[0]?.source).toEqual({ topic: 'orders', partition: 3 })

    const mirrored = fetchOf(referenceRecords(references), { topic: 'eu.orders' }).payload
    await expect(fake.config.eachBatch?.(mirrored)).rejects.toThrow('say with sourceOf')
    await consumerOf({ sourceOf: (_, partition) => ({ topic: 'orders', partition }) }).run({
      eachMessage,
    })
    await fake.config.eachBatch?.(mirrored)
    expect(asked[1]?.source).toEqual({ topic: 'orders', partition: 0 })
  })

  it('ends with the error that it stopped at, which kafkajs does not try again', async () => {
    const consumer = consumerOf()
    outcome = () => new SealError('SEAL_OPEN_FAILED', 'altered')
    await consumer.run({ eachMessage: async () => {} })
    const { payload } = fetchOf(referenceRecords(references))
    await expect(fake.config.eachBatch?.(payload)).rejects.toMatchObject({ retriable: false })
    fake.crash({ payload: { error: new Error('wrapped'), groupId: 'g', restart: false } })
    await expect(consumer.ended).rejects.toMatchObject({ kind: 'tampered' })
  })

  it('goes on when kafkajs starts again, and ends well when it is stopped', async () => {
    const consumer = consumerOf()
    await consumer.run({ eachMessage: async () => {} })
    fake.crash({ payload: { error: new Error('passing'), groupId: 'g', restart: true } })
    await consumer.disconnect()
    await expect(consumer.ended).resolves.toBeUndefined()
  })

  it('is pulled from: a message is resolved with the call for the next, the one it is left on is not', async () => {
    const { payload, log } = fetchOf(referenceRecords(references))
    const seen: string[] = []
    const pulled = consumerOf().messages()
    const first = pulled.next()
    while (fake.config.eachBatch === undefined) await new Promise(setImmediate)
    const handling = fake.config.eachBatch(payload)
    seen.push((await first).value?.message.offset as string)
    expect(log.steps).not.toContain('resolve 10')
    seen.push((await pulled.next()).value?.message.offset as string)
    expect(log.steps).toContain('resolve 10')
    await pulled.return()
    await handling
    expect(seen).toEqual(['10', '11'])
    expect(log.steps).not.toContain('resolve 11')
    expect(fake.calls).toEqual(['run', 'stop'])
  })

  it('tells whoever pulls why it stopped', async () => {
    outcome = () => new SealError('SEAL_OBJECT_MISSING', 'gone')
    const pulled = consumerOf().messages()
    const next = pulled.next()
    while (fake.config.eachBatch === undefined) await new Promise(setImmediate)
    const { payload } = fetchOf(referenceRecords(references))
    await expect(fake.config.eachBatch(payload)).rejects.toMatchObject({ kind: 'gone' })
    fake.crash({ payload: { error: new Error('wrapped'), groupId: 'g', restart: false } })
    await expect(next).rejects.toMatchObject({ kind: 'gone' })
  })
})
