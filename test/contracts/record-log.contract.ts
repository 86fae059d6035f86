import { expect, test } from 'vitest'
import { SealError } from '../../src/errors.ts'
import type { Message } from '../../src/format/message.ts'
import type { AtOpenTransaction, LogChunk, Place, RecordLog } from '../../src/verify/ports.ts'
import { comparable } from '../support/messages.ts'

/** A log and the means to bring about what it must show. */
export interface RecordLogScene {
  readonly log: RecordLog
  /** Makes a topic that nobody else has, of two partitions. */
  createTopic(settings?: { readonly isCompacted: boolean }): Promise<string>
  /** Appends plain messages and returns them. */
  append(at: Place, count: number): Promise<Message[]>
  /** Appends records as a transaction; an open one is left to itself. Returns its messages. */
  transact(at: Place, count: number, end: 'commit' | 'abort' | 'open'): Promise<Message[]>
  deleteBefore(at: Place, offset: number): Promise<void>
  commit(at: Place, offset: number): Promise<void>
}

/** What every {@link RecordLog} does. `scene` may be shared by the tests. */
export function recordLogContract(scene: () => RecordLogScene): void {
  async function readAll(at: Place, from: number, to: number, atOpen: AtOpenTransaction = 'wait') {
    const chunks: LogChunk[] = []
    for await (const chunk of scene().log.read(at, from, to, atOpen)) chunks.push(chunk)
    return chunks
  }
  const placesOf = (messages: readonly Message[]) =>
    messages.map((message) => ({
      ...{ topic: message.topic, partition: message.partition, offset: message.offset },
      ...comparable(message),
    }))
  const recordsOf = (chunks: readonly LogChunk[]) => chunks.flatMap(({ records }) => records)

  test('chunks join without a gap and hold every message, with its place', async () => {
    const at = { topic: await scene().createTopic(), partition: 1 }
    const sent = await scene().append(at, 40)
    const chunks = await readAll(at, 0, 40)
    expect(chunks[0]?.from).toBe(0)
    for (const [i, { next }] of chunks.entries()) expect(chunks[i + 1]?.from ?? 40).toBe(next)
    expect(placesOf(recordsOf(chunks))).toEqual(placesOf(sent))
    const some = await readAll(at, 11, 23)
    expect(placesOf(recordsOf(some))).toEqual(placesOf(sent.slice(11, 23)))
    expect([some[0]?.from, some.at(-1)?.next]).toEqual([11, 23])
    expect(await readAll(at, 40, 40)).toEqual([])
  })

  test('bounds are those of every partition; none of a topic that is not there', async () => {
    const topic = await scene().createTopic()
    await scene().append({ topic, partition: 1 }, 9)
    await scene().deleteBefore({ topic, partition: 1 }, 4)
    expect(await scene().log.bounds(topic)).toEqual([
      { partition: 0, oldest: 0, end: 0 },
      { partition: 1, oldest: 4, end: 9 },
    ])
    expect(await scene().log.bounds(`${topic}.nowhere`)).toBeNull()
  })

  test('what retention deleted is left out, and the next chunk says so', async () => {
    const at = { topic: await scene().createTopic(), partition: 0 }
    const sent = await scene().append(at, 20)
    await scene().deleteBefore(at, 15)
    const chunks = await readAll(at, 3, 20)
    expect(chunks[0]?.from).toBe(15)
    expect(placesOf(recordsOf(chunks))).toEqual(placesOf(sent.slice(15)))
    expect(recordsOf(await readAll(at, 3, 12))).toEqual([])
  })

  test('markers and aborted records take offsets and are no messages', async () => {
    const at = { topic: await scene().createTopic(), partition: 0 }
    const plain = await scene().append(at, 2)
    await scene().transact(at, 3, 'abort')
    const committed = await scene().transact(at, 3, 'commit')
    const [, { end = 0 } = {}] = [null, (await scene().log.bounds(at.topic))?.[0]]
    expect(end).toBe(10)
    const chunks = await readAll(at, 0, end)
    expect(placesOf(recordsOf(chunks))).toEqual(placesOf([...plain, ...committed]))
    expect(chunks.at(-1)?.next).toBe(10)
  })

  test('an open transaction ends the reading or is waited for, and not for ever', async () => {
    const at = { topic: await scene().createTopic(), partition: 0 }
    const plain = await scene().append(at, 2)
    await scene().transact(at, 3, 'open')
    expect((await scene().log.bounds(at.topic))?.[0]?.end).toBe(5)
    const seen = await readAll(at, 0, 5, 'end')
    expect(placesOf(recordsOf(seen))).toEqual(placesOf(plain))
    const waiting = readAll(at, 0, 5, 'wait')
    await expect(waiting).rejects.toBeInstanceOf(SealError)
    await expect(waiting).rejects.toMatchObject({ code: 'SEAL_KAFKA_UNAVAILABLE' })
  })

  test('tells what is committed, and which topics are compacted', async () => {
    const plain = await scene().createTopic()
    const compacted = await scene().createTopic({ isCompacted: true })
    await scene().append({ topic: plain, partition: 0 }, 5)
    await scene().commit({ topic: plain, partition: 0 }, 4)
    expect((await scene().log.committed(plain)).get(0)).toBe(4)
    expect((await scene().log.committed(plain)).get(1) ?? 0).toBe(0)
    expect(await scene().log.isCompacted(plain)).toBe(false)
    expect(await scene().log.isCompacted(compacted)).toBe(true)
  })
}
