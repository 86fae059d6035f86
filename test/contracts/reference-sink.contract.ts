import { beforeEach, describe, expect, it } from 'vitest'
import type {
  LanePublisher,
  Publication,
  ReferenceSink,
} from '../../src/pipeline/reference-sink.ts'
import { runsOf } from '../support/record-runs.ts'

/** A sink, and what consumers and the group see once no lane is open. Two partitions, topics of its own. */
export interface SinkPlace {
  readonly sink: ReferenceSink
  readonly source: string
  readonly output: string
  /** What a consumer that sees only committed records reads of a partition, keys before values. */
  visible(partition: number): Promise<readonly (readonly [key: Buffer | null, value: Buffer])[]>
  /** The committed offset of a source partition; null where there is none. */
  committed(partition: number): Promise<number | null>
}

/** What the road relies on, of whatever client is behind {@link ReferenceSink}. */
export function referenceSinkContract(name: string, makePlace: () => Promise<SinkPlace>): void {
  describe(`the contract of a reference sink, kept by ${name}:`, () => {
    let place: SinkPlace

    beforeEach(async () => {
      place = await makePlace()
    })

    /** Values for one output partition, and the offset that goes with them. */
    function publication(partition: number, values: Uint8Array[], nextOffset: number): Publication {
      const { source, output } = place
      const runs = runsOf(values)
      const records = values.length === 0 ? [] : [{ topic: output, partition, runs }]
      return { records, offsets: [{ topic: source, partition, nextOffset }] }
    }

    /** Publishes in good time. */
    const publish = (publisher: LanePublisher, ...of: Parameters<typeof publication>) =>
      publisher.publish(publication(...of), () => true)

    const texts = (...all: string[]) => all.map((text) => Buffer.from(text))

    it('records and offsets become visible as one, in order, on their partition, without keys', async () => {
      expect(await place.committed(0)).toBeNull()
      const publisher = await place.sink.openLane(0)
      await publish(publisher, 0, texts('a', 'b'), 2)
      await publish(publisher, 0, texts('c'), 7)
      await publish(publisher, 1, texts('d'), 1)
      await publisher.close()
      expect(await place.visible(0)).toEqual(texts('a', 'b', 'c').map((value) => [null, value]))
      expect(await place.visible(1)).toEqual(texts('d').map((value) => [null, value]))
      expect([await place.committed(0), await place.committed(1)]).toEqual([7, 1])
    })

    it('values are bytes, and more than one request takes', async () => {
      const values = Array.from({ length: 40 }, (_, i) => Buffer.alloc(64 * 1024, i))
      const publisher = await place.sink.openLane(0)
      await publish(publisher, 0, values, 40)
      await publisher.close()
      const visible = await place.visible(0)
      expect(visible.map(([, value]) => [value.length, value[0]])).toEqual(
        values.map((value) => [value.length, value[0]]),
      )
    })

    it('offsets go without records as well', async () => {
      const publisher = await place.sink.openLane(0)
      await publish(publisher, 0, [], 5)
      await publisher.close()
      expect(await place.committed(0)).toBe(5)
      expect(await place.visible(0)).toEqual([])
    })

    it('opening a lane fences its earlier writer, which publishes nothing any more', async () => {
      const earlier = await place.sink.openLane(0)
      await publish(earlier, 0, texts('a'), 1)
      const later = await place.sink.openLane(0)
      const late = publish(earlier, 0, texts('late'), 9)
      await expect(late).rejects.toMatchObject({ code: 'SEAL_FENCED' })
      await publish(later, 0, texts('b'), 2)
      await Promise.all([earlier.close(), later.close()])
      expect(await place.visible(0)).toEqual(texts('a', 'b').map((value) => [null, value]))
      expect(await place.committed(0)).toBe(2)
    })

    it('what is late by the time of its commit is not published', async () => {
      const publisher = await place.sink.openLane(0)
      const late = publisher.publish(publication(0, texts('late'), 9), () => false)
      await expect(late).rejects.toMatchObject({ name: 'SealError' })
      await publisher.close()
      const next = await place.sink.openLane(0)
      await publish(next, 0, texts('a'), 1)
      await next.close()
      expect(await place.visible(0)).toEqual([[null, Buffer.from('a')]])
      expect(await place.committed(0)).toBe(1)
    })

    it('lanes do not fence each other', async () => {
      const [one, other] = [await place.sink.openLane(0), await place.sink.openLane(1)]
      await publish(one, 0, texts('a'), 1)
      await publish(other, 1, texts('b'), 1)
      await Promise.all([one.close(), other.close()])
      expect(await place.visible(0)).toHaveLength(1)
      expect(await place.visible(1)).toHaveLength(1)
    })

    it('a writer that failed is of no further use', async () => {
      const earlier = await place.sink.openLane(0)
      const later = await place.sink.openLane(0)
      await expect(publish(earlier, 0, texts('late'), 9)).rejects.toThrow()
      const again = publish(earlier, 0, texts('later still'), 9)
      await expect(again).rejects.toMatchObject({ name: 'SealError' })
      await Promise.all([earlier.close(), later.close()])
      expect(await place.visible(0)).toEqual([])
      expect(await place.committed(0)).toBeNull()
    })
  })
}
