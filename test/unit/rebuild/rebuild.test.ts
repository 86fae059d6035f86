import { beforeEach, describe, expect, it } from 'vitest'
import type { Message } from '../../../src/format/message.ts'
import type { Dek } from '../../../src/keys/dek.ts'
import { messagesOf } from '../../../src/mapping/mapped-messages.ts'
import { dekObjectKey } from '../../../src/segment/object-key.ts'
import { all } from '../../contracts/mapping-store.contract.ts'
import { MemoryMappingStore } from '../../support/memory-mapping-store.ts'
import { MemoryReferenceLog } from '../../support/memory-reference-log.ts'
import { messages } from '../../support/messages.ts'
import { foundIn, PREFIX, RebuildPlace, withMethods } from '../../support/rebuild-place.ts'
import { CREATED_AT_MS, type SealedSegment } from '../../support/sealed-segment.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const MINUTE_MS = 60_000

let place: RebuildPlace
let dek: Dek

beforeEach(async () => {
  place = new RebuildPlace()
  dek = await place.dek()
})

const from = (base: number, count = 3): Message[] =>
  messages(count).map((one, i) => ({ ...one, offset: base + i }))

const entryOf = ({ segmentId }: SealedSegment, dekId = dek.record.dekId) =>
  place.mapping.findSegment({ dekId, segmentId })

const rowsOf = ({ segmentId }: SealedSegment, dekId = dek.record.dekId) =>
  all(messagesOf(place.mapping, { rowsDekId: dekId, segmentId }))

/** The keyspace was dropped. */
function loseIndex(): void {
  place.mapping = new MemoryMappingStore()
}

async function expectEqual(): Promise<void> {
  const report = await place.compare()
  expect([foundIn(report), report.left, report.isComplete]).toEqual([{}, 0, true])
}

describe('an index that was lost', () => {
  it('comes back from the store and the references', async () => {
    const segment = await place.seal(dek, from(0))
    const [before, rows] = [await entryOf(segment), await rowsOf(segment)]
    loseIndex()
    const seen = await place.compare()
    expect(foundIn(seen)).toEqual({ missingDek: 1, missingSegment: 1, missingRow: 3 })
    expect([seen.left, place.mapping.writes]).toEqual([5, 0])
    const report = await place.rebuild()
    expect(foundIn(report)).toEqual(foundIn(seen))
    expect(report).toMatchObject({
      ...{ isComplete: true, left: 0, underWay: 0 },
      store: { versions: 1, messages: 3, unread: 0, gone: 0, deks: 1 },
      publications: { named: 1, unnamed: 0, untold: 0 },
      written: { deks: 1, segments: 1, messages: 3 },
    })
    const createdAtMs = Math.floor(CREATED_AT_MS / MINUTE_MS) * MINUTE_MS
    expect(await entryOf(segment)).toEqual({
      ...{ ...before, createdAtMs, sealedAtMs: expect.any(Number) },
    })
    expect(await rowsOf(segment)).toEqual(rows)
    expect(await place.mapping.onRecord(dek.record.dekId)).toEqual(dek.record)
    await expectEqual()
  })

  it('covers all there is once a rebuild has ended, and not before', async () => {
    await place.seal(dek, from(0))
    await place.compare()
    expect(place.notes).toEqual([])
    place.stop.abort()
    await place.rebuild()
    expect(place.notes).toEqual(['begin'])
    await place.rebuild({ signal: new AbortController().signal })
    expect(place.notes).toEqual(['begin', 'begin', 'end'])
  })

  it('does not cover what an object holds that cannot be read', async () => {
    const broken = await place.seal(dek, from(0))
    place.store.objects.get(broken.objectKey)?.bytes.fill(0)
    await place.rebuild()
    expect(place.notes).toEqual(['begin'])
  })

  it('comes back in every look-up, also where one of them alone was lost', async () => {
    const segment = await place.seal(dek, from(0))
    const key = { dekId: dek.record.dekId, segmentId: segment.segmentId }
    place.mapping.losePlaces(key)
    place.mapping.undomained.add(key.dekId)
    expect(foundIn(await place.compare())).toEqual({ missingDek: 1, missingPlace: 2 })
    expect(await all(place.mapping.topics())).toEqual([])
    expect(await place.rebuild()).toMatchObject({ left: 0, written: { deks: 1, segments: 1 } })
    expect(await all(place.mapping.topics())).toEqual(['orders'])
    await expectEqual()
  })

  it('is whole after a second run, which writes nothing', async () => {
    await place.seal(dek, from(0))
    loseIndex()
    await place.rebuild()
    const { writes } = place.mapping
    const report = await place.rebuild()
    expect([place.mapping.writes, report.written]).toEqual([
      writes,
      { deks: 0, segments: 0, messages: 0 },
    ])
  })

  it('is written once more where that is asked for, without harm to what is on record', async () => {
    const segment = await place.seal(dek, from(0))
    const before = await entryOf(segment)
    const report = await place.rebuild({ rows: 'force' })
    expect(report.written).toEqual({ deks: 0, segments: 1, messages: 3 })
    expect(await entryOf(segment)).toEqual(before)
    await expectEqual()
  })

  it('shows a segment only when all of it is on record', async () => {
    const segment = await place.seal(dek, from(0))
    loseIndex()
    for (const step of ['recordPublished', 'writeRows', 'recordSealed', 'recordIntent'] as const) {
      const killed = () => Promise.reject(new Error('killed'))
      const writer = withMethods(place.mapping, { [step]: killed })
      await expect(place.rebuild({}, { writer })).rejects.toThrow('killed')
      expect([step, await entryOf(segment)]).toEqual([step, null])
    }
    await place.rebuild()
    await expectEqual()
  })

  it('tells older versions and those below a mark of deletion as well', async () => {
    const segment = await place.seal(dek, from(0))
    const other = await place.dek()
    const later = await place.seal(other, from(10))
    // Whoever re-encrypts puts the segment under another DEK at the same place.
    place.inventory.replace(segment.objectKey, later.bytes, later.metadata)
    place.inventory.cover(later.objectKey)
    loseIndex()
    const report = await place.rebuild()
    expect(report.store).toMatchObject({ versions: 3, messages: 6, unread: 1 })
    expect(await rowsOf(segment)).toHaveLength(3)
    expect(await rowsOf(later, other.record.dekId)).toHaveLength(3)
  })
})

