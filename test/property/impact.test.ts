import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isSealError } from '../../src/errors.ts'
import { impactOf, impactPages } from '../../src/incident/impact.ts'
import type { ImpactScope } from '../../src/incident/impact-scope.ts'
import { placesOfMessage } from '../../src/incident/message-places.ts'
import { SEGMENT_OPEN_MS_MAX } from '../../src/limits.ts'
import { messagesIn } from '../../src/mapping/mapped-messages.ts'
import type { MappedMessage } from '../../src/mapping/mapping-store.ts'
import { all } from '../contracts/mapping-store.contract.ts'
import { columnsOf } from '../support/frame-columns.ts'
import { MemoryMappingStore } from '../support/memory-mapping-store.ts'

const HOUR_MS = 3_600_000
const BEGIN_MS = Date.UTC(2026, 0, 1, 22)
const DEKS = 4
const KEKS = ['arn:aws:kms:eu-west-1:1:key/a', 'arn:aws:kms:eu-west-1:1:key/b']
const VERSIONS = ['1', '2', null]
const DOMAINS = ['orders', 'tenant-7']
const TOPICS = ['orders', 'payments']

type Fate = 'intended' | 'half' | 'sealed' | 'published' | 'swept' | 'moved' | 'moving'

/** A segment as it was sealed, whatever the store makes of it. */
interface Made {
  readonly dek: number
  /** The DEK that it was, or is being, re-encrypted under. */
  readonly next: number
  readonly createdAtMs: number
  readonly openMs: number
  readonly fate: Fate
  readonly messages: readonly MappedMessage[]
}

const idOf = (kind: number, n: number) =>
  `0000000${kind}-0000-4000-8000-${String(n).padStart(12, '0')}`

const dekOf = (dek: number) => ({
  dekId: idOf(1, dek),
  keyDomain: DOMAINS[dek % DOMAINS.length] as string,
  kekId: KEKS[Math.floor(dek / 2) % KEKS.length] as string,
  kekVersion: VERSIONS[dek % VERSIONS.length] as string | null,
  createdAtMs: BEGIN_MS - dek,
})

const made = fc.record({
  dek: fc.nat({ max: DEKS / 2 - 1 }),
  next: fc.nat({ max: DEKS / 2 - 1 }).map((dek) => dek + DEKS / 2),
  createdAtMs: fc.nat({ max: 5 * HOUR_MS }).map((ms) => BEGIN_MS + ms),
  openMs: fc.nat({ max: 2 * HOUR_MS }),
  fate: fc.constantFrom<Fate>(
    ...(['intended', 'half', 'sealed', 'published', 'swept', 'moved', 'moving'] as const),
  ),
  messages: fc
    .uniqueArray(
      fc.record({
        topic: fc.constantFrom(...TOPICS),
        partition: fc.nat({ max: 2 }),
        offset: fc.nat({ max: 600 }),
      }),
      { minLength: 1, maxLength: 8, selector: (at) => JSON.stringify(at) },
    )
    .map((found) => found.map((at, i) => ({ ...at, position: 100 * i, length: 90 + i }))),
})

const scopes: fc.Arbitrary<ImpactScope> = fc
  .record(
    {
      dekId: fc.nat({ max: DEKS - 1 }).map((dek) => idOf(1, dek)),
      kekId: fc.constantFrom(...KEKS, 'a', 'b'),
      kekVersion: fc.constantFrom('1', '2'),
      keyDomain: fc.constantFrom(...DOMAINS),
      topic: fc.constantFrom(...TOPICS),
      partition: fc.nat({ max: 2 }),
      fromMs: fc.nat({ max: 8 * HOUR_MS }).map((ms) => BEGIN_MS + ms),
      toMs: fc.nat({ max: 8 * HOUR_MS }).map((ms) => BEGIN_MS + ms),
    },
    { requiredKeys: [] },
  )
  .filter(({ kekId, kekVersion }) => kekId !== undefined || kekVersion === undefined)
  .filter(({ topic, partition }) => topic !== undefined || partition === undefined)
  .filter(({ fromMs = 0, toMs = Number.POSITIVE_INFINITY }) => fromMs < toMs)
  .filter((scope) => Object.keys(scope).some((name) => !['kekVersion', 'partition'].includes(name)))

async function fill(store: MemoryMappingStore, segments: readonly Made[]): Promise<void> {
  for (let dek = 0; dek < DEKS; dek++) {
    await store.recordDek({ ...dekOf(dek), wrapped: new Uint8Array(1) })
  }
  for (const [n, { dek, createdAtMs, openMs, fate, messages }] of segments.entries()) {
    const segment = { dekId: idOf(1, dek), segmentId: idOf(2, n), createdAtMs }
    await store.recordIntent({ ...segment, objectKey: `${n}.seal` })
    if (fate === 'intended') continue
    const frames = columnsOf(messages)
    await store.recordPlaces(segment, frames)
    if (fate === 'half') {
      await store.writeRows(segment, `${n}.seal`, columnsOf(messages.slice(0, 1)))
      continue
    }
    await store.writeRows(segment, `${n}.seal`, frames)
    const bySource = Map.groupBy(messages, ({ topic, partition }) => `${topic} ${partition}`)
    const totals = [...bySource.values()].map((own) => ({
      ...{ topic: own[0]?.topic as string, partition: own[0]?.partition as number },
      ...{ firstOffset: 0, lastOffset: 0, messageCount: own.length },
      bytes: own.reduce((sum, { length }) => sum + length, 0),
    }))
    await store.recordTotals(segment, totals)
    const sealedAtMs = createdAtMs + openMs
    const sum = { messageCount: messages.length, bytes: 1_000 }
    await store.recordSealed({ ...segment, ...sum, sealedAtMs })
    if (fate === 'published') await store.recordPublished(segment, sealedAtMs)
    if (fate === 'swept') await store.markSwept(segment, sealedAtMs)
    if (fate === 'moved' || fate === 'moving') await move(store, segments[n] as Made, n, sum)
  }
}

