import type { KafkaMessage } from 'kafkajs'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  type BatchServices,
  SealedBatchRun,
  type SealedRunConfig,
} from '../../../../src/adapters/kafka/sealed-batch-run.ts'
import type { SealedMessage } from '../../../../src/adapters/kafka/sealed-messages.ts'
import { type Clock, systemClock } from '../../../../src/clock.ts'
import { SealError } from '../../../../src/errors.ts'
import type { Message } from '../../../../src/format/message.ts'
import { ReferenceListWriter } from '../../../../src/format/reference-list.ts'
import { parseReference, type Reference } from '../../../../src/format/reference-value.ts'
import { SealedReader } from '../../../../src/reader/sealed-reader.ts'
import { emptyDirectory } from '../../../support/empty-directory.ts'
import { FakeKms } from '../../../support/fake-kms.ts'
import { MemoryObjectStore } from '../../../support/memory-object-store.ts'
import { messages } from '../../../support/messages.ts'
import { fetchOf, referenceRecords } from '../../../support/reference-batch.ts'
import { KEK_ID, makeDek, sealSegment } from '../../../support/sealed-segment.ts'

const SOURCE = { topic: 'orders', partition: 0 }
/** Time that passes a thousand times as fast. */
const fast: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 1_000, signal) }

let kms: FakeKms
let store: MemoryObjectStore
let sent: Message[]
let references: Reference[]
let letters: string[]
let retries: number[]
let paused: boolean
let stop: AbortController

beforeEach(async () => {
  kms = new FakeKms(KEK_ID)
  store = new MemoryObjectStore()
  sent = messages(6, SOURCE)
  references = [...(await sealSegment(await makeDek(kms), store, sent)).references]
  letters = []
  retries = []
  paused = false
  stop = new AbortController()
})

function servicesOf(over: Partial<BatchServices> = {}): BatchServices {
  const options = { allowedKekIds: [KEK_ID], entriesMax: 10, ttlMs: 60_000 }
  const services = { objects: store, kms, directory: emptyDirectory, clock: systemClock }
  return {
    reader: new SealedReader(services, options),
    ...{ clock: fast, policies: {}, bytesAheadMax: 1024 * 1024, signal: stop.signal },
    deadLetter: async ({ error, record }) => void letters.push(`${record.offset} ${error.kind}`),
    onRetry: ({ tries }) => void retries.push(tries),
    isPaused: () => paused,
    ...over,
  }
}

function consume(records: KafkaMessage[], config: SealedRunConfig, over?: Partial<BatchServices>) {
  const { payload, log } = fetchOf(records)
  const run = new SealedBatchRun(servicesOf(over), config, payload, SOURCE)
  return { log, running: run.run() }
}

/** Bytes at the frame of a reference are altered. */
function tamper({ object, position }: Reference): void {
  const bytes = store.objects.get(object)?.bytes as Buffer
  bytes.writeUInt8(bytes.readUInt8(position + 25) ^ 1, position + 25)
}

const offsets = (batch: readonly SealedMessage[]) => batch.map(({ offset }) => offset)
const resolutions = (steps: readonly string[]) => steps.filter((step) => step.startsWith('resolve'))

describe('each message', () => {
  it('comes as it was produced, and is resolved when its handler is done with it', async () => {
    const seen: SealedMessage[] = []
    const { payload, log } = fetchOf(referenceRecords(references.slice(0, 2)))
    const eachMessage: SealedRunConfig['eachMessage'] = async ({ topic, partition, message }) => {
      expect([topic, partition]).toEqual(['orders.sealed', 0])
      seen.push(message)
      log.steps.push(`handled ${message.offset}`)
    }
    await new SealedBatchRun(servicesOf(), { eachMessage }, payload, SOURCE).run()
    const step = (offset: number) => [`handled ${offset}`, `resolve ${offset}`, 'beat', 'commit']
    // While it was opened, the heart beat as well.
    const steps = log.steps.slice(log.steps.indexOf('handled 10'))
    expect(steps).toEqual([...step(10), ...step(11)])
    const [first] = sent as [Message]
    expect(seen[0]).toMatchObject({
      source: { topic: 'orders', partition: 0, offset: String(first.offset) },
      timestamp: String(first.timestampMs),
      headerList: first.headers,
    })
    expect(seen.map(({ key, value }) => [key, value])).toEqual(
      sent.slice(0, 2).map(({ key, value }) => [key, value]),
    )
  })

  it('is not resolved when its handler fails, nor is anything behind it', async () => {
    const eachMessage = async ({ message }: { message: SealedMessage }) => {
      if (message.offset === '12') throw new Error('no room')
    }
    const { log, running } = consume(referenceRecords(references), { eachMessage })
    await expect(running).rejects.toThrow('no room')
    expect(resolutions(log.steps)).toEqual(['resolve 10', 'resolve 11'])
  })

  it.each(['stops', 'is sent elsewhere', 'is paused'])('ends when the consumer %s', async (how) => {
    const { payload, log } = fetchOf(referenceRecords(references))
    const eachMessage = async () => {
      if (how === 'stops') log.isRunning = false
      else if (how === 'is paused') paused = true
      else log.isStale = true
    }
    await new SealedBatchRun(servicesOf(), { eachMessage }, payload, SOURCE).run()
    expect(resolutions(log.steps)).toEqual(['resolve 10'])
  })

  it('commits nothing by itself when the user wants to', async () => {
    const config = { eachMessage: async () => {}, autoCommit: false }
    const { log, running } = consume(referenceRecords(references), config)
    await running
    expect(log.steps).not.toContain('commit')
    expect(resolutions(log.steps)).toHaveLength(6)
  })
})