describe('what is missing in part', () => {
  let segment: SealedSegment
  const key = () => ({ dekId: dek.record.dekId, segmentId: segment.segmentId })

  beforeEach(async () => {
    segment = await place.seal(dek, from(0, 5))
    place.clock.advance(DAY_MS)
  })

  const losses: [string, () => void, object][] = [
    ['the DEK', () => place.mapping.loseDek(key().dekId), { missingDek: 1 }],
    ['the way from its KEK', () => place.mapping.unlisted.add(key().dekId), { missingDek: 1 }],
    ['the intent', () => place.mapping.lose(key(), 'intent'), { missingSegment: 1, missingRow: 5 }],
    ['the totals', () => place.mapping.lose(key(), 'summary'), { missingMark: 1 }],
    ['the mark', () => place.mapping.lose(key(), 'publishedAtMs'), { missingMark: 1 }],
    [
      'some rows',
      () => place.mapping.alterRows(key(), (row) => (row.offset % 2 === 0 ? null : row)),
      { missingRow: 3 },
    ],
    [
      'the place of a row',
      () =>
        place.mapping.alterRows(key(), (row) => (row.offset > 0 ? row : { ...row, position: 1 })),
      { otherRow: 1 },
    ],
    [
      'the length of rows',
      () => place.mapping.alterRows(key(), (row) => ({ ...row, length: row.length + 1 })),
      { otherRow: 5 },
    ],
  ]
  it.each(losses)('%s: is told, and put right', async (_what, lose, found) => {
    lose()
    expect(foundIn(await place.compare())).toEqual(found)
    const report = await place.rebuild()
    expect([foundIn(report), report.left]).toEqual([found, 0])
    await expectEqual()
  })

  it('rows are not looked for where totals are trusted', async () => {
    place.mapping.alterRows(key(), () => null)
    expect(foundIn(await place.rebuild({ rows: 'trust' }))).toEqual({})
    expect(await rowsOf(segment)).toEqual([])
    place.mapping.lose(key(), 'summary')
    expect(foundIn(await place.rebuild({ rows: 'trust' }))).toEqual({
      ...{ missingMark: 1, missingRow: 5 },
    })
    expect(await rowsOf(segment)).toHaveLength(5)
  })

  it('the entry of a DEK in the key directory: the wrapped key of a segment serves', async () => {
    place.store.objects.delete(dekObjectKey({ prefix: PREFIX }, key().dekId))
    expect(foundIn(await place.compare())).toEqual({})
    loseIndex()
    expect(foundIn(await place.rebuild())).toMatchObject({ missingDek: 1 })
    expect(await place.mapping.onRecord(key().dekId)).toEqual({
      ...dek.record,
      kekVersion: null,
      createdAtMs: Math.floor(CREATED_AT_MS / MINUTE_MS) * MINUTE_MS,
    })
    await expectEqual()
  })
})

