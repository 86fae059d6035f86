import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Message } from '../../src/format/message.ts'
import type {
  FetchedBatch,
  MessageSource,
  SourceHandler,
  TopicPartition,
} from '../../src/pipeline/message-source.ts'
import { comparable } from '../support/messages.ts'
import type { Compression, RawRecord } from '../support/record-batch.ts'
import { numberedRecords, oddRecords } from '../support/records.ts'

/** Sources of one group over one topic of four partitions and two lanes, and the side of producers. */
export interface SourcePlace {
  readonly topic: string
  /** The same with the time of the broker. */
  readonly appendTimeTopic: string
  /** One more member of the group. The place stops it. */
  member(): Promise<MessageSource>
  append(at: TopicPartition, records: readonly RawRecord[], codec?: Compression): Promise<Message[]>
  /** The messages of one transaction; committed or aborted. */
  transaction(
    at: TopicPartition,
    records: readonly RawRecord[],
    isCommitted: boolean,
  ): Promise<Message[]>
  /** Deletes what lies before `offset`. */
  truncate(at: TopicPartition, offset: number): Promise<void>
  commit(at: TopicPartition, offset: number): Promise<void>
  /** Deletes `topic` and creates it again with these records in its first partition. */
  recreate(records: readonly RawRecord[]): Promise<void>
  close(): Promise<void>
}

/** Takes everything, and lets a test wait for what it has. */
class Collector implements SourceHandler {
  assigned: readonly TopicPartition[] = []
  readonly batches: FetchedBatch[] = []
  readonly outOfRange: TopicPartition[] = []
  readonly #waiting = new Set<() => void>()
  readonly #failed = Promise.withResolvers<never>()

  onAssigned(partitions: readonly TopicPartition[]): void {
    this.assigned = partitions
    this.#changed()
  }

  async onBatch(batch: FetchedBatch): Promise<boolean> {
    this.batches.push(batch)
    this.#changed()
    return true
  }

  onOutOfRange(at: TopicPartition): void {
    this.outOfRange.push(at)
    this.#changed()
  }

  onUnreadable(_at: TopicPartition, error: unknown): void {
    this.#failed.reject(error)
  }

  onInterrupted(): void {}

  onFailure(error: unknown): void {
    this.#failed.reject(error)
  }

  of({ topic, partition }: TopicPartition): Message[] {
    const own = this.batches.filter(
      (batch) => batch.topic === topic && batch.partition === partition,
    )
    return own.flatMap(({ messages }) => [...messages])
  }