describe('a record that names several messages', () => {
  const values = () => {
    const list: string[] = []
    const writer = new ReferenceListWriter(references[0] as Reference, (value) => list.push(value))
    for (const { offset, position, length } of references.slice(1)) {
      writer.add(offset, position, length)
    }
    writer.flush()
    return referenceRecords([
      references[0] as Reference,
      ...list.map((value) => Buffer.from(value)),
    ])
  }

  it('is resolved when the last of them is handled, and before that the record in front', async () => {
    const seen: string[] = []
    const eachMessage = async ({ message }: { message: SealedMessage }) => {
      if (message.source.offset === String(references[4]?.offset)) throw new Error('no room')
      seen.push(message.source.offset)
    }
    const { log, running } = consume(values(), { eachMessage })
    await expect(running).rejects.toThrow('no room')
    expect(seen).toEqual(references.slice(0, 4).map(({ offset }) => String(offset)))
    expect(new Set(resolutions(log.steps))).toEqual(new Set(['resolve 10']))
    const whole = consume(values(), { eachMessage: async () => {} })
    await whole.running
    expect(resolutions(whole.log.steps).at(-1)).toBe('resolve 11')
  })

  it('comes whole to the handler of batches, and again when that resolves but a part of it', async () => {
    const batches: string[][] = []
    const config: SealedRunConfig = {
      eachBatchAutoResolve: false,
      eachBatch: async ({ batch, resolveOffset }) => {
        batches.push(batch.messages.map(({ source }) => source.offset))
        resolveOffset(batch.messages[2]?.offset as string)
      },
    }
    const { log, running } = consume(values(), config)
    await running
    expect(batches).toEqual([references.map(({ offset }) => String(offset))])
    expect(resolutions(log.steps)).toEqual(['resolve 10'])
  })

  it('is not resolved before its last message that opens, when those behind it are passed over', async () => {
    tamper(references[5] as Reference)
    const resolved: string[] = []
    const config: SealedRunConfig = {
      eachBatch: async ({ batch, resolveOffset }) => {
        for (const [i, { offset }] of batch.messages.entries()) {
          if (i === 4) throw new Error('no room')
          resolveOffset(offset)
          resolved.push(offset)
        }
      },
    }
    const { log, running } = consume(values(), config, { policies: { tampered: 'skip' } })
    await expect(running).rejects.toThrow('no room')
    expect(resolved).toEqual(['10', '10', '10', '10'])
    expect(new Set(resolutions(log.steps))).toEqual(new Set(['resolve 10']))
    const whole = consume(
      values(),
      { eachBatch: async () => {} },
      { policies: { tampered: 'skip' } },
    )
    await whole.running
    expect(resolutions(whole.log.steps).at(-1)).toBe('resolve 11')
  })

  it('leaves a dead letter for each that does not open, which names it alone', async () => {
    const dead: Reference[] = []
    tamper(references[2] as Reference)
    const over: Partial<BatchServices> = {
      policies: { tampered: 'skip' },
      deadLetter: async ({ record }) => void dead.push(parseReference(record.value ?? '')),
    }
    const { log, running } = consume(values(), { eachMessage: async () => {} }, over)
    await running
    expect(dead).toEqual([references[2]])
    expect(resolutions(log.steps).at(-1)).toBe('resolve 11')
  })
})