describe('what differs and is not missing', () => {
  it('is told and left alone', async () => {
    const segment = await place.seal(dek, from(0))
    const { dekId } = dek.record
    const key = { dekId, segmentId: segment.segmentId }
    const more = { ...segment.rows, offset: segment.rows.offset.map((one) => one + 100) }
    await place.mapping.writeRows(key, segment.objectKey, more)
    await place.mapping.recordSealed({ ...key, messageCount: 9, bytes: 1, sealedAtMs: 0 })
    const gone = await place.seal(dek, from(50))
    place.store.objects.delete(gone.objectKey)
    const broken = await place.seal(dek, from(60))
    const bytes = broken.bytes.subarray(0, -1)
    place.store.objects.set(broken.objectKey, { bytes, metadata: broken.metadata })
    await place.mapping.recordDek({ ...dek.record, kekVersion: '77' })
    const { writes } = place.mapping
    const found = { otherDek: 1, otherTotals: 1, extraRow: 3, extraSegment: 1, unreadObject: 1 }
    for (const report of [await place.compare(), await place.rebuild()]) {
      expect([foundIn(report), report.left]).toEqual([found, 7])
      const { differences } = report
      const objectOf = (kind: string) => differences.find((one) => one.kind === kind)?.object
      expect(objectOf('extraSegment')).toBe(gone.objectKey)
      expect(objectOf('unreadObject')).toBe(broken.objectKey)
      expect(objectOf('extraRow')).toBe(segment.objectKey)
    }
    expect(place.mapping.writes).toBe(writes)
  })

  it('an object of the segments folder that is none, and an entry that is none, are named', async () => {
    await place.store.put(`${PREFIX}/segments/orders/a.txt`, Buffer.from('text'), {})
    await place.store.put(`${PREFIX}/deks/b.json`, Buffer.from('text'), {})
    const report = await place.rebuild()
    expect(foundIn(report)).toEqual({ unreadObject: 1, unreadDek: 1 })
    expect(report.left).toBe(2)
  })

  it('segments and DEKs of another prefix belong to somebody else', async () => {
    const segment = await place.seal(dek, from(0))
    const objectKey = segment.objectKey.replace(PREFIX, 'other')
    const dekId = dek.record.dekId
    const theirs = { dekId, segmentId: '5ea15eed-0000-4000-8000-0000000000ff' }
    await place.mapping.recordIntent({ ...theirs, objectKey, createdAtMs: CREATED_AT_MS })
    await place.mapping.recordPublished(theirs, CREATED_AT_MS)
    await place.store.put(objectKey, segment.bytes, segment.metadata)
    await expectEqual()
  })

  it('an object that goes while the store is scanned is counted, and is no difference', async () => {
    const segment = await place.seal(dek, from(0), { without: ['published', 'references'] })
    place.mapping.lose({ dekId: dek.record.dekId, segmentId: segment.segmentId }, 'intent')
    const { store } = place
    const objects = withMethods(store, {
      readEnd(key: string, ...rest: [number, (string | null)?]) {
        if (key === segment.objectKey) store.objects.delete(key)
        return store.readEnd(key, ...rest)
      },
    })
    const report = await place.compare({}, { store: { inventory: place.inventory, objects } })
    expect([foundIn(report), report.store.gone]).toEqual([{}, 1])
  })
})

describe('beside encryptors at work', () => {
  it('a segment whose rows are on their way is let be, until it is old', async () => {
    await place.seal(dek, from(0), { without: ['rows', 'sealed', 'references', 'published'] })
    const report = await place.rebuild()
    expect([foundIn(report), report.underWay]).toEqual([{}, 1])
    place.clock.advance(2 * HOUR_MS)
    expect(foundIn(await place.rebuild())).toEqual({ missingMark: 1, missingRow: 3 })
  })

  it('a segment that is sealed and not yet published keeps its mark for its encryptor', async () => {
    const segment = await place.seal(dek, from(0), { without: ['references', 'published'] })
    place.clock.advance(DAY_MS)
    expect(foundIn(await place.rebuild())).toEqual({})
    expect((await entryOf(segment))?.state).toBe('sealed')
  })

  it('a DEK and a segment that come while it looks are no difference', async () => {
    await place.seal(dek, from(0))
    const { mapping } = place
    let late: Dek | null = null
    const slow = withMethods(mapping, {
      async *deksOfKek(kekId: string) {
        yield* await all(mapping.deksOfKek(kekId))
        // What was asked is told; now something new comes.
        if (late !== null) return
        late = await place.dek()
        await place.seal(late, from(100))
      },
    })
    const report = await place.compare({}, { mapping: slow })
    expect([foundIn(report), report.store.messages]).toEqual([{}, 6])
  })

  it('ends where it is asked to, with what it found, and goes on the next time', async () => {
    for (let base = 0; base < 200; base += 10) await place.seal(dek, from(base))
    loseIndex()
    let seen = 0
    const stop = new AbortController()
    const observer = {
      stepBegan: () => {},
      advanced: (count: number) => {
        seen += count
        if (seen > 70) stop.abort()
      },
    }
    const report = await place.rebuild({ signal: stop.signal, observer })
    expect(report.isComplete).toBe(false)
    const { segments } = report.written
    expect(segments).toBeGreaterThan(0)
    expect(segments).toBeLessThan(20)
    const second = await place.rebuild()
    expect(second.written.segments).toBe(20 - segments)
    await expectEqual()
  })
})

