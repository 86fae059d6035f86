import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ObjectReader } from '../../src/reader/object-reader.ts'
import type { ObjectInventory, StoredObject } from '../../src/segment/object-inventory.ts'
import type { ObjectStore } from '../../src/segment/object-store.ts'
import { all } from './mapping-store.contract.ts'

/** The bucket that writers fill, and the inventory of it. */
export interface InventoryUnderTest {
  readonly store: ObjectStore
  readonly inventory: ObjectInventory
  readonly reader: ObjectReader
  /** What others may do to objects. Absent where the bucket keeps no versions. */
  readonly others?: {
    /** Puts another version over the one that is there. */
    readonly replace: (key: string, body: Buffer) => Promise<void>
    /** Deletes without naming a version: a mark covers what is there. */
    readonly cover: (key: string) => Promise<void>
    /** Locks this version until then. */
    readonly retain: (object: StoredObject, untilMs: number) => Promise<void>
  }
  close(): Promise<void>
}

/** What every {@link ObjectInventory} does. */
export function objectInventoryContract(
  name: string,
  open: () => InventoryUnderTest | Promise<InventoryUnderTest>,
): void {
  describe(`${name} as an inventory`, () => {
    let bucket: InventoryUnderTest
    let prefix: string

    beforeAll(async () => {
      bucket = await open()
    })
    beforeEach(() => {
      prefix = `inventory/${randomUUID()}/`
    })
    afterAll(() => bucket.close())

    const put = async (name: string, bytes = 3) => {
      await bucket.store.put(prefix + name, randomBytes(bytes), { 'ss-u': randomUUID() })
      return prefix + name
    }
    const objects = () => all(bucket.inventory.objects(prefix))
    const uploads = () => all(bucket.inventory.uploads(prefix))
    const only = async () => {
      const [object, ...others] = await objects()
      if (object === undefined || others.length > 0) throw new Error('not one object')
      return object
    }

    it('tells key, bytes and age of every object under the prefix, over pages', async () => {
      const names = Array.from({ length: 7 }, (_, i) => `o%2F${i}/s.seal`)
      for (const [i, one] of names.entries()) await put(one, i + 1)
      await bucket.store.put(`other/${prefix}a`, Buffer.from('x'), {})
      const found = (await objects()).toSorted((a, b) => a.bytes - b.bytes)
      expect(found.map(({ key, bytes }) => [key, bytes])).toEqual(
        names.map((one, i) => [prefix + one, i + 1]),
      )
      for (const { isDeleteMarker, modifiedAtMs } of found) {
        expect(isDeleteMarker).toBe(false)
        expect(Math.abs(modifiedAtMs - Date.now())).toBeLessThan(60_000)
      }
    })

    it('tells every open upload, those of one key too, and not those that have ended', async () => {
      const open: string[] = []
      for (const one of ['a', 'b', 'b', 'c', 'd', 'd', 'e']) {
        open.push(await bucket.store.createUpload(prefix + one, {}))
      }
      const ended = await bucket.store.createUpload(`${prefix}b`, {})
      await bucket.store.abortUpload(`${prefix}b`, ended)
      await bucket.store.createUpload(`other/${prefix}a`, {})
      const found = await uploads()
      expect(found.map(({ uploadId }) => uploadId).toSorted()).toEqual(open.toSorted())
      expect(found.filter(({ key }) => key === `${prefix}d`)).toHaveLength(2)
      for (const { startedAtMs } of found) {
        expect(Math.abs(startedAtMs - Date.now())).toBeLessThan(60_000)
      }
    })

    it('finds nothing under a prefix that nobody used', async () => {
      expect([await objects(), await uploads()]).toEqual([[], []])
    })

    it('removes the one object, twice if need be, and no other', async () => {
      const kept = await put('b')
      const gone = await put('a')
      const object = (await objects()).find(({ key }) => key === gone)
      if (object === undefined) throw new Error('not listed')
      await bucket.inventory.remove(object)
      await bucket.inventory.remove(object)
      expect((await only()).key).toBe(kept)
    })

    it('aborts the one upload, twice if need be, and no other of its key', async () => {
      const key = `${prefix}a`
      const [first, second] = [
        await bucket.store.createUpload(key, {}),
        await bucket.store.createUpload(key, {}),
      ]
      const upload = (await uploads()).find(({ uploadId }) => uploadId === first)
      if (upload === undefined) throw new Error('not listed')
      await bucket.inventory.abort(upload)
      await bucket.inventory.abort(upload)
      expect((await uploads()).map(({ uploadId }) => uploadId)).toEqual([second])
    })

    it('names versions as the reader takes them', async () => {
      const body = randomBytes(500)
      await bucket.store.put(`${prefix}a`, body, { 'ss-u': 'first' })
      const { key, versionId } = await only()
      const end = await bucket.reader.readEnd(key, 100, versionId)
      expect(end.bytes.equals(body.subarray(400))).toBe(true)
      expect([end.objectBytes, end.metadata]).toEqual([500, { 'ss-u': 'first' }])
      const range = await bucket.reader.readRange(key, 10, 20, versionId)
      expect(range.bytes.equals(body.subarray(10, 30))).toBe(true)
      await bucket.inventory.remove(await only())
      const missing = { code: 'SEAL_OBJECT_MISSING' }
      await expect(bucket.reader.readEnd(key, 100, versionId)).rejects.toMatchObject(missing)
      await expect(bucket.reader.readRange(key, 0, 1, versionId)).rejects.toMatchObject(missing)
    })

    it('reads the version that is named, older ones and those below a mark of deletion too', async () => {
      const { others } = bucket
      // A bucket without versions has no older ones.
      if (others === undefined) return
      const first = randomBytes(500)
      const key = `${prefix}a`
      await bucket.store.put(key, first, { 'ss-u': 'first' })
      const second = randomBytes(300)
      await others.replace(key, second)
      await others.cover(key)
      const versions = (await objects()).filter((one) => !one.isDeleteMarker)
      const idOf = (bytes: number) => versions.find((one) => one.bytes === bytes)?.versionId
      const old = await bucket.reader.readEnd(key, 10_000, idOf(500))
      expect([old.bytes.equals(first), old.objectBytes]).toEqual([true, 500])
      expect(old.metadata).toEqual({ 'ss-u': 'first' })
      const newer = await bucket.reader.readRange(key, 100, 50, idOf(300))
      expect(newer.bytes.equals(second.subarray(100, 150))).toBe(true)
      const current = bucket.reader.readRange(key, 0, 1)
      await expect(current).rejects.toMatchObject({ code: 'SEAL_OBJECT_MISSING' })
    })

    it('tells until when a version is kept, which is not removed before', async () => {
      const { others } = bucket
      if (others === undefined) return
      const key = await put('locked', 10)
      const object = await only()
      expect(object.isCurrent).toBe(true)
      expect(await bucket.inventory.retainedUntilMs(object)).toBeNull()
      const untilMs = Math.ceil(Date.now() / 1_000) * 1_000 + 3_600_000
      await others.retain(object, untilMs)
      expect(await bucket.inventory.retainedUntilMs(object)).toBe(untilMs)
      const refused = expect.objectContaining({ code: 'SEAL_STORE_REFUSED', retryable: false })
      await expect(bucket.inventory.remove(object)).rejects.toEqual(refused)
      expect((await only()).key).toBe(key)
    })

    it('lists older versions and marks of deletion, and removes each for good', async () => {
      const { others } = bucket
      // A bucket without versions has no older ones.
      if (others === undefined) return
      const key = await put('a', 10)
      await others.replace(key, randomBytes(20))
      await others.cover(key)
      await others.replace(key, randomBytes(30))
      await others.cover(await put('b', 40))
      const found = await objects()
      const versions = found.filter((one) => !one.isDeleteMarker)
      expect(versions.map(({ bytes }) => bytes).toSorted()).toEqual([10, 20, 30, 40])
      expect(found.filter((one) => one.isDeleteMarker)).toHaveLength(2)
      expect(new Set(found.map((one) => `${one.key} ${one.versionId}`)).size).toBe(6)
      const current = found.filter(({ isCurrent }) => isCurrent)
      expect(current.map(({ bytes, isDeleteMarker }) => [bytes, isDeleteMarker])).toEqual(
        expect.arrayContaining([
          [30, false],
          [0, true],
        ]),
      )
      expect(current).toHaveLength(2)
      const old = found.find(({ bytes }) => bytes === 20)
      if (old === undefined) throw new Error('not listed')
      await bucket.inventory.remove(old)
      await bucket.inventory.remove(old)
      expect((await objects()).map(({ bytes }) => bytes)).not.toContain(20)
      expect(await objects()).toHaveLength(5)
      for (const object of found) await bucket.inventory.remove(object)
      expect(await objects()).toEqual([])
    })
  })
}