describe('each batch', () => {
  it('comes in pieces when its messages take too much, the last up to the marker', async () => {
    const batches: [string[], string, string][] = []
    const eachBatch: SealedRunConfig['eachBatch'] = async ({ batch }) => {
      batches.push([offsets(batch.messages), batch.lastOffset(), batch.offsetLag()])
    }
    const over = { bytesAheadMax: 8 * (references[0]?.length ?? 0) }
    const { log, running } = consume(referenceRecords(references), { eachBatch }, over)
    await running
    expect(batches.flatMap(([own]) => own)).toEqual(['10', '11', '12', '13', '14', '15'])
    expect(batches.length).toBeGreaterThan(1)
    expect(batches.at(-1)?.[1]).toBe('16')
    expect(batches.at(-1)?.[2]).toBe('0')
    expect(resolutions(log.steps).at(-1)).toBe('resolve 15')
  })

  it('is followed by none when its user resolved a part of it alone', async () => {
    const seen: string[] = []
    const config: SealedRunConfig = {
      eachBatchAutoResolve: false,
      eachBatch: async ({ batch, resolveOffset }) => {
        seen.push(...offsets(batch.messages))
        resolveOffset(batch.messages[0]?.offset as string)
      },
    }
    const over = { bytesAheadMax: 8 * (references[0]?.length ?? 0) }
    const { log, running } = consume(referenceRecords(references), config, over)
    await running
    expect(seen.length).toBeLessThan(6)
    expect(resolutions(log.steps)).toEqual(['resolve 10'])
  })

  it('resolves what was passed over with the last message that was handed over', async () => {
    tamper(references[2] as Reference)
    const config: SealedRunConfig = {
      eachBatchAutoResolve: false,
      eachBatch: async ({ batch, resolveOffset }) => resolveOffset(batch.lastOffset()),
    }
    const over = { policies: { tampered: 'skip' as const } }
    const { log, running } = consume(referenceRecords(references.slice(0, 3)), config, over)
    await running
    expect(letters).toEqual(['12 tampered'])
    expect(resolutions(log.steps).at(-1)).toBe('resolve 12')
  })

  it('that holds markers alone is resolved', async () => {
    const { log, running } = consume([], { eachBatch: async () => expect.unreachable() })
    await running
    expect(log.steps).toEqual(['resolve 10'])
  })
})

describe('a message that does not open', () => {
  it('stops the consumer for good, when those before it were handed over', async () => {
    tamper(references[2] as Reference)
    for (const kind of ['eachMessage', 'eachBatch'] as const) {
      const { log, running } = consume(referenceRecords(references), { [kind]: async () => {} })
      await expect(running).rejects.toMatchObject({ kind: 'tampered', retriable: false })
      expect(resolutions(log.steps).at(-1)).toBe('resolve 11')
    }
    expect(letters).toEqual([])
  })

  it('goes to the dead letters where a policy says so, each at its place', async () => {
    tamper(references[1] as Reference)
    const records = referenceRecords([
      ...references.slice(0, 3),
      null,
      Buffer.from('{}'),
      { ...(references[3] as Reference), partition: 1 },
      references[4] as Reference,
    ])
    const policies = { tampered: 'skip', malformed: 'skip', moved: 'skip' } as const
    const seen: string[] = []
    const eachMessage = async ({ message }: { message: SealedMessage }) =>
      void seen.push(message.offset)
    const { log, running } = consume(records, { eachMessage }, { policies })
    await running
    expect(seen).toEqual(['10', '12', '16'])
    expect(letters).toEqual(['11 tampered', '13 malformed', '14 malformed', '15 moved'])
    expect(resolutions(log.steps)).toHaveLength(7)
  })

  it('is not resolved when its dead letter is not kept', async () => {
    tamper(references[0] as Reference)
    const over = {
      policies: { tampered: 'skip' as const },
      deadLetter: async () => {
        throw new Error('Kafka is away')
      },
    }
    const { log, running } = consume(
      referenceRecords(references),
      { eachMessage: async () => {} },
      over,
    )
    await expect(running).rejects.toThrow('Kafka is away')
    expect(resolutions(log.steps)).toEqual([])
  })

  it('is waited for while its key is away, heart beating', async () => {
    const away = () => new SealError('SEAL_KMS_UNAVAILABLE', 'away', { retryable: true })
    kms.failures.push(...Array.from({ length: 12 }, away))
    const { log, running } = consume(referenceRecords(references), { eachMessage: async () => {} })
    await running
    expect(retries).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    expect(log.steps.indexOf('beat')).toBeLessThan(log.steps.indexOf('resolve 10'))
    expect(resolutions(log.steps)).toHaveLength(6)
  })

  it('is tried as often as its policy says', async () => {
    store.objects.clear()
    const policies = { gone: { triesMax: 3, lastly: 'skip' } } as const
    const { running } = consume(
      referenceRecords(references),
      { eachMessage: async () => {} },
      { policies },
    )
    await running
    expect(retries).toEqual([1, 2])
    expect(letters).toHaveLength(6)
  })

  it('holds up no consumer that stops meanwhile', async () => {
    kms.failures.push(
      ...Array.from({ length: 1_000 }, () => new SealError('SEAL_KMS_UNAVAILABLE', 'x')),
    )
    const over = { clock: systemClock }
    const { log, running } = consume(
      referenceRecords(references),
      { eachMessage: async () => {} },
      over,
    )
    setTimeout(() => stop.abort(new SealError('SEAL_STOPPED', 'enough')), 20)
    await running
    expect(resolutions(log.steps)).toEqual([])
  })
})