  /** Resolves when `is` holds, looked at whenever the source tells something. */
  until(is: () => boolean): Promise<void> {
    const holds = new Promise<void>((resolve) => {
      const look = () => void (is() && resolve())
      this.#waiting.add(look)
      look()
    })
    return Promise.race([holds, this.#failed.promise])
  }

  #changed(): void {
    for (const look of this.#waiting) look()
  }
}

/** What the road relies on, of whatever client is behind {@link MessageSource}. */
export function messageSourceContract(name: string, makePlace: () => Promise<SourcePlace>): void {
  describe(`the contract of a message source, kept by ${name}:`, () => {
    let place: SourcePlace

    beforeEach(async () => {
      place = await makePlace()
    })

    afterEach(() => place.close())

    const partition = (number: number) => ({ topic: place.topic, partition: number })
    const content = (messages: readonly Message[]) =>
      messages.map((message) => [
        message.topic,
        message.partition,
        message.offset,
        comparable(message),
      ])

    async function joined(): Promise<{ source: MessageSource; collector: Collector }> {
      const source = await place.member()
      const collector = new Collector()
      await source.start(collector)
      await collector.until(() => collector.assigned.length > 0)
      return { source, collector }
    }

    it('every message comes byte for byte, in the order of its partition, whatever its codec', async () => {
      const appendTime = { topic: place.appendTimeTopic, partition: 0 }
      const codecs: Compression[] = ['none', 'gzip', 'snappy', 'snappy-java', 'lz4', 'zstd']
      const expected: Message[] = []
      for (const codec of codecs) {
        expected.push(
          ...(await place.append(partition(codecs.indexOf(codec) % 2), oddRecords, codec)),
        )
      }
      const timed = await place.append(appendTime, oddRecords.slice(0, 8))
      const { collector } = await joined()
      const all = () => [...collector.of(partition(0)), ...collector.of(partition(1))]
      const isWhole = () => all().length === expected.length
      await collector.until(() => isWhole() && collector.of(appendTime).length === timed.length)
      const sorted = expected.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)
      expect(content(all())).toEqual(content(sorted))
      expect(content(collector.of(appendTime))).toEqual(content(timed))
    })

    it('fetches follow each other without a gap, over markers and aborted messages', async () => {
      const at = partition(0)
      const committed = [
        ...(await place.transaction(at, numberedRecords(3, 'a'), true)),
        ...(await place.append(at, numberedRecords(2, 'b'))),
      ]
      await place.transaction(at, numberedRecords(4, 'aborted'), false)
      committed.push(...(await place.transaction(at, numberedRecords(1, 'c'), true)))
      await place.transaction(at, numberedRecords(4, 'aborted'), false)
      const { source, collector } = await joined()
      const { end } = await source.logBounds(at)
      expect(end).toBe(3 + 1 + 2 + 5 + 2 + 5)
      const own = () => collector.batches.filter(({ partition }) => partition === 0)
      await collector.until(() => own().at(-1)?.nextOffset === end)
      expect(content(collector.of(at))).toEqual(content(committed))
      own().reduce((next, { fetchedOffset, nextOffset }) => {
        expect(fetchedOffset).toBe(next)
        return nextOffset
      }, 0)
    })

    it('a group starts where it has committed, and else with the oldest message', async () => {
      for (const number of [0, 1]) await place.append(partition(number), numberedRecords(9, 'x'))
      await place.commit(partition(0), 6)
      await place.truncate(partition(1), 4)
      const { source, collector } = await joined()
      const starts = await source.startOffsets([partition(0), partition(1), partition(2)])
      expect(starts.map(({ offset }) => offset)).toEqual([6, 4, 0])
      expect(starts.map(({ isCommitted }) => isCommitted)).toEqual([true, false, false])
      await collector.until(
        () => collector.of(partition(0)).length + collector.of(partition(1)).length === 8,
      )
      expect(collector.of(partition(0))[0]?.offset).toBe(6)
      expect(collector.of(partition(1))[0]?.offset).toBe(4)
      expect(source.isMember()).toBe(true)
    })

    it('a seek decides what comes next, and a pause that nothing does', async () => {
      for (const number of [0, 1]) await place.append(partition(number), numberedRecords(5, 'x'))
      const { source, collector } = await joined()
      const of = (number: number) => collector.of(partition(number)).map(({ offset }) => offset)
      await collector.until(() => of(0).length === 5 && of(1).length === 5)
      source.pause([partition(1)])
      source.seek(partition(0), 3)
      await place.append(partition(1), numberedRecords(5, 'x'))
      await place.append(partition(0), numberedRecords(1, 'y'))
      await collector.until(() => of(0).at(-1) === 5)
      expect(of(0)).toEqual([0, 1, 2, 3, 4, 3, 4, 5])
      expect(of(1)).toEqual([0, 1, 2, 3, 4])
    })

    it('a position that Kafka does not hold is told, and nothing is committed or skipped', async () => {
      for (const number of [0, 1]) await place.append(partition(number), numberedRecords(9, 'x'))
      await place.commit(partition(0), 2)
      await place.truncate(partition(0), 5)
      await place.commit(partition(1), 30)
      const { source, collector } = await joined()
      await collector.until(
        () => new Set(collector.outOfRange.map(({ partition }) => partition)).size === 2,
      )
      expect(collector.batches).toEqual([])
      const starts = await source.startOffsets([partition(0), partition(1)])
      expect(starts.map(({ offset }) => offset)).toEqual([2, 30])
      source.seek(partition(0), 7)
      await collector.until(() => collector.of(partition(0)).length > 0)
      expect(collector.of(partition(0)).map(({ offset }) => offset)).toEqual([7, 8])
      expect(collector.of(partition(1))).toEqual([])
    })

    it('a topic that was created again is not confirmed, and starts nowhere; others are and do', async () => {
      const at = partition(0)
      const other = { topic: place.appendTimeTopic, partition: 0 }
      await place.append(at, numberedRecords(3, 'x'))
      const { source, collector } = await joined()
      await collector.until(() => collector.of(at).length === 3)
      await source.confirm([at, other])
      await place.recreate(numberedRecords(9, 'again'))
      for (const tries of [1, 2]) {
        await expect(source.confirm([other, at]), `try ${tries}`).rejects.toMatchObject({
          code: 'SEAL_SOURCE_RESTARTED',
        })
      }
      await source.confirm([other])
      const starts = await source.startOffsets([at, partition(1), other])
      expect(starts).toMatchObject([{ ...other, offset: 0 }])
      const next = await place.member()
      await next.start(new Collector())
      await next.confirm([at, other])
    })

    it('lanes are held whole, and by one member each', async () => {
      const first = await joined()
      await first.collector.until(() => first.collector.assigned.length === 8)
      const second = await joined()
      const held = (collector: Collector) =>
        collector.assigned.map(({ topic, partition }) => `${topic}/${partition}`)
      await first.collector.until(() => first.collector.assigned.length === 4)
      await second.collector.until(() => second.collector.assigned.length === 4)
      const all = [...held(first.collector), ...held(second.collector)]
      expect(new Set(all).size).toBe(8)
      for (const { collector } of [first, second]) {
        expect(new Set(collector.assigned.map(({ partition }) => partition % 2)).size).toBe(1)
      }
    })
  })
}