describe('the marks of publication, which keep a sweep away', () => {
  const LATER_MS = CREATED_AT_MS + 5 * HOUR_MS
  const orphan = () =>
    place.seal(dek, from(10), {
      ...{ createdAtMs: LATER_MS, without: ['references', 'published'] },
    })
  const stateOf = async (segment: SealedSegment) => (await entryOf(segment))?.state

  it('are given to what a reference names, and not to what was sealed again elsewhere', async () => {
    const segment = await place.seal(dek, from(0))
    const dead = await orphan()
    const again = await place.seal(dek, from(10), { createdAtMs: LATER_MS })
    loseIndex()
    const report = await place.rebuild()
    expect(report.publications).toEqual({ named: 2, unnamed: 1, untold: 0 })
    expect(await Promise.all([segment, dead, again].map(stateOf))).toEqual([
      ...['published', 'sealed', 'published'],
    ])
    await expectEqual()
  })

  const keepers: [string, () => void | Promise<void>][] = [
    ['one of its messages is nowhere else', () => {}],
    [
      'Kafka has dropped references of its time',
      async () => {
        await place.seal(dek, from(10), { createdAtMs: LATER_MS })
        place.references.dropBefore(LATER_MS)
      },
    ],
    [
      'an open transaction hides the end of the references',
      async () => {
        await place.seal(dek, from(10), { createdAtMs: LATER_MS })
        place.references.isHidden = true
      },
    ],
    [
      'a reference cannot be read',
      async () => {
        await place.seal(dek, from(10), { createdAtMs: LATER_MS })
        place.references.append([Buffer.from('{}')], LATER_MS)
      },
    ],
    [
      'the reference topic was created again, and names younger segments alone',
      async () => {
        place = Object.assign(place, { references: new MemoryReferenceLog(['orders']) })
        await place.seal(dek, from(10), { createdAtMs: LATER_MS + HOUR_MS })
      },
    ],
    [
      'the reference topic was created again, and is empty',
      () => void Object.assign(place, { references: new MemoryReferenceLog(['orders']) }),
    ],
  ]
  it.each(keepers)('are given to what nobody names when %s', async (_when, happen) => {
    await place.seal(dek, from(0))
    const dead = await orphan()
    await happen()
    loseIndex()
    await place.rebuild()
    expect(await stateOf(dead)).toBe('published')
  })

  it('are given to all there is when Kafka did not survive, also to what is on record', async () => {
    const segment = await place.seal(dek, from(0), { without: ['references', 'published'] })
    const without = { references: null }
    expect(foundIn(await place.compare({}, without))).toEqual({ missingMark: 1 })
    await place.rebuild({}, without)
    expect(await stateOf(segment)).toBe('published')
    loseIndex()
    const report = await place.rebuild({}, without)
    expect(report.publications).toEqual({ named: 0, unnamed: 0, untold: 1 })
    expect(await stateOf(segment)).toBe('published')
  })

  it('are not given to what was swept, unless a reference names it', async () => {
    const segment = await place.seal(dek, from(0), { without: ['references', 'published'] })
    const key = { dekId: dek.record.dekId, segmentId: segment.segmentId }
    await place.mapping.markSwept(key, CREATED_AT_MS)
    await place.rebuild({}, { references: null })
    // Its rows are back for as long as the object is there.
    expect([await stateOf(segment), (await rowsOf(segment)).length]).toEqual(['swept', 3])
    place.refer(segment)
    await place.rebuild()
    expect(await stateOf(segment)).toBe('published')
  })
})

describe('keys', () => {
  it('under which a segment was wrapped again lead to its DEK as well', async () => {
    const segment = await place.seal(dek, from(0))
    const metadata = { ...segment.metadata, 'ss-kek': 'another-kek' }
    place.inventory.replace(segment.objectKey, segment.bytes, metadata)
    expect(foundIn(await place.rebuild())).toEqual({ missingDek: 1 })
    await expectEqual()
    const [found] = await all(place.mapping.deksOfKek('another-kek'))
    expect(found?.dekId).toBe(dek.record.dekId)
    // The record that a look-up by DEK finds stays that of the key directory.
    expect(await place.mapping.onRecord(dek.record.dekId)).toEqual(dek.record)
  })
})