/** Re-encrypts a segment a week later, to its end or not. */
async function move(
  store: MemoryMappingStore,
  { dek, next, createdAtMs, fate }: Made,
  n: number,
  sum: { readonly messageCount: number; readonly bytes: number },
): Promise<void> {
  const [rowsDekId, segmentId] = [idOf(1, dek), idOf(2, n)]
  const later = { dekId: idOf(1, next), segmentId }
  const beganAtMs = createdAtMs + 168 * HOUR_MS
  const intent = { ...later, objectKey: `${n}.seal`, createdAtMs, rowsDekId, beganAtMs }
  await store.recordReplacing({ ...intent, replacesDekId: rowsDekId })
  if (fate === 'moving') return
  await store.recordSealed({ ...later, ...sum, sealedAtMs: beganAtMs })
  await store.recordPublished(later, beganAtMs)
  const replaced = { atMs: beganAtMs, byDekId: later.dekId, retainedUntilMs: null }
  await store.recordReplaced({ dekId: rowsDekId, segmentId }, replaced)
}

/** What is there of a segment, as rows tell. */
function rowsOf({ fate, messages }: Made): readonly MappedMessage[] {
  if (fate === 'intended' || fate === 'swept') return []
  return fate === 'half' ? messages.slice(0, 1) : messages
}

/** Every message in scope, by looking at all of them. */
function bruteForce(segments: readonly Made[], scope: ImpactScope) {
  const underDeks = segments.flatMap((one, n) => {
    const { fate, openMs } = one
    const isOpenEnded = fate === 'intended' || fate === 'half'
    const first = { one, n, dek: one.dek, openMs: isOpenEnded ? SEGMENT_OPEN_MS_MAX : openMs }
    const next = { one, n, dek: one.next, openMs: SEGMENT_OPEN_MS_MAX }
    return fate === 'moved' || fate === 'moving' ? [first, next] : [first]
  })
  return underDeks.flatMap(({ one, n, dek: number, openMs }) => {
    const { createdAtMs } = one
    const dek = dekOf(number)
    const endMs = createdAtMs + openMs
    const isIn =
      (scope.dekId ?? dek.dekId) === dek.dekId &&
      (scope.kekId === undefined || dek.kekId.endsWith(scope.kekId)) &&
      (scope.kekVersion ?? dek.kekVersion) === dek.kekVersion &&
      (scope.keyDomain ?? dek.keyDomain) === dek.keyDomain &&
      endMs >= (scope.fromMs ?? 0) &&
      createdAtMs < (scope.toMs ?? Number.POSITIVE_INFINITY)
    return rowsOf(one)
      .filter(({ topic, partition }) => {
        const isOf =
          (scope.topic ?? topic) === topic && (scope.partition ?? partition) === partition
        return isIn && isOf
      })
      .map(({ topic, partition, offset, position, length }) =>
        JSON.stringify([dek.dekId, n, topic, partition, offset, position, length]),
      )
  })
}

describe('impact', () => {
  test('of any scope lists and counts what looking at every message gives', async () => {
    const known = fc.array(made, { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(known, scopes, async (segments, scope) => {
        const store = new MemoryMappingStore()
        await fill(store, segments)
        const expected = bruteForce(segments, scope).sort()
        try {
          const pages = await all(impactPages(store, scope))
          const listed = pages.flatMap(({ dek, segment, frames }) =>
            [...messagesIn(frames)].map(({ topic, partition, offset, position, length }) =>
              JSON.stringify([
                ...[dek.dekId, Number.parseInt(segment.objectKey, 10), topic, partition],
                ...[offset, position, length],
              ]),
            ),
          )
          expect(listed.sort()).toEqual(expected)
          expect((await impactOf(store, scope)).messages).toBe(expected.length)
        } catch (error) {
          // A key or source that nothing is on record of.
          if (!isSealError(error, 'SEAL_KEY_UNKNOWN', 'SEAL_SOURCE_UNKNOWN')) throw error
          expect(expected).toEqual([])
        }
      }),
      { numRuns: 500 },
    )
  })

  test('of one message tells every frame of it, and what may hold one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(made, { minLength: 1, maxLength: 12 }), async (segments) => {
        const store = new MemoryMappingStore()
        await fill(store, segments)
        const wanted = segments[0]?.messages[0] as MappedMessage
        const holds = ({ topic, partition, offset }: MappedMessage) =>
          topic === wanted.topic && partition === wanted.partition && offset === wanted.offset
        const expected = segments
          .flatMap((one, n) => {
            const deks = one.fate === 'moved' || one.fate === 'moving' ? 2 : 1
            return rowsOf(one).some(holds) ? new Array<string>(deks).fill(`${n}.seal`) : []
          })
          .sort()
        const mayHold = segments.flatMap(({ fate, messages }, n) =>
          fate === 'half' && messages.slice(1).some(holds) ? [`${n}.seal`] : [],
        )
        const found = await placesOfMessage(store, wanted).catch((error) => {
          if (!isSealError(error, 'SEAL_SOURCE_UNKNOWN')) throw error
          return { places: [], possible: [] }
        })
        const objects = found.places.map(({ segment }) => segment.objectKey).sort()
        expect(objects).toEqual(expected)
        const possible = found.possible.map(({ objectKey }) => objectKey)
        expect(possible).toEqual(expect.arrayContaining(mayHold))
      }),
    )
  })
})
