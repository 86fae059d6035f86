import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { type CopiesSummary, copiesOf } from '../../../src/incident/copies.ts'
import { dekRecord } from '../../contracts/mapping-store.contract.ts'
import { MemoryMappingStore } from '../../support/memory-mapping-store.ts'
import { MemoryObjectInventory } from '../../support/memory-object-inventory.ts'
import { MemoryObjectStore } from '../../support/memory-object-store.ts'

const AT_MS = Date.UTC(2026, 0, 1)
const NOTHING = { count: 0, bytes: 0 }

class Place {
  readonly mapping = new MemoryMappingStore()
  readonly store = new MemoryObjectStore()
  readonly inventory = new MemoryObjectInventory(this.store)
  readonly dek = dekRecord()

  async segment(name: string, state: 'intended' | 'sealed' | 'published'): Promise<string> {
    const objectKey = `sealed/segments/orders/${name}.seal`
    const segment = { dekId: this.dek.dekId, segmentId: randomUUID() }
    await this.mapping.recordIntent({ ...segment, objectKey, createdAtMs: AT_MS })
    const summary = { ...segment, messageCount: 1, bytes: 10, sealedAtMs: AT_MS }
    if (state !== 'intended') await this.mapping.recordSealed(summary)
    if (state === 'published') await this.mapping.recordPublished(segment, AT_MS)
    return objectKey
  }

  put(key: string, bytes: number): Promise<void> {
    return this.store.put(key, Buffer.alloc(bytes), {})
  }

  async copies(prefix = 'sealed'): Promise<CopiesSummary> {
    await this.mapping.recordDek(this.dek)
    const scope = { dekId: this.dek.dekId }
    return copiesOf(this.mapping, this.inventory, scope, prefix, () => {})
  }
}

test('the bucket is asked for what is there of every segment, not for what is on record', async () => {
  const place = new Place()
  await place.put(await place.segment('there', 'published'), 10)
  const replaced = await place.segment('replaced', 'published')
  await place.put(replaced, 20)
  place.inventory.replace(replaced, Buffer.alloc(25))
  const covered = await place.segment('covered', 'published')
  await place.put(covered, 30)
  place.inventory.cover(covered)
  await place.segment('gone', 'sealed')
  await place.put(await place.segment('orphan', 'sealed'), 40)
  await place.segment('nothing', 'intended')
  const begun = await place.segment('begun', 'intended')
  await place.store.createUpload(begun, {})
  await place.put(`${begun}.of-somebody-else`, 1)
  expect(await place.copies()).toEqual({
    current: { count: 2, bytes: 35 },
    unpublished: { count: 1, bytes: 40 },
    noncurrent: { count: 2, bytes: 50 },
    gone: 2,
    openUploads: 1,
    elsewhere: 0,
  })
})

test('segments under another prefix are looked at, and told for the sake of their uploads', async () => {
  const place = new Place()
  await place.put(await place.segment('there', 'published'), 10)
  expect(await place.copies('other')).toEqual({
    ...{ current: { count: 1, bytes: 10 }, unpublished: NOTHING, noncurrent: NOTHING },
    ...{ gone: 0, openUploads: 0, elsewhere: 1 },
  })
})
