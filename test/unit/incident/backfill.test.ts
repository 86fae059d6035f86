import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { backfill } from '../../../src/incident/backfill.ts'
import { impactOf } from '../../../src/incident/impact.ts'
import { placesOfMessage } from '../../../src/incident/message-places.ts'
import { columnsOf, dekRecord, messagesFrom } from '../../contracts/mapping-store.contract.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { MemoryMappingStore } from '../../support/memory-mapping-store.ts'

const AT_MS = Date.UTC(2026, 0, 1)

/** A segment as an encryptor has left it that knew of no look-ups. */
async function sealOld(store: MemoryMappingStore, dekId: string, base: number, isSealed: boolean) {
  const segment = { dekId, segmentId: randomUUID(), objectKey: `${base}.seal`, createdAtMs: AT_MS }
  await store.recordIntent(segment)
  const messages = [...messagesFrom(base, 7), ...messagesFrom(base, 4, 'payments', 3)]
  await store.writeRows(segment, segment.objectKey, columnsOf(messages))
  const sum = { messageCount: messages.length, bytes: 1_000, sealedAtMs: AT_MS }
  if (isSealed) await store.recordSealed({ ...segment, ...sum })
}

test('a backfill lets older segments be found, and says so at its end, however often it runs', async () => {
  const store = new MemoryMappingStore()
  store.coversAll = false
  const dek = dekRecord({ createdAtMs: AT_MS })
  await store.recordDek(dek)
  await sealOld(store, dek.dekId, 0, true)
  await sealOld(store, dek.dekId, 100, false)
  const scope = { topic: 'payments' }
  await expect(impactOf(store, scope)).rejects.toMatchObject({ code: 'SEAL_SOURCE_UNKNOWN' })
  expect(await impactOf(store, { keyDomain: 'orders' })).toMatchObject({ isComplete: false })
  const noted: string[] = []
  const ports = {
    ...{ register: store, mapping: store, writer: store, clock: new ManualClock() },
    deks: {
      async *deks() {
        yield dek
      },
      noteDomain: async ({ dekId }: { dekId: string }) => void noted.push(dekId),
    },
    noteCoverage: async () => {
      store.coversAll = true
    },
  }
  for (let run = 0; run < 2; run++) {
    expect(await backfill(ports, () => {})).toEqual({ deks: 1, segments: 2, messages: 22 })
    expect(await impactOf(store, scope)).toEqual({
      ...{ deks: 1, objects: 1, messages: 8, bytes: 800, isComplete: true },
      segments: { intended: 1, sealed: 1, published: 0, swept: 0, replaced: 0, shredded: 0 },
    })
  }
  expect(noted).toEqual([dek.dekId, dek.dekId])
  const found = await placesOfMessage(store, { topic: 'orders', partition: 0, offset: 103 })
  expect(found.places.map(({ segment, position }) => [segment.objectKey, position])).toEqual([
    ['100.seal', 364],
  ])
})
