import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Message } from '../../../src/format/message.ts'
import { planSweep } from '../../../src/incident/sweep-plan.ts'
import type { Dek } from '../../../src/keys/dek.ts'
import { messagesOf } from '../../../src/mapping/mapped-messages.ts'
import type { SegmentEntry } from '../../../src/mapping/mapping-store.ts'
import { all } from '../../contracts/mapping-store.contract.ts'
import { message } from '../../support/messages.ts'
import { foundIn, PREFIX, RebuildPlace } from '../../support/rebuild-place.ts'
import { CREATED_AT_MS, type SealedSegment } from '../../support/sealed-segment.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const TOPICS = ['orders', 'payments']

/** What an encryptor made of some messages, and what became of the index of it. */
interface Made {
  readonly dek: number
  readonly counts: readonly (readonly [topic: number, partition: number, count: number])[]
  /** A crash in front of the references; then the messages were sealed once more. */
  readonly isOrphan: boolean
  readonly losses: readonly Loss[]
}

const LOSSES = ['intent', 'summary', 'publishedAtMs', 'rows', 'places', 'dek', 'kek'] as const
type Loss = (typeof LOSSES)[number]

const anyMade: fc.Arbitrary<Made> = fc.record({
  dek: fc.nat(2),
  counts: fc.array(fc.tuple(fc.nat(1), fc.nat(2), fc.integer({ min: 1, max: 12 })), {
    ...{ minLength: 1, maxLength: 4 },
  }),
  isOrphan: fc.boolean(),
  losses: fc.subarray([...LOSSES]),
})

interface Known {
  readonly dek: Dek
  readonly segment: SealedSegment
  readonly made: Made
  readonly isNamed: boolean
}

/** Offsets of every partition rise over all segments. */
class Source {
  readonly #next = new Map<string, number>()

  take(topic: string, partition: number, count: number): Message[] {
    const name = `${topic}/${partition}`
    const from = this.#next.get(name) ?? 0
    this.#next.set(name, from + count)
    return Array.from({ length: count }, (_, i) =>
      message({ topic, partition, offset: from + i, value: Buffer.from(`value ${i}`) }),
    )
  }
}

async function seal(place: RebuildPlace, makes: readonly Made[]): Promise<Known[]> {
  const source = new Source()
  const deks = [await place.dek(), await place.dek(), await place.dek('payments')]
  const known: Known[] = []
  for (const [i, made] of makes.entries()) {
    const dek = deks[made.dek] as Dek
    const messages = made.counts.flatMap(([topic, partition, count]) =>
      source.take(TOPICS[topic] as string, partition, count),
    )
    const createdAtMs = CREATED_AT_MS + i * 2 * HOUR_MS
    if (made.isOrphan) {
      const without = ['references', 'published'] as const
      const segment = await place.seal(dek, messages, { createdAtMs, without })
      known.push({ dek, segment, made, isNamed: false })
    }
    const again = createdAtMs + (made.isOrphan ? HOUR_MS : 0)
    const segment = await place.seal(dek, messages, { createdAtMs: again })
    known.push({ dek, segment, made, isNamed: true })
  }
  return known
}

function lose(place: RebuildPlace, { dek, segment, made }: Known, isAll: boolean): void {
  const key = { dekId: dek.record.dekId, segmentId: segment.segmentId }
  for (const loss of isAll ? LOSSES : made.losses) {
    if (loss === 'dek') place.mapping.loseDek(key.dekId)
    else if (loss === 'kek') place.mapping.unlisted.add(key.dekId)
    else if (loss === 'rows') {
      place.mapping.alterRows(key, (row) => (row.offset % 3 === 0 || isAll ? null : row))
    } else if (loss === 'places') {
      place.mapping.alterRows(key, (row) => ({ ...row, position: row.position + 1 }))
    } else place.mapping.lose(key, loss)
  }
}

/** All that the index says, with times to the minute. */
async function contentOf({ mapping }: RebuildPlace, known: readonly Known[]) {
  const entries = await all(mapping.segments())
  const told = async (entry: SegmentEntry) => ({
    ...entry,
    createdAtMs: Math.floor(entry.createdAtMs / MINUTE_MS) * MINUTE_MS,
    sealedAtMs: entry.sealedAtMs === null ? null : 'some time',
    rows: await all(messagesOf(mapping, entry)),
  })
  const segments = await Promise.all(entries.map(told))
  const deks = await Promise.all(known.map(({ dek }) => mapping.onRecord(dek.record.dekId)))
  return { segments: new Map(segments.map((one) => [one.objectKey, one])), deks }
}

describe('whatever the index lost', () => {
  it('comes back: equal to what it was, and to the store; and no sweep takes what is published', async () => {
    const worlds = fc.array(anyMade, { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(worlds, fc.boolean(), fc.boolean(), async (makes, isAll, hasKafka) => {
        const place = new RebuildPlace()
        const known = await seal(place, makes)
        const before = await contentOf(place, known)
        for (const one of known) lose(place, one, isAll)
        place.clock.advance(100 * HOUR_MS)
        const ports = hasKafka ? {} : { references: null }
        const seen = await place.compare({}, ports)
        const report = await place.rebuild({}, ports)
        expect([foundIn(report), report.left]).toEqual([foundIn(seen), 0])

        const after = await contentOf(place, known)
        expect(after.deks).toEqual(before.deks)
        expect([...after.segments.keys()].sort()).toEqual([...before.segments.keys()].sort())
        for (const { segment, isNamed } of known) {
          const [was, is] = [before, after].map((one) => one.segments.get(segment.objectKey))
          expect({ ...is, state: was?.state }).toEqual(was)
          if (isNamed) expect(is?.state).toBe('published')
        }

        const { writes } = place.mapping
        const second = await place.rebuild({}, ports)
        expect([foundIn(second), place.mapping.writes]).toEqual([{}, writes])

        const scope = { prefix: PREFIX, domains: null, ageMs: 24 * HOUR_MS }
        const plan = await planSweep(
          {
            ...place.ports,
            mapping: place.mapping,
            inventory: place.inventory,
            references: place.references,
            holders: { dekOf: async () => null },
          },
          { ...scope, signal: place.stop.signal, onProgress: () => {} },
        )
        const named = new Set(
          known.filter((one) => one.isNamed).map((one) => one.segment.objectKey),
        )
        const taken = plan.items.filter(({ verdict }) => verdict !== 'unknown')
        expect(taken.filter(({ segment }) => named.has(segment.objectKey))).toEqual([])
      }),
      { numRuns: 60 },
    )
  })
})
